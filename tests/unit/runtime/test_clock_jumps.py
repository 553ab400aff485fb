"""A clock that is set, forwards or back, while jobs wait."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job.kinds import Kind
from workshops import Workshop, open_workshop
from worlds import Host

Lines = list[MutableMapping[str, Any]]

AWAY = errors.RegistryUnavailableError("r.example does not answer")
DAY = 86_400.0
JUMPS = pytest.mark.parametrize(
    "jump", [DAY, -DAY, 3650 * DAY, -1.7e9], ids=["day", "day back", "years", "1970"]
)


@pytest.fixture
def shop(host: Host) -> Workshop:
    """Give a workshop with a release that failed once and may take 60 s."""
    host.set("web", "push-deadline", "60s")
    host.engine.fail("push", AWAY)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()
    return shop


@JUMPS
def test_it_is_tried_again_when_it_was_due(
    host: Host, shop: Workshop, jump: float
) -> None:
    """The next attempt comes after as many seconds as it would have."""
    host.clock.wrong_by = jump

    assert shop.work() == ""
    host.clock.seconds += 1
    assert shop.work() == "1.1.1"
    assert shop.ending() == "done"


@JUMPS
def test_a_deadline_is_counted(host: Host, shop: Workshop, jump: float) -> None:
    """A release is given up after the seconds that it had, not sooner, not later."""
    host.clock.wrong_by = jump
    host.engine.fail("push", AWAY)
    host.clock.seconds += 1
    shop.work()
    assert shop.ending() == ""

    host.engine.fail("push", AWAY)
    host.clock.seconds += 60
    shop.work()

    assert shop.ending() == "failed"


@JUMPS
def test_no_span_is_negative(
    host: Host, shop: Workshop, logged: Lines, jump: float
) -> None:
    """What the log says of a job's time is what it took."""
    host.clock.wrong_by = jump
    host.clock.seconds += 1

    shop.work()

    (line,) = [line for line in logged if line["event"] == "job.finished"]
    assert line["queued_seconds"] == pytest.approx(1.0)


@JUMPS
def test_a_restart(host: Host, shop: Workshop, jump: float) -> None:
    """After a restart nothing waits for longer than a minute."""
    host.clock.wrong_by = jump
    again = open_workshop(host)
    again.intake.resume()

    host.clock.seconds += 60

    assert again.work() == "1.1.1"
    assert again.ending() == "done"
    assert shop.waiting == ["1.1.1"]  # of the process that is gone
