"""`status`: what an operator reads first."""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd import __version__
from dokku_registryd.adapters.files import absence_file
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import spool
from dokku_registryd.adapters.status import sockets
from dokku_registryd.core.dokku import absence_text, presence
from dokku_registryd.core.engine import push_ways
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.install import builds
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.releases import Release
from dokku_registryd.core.status import status_page
from dokku_registryd.verbs.service import service_view, status_facts
from support import open_way
from support.calling import Caller, Closed, Served

NOBODY = 65534


def add(
    book: ledger.SqliteLedger, job_id: str, kind: Kind, app: str, *, age: float
) -> None:
    """Record a job that was accepted `age` seconds ago."""
    trigger = triggers.Trigger(kind=kind, app=app)
    book.add_jobs(
        [jobs.Job(job_id=job_id, trigger=trigger, accepted_at=time.time() - age)]
    )


def text_of(caller: Caller) -> str:
    """Return what is printed, without the free space of this disk."""
    text = caller.call("status").text
    return re.sub(r"; [0-9]+ [GMT]B of disk are free$", "", text, flags=re.MULTILINE)


def below(caller: Caller) -> list[str]:
    """Return the lines between that of the spool and those of the jobs."""
    return text_of(caller).partition("waiting\n")[2].partition("\n\n")[0].splitlines()


def test_a_new_host(caller: Caller) -> None:
    """Before anything happened, status says how to begin."""
    assert text_of(caller) == (
        "Health:  not ready: the service is stopped\n"
        "Service: stopped. Deploys push by themselves; missing images are not"
        " restored. Without systemd, start it with: sudo -u dokku dokku-registryd run\n"
        f"Version: {__version__}\n"
        "Images:  unknown until a running service has looked at them\n"
        f"Spool:   {caller.data_dir}/spool, 0 waiting\n"
        "\n"
        "No pending jobs."
    )


def test_a_new_host_for_a_script(caller: Caller) -> None:
    """A script finds the same keys on a host where nothing happened."""
    told = caller.call("status", "--format", "json").json

    assert told.pop("free_bytes") > 0
    assert told == {
        "health": {"is_ready": False, "reasons": ["the service is stopped"]},
        "service": "stopped",
        "pid": None,
        "state": {
            "name": "stopped",
            "text": "stopped. Deploys push by themselves; missing images are not"
            " restored. Without systemd, start it with: sudo -u dokku"
            " dokku-registryd run",
        },
        "outdated": "",
        "version": __version__,
        "mode": None,
        "engine": None,
        "images": None,
        "logins": [],
        "unchecked": [],
        "data_dir": str(caller.data_dir),
        "trigger_files": 0,
        "rejected_files": 0,
        "push_way": {"way": None, "reason": ""},
        "missing": {"cause": "none", "detail": "", "apps": []},
        "incomplete": [],
        "mirror": {
            "apps": 0,
            "releases": 0,
            "oldest_age_seconds": 0.0,
            "reason": "",
        },
        "silent": [],
        "follow": None,
        "paused": [],
        "ledger_error": "",
        "failed": [],
        "unfinished": [],
        "recent": [],
    }


def test_a_running_service(caller: Caller, lock: spool.SpoolLock) -> None:
    """The holder of the lock is shown with its process ID."""
    assert caller.call("status").lines[:2] == [
        (
            "Health:  unknown: it has no status socket (status.socket is empty), or is"
            " still starting"
        ),
        f"Service: running, pid {os.getpid()}",
    ]


