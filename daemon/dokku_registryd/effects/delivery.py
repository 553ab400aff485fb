"""Delivery: a reserved number reaches the registry, and the registry confirms it.

A number is never overwritten. Where it is taken by the same image, that is a success
(we were here before and died); where it is taken by another one (a recreated app, a
clone, a second host), the release gets the next free number.
"""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core import images, logins, properties, reference
from dokku_registryd.core.releases import Release, ReleaseState
from dokku_registryd.effects import access, voice

# Numbers to try where others push to the same repository at the same time.
_MOST_NUMBERS = 10
# Where known content cannot be named, the Engine finds out for itself what is missing.
_UNFIT = (
    errors.ImageNotFoundError,
    errors.InvalidRequestError,
    errors.RegistryUnavailableError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What the registry answers for a number, and how it came there."""

    digest: str
    manner: str = ""
    manifest: images.Manifest | None = None
    """Given where it was seen on the way, so that nobody has to ask for it again."""


_TAKEN = Sent(digest="")


def tag(release: Release, world: ports.World) -> None:
    """Give the image its names on this host, and take those of an older number away.

    Dokku is told of the new names in between, if it goes by this release already.
    """
    for name in release.names:
        world.engine.tag(release.image_id, name)
    if release.is_accepted:
        with world.turn(release.app):
            if is_latest(release, world):
                world.deployed.record_deployed(release.app, release.deployed)
    for name in release.stale_names:
        world.engine.untag(name)


def is_latest(release: Release, world: ports.World) -> bool:
    """Tell whether Dokku was let go on with no later release of the app."""
    return not any(
        later.sequence > release.sequence
        and (later.is_accepted or later.state is ReleaseState.PUSHED)
        for later in world.ledger.releases(release.app)
    )


def deliver(
    release: Release,
    way: access.Access,
    world: ports.World,
    says: voice.Voice,
    *,
    wants_manifest: bool = False,
) -> tuple[Release, images.Manifest | None]:
    """Push under a number that is ours; return once the registry has confirmed it.

    Each question costs a round trip, and a deployer waits for them one after the other.
    So a manifest that is wanted afterwards comes with the confirmation, and one that
    is known is fetched while the registry looks the number up. The image gets its names
    on this host meanwhile: asking changes nothing, and what is asked comes to nothing
    if the Engine refuses.

    Returns:
        The release, and its manifest if it was seen on the way.

    An image that is gone from this host is no failure where the registry has it: then
    an earlier attempt died before it could tell, and a heal brings the names back.

    Raises:
        TransientError: Engine or registry do not answer.
        PermanentError: The registry refuses.
    """
    is_named = False
    missing: errors.ImageNotFoundError | None = None
    for _ in range(_MOST_NUMBERS):
        with ThreadPoolExecutor(max_workers=2) as aside:
            known = aside.submit(_known_manifest, release, way, world)
            found = aside.submit(way.call, partial(_find, release, world))
            try:
                if not is_named:
                    tag(release, world)
            except errors.ImageNotFoundError as error:
                missing = error
        sent = found.result()
        if missing is not None and (sent is None or not sent.digest):
            raise missing
        if sent is None:
            says.detail(f"Pushing {release.reference}")
            sent = _send(
                release,
                known.result(),
                way,
                world,
                says,
                wants_manifest=wants_manifest,
            )
        if sent.digest:
            return _confirm(release, sent, world), sent.manifest
        release, is_named = _take_next_number(release, way, world, says), True
    raise errors.DigestMismatchError(
        f"cannot push {release.reference}: {_MOST_NUMBERS} numbers in a row were taken"
        " by other images. Find out who else pushes to this repository, or give the"
        " app one of its own with dokku registry:set"
    )


def _find(
    release: Release, world: ports.World, auth: logins.AuthConfig | None
) -> Sent | None:
    """Return what has our number: our image, another one, or None if it is free."""
    image = reference.parse(release.reference)
    if world.registry.digest(image, auth=auth) is None:
        return None
    manifest = world.registry.manifest(image, auth=auth)
    if manifest is None:
        return None
    if not manifest.names_image(release.image_id):
        return _TAKEN
    return Sent(digest=manifest.digest, manner="found", manifest=manifest)


def _send(
    release: Release,
    known: images.Manifest | None,
    way: access.Access,
    world: ports.World,
    says: voice.Voice,
    *,
    wants_manifest: bool,
) -> Sent:
    """Send the image and ask for it; the registry's answer must be what was sent."""
    try:
        sent, manner = _put_known(release, known, way, world), "named"
        if sent is None:
            known, manner = None, "pushed"
            sent = way.call(
                lambda auth: world.engine.push(
                    release.reference, auth=auth, on_progress=says.output
                )
            )
    except errors.TagImmutableError:
        return _TAKEN
    is_asked_for = wants_manifest and known is None
    stored = way.call(partial(_read if is_asked_for else _look_up, release, world))
    if stored is None:
        raise errors.RegistryUnavailableError(
            f"the registry took {release.reference}, but does not show it"
        )
    if stored.digest != sent:
        return _TAKEN
    return replace(stored, manner=manner, manifest=stored.manifest or known)


def _look_up(
    release: Release, world: ports.World, auth: logins.AuthConfig | None
) -> Sent | None:
    digest = world.registry.digest(reference.parse(release.reference), auth=auth)
    return None if digest is None else Sent(digest=digest)


def _read(
    release: Release, world: ports.World, auth: logins.AuthConfig | None
) -> Sent | None:
    found = world.registry.manifest(reference.parse(release.reference), auth=auth)
    return None if found is None else Sent(digest=found.digest, manifest=found)


def _known_manifest(
    release: Release, way: access.Access, world: ports.World
) -> images.Manifest | None:
    """Fetch the manifest of an image that the repository has; None if it has not."""
    digest = _known_digest(release, world)
    if not digest:
        return None
    image = reference.parse(release.reference).with_digest(digest)
    with contextlib.suppress(*_UNFIT):
        return way.call(lambda auth: world.registry.manifest(image, auth=auth))
    return None


def _put_known(
    release: Release,
    known: images.Manifest | None,
    way: access.Access,
    world: ports.World,
) -> str | None:
    """Name content that the repository has already; None where it must be pushed."""
    if known is None:
        return None
    image = reference.parse(release.reference)
    with contextlib.suppress(*_UNFIT):
        return way.call(
            lambda auth: world.registry.put_manifest(image, known, auth=auth)
        )
    return None


def _known_digest(release: Release, world: ports.World) -> str:
    for known in world.ledger.releases_of_image(release.image_id):
        if known.digest and known.repository == release.repository:
            return known.digest
    return ""


def _confirm(release: Release, sent: Sent, world: ports.World) -> Release:
    confirmed = world.ledger.update_release(
        release.job_id, state=ReleaseState.CONFIRMED, digest=sent.digest
    )
    structlog.get_logger().info(
        "release.confirmed",
        job_id=release.job_id,
        app=release.app,
        reference=release.reference,
        number=release.number,
        digest=sent.digest,
        manner=sent.manner,
    )
    return confirmed


def _take_next_number(
    release: Release, way: access.Access, world: ports.World, says: voice.Voice
) -> Release:
    image = reference.parse(release.reference)
    tags = way.call(lambda auth: world.registry.tags(image, auth=auth))
    taken = [properties.whole_number(name) or 0 for name in tags]
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
