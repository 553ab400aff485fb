"""Names that a Dokku build tags: a heal must not take them from a newer image.

The Engine has no "tag only if the name is free". So a heal tags a name of a build only
while no deploy holds the app's lock, after it has checked once more, and returns the
name to an image that had it in the moment between.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import structlog

from dokku_registryd import ports
from dokku_registryd.core.image import images, wanted

_LATEST: Final = ":latest"


def healable(gaps: Iterable[wanted.Gap], context: ports.Context) -> list[wanted.Gap]:
    """Return the gaps that a heal would close now; the others wait for a deploy."""
    found = [gap for gap in gaps if not isinstance(gap, wanted.Lost)]
    built = {gap.wanted.app for gap in found if not gap.wanted.may_pull}
    deploying = {app for app in built if context.is_deploying(app)}
    return [
        gap for gap in found if gap.wanted.may_pull or gap.wanted.app not in deploying
    ]


def give(gap: wanted.Retag, context: ports.Context) -> bool:
    """Tag the image with the name; return the name to a build that had it first.

    Returns:
        Whether it was tagged; a running or just finished deploy tags it itself.
    """
    app, name = gap.wanted.app, gap.wanted.reference
    if context.is_deploying(app):
        return False
    # Listed before the check: an image that is not in it is newer than the gap.
    before = {
        image.image_id: bool(image.references)
        for image in context.engine.images_of(app)
    }
    if context.engine.image(name) is not None:
        return False
    given = gap.image_id
    passed = {given}
    while True:
        context.engine.tag(given, name)
        found = context.engine.image(name)
        newer = _newer(context.engine.images_of(app), name, before, passed)
        if found is None or found.image_id != given or not newer:
            return True
        passed.update(newer)
        given = _latest(newer, context)
        if not given:
            return True
        structlog.get_logger().warning(
            "name.returned", app=app, reference=name, image_id=given
        )


def _newer(
    listed: Iterable[images.LocalImage],
    name: str,
    before: Mapping[str, bool],
    passed: Collection[str],
) -> list[str]:
    """Return the images that appeared since, and those that lost their last name.

    An image that lost the name while ours has it lost it to us: a build without changes
    tags an image that was here. Numbers are only tagged at `ps:start`, so a new image
    with another name never had this name.
    """
    is_number = not name.endswith(_LATEST)
    return [
        image.image_id
        for image in listed
        if image.image_id not in passed
        and not (is_number and image.references)
        and (image.image_id not in before or _is_bereft(image, before))
    ]


def _is_bereft(image: images.LocalImage, before: Mapping[str, bool]) -> bool:
    return before[image.image_id] and not image.references


def _latest(image_ids: Iterable[str], context: ports.Context) -> str:
    """Return the latest built image; empty if none of them is here any more.

    A listing has whole seconds, and a build may make two images within one. Builders
    that write no time into images do not remove names that only a release gets.
    """
    found = [context.engine.image(image_id) for image_id in image_ids]
    here = [image for image in found if image is not None]
    here.sort(key=lambda image: (bool(image.references), image.created))
    return here[-1].image_id if here else ""