def test_an_incomplete_release(caller: Caller, book: ledger.SqliteLedger) -> None:
    """Status names what the registry lacks, and how to send it again."""
    digest, gone = f"sha256:{'1' * 64}", f"layer sha256:{'2' * 64}"
    book.adopt(
        Release(
            job_id="1.1.1",
            app="web",
            number=3,
            image_id="sha256:1d",
            server="r.example/",
            image_repo="org/web",
            scheduler="docker-local",
            digest=digest,
        )
    )
    known = completeness.shown("1.1.1", digest, parts=4, now=time.time() - 150)
    book.record_check(replace(known, missing=(gone,), lacking=1))

    assert below(caller) == [
        (
            f"Lacking: r.example/org/web:3 cannot be pulled: its registry lacks {gone}"
            " (checked 2 min ago)"
        ),
        "         Send it again with: dokku-registryd push web",
    ]
    (found,) = caller.call("status", "--format", "json").json["incomplete"]
    age = found.pop("checked_age_seconds")
    assert isinstance(age, float)
    assert found == {
        "app": "web",
        "reference": "r.example/org/web:3",
        "digest": digest,
        "missing": [gone],
        "lacking": 1,
        "number": "",
        "is_here": True,
    }


@pytest.mark.parametrize(
    ("changed", "lines"),
    [
        (
            {"lacking": 1, "missing": ("layer x",), "is_here": False},
            [
                (
                    "Lacking: r.example/org/web:3 cannot be pulled: its registry lacks"
                    " layer x (checked 2 min ago)"
                ),
                (
                    "         Its image is not on this host, so it cannot be sent"
                    " again: rebuild the app with dokku ps:rebuild web"
                ),
            ],
        ),
        (
            {"number": completeness.Number.GONE},
            [
                (
                    "Lacking: r.example/org/web:3 is not in its registry any more: only"
                    " its number is gone, its image is not, but a cleanup there may"
                    " remove that too (checked 2 min ago)"
                ),
                "         Send it again with: dokku-registryd push web",
            ],
        ),
        (
            {"number": completeness.Number.MOVED},
            [
                (
                    "Lacking: r.example/org/web:3 is another image in its registry:"
                    " another client has pushed there. A heal pulls the released image"
                    " by its digest (checked 2 min ago)"
                ),
                "         Release it under a new number with: dokku ps:rebuild web",
            ],
        ),
    ],
    ids=["not-here", "gone", "moved"],
)
def test_the_way_out(
    caller: Caller,
    book: ledger.SqliteLedger,
    changed: dict[str, Any],
    lines: list[str],
) -> None:
    """Status advises a push only if that can work."""
    digest = f"sha256:{'1' * 64}"
    book.adopt(
        Release(
            job_id="1.1.1",
            app="web",
            number=3,
            image_id="sha256:1d",
            server="r.example/",
            image_repo="org/web",
            scheduler="docker-local",
            digest=digest,
        )
    )
    known = completeness.shown("1.1.1", digest, parts=4, now=time.time() - 150)
    book.record_check(replace(known, **changed))

    assert below(caller) == lines


def test_checks_are_not_recent_jobs(caller: Caller, book: ledger.SqliteLedger) -> None:
    """Checks of many apps do not hide what was released and healed."""
    add(book, "1.1.1", Kind.RELEASE, "web", age=90)
    book.finish_job("1.1.1", outcomes.done(), at=time.time() - 60)
    for number in range(9):
        add(book, f"verify-{number}", Kind.VERIFY, "web", age=50)
        book.finish_job(f"verify-{number}", outcomes.done(), at=time.time() - 40)

    recent = caller.call("status", "--format", "json").json["recent"]

    assert [row["intent"] for row in recent] == ["release"]


def test_a_service_from_before_an_upgrade(caller: Caller) -> None:
    """A service that runs another program is named with the cure."""
    older = builds.render(builds.Build("0.0.1", "77"))
    assert caller.lock.acquire(spool.DAEMON, tells=older)
    difference = f"runs 0.0.1, but {__version__} is installed"

    assert caller.call("status").lines[0].endswith(". Also an older version runs")
    assert caller.call("status").lines[1] == (
        f"Service: running, pid {os.getpid()}; it {difference}:"
        " sudo dokku-registryd install"
    )
    assert caller.call("status", "--format", "json").json["outdated"] == difference
    caller.lock.release()


