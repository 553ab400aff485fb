"""The images of one app on this host, inspected by name.

An Engine's listing does not contain the platform manifests of an image, so a name that
seems to point to another image is inspected once more here.
"""

from collections.abc import Iterable

import structlog

from dokku_registryd import ports
from dokku_registryd.core.image import images, wanted


def observe(
    entries: Iterable[wanted.Wanted], context: ports.Context
) -> wanted.Observed:
    """Inspect every name, image ID and digest of some references.

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
    """Return the missing references among these, inspected one by one."""
    listed = list(entries)
    return wanted.gaps(listed, observe(listed, context))


def confirmed(
    found: list[wanted.Gap], entries: Iterable[wanted.Wanted], context: ports.Context
) -> list[wanted.Gap]:
    """Return the gaps of a listing without those that an inspection disproves.

    A name that another image seems to have may have moved since, or may point to the
    same image under another digest.
    """
    moved = {gap.wanted.app for gap in found if gap.leads_to}
    if not moved:
        return found
    again = gaps((entry for entry in entries if entry.app in moved), context)
    return [gap for gap in found if gap.wanted.app not in moved] + again


def tell(found: Iterable[wanted.Gap]) -> None:
    """Log the names that point to another image."""
    for gap in found:
        if gap.leads_to:
            structlog.get_logger().warning(
                "name.moved",
                app=gap.wanted.app,
                reference=gap.wanted.reference,
                image_id=gap.wanted.image_id,
                leads_to=gap.leads_to,
            )
