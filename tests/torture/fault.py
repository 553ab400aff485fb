"""What a fault is, and what most faults need before they begin."""

import random
from collections.abc import Callable
from typing import Final

from support.waiting import until
from torture.apps import App, Deploy
from torture.deeds import Deeds
from torture.host import TortureHost
from torture.misdeeds import Misdeed
from torture.unfit import UnfitError

Fault = Callable[[TortureHost, Deeds, random.Random], None]
_STALL: Final = Misdeed(way="stall", concerns="pushes")
_MANY: Final = 1_000
_PUSH_SECONDS: Final = 5


def app_at_rest(host: TortureHost, deeds: Deeds, *, policy: str = "") -> App:
    """Return an app that pushes and is not being deployed, a new one if need be.

    Args:
        host: Where.
        deeds: Who knows its apps.
        policy: The push policy that it must have; any if empty.

    Raises:
        UnfitError: There is none, and none can be made.
    """
    if not host.can_deploy:
        raise UnfitError("no app can deploy")
    app = None if policy else deeds.idle_app()
    if app is None or not app.is_push_on:
        if not host.can_change_apps:
            raise UnfitError("no app can be created")
        app = deeds.create(policy=policy)
    return app


def hold_pushes(host: TortureHost) -> None:
    """Let every push from now on stand still, until the proxy behaves."""
    host.proxy.misbehave(_STALL, times=_MANY)


def begin_push(host: TortureHost, deeds: Deeds, app: App) -> Deploy:
    """Release an app, and return when its push stands still.

    Raises:
        UnfitError: It is not pushed, or its hook does not wait for that.
    """
    hold_pushes(host)
    before = host.proxy.hits
    deploy = deeds.begin(app, host.site.build(app.name), "build")
    try:
        until(
            lambda: host.proxy.hits > before or not deploy.hook.is_running,
            _PUSH_SECONDS,
        )
    except AssertionError as error:
        raise UnfitError("nothing is pushed") from error
    if not deploy.hook.is_running:
        raise UnfitError("its hook is over")
    return deploy
