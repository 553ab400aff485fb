"""The tally: outcomes are counted where they are made."""

import threading
from dataclasses import replace

import pytest

from dokku_registryd import errors
from dokku_registryd.core.hook.triggers import Trigger
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.job.outcomes import Ending
from dokku_registryd.core.registry.exchanges import Exchange
from dokku_registryd.core.status import exposition, metric_families
from dokku_registryd.core.status.exposition import Sweep
from dokku_registryd.core.status.metrics import Durations
from dokku_registryd.runtime import counters
from workshops import open_workshop, release_and_lose
from worlds import Host

HEAL = jobs.Job(job_id="1.1.1", trigger=Trigger(kind=Kind.HEAL, app="web"))
AWAY = errors.RegistryUnavailableError("r.example does not answer")


def durations(*seconds: float) -> Durations:
    """Return the figures of jobs that took so long."""
    taken = Durations.none(metric_families.DURATION_BOUNDS)
    for one in seconds:
        taken = taken.plus(one)
    return taken


def test_a_job_that_ends(host: Host) -> None:
    """A job counts once, with its outcome and the time since it was accepted."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    host.clock.seconds += 3

    shop.work()

    counts = shop.executor.counters.counts()
    assert counts.finished == {(Kind.RELEASE, Ending.DONE): 1}
    assert counts.durations == {Kind.RELEASE: durations(3.0)}
    assert counts.retried == {}


def test_an_attempt_that_fails(host: Host) -> None:
    """An attempt that is followed by another one counts as such, not as an outcome."""
    host.engine.fail("push", AWAY)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()

    shop.work()

    counts = shop.executor.counters.counts()
    assert (counts.finished, counts.retried) == ({}, {Kind.RELEASE: 1})


def test_a_job_that_is_superseded(host: Host) -> None:
    """Jobs that end without an attempt count too."""
    shop = open_workshop(host)
    host.leave(Kind.HEAL, "1.1.1")
    shop.intake.scan()
    host.leave(Kind.HEAL, "2.2.2")

    shop.intake.scan()

    assert shop.executor.counters.counts().finished == {
        (Kind.HEAL, Ending.SUPERSEDED): 1
    }


def test_a_sweep(host: Host) -> None:
    """A sweep counts apart from jobs, with what it saw."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()
    host.engine.untag("dokku/web:1")
    before = shop.executor.counters.counts().finished
    shop.intake.submit(Trigger(kind=Kind.SWEEP))

    shop.work()

    counts = shop.executor.counters.counts()
    assert counts.last_sweep == Sweep(
        wanted=4,
        apps=1,
        missing=1,
        lost=0,
        ended_at=host.clock.now(),
        took_seconds=0.0,
    )
    assert (counts.sweeps_done, counts.sweeps_failed) == (1, 0)
    assert counts.finished == before


def test_an_image_that_only_the_registry_has(host: Host) -> None:
    """Names that come back with a pull of their app are missing, and not lost."""
    shop = release_and_lose(host)
    shop.intake.submit(Trigger(kind=Kind.SWEEP))
    shop.work()
    before = shop.executor.counters.counts().last_sweep
    host.leave(Kind.HEAL, "2.2.2")
    shop.intake.scan()

    shop.work()

    after = shop.executor.counters.counts().last_sweep
    assert before is not None
    assert after is not None
    assert (before.missing, before.lost) == (4, 0)
    assert (after.missing, after.lost) == (0, 0)


def test_names_that_no_pull_brings_back(host: Host) -> None:
    """Names are lost if nothing of their app is pulled, with any other pulls."""
    host.create_app("api")
    host.engine.add_image("dokku/api:latest", b"api")
    shop = open_workshop(host)
    for number, app in enumerate(("web", "api"), start=1):
        host.leave(Kind.RELEASE, f"{number}.1.1", app=app)
        shop.intake.scan()
        shop.work()
    for name in host.names():
        host.engine.lose(name)
    other = host.engine.add_image("other:1", b"other")
    for name in ("r.example/org/web:1", "org/web:1"):
        host.engine.tag(other, name)
    # No digest tells the image to pull for a name that was moved.
    row = host.ledger.update_release("1.1.1", digest="")
    host.files.record_deployed("web", row.deployed)
    shop.intake.submit(Trigger(kind=Kind.SWEEP))

    shop.work()

    seen = shop.executor.counters.counts().last_sweep
    assert seen is not None
    assert (seen.wanted, seen.missing, seen.lost, seen.moved) == (8, 4, 3, 1)


def test_what_was_missing_is_back(host: Host) -> None:
    """A heal takes what it has brought back from what the sweep before had missed."""
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()
    host.engine.untag("dokku/web:1")
    shop.intake.submit(Trigger(kind=Kind.SWEEP))
    shop.work()
    host.leave(Kind.HEAL, "2.2.2")
    shop.intake.scan()

    shop.work()

    seen = shop.executor.counters.counts().last_sweep
    assert seen is not None
    assert (seen.wanted, seen.missing, seen.lost) == (4, 0, 0)