def test_a_hook_that_works_the_spool(caller: Caller) -> None:
    """A hook that works in place of a service is not taken for one."""
    caller.lock.acquire(spool.HOOK)

    assert caller.call("status").lines[1] == (
        f"Service: stopped; the hook with pid {os.getpid()} runs the jobs."
        " Without systemd, start it with: sudo -u dokku dokku-registryd run"
    )
    caller.lock.release()


def test_what_waits_and_what_was_done(
    caller: Caller, lock: spool.SpoolLock, book: ledger.SqliteLedger
) -> None:
    """Status shows what lags and why, what ended last, and what was refused."""
    add(book, "1.1.1", Kind.RELEASE, "web", age=90)
    book.start_attempt("1.1.1")
    book.postpone("1.1.1", retry_at=time.time() + 150, error="r.example is away")
    add(book, "2.1.1", Kind.HEAL, "api", age=7_300)
    add(book, "3.1.1", Kind.RELEASE, "api", age=200_000)
    add(book, "4.1.1", Kind.HEAL, "web", age=200_000)
    now = time.time()
    book.finish_job(
        "3.1.1", outcomes.done(reference="r.example/org/api:3"), at=now - 190_000
    )
    book.finish_job("4.1.1", outcomes.failed("the disk is full"), at=now - 180_000)
    caller.spool.prepare()
    (caller.spool.new / "bad").write_bytes(b"")
    list(caller.spool.scan(set()))

    assert text_of(caller).partition("Spool: ")[2] == (
        f"  {caller.data_dir}/spool, 0 waiting, 1 rejected (see the .reason"
        " files)\n"
        "\n"
        "Pending:\n"
        "   1 min ago  release web\n"
        "      attempt 1: r.example is away (retry in 2 min; to try now:"
        " dokku-registryd push web)\n"
        "     2 h ago  heal api\n"
        "\n"
        "Recent:\n"
        "     2 d ago  heal web: failed (the disk is full)\n"
        "     2 d ago  release r.example/org/api:3: done"
    )


def test_a_spool_that_cannot_be_read(caller: Caller) -> None:
    """Status shows what it can where a folder cannot be read."""
    folder = caller.data_dir / "spool"
    folder.mkdir(parents=True)
    for name in ("new", "rejected"):
        (folder / name).write_text("no folder")

    told = caller.call("status", "--format", "json").json

    assert (told["trigger_files"], told["rejected_files"]) == (0, 0)


def test_a_clock_that_was_set_back(caller: Caller, book: ledger.SqliteLedger) -> None:
    """What happened at a time that is yet to come is told last, and has no age."""
    for job_id, ahead in (("1", -50.0), ("2", 86_400.0)):
        add(book, job_id, Kind.HEAL, "web", age=-ahead)
        book.finish_job(job_id, outcomes.done(), at=time.time() + ahead)
    add(book, "3", Kind.RELEASE, "web", age=-86_400.0)

    told = caller.call("status", "--format", "json").json

    assert [row["job_id"] for row in told["recent"]] == ["1", "2"]
    assert [row["age_seconds"] for row in told["unfinished"]] == [0.0]
    assert told["recent"][1]["age_seconds"] == 0.0


def pause(book: ledger.SqliteLedger, reason: str) -> None:
    """Let a registry be in back-off, with its own words for it."""
    book.set_pause(
        backoff.Pause(
            domain="r.example",
            owner="web",
            username="ci",
            direction=backoff.Direction.PUSH,
            app="web",
            not_before=time.time() + 90,
            seconds=90,
            failures=2,
            reason=reason,
        )
    )


def test_logins_that_will_fail(
    caller: Caller, lock: spool.SpoolLock, served: Served
) -> None:
    """What the service knows of logins is not well, and each says how to replace it."""
    page = ["ready yes"]
    page += [
        f"login {status_page.login('login_refused', f'r{number}.example (x)', 'no')}"
        for number in range(21)
    ]
    left = "its token is valid for 3 more hours, and no credential helper renews it"
    page += [f"login {status_page.login('login_expires', 's.example (y)', left)}"]
    served.pages["/status"] = "\n".join(page)

    text = caller.call("status").text
    told = caller.call("status", "--format", "json").json["logins"]

    assert "ready, but 21 logins are refused and 1 login expires soon\n" in text
    way = "Log in again with dokku registry:login"
    assert f"Login:   r0.example (x) is refused: no. {way}\n" in text
    assert "         2 more: dokku-registryd status --format json\n" in text
    assert told[-1] == {
        "kind": "login_expires",
        "login": "s.example (y)",
        "reason": left,
    }


