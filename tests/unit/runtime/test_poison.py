"""A job that ends the process again and again is parked; its neighbours are not."""

from dokku_registryd import errors
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import ReleaseState
from watching import CrashError, watch
from workshops import Workshop, open_workshop
from worlds import Host


def die(_method: str) -> None:
    """End the process."""
    raise CrashError


def restart(host: Host) -> Workshop:
    """Restart after a crash."""
    shop = open_workshop(host)
    shop.intake.resume()
    return shop


def die_in(host: Host, times: int) -> None:
    """Let the process die so many times while it pushes."""
    for _ in range(times):
        shop = open_workshop(host, engine=watch(host.engine, die))
        shop.intake.resume()
        try:
            shop.work()
        except CrashError:
            continue
        raise AssertionError("it outlived its job")


def deaths_of(host: Host, job_id: str = "1.1.1") -> int:
    """Return how many deaths a job has had."""
    record = host.ledger.job(job_id)
    assert record is not None
    return record.job.crashes


def test_deaths_are_counted(host: Host) -> None:
    """A death is counted at the next start, once."""
    host.add_job(Kind.RELEASE)
    die_in(host, 2)

    restart(host)
    restart(host)

    assert deaths_of(host) == 2


def test_it_is_parked(host: Host) -> None:
    """After six deaths the job fails with its reason, and nothing is tried again."""
    host.add_job(Kind.RELEASE)
    host.leave(Kind.RELEASE)
    die_in(host, jobs.MAX_CRASHES)
    shop = restart(host)

    shop.work()

    assert (shop.ending(), shop.waiting, host.spool.pending()) == ("failed", [], 0)
    kind, text = host.reply()[-3]
    assert kind is Line.WARNING
    assert text.startswith("quarantined: the process crashed 6 times")
    assert host.reply()[-1] == (Line.EXIT, "1")


def test_its_release_is_not_waited_for(host: Host) -> None:
    """A parked release has failed, so its names go with the next sweep."""
    host.add_job(Kind.RELEASE)
    shop = open_workshop(host, registry=watch(host.registry, die))
    for _ in range(jobs.MAX_CRASHES):
        shop.intake.resume()
        try:
            shop.work()
        except CrashError:
            shop = open_workshop(host, registry=watch(host.registry, die))

    restart(host).work()

    assert host.release().state is ReleaseState.FAILED


def test_five_deaths_are_survived(host: Host) -> None:
    """A job that works at last is done, however often the process died before."""
    host.add_job(Kind.RELEASE)
    die_in(host, jobs.MAX_CRASHES - 1)
    shop = restart(host)

    shop.work()

    assert (shop.ending(), set(host.tags())) == ("done", {"1"})


def test_failures_are_no_deaths(host: Host) -> None:
    """Attempts that fail as usual count for nothing here."""
    host.add_job(Kind.RELEASE)
    for _ in range(jobs.MAX_CRASHES + 1):
        host.engine.fail("push", errors.RegistryUnavailableError("away"))
        shop = restart(host)
        host.clock.seconds += 60
        shop.work()

    restart(host)

    assert deaths_of(host) == 0


def test_an_attempt_that_fails_clears_a_job(host: Host) -> None:
    """Crashes count in a row: a normal failure has not crashed the process."""
    host.add_job(Kind.RELEASE)
    die_in(host, jobs.MAX_CRASHES - 1)
    host.engine.fail("push", errors.RegistryUnavailableError("away"))

    restart(host).work()

    assert deaths_of(host) == 0


def test_a_job_that_failed_normally_is_not_a_suspect(host: Host) -> None:
    """Right after such an attempt it waits without its deaths, in this process too."""
    host.add_job(Kind.RELEASE)
    die_in(host, 2)
    host.engine.fail("push", errors.RegistryUnavailableError("away"))
    shop = restart(host)

    shop.work()

    assert [job.crashes for job in shop.executor.queue.waiting()] == [0]


def test_a_clean_stop_is_not_a_crash(host: Host) -> None:
    """An attempt that a drain interrupts may restart any number of times."""
    host.add_job(Kind.RELEASE)
    host.ledger.start_attempt("1.1.1")

    host.ledger.clear_running()
    restart(host)

    assert deaths_of(host) == 0


def test_suspects_run_one_at_a_time(host: Host) -> None:
    """Of two jobs that died together twice, one runs, so that the right one is found.

    Others go on beside it.
    """
    for job_id, app in (("1.1.1", "web"), ("2.1.1", "api"), ("3.1.1", "new")):
        host.add_job(Kind.HEAL, job_id, app=app)
    for _ in range(jobs.SUSPECT_CRASHES):
        for job_id in ("1.1.1", "2.1.1"):
            host.ledger.start_attempt(job_id)
        host.ledger.count_deaths()
    queue = restart(host).executor.queue

    taken = [job.app for job in iter(lambda: queue.take(0), None)]

    assert taken == ["web", "new"]
