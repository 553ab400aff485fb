"""A daemon that gets on no more, frozen or with a full disk, for longer than is waited.

Clocks are hastened where a wait has to end: the app's deadline, and what a hook adds.
"""

import random
from collections.abc import Callable, Mapping
from typing import Final

from support.haste import give_time, hasten
from support.waiting import until
from torture.apps import App
from torture.deeds import Deeds
from torture.fault import Fault, app_at_rest, begin_push, hold_pushes
from torture.host import TortureHost
from torture.hurry import DEADLINE
from torture.unfit import UnfitError

_SHORT: Final = "5s"
# The program follows where the hook cannot, and its patience is not hastened: a minute.
_END_SECONDS: Final = 150


def _freeze(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Stop the daemon, until it is resumed."""
    if not host.site.service.is_running:
        raise UnfitError("there is no daemon")
    host.freeze_daemon()


def _freeze_beyond(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    _outwait(host, deeds, draw, host.freeze_daemon)
    host.thaw_daemon()


def _fill_beyond(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    _outwait(host, deeds, draw, host.fill_disk, is_before=False)
    host.empty_disk()


def _outwait(
    host: TortureHost,
    deeds: Deeds,
    draw: random.Random,
    stop: Callable[[], None],
    *,
    is_before: bool = True,
) -> None:
    """Let a hook wait for longer than it is ready to, and let nothing get on meanwhile.

    Args:
        host: Where.
        deeds: Who releases.
        draw: Whether the daemon has begun by then.
        stop: Makes an end of progress.
        is_before: Whether that may happen before the daemon has the trigger.

    Raises:
        UnfitError: The hook was over before.
        AssertionError: It never ends.
    """
    if not host.site.service.is_running:
        raise UnfitError("there is no daemon")
    app = app_at_rest(host, deeds, policy="wait")
    hasten(host.site.host)
    _set_deadline(host, app, _SHORT)
    try:
        if is_before and draw.random() < 0.5:
            hold_pushes(host)
            stop()
            deploy = deeds.begin(app, host.site.build(app.name), "build")
        else:
            deploy = begin_push(host, deeds, app)
            stop()
        if draw.random() < 0.5:
            host.proxy.behave()
        until(
            lambda: not deploy.hook.is_running,
            _END_SECONDS,
            what="the end of a hook whose daemon makes no progress",
        )
    finally:
        host.thaw_daemon()
        host.empty_disk()
        give_time(host.site.host)
        _set_deadline(host, app, DEADLINE)


def _set_deadline(host: TortureHost, app: App, text: str) -> None:
    host.site.host.set_property(app.name, "push-deadline", text, plugin="registryd")


FAULTS: Final[Mapping[str, Fault]] = {
    "daemon stopped (SIGSTOP)": _freeze,
    "daemon stopped beyond a deadline": _freeze_beyond,
    "disk full beyond a deadline": _fill_beyond,
}
