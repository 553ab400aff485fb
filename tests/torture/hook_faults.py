"""Deploys that are broken off: a hook ends before the release that it waits for."""

import random
import signal
from collections.abc import Mapping
from typing import Final

from support.running_hook import RunningHook
from support.waiting import until
from torture.apps import Deploy
from torture.deeds import Deeds
from torture.fault import Fault, app_at_rest, begin_push, hold_pushes
from torture.host import TortureHost
from torture.unfit import UnfitError

_OUTPUT: Final = "its output is closed"
_WAYS: Final[Mapping[str, signal.Signals | None]] = {
    "SIGINT": signal.SIGINT,
    "SIGTERM": signal.SIGTERM,
    "SIGHUP": signal.SIGHUP,
    "SIGQUIT": signal.SIGQUIT,
    "kill -9": signal.SIGKILL,
    _OUTPUT: None,
}
_END_SECONDS: Final = 20
_EARLY_SECONDS: Final = 0.4


def _breaking_off(number: signal.Signals | None) -> Fault:
    def begin(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
        hook = _waiting(host, deeds, draw).hook
        if number is None:
            hook.close_output()
        else:
            # A terminal and `dokku builds:cancel` mean all of them.
            hook.signal(number, is_for_all=draw.random() < 0.5)
            _wait_for_end(hook, number)
        host.wait(draw.choice([0.0, 0.5]))
        if draw.random() < 0.5:
            host.proxy.behave()

    return begin


def _waiting(host: TortureHost, deeds: Deeds, draw: random.Random) -> Deploy:
    """Return a deploy whose hook waits, at the beginning or in the middle of a push."""
    app = app_at_rest(host, deeds)
    if draw.random() < 0.6:
        return begin_push(host, deeds, app)
    hold_pushes(host)
    deploy = deeds.begin(app, host.site.build(app.name), "build")
    host.wait(draw.random() * _EARLY_SECONDS)
    if not deploy.hook.is_running:
        raise UnfitError("its hook is over")
    return deploy


def _wait_for_end(hook: RunningHook, number: signal.Signals) -> None:
    """A hook that is told to end does so in any state."""
    until(
        lambda: not hook.is_running,
        _END_SECONDS,
        what=f"the end of a hook that got {number.name}",
    )


FAULTS: Final[Mapping[str, Fault]] = {
    f"deploy broken off: {way}": _breaking_off(number) for way, number in _WAYS.items()
}
