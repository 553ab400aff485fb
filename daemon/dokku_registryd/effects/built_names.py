"""Names that a build of Dokku gives: a heal must not take them from a newer image.

The Engine knows no "give this name unless somebody has it". So a name of a build is
given only while no deploy holds the app's lock, after one more look, and what it was
taken from all the same, in the moment between, gets it back.
"""

from collections.abc import Iterable

import structlog

from dokku_registryd import ports
from dokku_registryd.core import wanted


def healable(gaps: Iterable[wanted.Gap], world: ports.World) -> list[wanted.Gap]:
    """Return the gaps that a heal would close now; the others need a deploy's end."""
    found = [gap for gap in gaps if not isinstance(gap, wanted.Lost)]
    built = {gap.wanted.app for gap in found if not gap.wanted.may_pull}
    deploying = {app for app in built if world.is_deploying(app)}
    return [
        gap for gap in found if gap.wanted.may_pull or gap.wanted.app not in deploying
    ]


def may_give(entry: wanted.Wanted, world: ports.World) -> bool:
    """Tell whether a name is still missing, and no deploy runs that would make it."""
    if world.is_deploying(entry.app):
        return False
    return world.engine.image(entry.reference) is None


def give(gap: wanted.Retag, world: ports.World) -> None:
    """Give an image the name, and give it on to a build that had it first.

    An image that lost its last name meanwhile, while ours has that name, lost it to us.
    """
    app, name = gap.wanted.app, gap.wanted.reference
    known = {*world.engine.unnamed(app), gap.image_id}
    image_id = gap.image_id
    while True:
        world.engine.tag(image_id, name)
        found = world.engine.image(name)
        newer = [one for one in world.engine.unnamed(app) if one not in known]
        if found is None or found.image_id != image_id or not newer:
            return
        structlog.get_logger().warning(
            "name.returned", app=app, reference=name, image_id=newer[0]
        )
        known.update((image_id, *newer))
        image_id = newer[0]
