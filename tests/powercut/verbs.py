"""What is done on a host while it is recorded, verb by verb."""

from collections.abc import Callable, Mapping
from typing import Final

from powercut.actor import Actor


def prepare(actor: Actor) -> None:
    """Make the apps that verbs need: one with a login in a file, one in a helper.

    The third one is from before our plugin was there: it has no folder for it.
    """
    actor.make_app("web")
    actor.make_app("api", has_helper=True)
    actor.make_app("old", has_folder=False)


def set_properties(actor: Actor) -> None:
    """Properties are set, changed and removed."""
    actor.set("web", "push-extra-tags", "latest,stable")
    actor.set("old", "push-policy", "background", plugin="registryd")
    actor.set("web", "image-repo", "org/web")
    actor.set("web", "image-repo", "")


def log_in(actor: Actor) -> None:
    """A user logs in for a new app, and out again."""
    actor.create("new")
    actor.login("new")
    actor.set("new", "push-on-release", "true")
    actor.logout("new")


def release(actor: Actor) -> None:
    """A release that waits for its push."""
    actor.ship("web")
    actor.rest()


def background(actor: Actor) -> None:
    """A release whose deploy goes on at once."""
    actor.set("web", "push-policy", "background", plugin="registryd")
    actor.ship("web")
    actor.rest()


def again(actor: Actor) -> None:
    """A release of an image that the registry has."""
    actor.ship("web")
    actor.release_again("web")
    actor.go_live("web")
    actor.rest()


def rename(actor: Actor) -> None:
    """An app gets another name."""
    actor.ship("api")
    actor.rename("api", "newapi")
    actor.rest()


def clone(actor: Actor) -> None:
    """An app is cloned."""
    actor.clone("web", "twin")
    actor.rest()


def destroy(actor: Actor) -> None:
    """The end of an app whose login lies in a helper."""
    actor.ship("api")
    actor.destroy("api")
    actor.rest()


VERBS: Final[Mapping[str, Callable[[Actor], None]]] = {
    "set": set_properties,
    "login": log_in,
    "release": release,
    "background": background,
    "again": again,
    "rename": rename,
    "clone": clone,
    "destroy": destroy,
}
