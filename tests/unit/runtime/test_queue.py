"""The queue: lanes, due times, and what is taken out."""

import threading
from dataclasses import replace

import pytest

from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.runtime import queue


class Hand:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def job(job_id: str, kind: Kind = Kind.RELEASE, app: str = "web") -> jobs.Job:
    """Build a job in one line."""
    return jobs.Job(job_id=job_id, trigger=triggers.Trigger(kind=kind, app=app))


def test_a_lane_is_busy_until_it_is_released() -> None:
    """Two jobs of one app never run at once; another app goes on."""
    line = queue.JobQueue(Hand())
    for entry in (job("1"), job("2"), job("3", app="api")):
        line.put(entry)

    first, second = line.take(0), line.take(0)
    assert [first, second] == [job("1"), job("3", app="api")]
    assert line.take(0) is None

    line.release(job("1"))
    assert line.take(0) == job("2")


def test_a_job_waits_for_its_due_time() -> None:
    """A parked job begins when its time has come, and its lane is free till then."""
    hand = Hand()
    line = queue.JobQueue(hand)
    line.put(job("1"), due=110.0)

    assert line.take(0) is None
    hand.now = 110.0
    assert line.take(0) == job("1")


def test_a_retried_job_keeps_its_place() -> None:
    """A job that comes back is older than what was accepted meanwhile."""
    line = queue.JobQueue(Hand())
    line.put(job("1"))
    taken = line.take(0)
    assert taken is not None
    line.put(job("2"))
    line.put(job("1"))
    line.release(taken)

    assert line.take(0) == job("1")


def test_expediting_an_app() -> None:
    """When an app is requested, its waiting jobs are due at once."""
    line = queue.JobQueue(Hand())
    line.put(job("1"), due=1e9)
    line.put(job("2", app="api"), due=1e9)

    line.expedite("web")

    assert line.take(0) == job("1")
    assert line.take(0) is None


def test_expediting_one_kind() -> None:
    """Jobs of another kind, and of another app, wait on."""
    line = queue.JobQueue(Hand())
    line.put(job("1"), due=1e9)
    line.put(job("2", Kind.HEAL), due=1e9)
    line.put(job("3", Kind.HEAL, app="api"), due=1e9)

    line.expedite("web", kind=Kind.HEAL)

    taken = line.take(0)
    assert taken == job("2", Kind.HEAL)
    line.release(taken)
    assert line.take(0) is None


def test_what_was_accepted_before_a_running_job() -> None:
    """A destroyed app takes along what waited before it, not what came after."""
    line = queue.JobQueue(Hand())
    line.put(job("old"), due=1e9)
    line.put(job("gone", Kind.DESTROYED))
    line.put(job("new"))
    gone = line.take(0)
    assert gone is not None

    before = line.waiting_before(gone)
    line.withdraw(before)

    assert before == [job("old")]
    assert line.waiting() == [job("new")]


def test_a_closed_queue_gives_nothing() -> None:
    """After closing, no waiting thread gets another job."""
    line = queue.JobQueue(Hand())
    line.put(job("1"))
    line.close()

    assert line.take(1000) is None


def test_a_waiting_worker_is_woken() -> None:
    """A worker that waits gets a job at the moment when one comes."""
    line = queue.JobQueue(lambda: 0.0)
    taken: list[jobs.Job | None] = []
    thread = threading.Thread(target=lambda: taken.append(line.take(60)))
    thread.start()

    line.put(job("1"))
    thread.join(120)

    assert taken == [job("1")]


def test_asking_for_a_kind() -> None:
    """The queue tells whether the same wish waits already."""
    line = queue.JobQueue(Hand())
    line.put(job("1", Kind.HEAL))

    assert line.has(Kind.HEAL, "web")
    assert not line.has(Kind.HEAL, "api")
    line.take(0)
    assert not line.has(Kind.HEAL, "web")
    assert line.running() == [job("1", Kind.HEAL)]


def test_background_work_leaves_a_worker() -> None:
    """Background work never uses all workers, and starts when one is free."""
    line = queue.JobQueue(Hand(), most_background=1)
    heals = [job(f"heal-{app}", Kind.HEAL, app) for app in ("a", "b")]
    for heal in heals:
        line.put(heal)
    assert line.take(0) == heals[0]
    assert line.take(0) is None

    line.put(job("1", app="c"))
    assert line.take(0) == job("1", app="c")

    line.release(heals[0])
    assert line.take(0) == heals[1]


