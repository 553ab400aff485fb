"""Extra tags: names in the registry that move from one release to the next.

They move only after the number is confirmed, by putting its manifest under each of
them, so no layer is sent and nothing is left of them on this host. A release that
fails here all the same moves them back.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core import images, logins, properties, reference
from dokku_registryd.core.releases import Release, ReleaseState
from dokku_registryd.effects import access, voice


def move(
    release: Release,
    tags: Iterable[str],
    way: access.Access,
    world: ports.World,
    says: voice.Voice,
    *,
    manifest: images.Manifest | None = None,
) -> None:
    """Put a confirmed release under each extra tag, side by side.

    Its manifest is asked for unless it came with the confirmation.

    Raises:
        TransientError: The registry does not answer; some tags may have moved.
        PermanentError: It refuses one; some others may have moved.
    """
    names = [tag for tag in tags if tag != str(release.number)]
    if not names:
        return
    image = reference.parse(release.reference)
    if manifest is None:
        manifest = way.call(partial(_manifest, image, release.digest, world))
    if manifest is None:
        raise errors.RegistryUnavailableError(
            f"the registry confirmed {release.reference}, but does not give it out"
        )
    for name in names:
        says.detail(f"Tagging {release.image_repo} as {name} in registry format")
        says.detail(f"Pushing {release.repository}:{name}")
    _put_each([image.with_tag(name) for name in names], manifest, way, world)


def tell_left_out(policy: properties.AppPolicy, says: voice.Voice) -> None:
    """Say which values a release does without; Dokku's plugin lets it go on too."""
    log = structlog.get_logger().bind(app=policy.app)
    for text in policy.left_out:
        log.warning("property.ignored", reason=text)
        says.warning(text)


def restore(
    release: Release, tags: Iterable[str], world: ports.World, says: voice.Voice
) -> None:
    """Move the tags of a release that failed back to the one before, if there is one.

    It does what it can: a registry that does not answer leaves them, which is said.
    """
    log = structlog.get_logger().bind(app=release.app, reference=release.reference)
    before = _release_before(release, world)
    if before is None:
        return
    image = reference.parse(release.reference)
    way = access.Access(world, app=release.app, domain=image.domain)
    targets = [image.with_tag(tag) for tag in tags if tag != image.tag]
    try:
        moved = [
            target
            for target in targets
            if way.call(partial(_digest, target, world)) == release.digest
        ]
        manifest = way.call(partial(_manifest, image, before.digest, world))
        if manifest is None or not moved:
            return
        _put_each(moved, manifest, way, world)
    except errors.RegistrydError as error:
        log.warning("tags.stranded", error=str(error))
        says.warning(f"Some extra tags may stay at {release.number}: {error}")
        return
    names = [target.tag for target in moved]
    log.info("tags.restored", tags=names, number=before.number)
    says.detail(f"Moved {', '.join(names)} back to {before.number}")


def _release_before(release: Release, world: ports.World) -> Release | None:
    for older in world.ledger.releases(release.app):
        if (
            older.sequence < release.sequence
            and older.state is ReleaseState.PUSHED
            and older.digest
            and older.repository == release.repository
        ):
            return older
    return None


def _digest(
    target: reference.ImageReference,
    world: ports.World,
    auth: logins.AuthConfig | None,
) -> str | None:
    return world.registry.digest(target, auth=auth)


def _manifest(
    image: reference.ImageReference,
    digest: str,
    world: ports.World,
    auth: logins.AuthConfig | None,
) -> images.Manifest | None:
    return world.registry.manifest(image.with_digest(digest), auth=auth)


def _put_each(
    targets: list[reference.ImageReference],
    manifest: images.Manifest,
    way: access.Access,
    world: ports.World,
) -> None:
    def put(target: reference.ImageReference) -> None:
        stored = way.call(
            lambda auth: world.registry.put_manifest(target, manifest, auth=auth)
        )
        if stored != manifest.digest:
            raise errors.DigestMismatchError(
                f"{target.familiar} was put as {manifest.digest}, but the registry"
                f" stored {stored}. Ask whoever runs the registry why it changes"
                " manifests"
            )

    with ThreadPoolExecutor(max_workers=world.parallel_tags) as pool:
        # All are begun before the first failure is raised.
        for result in [pool.submit(put, target) for target in targets]:
            result.result()
