"""The tag of a copy in a mirror: its number, or another one if that is taken.

No tag is ever moved. Content without one may be deleted by its registry.
"""

from dokku_registryd import errors, ports
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.release import mirrors
from dokku_registryd.effects.registry import copying


def give(place: copying.Place, digest: str, number: int, context: ports.Context) -> str:
    """Give the copy its number, or another tag if that one is taken; return it."""
    if _tag_as(place, digest, str(number), context):
        return str(number)
    spare = mirrors.spare_tag(number, digest)
    if not _tag_as(place, digest, spare, context):
        raise errors.DigestMismatchError(
            f"cannot copy to {place.image.repository}: {number} and {spare} are taken"
            " by other images. Find out who else pushes to it"
        )
    return spare


def _tag_as(
    place: copying.Place, digest: str, tag: str, context: ports.Context
) -> bool:
    """Tag the copy unless the tag has another image; return whether it has the tag."""
    image = place.image.with_tag(tag)
    found = _digest(place, image, context)
    if found is None:
        manifest = _manifest(place, image.with_digest(digest), context)
        place.session.call(
            lambda auth: context.registry.put_manifest(image, manifest, auth=auth)
        )
        found = _digest(place, image, context)
    return found == digest


def _digest(
    place: copying.Place, image: reference.ImageReference, context: ports.Context
) -> str | None:
    try:
        return place.session.call(
            lambda auth: context.registry.digest(image, auth=auth, for_push=True)
        )
    except errors.ForeignManifestError:
        return ""


def _manifest(
    place: copying.Place, image: reference.ImageReference, context: ports.Context
) -> images.Manifest:
    found = place.session.call(
        lambda auth: context.registry.manifest(image, auth=auth, for_push=True)
    )
    if found is None:
        raise errors.RegistryUnavailableError(
            f"{image.domain} accepted {image.familiar}, but does not return it"
        )
    return found