def test_jobs_with_a_waiter_come_first() -> None:
    """A release overtakes heals, of its own app too, and pushes behind a deploy."""
    line = queue.JobQueue(Hand())
    delivery = replace(job("1", app="api"), is_background_push=True)
    heal, release = job("heal-1", Kind.HEAL), job("2")
    for entry in (delivery, heal, release):
        line.put(entry)

    assert [line.take(0), line.take(0), line.take(0)] == [release, delivery, None]


def test_a_requested_heal_is_not_background_work() -> None:
    """A person who waits for a heal is served like any other."""
    line = queue.JobQueue(Hand(), most_background=1)
    for entry in (job("heal-1", Kind.HEAL, "a"), job("7.1.1", Kind.HEAL, "b")):
        line.put(entry)

    assert line.take(0) == job("7.1.1", Kind.HEAL, "b")
    assert line.take(0) == job("heal-1", Kind.HEAL, "a")


CHECK = job("verify-1", Kind.VERIFY)


def checking(hand: Hand, **limits: int) -> queue.JobQueue:
    """Return a queue of one worker, which runs a check."""
    line = queue.JobQueue(hand, **limits)
    line.put(CHECK)
    assert line.take(0) == CHECK
    return line


@pytest.mark.parametrize("kind", [Kind.RELEASE, Kind.HEAL, Kind.PRUNE, Kind.DEPLOYED])
def test_any_other_job_is_more_urgent_than_a_check(kind: Kind) -> None:
    """As soon as it could start, and no worker takes it."""
    hand = Hand()
    line = checking(hand, most_background=1)
    assert not line.has_urgent()
    line.put(job(f"{kind.value}-2", kind), due=110.0)
    assert not line.has_urgent()

    hand.now = 110.0

    assert line.has_urgent()
    assert line.take(0) is not None or kind in {Kind.HEAL, Kind.PRUNE}
    line.release(CHECK)


@pytest.mark.parametrize(
    ("kind", "is_busy"),
    [
        (Kind.RELEASE, True),
        (Kind.HEAL, True),
        (Kind.SWEEP, False),
        (Kind.DEPLOYED, False),
        (Kind.FOLLOW, False),
        (Kind.VERIFY, False),
    ],
)
def test_what_a_pull_for_another_host_ends_for(kind: Kind, is_busy: bool) -> None:
    """It ends for jobs that use a registry, although other workers are idle."""
    line = queue.JobQueue(Hand())
    line.put(job(f"{kind.value}-1", kind))
    running = line.take(0)
    assert running is not None

    assert line.is_busy() is is_busy
    line.release(running)
    assert not line.is_busy()


def test_another_check_is_not_urgent() -> None:
    """Checks do not end each other."""
    line = checking(Hand())
    line.put(job("verify-2", Kind.VERIFY, "api"))

    assert not line.has_urgent()


def test_what_could_not_start_is_not_urgent() -> None:
    """An end of the check would not help: lanes, registry and background are busy."""
    line = checking(Hand(), most_background=1, most_of_host=1)
    slow = replace(job("heal-1", Kind.HEAL), host="r.example")
    line.put(slow)
    line.release(CHECK)
    assert line.take(0) == slow
    line.put(CHECK)

    line.put(job("2"))  # in the lane of the heal
    line.put(job("heal-3", Kind.HEAL, "api"))
    line.put(replace(job("4", app="db"), host="r.example"))

    assert not line.has_urgent()


@pytest.mark.parametrize("kind", [Kind.RELEASE, Kind.PUSH])
def test_what_gives_way_ends_for_what_is_awaited(kind: Kind) -> None:
    """Even if prunes alone use up the share of a registry."""
    line = queue.JobQueue(Hand(), most_background=2, most_of_host=1)
    prune = replace(job("prune-1", Kind.PRUNE), host="r.example")
    line.put(prune)
    assert line.take(0) == prune
    line.put(replace(job("prune-2", Kind.PRUNE, "api"), host="r.example"))
    line.put(replace(job("heal-3", Kind.HEAL, "shop"), host="r.example"))
    line.put(replace(job("4", Kind.PRUNE, "old"), host="r.example"))
    assert not line.has_urgent()
    assert line.withdraw([job("4", Kind.PRUNE, "old")])

    line.put(replace(job("5", kind, "db"), host="r.example"))

    assert line.has_urgent()