def test_a_paused_registry(caller: Caller, book: ledger.SqliteLedger) -> None:
    """A registry in back-off is shown, for a person and for a script."""
    pause(book, "slow down")

    (entry,) = caller.call("status", "--format", "json").json["paused"]
    assert 80 < entry.pop("seconds") <= 90
    assert entry == {
        "domain": "r.example",
        "login": "web's login ci",
        "direction": "push",
        "app": "web",
        "failures": 2,
        "reason": "slow down",
    }
    (line,) = below(caller)
    assert "(push with web's login ci), refused 2 times: slow down" in line


def test_jobs_for_a_script(caller: Caller, book: ledger.SqliteLedger) -> None:
    """A script gets every job with the fields of its log line."""
    add(book, "1.1.1", Kind.RELEASE, "web", age=90)
    book.start_attempt("1.1.1")
    book.postpone("1.1.1", retry_at=time.time() + 150, error="r.example is away")
    add(book, "2.1.1", Kind.PUSH, "api", age=90)
    book.finish_job("2.1.1", outcomes.skipped("it is there"), at=time.time())

    facts = caller.call("status", "--format", "json").json

    ages = [entry.pop("age_seconds") for entry in facts["unfinished"] + facts["recent"]]
    assert all(isinstance(age, float) for age in ages)
    assert 0 < facts["unfinished"][0].pop("retry_in_seconds") <= 150
    assert facts["unfinished"] == [
        {
            "job_id": "1.1.1",
            "intent": "release",
            "app": "web",
            "attempts": 1,
            "last_error": "r.example is away",
        }
    ]
    assert facts["recent"] == [
        {
            "job_id": "2.1.1",
            "intent": "push",
            "app": "api",
            "outcome": "skipped",
            "reference": "",
            "detail": "it is there",
        }
    ]


@pytest.mark.parametrize("reason", ["", "the port 5001 is in use"])
def test_the_path_of_pushes(caller: Caller, served: Served, reason: str) -> None:
    """It is shown, and why not by the relay; without a service only what it was."""
    (caller.data_dir / push_ways.FILE_NAME).write_text(push_ways.render(reason))

    assert below(caller) == [f"Pushes:  {push_ways.describe_last(reason)}"]
    served.pages["/status"] = "ready yes\n"
    assert caller.lock.acquire(spool.DAEMON)
    told = below(caller)
    caller.lock.release()

    assert told == [f"Pushes:  {push_ways.describe(reason)}"]


def test_apps_that_are_not_seen(caller: Caller) -> None:
    """What the last sweep did not see is shown, and the way out after days only."""
    now = time.time()
    book = absence_file.AbsenceFile(caller.data_dir / absence_text.FILE_NAME)
    entries = (
        presence.Missing(app="shop", since=now - 400_000, counted=300_000),
        presence.Missing(app="web", since=now - 90, reason="a dangling link"),
    )
    absence = presence.Absence(cause=presence.Cause.APPS, apps=entries)
    book.keep(presence.Memory(device=7, looked_at=now, absence=absence))

    assert below(caller) == [
        "Missing: these apps have properties or a recorded release, but no folder",
        "         shop, missing for 4 d",
        "         If shop was destroyed, run: dokku-registryd forget shop",
        "         web, missing for 1 min (a dangling link)",
    ]
    told = caller.call("status", "--format", "json").json["missing"]
    assert (told["cause"], told["detail"]) == ("apps", "")
    assert [(row["app"], row["is_proposed"]) for row in told["apps"]] == [
        ("shop", True),
        ("web", False),
    ]


