"""What the status socket shows of a daemon whose turns a test counts."""

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from dokku_registryd import errors
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.install import builds
from dokku_registryd.core.install.plugin_facts import Link, PluginFacts
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.notify.login_checks import Check, Standing
from dokku_registryd.core.registry.reach import Reach
from dokku_registryd.core.status import exposition, metrics, status_page
from dokku_registryd.core.status.http_protocol import NOT_FOUND, Answer
from dokku_registryd.runtime import counters, status_pages
from support.waiting import until
from watching import watch
from workshops import Daemon, open_workshop
from worlds import Host

_Seen = TypeVar("_Seen")
OK = Answer(200, "ok\n")


class Scene:
    """A daemon, and what its pages read; a test may break any of it."""

    def __init__(self, host: Host) -> None:
        self.daemon = Daemon(open_workshop(host), bell=None)
        self.book: exposition.Book | Exception = exposition.Book(unpushed=(), paused={})
        self.files: exposition.Files | Exception = exposition.Files(
            waiting=0, rejected=0, free_bytes=9, refusal=""
        )
        self.plugin = PluginFacts(path="/plugins/enabled/registryd")
        self.unchecked: tuple[tuple[str, str], ...] = ()
        self.gate = threading.Event()
        self.gate.set()

    def pages(self, *, limit_seconds: float = 60.0) -> status_pages.StatusPages:
        """Build pages that have shown nothing yet."""
        return status_pages.StatusPages(
            executor=self.daemon.shop.executor,
            loop=self.daemon.loop,
            limit_seconds=limit_seconds,
            read_book=lambda _now: self._read(self.book),
            read_files=lambda: self._read(self.files),
            read_plugin=lambda: self._read(self.plugin),
            read_process=self._read_process,
            build=builds.Build("1.2.3", "5f0c"),
            data_dir="/data",
            read_unchecked=lambda: self.unchecked,
        )

    def start(self) -> None:
        """Let the daemon run until it is ready."""
        self.daemon.start()
        self.daemon.turns_to(
            lambda: self.daemon.loop.is_connected and self.ask("/readyz") == OK
        )

    def ask(self, path: str) -> Answer:
        """Return what stands at a path just now."""
        return self.pages().answer(path)

    def shown(self) -> dict[str, float]:
        """Return the metrics that are one figure."""
        answer = self.ask("/metrics")
        assert (answer.status, answer.content_type) == (200, metrics.CONTENT_TYPE)
        return {
            sample.name.removeprefix("dokku_registryd_")
            + "".join(sample.labels.values()): sample.value
            for family in parse(answer.body)
            for sample in family.samples
        }

    def _read(self, found: _Seen | Exception) -> _Seen:
        self.gate.wait()
        if isinstance(found, Exception):
            raise found
        return found

    @staticmethod
    def _read_process() -> exposition.Process:
        raise FileNotFoundError("/proc/self/statm")


@pytest.fixture
def scene(host: Host) -> Iterator[Scene]:
    """Give a daemon that is not started."""
    made = Scene(host)
    yield made
    made.gate.set()
    made.daemon.close()


def test_before_the_start(scene: Scene) -> None:
    """A service that is starting lives, and is not ready."""
    assert scene.ask("/livez") == OK
    assert scene.ask("/readyz").status == 503
    assert scene.ask("/readyz").body.splitlines() == [
        "the service is starting",
        "the Docker Engine does not answer: see systemctl status docker",
        "the first sweep is not finished yet",
    ]


def test_at_work(scene: Scene) -> None:
    """A service that works is alive, ready, and says so in its metrics."""
    scene.start()

    shown = scene.shown()

    assert scene.ask("/livez") == OK
    assert (shown["ready"], shown["engine_connected"], shown["sweeps_totaldone"]) == (
        *(1, 1),
        1,
    )


