"""Delivery: a reserved number reaches the registry, and the registry confirms it.

A number is never overwritten. Where it is taken by the same image, that is a success
(we were here before and died); where it is taken by another one (a recreated app, a
clone, a second host), the release gets the next free number.
"""

from functools import partial

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core import logins, reference
from dokku_registryd.core.releases import Release, ReleaseState
from dokku_registryd.effects import access, voice

# Numbers to try where others push to the same repository at the same time.
_MOST_NUMBERS = 10


def tag(release: Release, world: ports.World) -> None:
    """Give the image its names on this host, and take those of an older number away.

    Dokku is told of the new names in between, if it goes by this release already.
    """
    for name in release.names:
        world.engine.tag(release.image_id, name)
    if release.is_accepted and is_latest_accepted(release, world):
        world.deployed.record_deployed(release.app, release.deployed)
    for name in release.stale_names:
        world.engine.untag(name)


def is_latest_accepted(release: Release, world: ports.World) -> bool:
    """Tell whether no later release of the app was let go on before its push."""
    return not any(
        later.sequence > release.sequence and later.is_accepted
        for later in world.ledger.releases(release.app)
    )


def deliver(
    release: Release, way: access.Access, world: ports.World, says: voice.Voice
) -> Release:
    """Push under a number that is ours; return once the registry has confirmed it.

    Raises:
        TransientError: Engine or registry do not answer.
        PermanentError: The registry refuses.
    """
    for _ in range(_MOST_NUMBERS):
        sent = way.call(partial(_find, release, world))
        manner = "found"
        if sent is None:
            says.detail(f"Pushing {release.reference}")
            sent, manner = _send(release, way, world, says)
        if sent:
            return _confirm(release, sent, manner, world)
        release = _take_next_number(release, way, world, says)
    raise errors.DigestMismatchError(
        f"cannot push {release.reference}: {_MOST_NUMBERS} numbers in a row were taken"
        " by other images. Find out who else pushes to this repository, or give the"
        " app one of its own with dokku registry:set"
    )


def _find(
    release: Release, world: ports.World, auth: logins.AuthConfig | None
) -> str | None:
    """Return the digest of our number, "" if another image has it, None if free."""
    image = reference.parse(release.reference)
    if world.registry.digest(image, auth=auth) is None:
        return None
    manifest = world.registry.manifest(image, auth=auth)
    if manifest is None:
        return None
    return manifest.digest if manifest.names_image(release.image_id) else ""


def _send(
    release: Release, way: access.Access, world: ports.World, says: voice.Voice
) -> tuple[str, str]:
    """Send the image and ask for it.

    Returns:
        The digest that the registry answers with, "" if it is not the one that was
        sent, and in which manner it was sent.
    """
    try:
        sent, manner = _put_known(release, way, world), "named"
        if sent is None:
            manner = "pushed"
            sent = way.call(
                lambda auth: world.engine.push(
                    release.reference, auth=auth, on_progress=says.output
                )
            )
    except errors.TagImmutableError:
        return "", ""
    image = reference.parse(release.reference)
    stored = way.call(lambda auth: world.registry.digest(image, auth=auth))
    if stored is None:
        raise errors.RegistryUnavailableError(
            f"the registry took {release.reference}, but does not show it"
        )
    return (stored, manner) if stored == sent else ("", "")


def _put_known(release: Release, way: access.Access, world: ports.World) -> str | None:
    """Name content that the repository has already; None where it must be pushed."""
    known = _known_digest(release, world)
    if not known:
        return None
    image = reference.parse(release.reference)
    try:
        manifest = way.call(
            lambda auth: world.registry.manifest(image.with_digest(known), auth=auth)
        )
        if manifest is None:
            return None
        return way.call(
            lambda auth: world.registry.put_manifest(image, manifest, auth=auth)
        )
    except (
        errors.ImageNotFoundError,
        errors.InvalidRequestError,
        errors.RegistryUnavailableError,
    ):
        return None  # The Engine finds out for itself what is missing.


def _known_digest(release: Release, world: ports.World) -> str:
    for known in world.ledger.releases_of_image(release.image_id):
        if known.digest and known.repository == release.repository:
            return known.digest
    return ""


def _confirm(release: Release, digest: str, manner: str, world: ports.World) -> Release:
    confirmed = world.ledger.update_release(
        release.job_id, state=ReleaseState.CONFIRMED, digest=digest
    )
    structlog.get_logger().info(
        "release.confirmed",
        job_id=release.job_id,
        app=release.app,
        reference=release.reference,
        number=release.number,
        digest=digest,
        manner=manner,
    )
    return confirmed


def _take_next_number(
    release: Release, way: access.Access, world: ports.World, says: voice.Voice
) -> Release:
    image = reference.parse(release.reference)
    tags = way.call(lambda auth: world.registry.tags(image, auth=auth))
    taken = [int(name) for name in tags if name.isascii() and name.isdigit()]
    older = release
    release = world.ledger.renumber(
        release.job_id, at_least=max([release.number, *taken]) + 1
    )
    says.detail(
        f"Tag {older.number} is taken by another image, bumping tag to {release.number}"
    )
    structlog.get_logger().warning(
        "release.renumbered",
        job_id=release.job_id,
        app=release.app,
        reference=release.reference,
        number=release.number,
        previous=older.number,
    )
    tag(release, world)
    return release