def test_a_root_that_is_not_mounted(caller: Caller) -> None:
    """What is wrong with Dokku's root is said before the apps that it hides."""
    book = absence_file.AbsenceFile(caller.data_dir / absence_text.FILE_NAME)
    absence = presence.Absence(
        cause=presence.Cause.ROOT_EMPTY, detail="/home/dokku is empty."
    )
    book.keep(presence.Memory(looked_at=1.0, absence=absence))

    assert below(caller) == ["Missing: /home/dokku is empty."]


def test_words_of_a_registry_command_no_terminal(caller: Caller) -> None:
    """Escape sequences and marks of direction stay out of both forms."""
    said = "no \x1b]0;pwned\x07\x1b[2J\u009b31m\u202eevil\u2066"
    book = caller.open_ledger()
    add(book, "1.1.1", Kind.RELEASE, "web", age=60)
    book.postpone("1.1.1", retry_at=time.time() + 60, error=said)
    add(book, "1.1.2", Kind.RELEASE, "web", age=60)
    book.finish_job("1.1.2", outcomes.failed(said), at=time.time())
    pause(book, said)
    stored = book.job("1.1.1")
    book.close()

    text = caller.call("status").text
    document = caller.call("status", "--format", "json")

    assert stored is not None
    assert stored.last_error == "no ]0;pwned[2J31mevil"
    assert text.count("no ]0;pwned[2J31mevil") == 4
    for shown in (text, document.text):
        assert shown.replace("\n", "").isprintable()
    assert document.json["paused"][0]["reason"] == said


def fail(book: ledger.SqliteLedger, job_id: str, app: str, reason: str) -> None:
    """Record a release that failed a minute ago."""
    add(book, job_id, Kind.RELEASE, app, age=90)
    book.finish_job(job_id, outcomes.failed(reason), at=time.time() - 61)


def test_failed_releases(caller: Caller, book: ledger.SqliteLedger) -> None:
    """A failed release stays in sight with the way out, however much came later."""
    fail(book, "1.1.1", "web", "the login is refused")
    fail(book, "2.1.1", "api", "no space")
    reserved = Release(
        job_id="2.1.1",
        app="api",
        number=8,
        image_id="sha256:1d",
        server="r.example/",
        image_repo="org/api",
        scheduler="docker-local",
    )
    book.adopt(reserved)
    for number in range(9):
        add(book, f"3.1.{number}", Kind.HEAL, "shop", age=30)
        book.finish_job(f"3.1.{number}", outcomes.done(), at=time.time() - 20)

    text = text_of(caller)

    assert text.startswith(
        "Health:  not ready: the service is stopped. Also 2 releases have failed\n"
    )
    assert text.partition("Failed:\n")[2].partition("\n\n")[0].splitlines() == [
        "   1 min ago  r.example/org/api:8: no space",
        "      When that is corrected, push it with: dokku registryd:push api",
        "   1 min ago  web: the login is refused",
        "      When that is corrected, deploy again with: dokku ps:rebuild web",
    ]
    told = caller.call("status", "--format", "json").json["failed"]
    assert [(row["app"], row["reason"], row["is_deployed"]) for row in told] == [
        ("api", "no space", True),
        ("web", "the login is refused", False),
    ]


def test_a_ledger_that_cannot_be_read(caller: Caller) -> None:
    """All else is shown, the reason goes to stderr, and the exit status says so."""
    (caller.data_dir / "ledger.sqlite3").write_text("no ledger, but a longer text" * 99)

    called = caller.call("status")
    told = caller.call("status", "--format", "json")

    assert (called.status, told.status) == (1, 1)
    assert called.lines[1].startswith("Service: stopped.")
    assert "is damaged" in told.json["ledger_error"]
    assert caller.complaints == [told.json["ledger_error"]] * 2


