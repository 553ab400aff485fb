"""What people do to an app while its push waits, so that it must not come late."""

import random
from collections.abc import Mapping
from typing import Final

from support.waiting import until
from torture.apps import Deploy
from torture.deeds import Deeds
from torture.fault import Fault, app_at_rest, hold_pushes
from torture.host import TortureHost
from torture.unfit import UnfitError

_ACCEPT_SECONDS: Final = 15


def _switch_push(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Release without a push while a push waits, perhaps, and then with one again."""
    policy = draw.choice(["", "background"])
    app = app_at_rest(host, deeds, policy=policy)
    if policy:
        _accept_unpushed(host, deeds, deeds.apps.index(app))
    deeds.switch_push(app)
    deeds.deploy(app)
    _wait_for(app.deploys[-1], deeds)
    if draw.random() < 0.5:
        host.proxy.behave()
    host.wait(draw.choice([0.0, 1.0, 3.0]))
    if draw.random() < 0.7:
        deeds.switch_push(app)
        deeds.deploy(app)


def _recreate(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Destroy an app whose push waits, and release a new one of its name."""
    app = app_at_rest(host, deeds, policy="background")
    _accept_unpushed(host, deeds, deeds.apps.index(app))
    host.wait(draw.choice([0.0, 0.5]))
    deeds.destroy(app)
    if app in deeds.apps:
        raise UnfitError("it could not be destroyed")
    policy = draw.choice(["wait", "background", "background"])
    deeds.deploy(deeds.create(app.name, policy))
    host.wait(draw.choice([0.0, 1.0]))
    if draw.random() < 0.7:
        host.proxy.behave()


def _accept_unpushed(host: TortureHost, deeds: Deeds, at: int) -> None:
    """Let the deploy of an app go on while its push stands still."""
    hold_pushes(host)
    deeds.deploy(deeds.apps[at])
    deploy = deeds.apps[at].deploys[-1]
    _wait_for(deploy, deeds)
    if not deploy.is_deploy_continued:
        raise UnfitError("its deploy does not go on")


def _wait_for(deploy: Deploy, deeds: Deeds) -> None:
    def has_ended() -> bool:
        deeds.collect()
        return deploy.result is not None

    try:
        until(has_ended, _ACCEPT_SECONDS)
    except AssertionError as error:
        raise UnfitError("its hook waits on") from error


FAULTS: Final[Mapping[str, Fault]] = {
    "push switched off and on": _switch_push,
    "app recreated while its push waits": _recreate,
}