@pytest.mark.parametrize("ending", [Ending.SUPERSEDED, Ending.FAILED, Ending.DROPPED])
def test_a_heal_that_brings_nothing_back(ending: Ending) -> None:
    """A heal that was not made leaves missing what is missing."""
    noted = counters.Counters()
    sweep = Sweep(wanted=3, lost=0, ended_at=1.0, took_seconds=0.0)
    noted.swept(sweep, missing={"web": 2, "api": 1})

    noted.finished(HEAL, ending, seconds=1.0)
    before = noted.counts().last_sweep
    noted.finished(HEAL, Ending.SKIPPED, seconds=1.0)

    assert (before, noted.counts().last_sweep) == (
        replace(sweep, missing=3),
        replace(sweep, missing=1),
    )


def test_a_sweep_that_fails(host: Host) -> None:
    """A sweep that is not possible counts as failed and shows nothing."""
    shop = open_workshop(host)
    host.engine.fail("images", errors.EngineUnavailableError("away"))
    shop.intake.submit(Trigger(kind=Kind.SWEEP))

    shop.work()

    counts = shop.executor.counters.counts()
    assert (counts.sweeps_done, counts.sweeps_failed) == (0, 1)
    assert counts.last_sweep is None


def test_an_engine_that_hangs() -> None:
    """Only an Engine that does not answer is silent, until a sweep hears it again."""
    noted = counters.Counters()
    away, full = errors.EngineUnavailableError("away"), errors.LedgerError("full")
    sweep = Sweep(wanted=0, lost=0, ended_at=1.0, took_seconds=0.0)
    heard = [noted.is_engine_unresponsive]

    for outcome in (away, full, away, sweep):
        if isinstance(outcome, Sweep):
            noted.swept(outcome, missing={})
        else:
            noted.sweep_failed(outcome)
        heard.append(noted.is_engine_unresponsive)

    assert heard == [False, True, False, True, False]


def test_a_refusal_holds_until_it_is_taken_back() -> None:
    """What refused one of two users is well when it serves that very user again."""
    noted = counters.Counters()
    noted.refused(counters.WORK, "disk full")

    noted.accepted(counters.INTAKE)
    between = noted.refusal
    noted.accepted(counters.WORK)

    assert (between, noted.refusal) == ("disk full", "")


def test_a_file_that_is_refused_is_no_ledger() -> None:
    """Who reads the reason looks after the folder, not after the ledger."""
    noted = counters.Counters()

    noted.refused(counters.FILES, "new: Permission denied")
    during = (noted.refusal, noted.folder_refusal)
    noted.accepted(counters.FILES)

    assert during == ("", "new: Permission denied")
    assert noted.folder_refusal == ""


def test_a_copy_stays_as_it_is() -> None:
    """A reader has a copy that no later count changes."""
    noted = counters.Counters()
    before = noted.counts()

    noted.finished(HEAL, Ending.DONE, seconds=1.0)
    noted.retried(Kind.HEAL)

    assert before == exposition.Counts()


def test_many_threads() -> None:
    """No count is lost between threads."""
    noted = counters.Counters()

    def count() -> None:
        for _ in range(500):
            noted.finished(HEAL, Ending.DONE, seconds=1.0)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    counts = noted.counts()
    assert counts.finished == {(Kind.HEAL, Ending.DONE): 2000}
    assert sum(counts.durations[Kind.HEAL].counts) == 2000


def exchange(registry: str, *, status: int | None = 200) -> Exchange:
    """Build a request that took half a second."""
    return Exchange(
        host=registry, named_by="", method="GET", status=status, seconds=0.5
    )


def test_requests_to_registries() -> None:
    """Requests count by status, and their durations without it."""
    tally = counters.Counters()

    tally.exchanged(exchange("r.example"))
    tally.exchanged(exchange("r.example"))
    tally.exchanged(exchange("r.example", status=None))

    counts = tally.counts()
    assert counts.requests == {
        ("r.example", "GET", "200"): 2,
        ("r.example", "GET", "none"): 1,
    }
    assert counts.request_seconds == {("r.example", "GET"): 1.5}


def test_many_registries() -> None:
    """Tenants choose registries, so only the first ones have series of their own."""
    tally = counters.Counters()
    most = metric_families.MOST_REGISTRIES

    for number in range(most + 9):
        tally.exchanged(exchange(f"r{number}.example"))
    tally.exchanged(exchange("r0.example"))

    counted = {registry: n for (registry, _, _), n in tally.counts().requests.items()}
    assert len(counted) == most + 1
    assert counted["r0.example"] == 2
    assert counted[metric_families.OTHER_REGISTRIES] == 9