def test_the_page_of_the_verb(scene: Scene) -> None:
    """What only the service knows stands on one page, for the verb `status`."""
    before = status_page.Page(scene.ask("/status").body)
    scene.start()

    page = status_page.Page(scene.ask("/status").body)

    assert (before.is_ready, before.number("wanted")) == (False, None)
    assert "the service is starting" in before.reasons
    assert (page.is_ready, page.reasons) == (True, [])
    assert (page.text("version"), page.text("mode")) == ("1.2.3", "takeover")
    assert page.text("data_dir") == "/data"
    facts = scene.daemon.shop.executor.context.engine.facts()
    assert (page.text("engine"), page.text("store")) == (
        facts.version,
        facts.image_store,
    )
    assert (page.number("pid"), page.number("free_bytes")) == (os.getpid(), 9)
    names = ("apps", "wanted", "missing", "lost", "moved", "freeable")
    assert all(page.number(name) is not None for name in names)
    assert page.number("swept_at") == scene.daemon.shop.executor.context.clock.now()
    assert page.silent == []
    away = Reach(domain="r.example", asked_at=0, failures=2, since=9.5, reason="no")
    scene.daemon.shop.executor.counters.asked((away,))
    assert status_page.Page(scene.ask("/status").body).silent == [
        ("r.example", 9.5, "no")
    ]


def test_what_was_not_checked(scene: Scene) -> None:
    """It stands there with the reason, and what was checked does not."""
    assert status_page.Page(scene.ask("/status").body).unchecked == []
    scene.unchecked = (("logins", "pending"), ("registries", "off"))

    page = status_page.Page(scene.ask("/status").body)

    assert page.unchecked == [("logins", "pending"), ("registries", "off")]


def test_logins_on_the_page_of_the_verb(scene: Scene) -> None:
    """A login that a check found refused stands there, and one that works does not."""
    refused = Check(
        domain="r.example",
        owner="web",
        username="ci",
        mark="",
        standing=Standing.REFUSED,
        reason="it says no",
        asked_at=1.0,
    )
    accepted = replace(refused, owner="api", standing=Standing.ACCEPTED)
    scene.book = exposition.Book(unpushed=(), paused={}, logins=(refused, accepted))

    assert status_page.Page(scene.ask("/status").body).logins == [
        ("login_refused", "r.example (web's login ci)", "it says no")
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            errors.EngineUnavailableError("it does not answer within 30 s"),
            "the Docker Engine does not answer: see systemctl status docker",
        ),
        (
            errors.EngineForbiddenError("user dokku may not use docker.sock: …"),
            "user dokku may not use docker.sock: …",
        ),
    ],
    ids=["hangs", "closed"],
)
def test_an_engine_that_hangs(
    scene: Scene, host: Host, error: Exception, said: str
) -> None:
    """An Engine that keeps no more than its event stream open is found by a sweep."""
    hangs = threading.Event()

    def hang(_method: str) -> None:
        if hangs.is_set():
            raise error

    scene.start()
    shop = scene.daemon.shop
    shop.executor.context = host.replace(engine=watch(host.context.engine, hang))
    hangs.set()
    shop.intake.submit(sweep_wish())
    until(lambda: scene.ask("/readyz") != OK)

    answer, shown = scene.ask("/readyz"), scene.shown()
    hangs.clear()
    shop.intake.submit(sweep_wish())

    assert answer == Answer(503, f"{said}\n")
    assert (shown["engine_connected"], shown["check_okengine"]) == (0, 0)
    assert scene.daemon.loop.is_connected
    until(lambda: scene.ask("/readyz") == OK)


def test_a_main_loop_that_hangs(scene: Scene) -> None:
    """A main loop that turns too seldom is dead, and the reason says for how long."""
    scene.start()

    answer = scene.pages(limit_seconds=-1.0).answer("/livez")

    assert answer.status == 503
    assert answer.body.startswith("the main loop has been blocked for 0 s\n")


def test_a_dead_thread(scene: Scene) -> None:
    """A thread that died is seen before the main loop finds it."""
    scene.start()
    reader = scene.daemon.loop._reader
    scene.daemon.loop._scan_due = 0.0

    reader.stop()
    reader.join(120)

    alive = scene.daemon.loop.thread_failure
    assert alive == "the thread that reads events has died"
    assert scene.daemon.main is not None
    scene.daemon.main.join(120)
    assert str(scene.daemon.error) == alive


def test_a_stop(scene: Scene) -> None:
    """A service that drains lives, and is not ready for more."""
    scene.start()
    # However long ago the last turn was: there is no further one.
    pages = scene.pages(limit_seconds=-1.0)
    pages.stopping()
    scene.daemon.loop.stop()
    scene.daemon.ends()

    assert pages.answer("/livez") == OK
    assert pages.answer("/readyz") == Answer(503, "the service is stopping\n")


