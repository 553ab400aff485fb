"""What brings an earlier state back, or on to another app, while a process dies."""

from collections.abc import Callable
from typing import Final

from support.played_restart import PlayedRestart
from support.running_hook import RunningHook
from support.waiting import until
from torture import settling
from torture.acts import Act
from torture.apps import App, Deploy
from torture.mortal import Mortal

_APPS: Final = 3  # of a host that is restored


def rollback(mortal: Mortal, *, is_good: bool = True) -> Act:
    """A rollback whose checks pass or fail."""
    app = mortal.make_app()
    for _ in range(2):
        mortal.go_live(app)
    return _act(mortal, lambda restart: mortal.deeds.roll_back(app, restart), is_good)


def promotion(mortal: Mortal, *, is_first: bool = False, is_good: bool = True) -> Act:
    """A promotion to an app that has run, or that never was deployed."""
    source, target = mortal.make_app(), mortal.make_app()
    mortal.go_live(source)
    if not is_first:
        mortal.go_live(target)

    def promote(restart: PlayedRestart) -> Deploy:
        deploy = mortal.deeds.promote(source, target, restart)
        deploy.repeats = settling.deployed(mortal.host, source.name)
        return deploy

    return _act(mortal, promote, is_good)


def restore(mortal: Mortal) -> Act:
    """A host whose Engine is new gets the images of all its apps back."""
    host, deeds = mortal.host, mortal.deeds
    while len(deeds.apps) < _APPS:
        mortal.go_live(mortal.make_app())
    before = _here(mortal, deeds.apps)
    assert all(before.values()), "an image is missing before the host was lost"
    host.engine.wipe()

    def act() -> None:
        command = RunningHook(host.site.host, "registryd:restore", "--jobs", "2")
        mortal.wait_for(lambda: not command.is_running)
        deeds.note(f"the restore ended {command.finish().code}")

    def repeat() -> None:
        done = host.site.service.run("restore")
        assert done.returncode == 0, f"the second restore failed: {done.stderr}"
        found = _here(mortal, deeds.apps)
        assert found == before, f"restored are {found}, not {before}"

    mortal.repeat = repeat
    return act


def _act(
    mortal: Mortal,
    begin: Callable[[PlayedRestart], Deploy],
    is_good: bool,
) -> Act:
    restart = PlayedRestart(mortal.host.site.host)
    restart.let_checks_fail(fail=not is_good)

    def act() -> None:
        deploy = begin(restart)
        mortal.wait_for(lambda: not deploy.hook.is_running and not mortal.is_busy())

    def repeat() -> None:
        app = mortal.deeds.deploys[-1].app
        _end(mortal, app)
        if not app.deploys[-1].is_live:
            begin(restart).must_succeed = True
            _end(mortal, app)

    mortal.repeat = repeat if is_good else None
    return act


def _end(mortal: Mortal, app: App) -> None:
    """Wait until the latest deploy of an app has ended."""
    until(lambda: not app.deploys[-1].hook.is_running, what="the end of the command")
    mortal.deeds.collect()


def _here(mortal: Mortal, apps: list[App]) -> dict[str, str | None]:
    """Return the names that apps need, with the images that they are at."""
    names = mortal.host.site.names()
    wanted = [name for app in apps for name in settling.wanted_names(mortal.host, app)]
    return {name: names.get(name) for name in wanted}
