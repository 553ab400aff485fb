"""What is done on a host while a process dies: each verb, and what goes before it.

Each function prepares a host, and returns the action during which a process dies.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from torture import settling, stored
from torture.mortal import Mortal

Act = Callable[[], None]
_OLD: Final = 3  # releases that a prune removes, at least


def release(mortal: Mortal) -> Act:
    """A release with extra tags."""
    app = mortal.make_app()
    return lambda: mortal.release(app)


def background(mortal: Mortal) -> Act:
    """A release whose deploy goes on at once."""
    app = mortal.make_app()
    site = mortal.host.site
    site.host.set_property(app.name, "push-policy", "background", plugin="registryd")
    return lambda: mortal.release(app)


def again(mortal: Mortal) -> Act:
    """A release of an image that the registry has."""
    app = mortal.make_app()
    mortal.release(app)

    def act() -> None:
        deploy = mortal.deeds.begin(app, app.deploys[-1].image_id, "same image")
        mortal.wait_for(lambda: not deploy.hook.is_running)

    return act


def heal(mortal: Mortal) -> Act:
    """A pull of what is gone."""
    app = mortal.make_app()
    while not settling.wanted_names(mortal.host, app):  # Its checks may fail.
        mortal.release(app)

    def act() -> None:
        asked: Counter[str] = Counter()
        mortal.host.prune()
        mortal.wait_for(
            lambda: (
                mortal.host.site.service.is_running
                and settling.are_images_here(mortal.host, mortal.deeds, asked)
            )
        )

    return act


def forget(mortal: Mortal) -> Act:
    """The end of an app whose login lies in a helper."""
    app = mortal.make_app()
    mortal.release(app)

    def act() -> None:
        assert mortal.host.site.host.destroy_app(app.name).code == 0
        mortal.deeds.apps.remove(app)
        mortal.deeds.gone.add(app.name)
        mortal.wait_for(lambda: not mortal.is_busy())

    return act


def rename(mortal: Mortal) -> Act:
    """An app gets another name."""
    app = mortal.make_app()
    mortal.release(app)

    def act() -> None:
        old, app.name = app.name, f"{app.name}-new"
        assert mortal.host.site.host.rename_app(old, app.name).code == 0
        mortal.deeds.gone.add(old)
        mortal.wait_for(lambda: not mortal.is_busy())

    return act


def prune(mortal: Mortal) -> Act:
    """Old numbers go from the registry, some of one image and some alone."""
    app = mortal.make_app()
    site = mortal.host.site
    site.host.set_property(app.name, "keep-remote", "1", plugin="registryd")
    for _ in range(_OLD):
        mortal.release(app)
    mortal.release(app, is_same=True)
    mortal.release(app)

    def act() -> None:
        # Without a service the command does the rest itself.
        done = site.service.run("prune", app.name, "--yes")
        assert done.returncode == 0, f"the prune failed: {done.stderr}"
        mortal.wait_for(lambda: not mortal.is_busy())

    return act


def mirror(mortal: Mortal) -> Act:
    """A release that is copied to a mirror."""
    app = mortal.make_app()
    site = mortal.host.site
    name = f"{site.server}/{stored.COPIES}{app.name}"
    site.host.set_property(app.name, "mirror", name, plugin="registryd")

    def act() -> None:
        mortal.release(app)
        mortal.wait_for(
            lambda: (
                site.service.is_running
                and settling.are_copies_there(mortal.host, mortal.deeds)
            )
        )

    return act


def publish(mortal: Mortal) -> Act:
    """A live release gets its record in the registry, and so does the next one."""
    app = mortal.make_app()
    site = mortal.host.site
    mortal.go_live(app)

    def act() -> None:
        site.host.set_property(app.name, "release-records", "on", plugin="registryd")
        mortal.release(app)
        mortal.wait_for(
            lambda: (
                site.service.is_running
                and settling.are_records_there(mortal.host, mortal.deeds)
            )
        )

    return act


def first_start(mortal: Mortal) -> Act:
    """A start that finds no ledger, and a trigger that waits."""
    host = mortal.host
    mortal.release(mortal.make_app())
    host.site.service.stop()
    for path in host.site.host.data_dir.glob("ledger.sqlite3*"):
        path.unlink()
    host.was_ledger_lost = True
    mortal.deeds.leave_triggers()

    def act() -> None:
        host.start_daemon()
        mortal.wait_for(lambda: not mortal.is_busy())

    return act