def test_what_the_service_tells(
    caller: Caller, lock: spool.SpoolLock, served: Served
) -> None:
    """Health, mode, Engine, images and the last sweep come from the service."""
    served.pages["/status"] = (
        "ready no\nreason the Engine is away\nreason the disk is full\n"
        "mode companion\nengine 29.0.1\nstore containerd\n"
        "apps 12\nwanted 24\nmissing 1\nlost 2\nmoved 0\nfreeable 3\n"
        f"swept_at {time.time() - 150}\nlater 1\n"
    )

    text = text_of(caller)

    assert text.splitlines()[:6] == [
        (
            "Health:  not ready: the Engine is away; the disk is full. Also 2 names are"
            " lost and 1 name is missing"
        ),
        f"Service: running, pid {os.getpid()}",
        f"Version: {__version__}, companion mode",
        "Engine:  Docker Engine 29.0.1, containerd image store",
        "Images:  12 apps, 24 names wanted, 1 missing, 2 lost; last sweep 2 min ago",
        (
            "         3 superseded images could be freed if the disk runs full"
            " (disk.high_percent)"
        ),
    ]
    told = caller.call("status", "--format", "json").json
    assert told["engine"] == {"version": "29.0.1", "image_store": "containerd"}
    assert told["images"].pop("swept_age_seconds") >= 150
    assert told["images"] == {
        "apps": 12,
        "wanted": 24,
        "missing": 1,
        "lost": 2,
        "moved": 0,
        "freeable": 3,
    }


def test_a_silent_registry(
    caller: Caller, lock: spool.SpoolLock, served: Served
) -> None:
    """It is one concern, and a line of its own with the reason."""
    since = time.time() - 240
    served.pages["/status"] = (
        f"ready yes\nsilent r.example:5000 {since} cannot reach r.example:5000: no\n"
    )

    lines = caller.call("status").lines
    (entry,) = caller.call("status", "--format", "json").json["silent"]

    assert lines[0] == "Health:  ready, but 1 registry does not answer"
    assert (
        "Silent:  r.example:5000 has not answered for 4 min: cannot reach"
        " r.example:5000: no"
    ) in lines
    assert entry.pop("age_seconds") >= 240
    assert entry == {
        "domain": "r.example:5000",
        "reason": "cannot reach r.example:5000: no",
    }


def test_all_is_well(caller: Caller, lock: spool.SpoolLock, served: Served) -> None:
    """One line answers the question if there is nothing to do."""
    served.pages["/status"] = "ready yes\n"

    assert caller.call("status").lines[0] == "Health:  all is well"


def test_checks_that_wait(
    caller: Caller, lock: spool.SpoolLock, served: Served
) -> None:
    """Health does not speak of what was not checked yet."""
    served.pages["/status"] = (
        "ready yes\nunchecked logins pending\nunchecked registries off\n"
    )

    assert caller.call("status").lines[0] == (
        "Health:  all is well so far; not checked yet: logins; never checked:"
        " registries (registry.reach_check_seconds is 0)"
    )
    assert caller.call("status", "--format", "json").json["unchecked"] == [
        {"what": "logins", "why": "pending"},
        {"what": "registries", "why": "off"},
    ]


def test_a_unit_that_is_disabled(
    caller: Caller, lock: spool.SpoolLock, served: Served, booted: Path
) -> None:
    """A service that runs, but will not start at the next boot, is not all well."""
    served.pages["/status"] = "ready yes\n"
    (booted / "run/systemd/system").mkdir(parents=True)
    unit = booted / "etc/systemd/system/dokku-registryd.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\n")

    assert caller.call("status").lines[:2] == [
        "Health:  ready, but it will not start at the next boot",
        (
            f"Service: running, pid {os.getpid()}; it will not start at the next boot:"
            " systemctl enable dokku-registryd"
        ),
    ]


