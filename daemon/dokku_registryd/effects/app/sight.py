"""Sight: what is on this host of one app, looked at by name, one by one.

A listing of the Engine does not tell which platform manifests an image has, so a name
that seems to lead to another image is looked at once more here.
"""

from collections.abc import Iterable

import structlog

from dokku_registryd import ports
from dokku_registryd.core.image import images, wanted


def observe(
    entries: Iterable[wanted.Wanted], context: ports.Context
) -> wanted.Observed:
    """Look at every name, image ID and digest that some references are about.

    Raises:
        EngineUnavailableError: The Engine does not answer.
    """
    names: dict[str, str] = {}
    found: dict[str, images.LocalImage] = {}
    unnamed: dict[str, None] = {}
    for entry in entries:
        image = context.engine.image(entry.reference)
        if image is not None:
            names[wanted.engine_name(entry.reference)] = image.image_id
            found[image.image_id] = image
        if entry.image_id:
            unnamed[entry.image_id] = None
        if entry.digest:
            unnamed[f"{entry.source.rpartition(':')[0]}@{entry.digest}"] = None
    for name in unnamed:
        if name not in found and (image := context.engine.image(name)) is not None:
            found[image.image_id] = image
    return wanted.Observed(
        names=names,
        image_ids=frozenset(found),
        identities={image_id: image.identities for image_id, image in found.items()},
    )


def gaps(entries: Iterable[wanted.Wanted], context: ports.Context) -> list[wanted.Gap]:
    """Return what is missing of some references, looked at one by one."""
    listed = list(entries)
    return wanted.gaps(listed, observe(listed, context))


def confirmed(
    found: list[wanted.Gap], entries: Iterable[wanted.Wanted], context: ports.Context
) -> list[wanted.Gap]:
    """Return gaps of which a listing told, with none that one look shows to be wrong.

    A name that another image seems to have may have moved since, or lead to the same
    image under another digest.
    """
    moved = {gap.wanted.app for gap in found if gap.leads_to}
    if not moved:
        return found
    again = gaps((entry for entry in entries if entry.app in moved), context)
    return [gap for gap in found if gap.wanted.app not in moved] + again


def tell(found: Iterable[wanted.Gap]) -> None:
    """Log the names that lead to another image."""
    for gap in found:
        if gap.leads_to:
            structlog.get_logger().warning(
                "name.moved",
                app=gap.wanted.app,
                reference=gap.wanted.reference,
                image_id=gap.wanted.image_id,
                leads_to=gap.leads_to,
            )
