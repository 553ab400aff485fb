"""The intake after a restart: what was taken before is neither lost nor taken twice."""

import pytest

from dokku_registryd.core.hook.replies import Line
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from workshops import open_workshop
from worlds import Host


def unfinished(host: Host) -> list[str]:
    """Return the jobs that the ledger knows to be unfinished."""
    return [record.job.job_id for record in host.ledger.unfinished_jobs()]


def test_a_file_is_one_job_across_restarts(host: Host) -> None:
    """A file whose job was taken before the process died is not a second job."""
    host.leave(Kind.RELEASE)
    open_workshop(host).intake.scan()
    shop = open_workshop(host)

    shop.intake.resume()
    shop.intake.scan()

    assert (shop.waiting, unfinished(host)) == (["1.1.1"], ["1.1.1"])


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        pytest.param(outcomes.done(), "0", id="done"),
        pytest.param(outcomes.failed("no"), "1", id="failed"),
    ],
)
def test_a_finished_job_leaves_no_file(
    host: Host, outcome: outcomes.Outcome, status: str
) -> None:
    """A file that outlived its outcome is removed, and its hook gets the reply."""
    host.leave(Kind.RELEASE)
    host.add_job(Kind.RELEASE)
    host.ledger.finish_job("1.1.1", outcome, at=5.0)
    shop = open_workshop(host)

    shop.intake.scan()

    assert (host.spool.pending(), shop.waiting) == (0, [])
    assert host.reply() == [(Line.EXIT, status)]


def test_the_name_of_a_finished_job_is_forgotten(host: Host) -> None:
    """A name is remembered for as long as its file may lie there, and no longer."""
    host.leave(Kind.RELEASE)
    host.add_job(Kind.RELEASE)
    host.ledger.finish_job("1.1.1", outcomes.done(), at=5.0)
    shop = open_workshop(host)
    host.leave(Kind.HEAL, "2.1.1")
    shop.intake.scan()

    shop.work()

    assert shop.finished == ["2.1.1"]
    assert shop.intake._known == set()


def test_a_restart_resumes_in_order(host: Host) -> None:
    """Jobs without an outcome are taken back in the order of acceptance."""
    for job_id in ("2.1.1", "1.1.1", "3.1.1"):
        host.add_job(Kind.RELEASE, job_id)
    host.ledger.finish_job("1.1.1", outcomes.done(), at=5.0)
    shop = open_workshop(host)

    shop.intake.resume()

    assert shop.waiting == ["2.1.1", "3.1.1"]


def test_a_restart_keeps_due_times(host: Host) -> None:
    """A job that waited for its next attempt goes on waiting after a restart."""
    host.add_job(Kind.RELEASE)
    host.ledger.postpone("1.1.1", retry_at=host.clock.now() + 30, error="away")
    shop = open_workshop(host)

    shop.intake.resume()
    before = shop.executor.queue.take(0)
    host.clock.seconds += 30
    after = shop.executor.queue.take(0)

    assert before is None
    assert after is not None
    assert after.job_id == "1.1.1"


def test_a_clock_that_was_set_back_delays_little(host: Host) -> None:
    """A due time in the far future is a wrong clock: a minute is the longest wait."""
    host.add_job(Kind.RELEASE)
    host.ledger.postpone("1.1.1", retry_at=host.clock.now() + 1e9, error="away")
    shop = open_workshop(host)

    shop.intake.resume()
    host.clock.seconds += 60

    assert shop.executor.queue.take(0) is not None