def test_a_service_that_hangs(caller: Caller, lock: spool.SpoolLock) -> None:
    """A service that holds its lock and answers nothing is not called running."""
    path = caller.data_dir / "status.sock"
    with closing(
        sockets.UnixPlace(path, caller.data_dir, is_for_anybody=False)
    ):  # Nothing accepts what connects.
        lines = caller.call("status").lines

    assert lines[:2] == [
        (
            f"Health:  not ready: the service is hanging: process {os.getpid()} holds"
            " the lock, but does not answer at its socket"
        ),
        (
            f"Service: hanging: process {os.getpid()} holds the lock, but does not"
            " answer at its socket. Deploys may wait for it. If that lasts:"
            f" kill -9 {os.getpid()}"
        ),
    ]


def test_an_older_service(
    caller: Caller, lock: spool.SpoolLock, served: Served
) -> None:
    """A service that has no such page is running, and its health is unknown."""
    assert caller.call("status").lines[:2] == [
        "Health:  unknown: an older version runs, which does not say",
        f"Service: running, pid {os.getpid()}",
    ]


def test_the_chosen_mode(caller: Caller) -> None:
    """Without a service the mode is what was chosen at the installation."""
    (caller.data_dir / "mode").write_text("takeover\n")

    assert caller.call("status").lines[2] == f"Version: {__version__}, takeover mode"


def test_a_service_that_systemd_knows(caller: Caller, booted: Path) -> None:
    """A unit that is masked is not told to start."""
    (booted / "run/systemd/system").mkdir(parents=True)
    unit = booted / "etc/systemd/system/dokku-registryd.service"
    unit.parent.mkdir(parents=True)
    unit.symlink_to(os.devnull)

    state = caller.call("status", "--format", "json", PATH="/nowhere").json["state"]

    assert state["name"] == "masked"
    assert "systemctl unmask dokku-registryd" in state["text"]


SYSTEMCTL = """\
#!/bin/sh
printf '%s\\n' LoadState=loaded ActiveState=active UnitFileState=enabled MainPID=812
"""


@pytest.fixture
def active(booted: Path, tmp_path: Path) -> dict[str, str]:
    """Give an environment in which systemd says that the service runs."""
    return let_it_be_active(booted, tmp_path)


def let_it_be_active(root: Path, folder: Path) -> dict[str, str]:
    """Return an environment in which systemd says that the service runs."""
    (root / "run/systemd/system").mkdir(parents=True)
    program = folder / "bin/systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin"}


def test_a_folder_that_was_moved_away(
    caller: Caller, active: dict[str, str], tmp_path: Path
) -> None:
    """A service that lost its data folder is neither running nor stopped."""
    caller.data_dir.rename(tmp_path / "moved")

    called = caller.call("status", **active)
    health = caller.call("health", **active)

    assert called.lines[1] == (
        f"Service: running, pid 812, but not with the data folder {caller.data_dir}."
        " The folder was moved, replaced or unmounted while the service ran. Put the"
        " folder back, then: systemctl restart dokku-registryd"
    )
    assert called.lines[0].startswith("Health:  not ready: the service is running")
    assert "put the folder back" in health.lines[0]


def test_settings_of_another_service(
    caller: Caller, active: dict[str, str], served: Served, booted: Path
) -> None:
    """A service that has another data folder names it at systemd's socket."""
    (booted / "run/dokku-registryd").symlink_to(caller.data_dir)
    served.pages["/status"] = "data_dir /srv/data\n"

    told = caller.call("status", "--format", "json", **active).json["state"]

    assert told["name"] == "away"
    assert "it has /srv/data" in told["text"]


def test_many_failed_releases(caller: Caller, book: ledger.SqliteLedger) -> None:
    """Of many failures the latest are shown, and how to see the others."""
    for number in range(25):
        fail(book, f"{number}", f"app{number}", "no space")

    shown = text_of(caller).partition("Failed:\n")[2].partition("\n\n")[0]

    lines = shown.splitlines()
    assert len([line for line in lines if line.endswith(": no space")]) == 20
    assert lines[-1] == "      5 more: dokku-registryd history --failed"