@pytest.mark.parametrize(
    ("source", "error", "reason", "name"),
    [
        (
            "book",
            errors.LedgerError("the ledger is damaged"),
            "the ledger cannot be used: the ledger is damaged",
            "ledger",
        ),
        (
            "files",
            PermissionError(13, "Permission denied"),
            "the spool cannot be written: Permission denied",
            "files",
        ),
    ],
    ids=["ledger", "spool"],
)
def test_a_disk_that_refuses(
    scene: Scene, source: str, error: Exception, reason: str, name: str
) -> None:
    """A source that refuses makes the service unready; other metrics are there."""
    scene.start()
    setattr(scene, source, error)

    shown = scene.shown()

    assert scene.ask("/readyz") == Answer(503, f"{reason}\n")
    assert (shown["ready"], shown[f"scrape_error{name}"]) == (0, 1)
    assert shown["jobsrunning"] == 0


def test_a_spool_that_takes_nothing(scene: Scene) -> None:
    """A spool that can be read and not written is a reason too."""
    scene.start()
    scene.files = exposition.Files(
        waiting=1, rejected=0, free_bytes=0, refusal="No space left on device"
    )

    assert scene.ask("/readyz").body == (
        "the spool cannot be written: No space left on device\n"
    )
    assert scene.shown()["trigger_fileswaiting"] == 1


def test_a_ledger_that_refused_the_last_job(scene: Scene) -> None:
    """What the workers hear from the ledger counts as much as what we can read."""
    scene.start()
    counted = scene.daemon.shop.executor.counters
    counted.refused(counters.WORK, "database or disk\nis full")

    during = scene.ask("/readyz")
    counted.accepted(counters.WORK)

    assert during == Answer(
        503, "the ledger cannot be used: database or disk is full\n"
    )
    assert scene.ask("/readyz") == OK


def test_a_disk_that_hangs(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that hangs keeps no answer back, and is found well when it is."""
    scene.start()
    pages = scene.pages()
    pages._book._seconds = pages._files._seconds = 0.01
    scene.gate.clear()

    during = pages.answer("/readyz")
    scene.gate.set()

    assert during.body.splitlines() == [
        "the ledger cannot be used: it does not answer within 0.01 s",
        "the spool cannot be written: it does not answer within 0.01 s",
    ]
    pages._book._seconds = pages._files._seconds = 10.0
    until(lambda: pages.answer("/readyz") == OK)


def test_a_plugin_that_is_disabled(scene: Scene) -> None:
    """A service that no deploy reaches is not ready, and says how it would be."""
    scene.start()
    scene.plugin = replace(scene.plugin, link=Link.ABSENT)

    answer, shown = scene.ask("/readyz"), scene.shown()
    scene.plugin = replace(scene.plugin, link=Link.PRESENT, differing=("report",))

    assert answer.status == 503
    assert answer.body.endswith("with: sudo dokku plugin:enable registryd\n")
    assert (shown["ready"], shown["check_okplugin"], shown["check_okspool"]) == (
        0,
        0,
        1,
    )
    assert scene.ask("/readyz") == OK


def test_jobs(scene: Scene, host: Host) -> None:
    """Waiting jobs are shown with the age of the oldest; a sweep is not a job."""
    host.add_job(Kind.HEAL)
    host.add_job(Kind.HEAL, "2.2.2", app="api")
    scene.daemon.shop.intake.resume()
    scene.daemon.shop.intake.submit(sweep_wish())
    host.clock.seconds += 7

    shown = scene.shown()

    assert (shown["jobsrunning"], shown["jobswaiting"]) == (0, 2)
    assert shown["oldest_job_age_seconds"] == 7


def test_an_unknown_path(scene: Scene) -> None:
    """Other paths are not found."""
    assert scene.ask("/") == scene.ask("/metrics/") == NOT_FOUND


def test_a_client_that_asks_all_the_time(scene: Scene) -> None:
    """A client that asks again at once gets the same answer without new work."""
    pages = scene.pages()

    first = pages.answer("/metrics")

    assert pages.answer("/metrics") is first


def sweep_wish() -> triggers.Trigger:
    """Return the wish for a sweep."""
    return triggers.Trigger(kind=Kind.SWEEP)