@pytest.mark.fresh_programs
def test_a_folder_that_is_closed(closed: Closed) -> None:
    """A user who may not look is told so, with the cure and a status of its own."""
    text = closed.call("status", "--watch")
    told = closed.call("status", "--format", "json")

    cure = f"this user may not read {closed.data_dir}: run this as root or user "
    for done in (text, told):
        assert done.returncode == 77
        assert done.stderr.startswith(f"dokku-registryd: {cure}")
    assert text.stdout == (
        "Health:  unknown: the service is not visible to this user\n"
        "Service: not visible to this user.\n"
    )
    facts = json.loads(told.stdout)
    assert list(facts) == list(status_facts.KEYS)
    assert (facts["service"], facts["state"]["name"]) == ("unknown", "unknown")
    assert (facts["recent"], facts["unfinished"]) == (None, None)


@pytest.mark.fresh_programs
@pytest.mark.parametrize(
    "words",
    [["releases"], ["history"], ["push", "web"], ["heal"], ["doctor"]],
    ids=" ".join,
)
def test_other_verbs_of_a_closed_folder(closed: Closed, words: list[str]) -> None:
    """Every verb that needs the folder says the same."""
    done = closed.call(*words)

    assert (done.stdout, done.returncode) == ("", 77)
    assert f"this user may not read {closed.data_dir}: run this as" in done.stderr


def test_the_keys_of_a_script(caller: Caller) -> None:
    """The keys that a closed folder has are those of an open one."""
    told = caller.call("status", "--format", "json").json

    assert tuple(told) == status_facts.KEYS


@contextmanager
def another_user(caller: Caller) -> Iterator[None]:
    """Be a user who may not read the data folder."""
    if os.geteuid() != 0:
        caller.data_dir.chmod(0)
        yield
        caller.data_dir.chmod(0o700)
        return
    caller.data_dir.chmod(0o700)
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_a_member_of_the_group() -> None:
    """A user whom only the socket admits sees what the service says, and the cure."""
    group = os.getegid() or NOBODY
    made = Served()
    made.pages["/status"] = "ready yes\n"
    with open_way.folder() as folder:
        caller = Caller(folder)
        path = caller.root / "run/dokku-registryd/status.sock"
        path.parent.mkdir(parents=True)
        with made.open(path, caller.data_dir, group=group):
            caller.call("status")  # It loads what another user may not read.
            caller.complaints.clear()
            with another_user(caller):
                called = caller.call("status")

    assert (called.status, called.lines) == (
        77,
        [
            (
                "Health:  all is well so far; not visible to this user: jobs and"
                " releases"
            ),
            "Service: running",
        ],
    )
    (complaint,) = caller.complaints
    assert complaint.startswith(f"this user may not read {caller.data_dir}: run this")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_user_whom_the_socket_refuses() -> None:
    """A socket that is closed to this user is not taken for a missing one."""
    with open_way.folder() as folder:
        caller = Caller(folder)
        path = caller.root / "run/dokku-registryd/status.sock"
        path.parent.mkdir(parents=True)
        active = let_it_be_active(caller.root, folder)
        with Served().open(path, caller.data_dir, group=None):
            caller.call("status", **active)  # It loads what another user may not read.
            with another_user(caller):
                called = caller.call("status", **active)

    assert called.lines == [
        f"Health:  unknown: {service_view.NO_ACCESS}",
        "Service: running, pid 812",
    ]


def test_a_failed_push_from_git(caller: Caller, book: ledger.SqliteLedger) -> None:
    """Git has rejected it, so a rebuild would build the commit before."""
    trigger = triggers.Trigger(kind=Kind.RELEASE, app="web", source="git-hook")
    job = jobs.Job(job_id="1.1.1", trigger=trigger, accepted_at=time.time() - 90)
    book.add_jobs([job])
    book.finish_job("1.1.1", outcomes.failed("no answer"), at=time.time() - 61)

    text = caller.call("status").text

    assert "When that is corrected, push the commit again with: git push" in text
    (told,) = caller.call("status", "--format", "json").json["failed"]
    assert told["source"] == "git-hook"
