"""Extra tags: names in the registry that move from one release to the next.

They move only after the number is confirmed, by putting its manifest under each of
them, so no layer is sent and nothing is left of them on this host. What each of them
stood for is asked and kept before the first one moves: a release that fails here all
the same, or whose deploy does, moves them back to that.
"""

import contextlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core import images, logins, pauses, properties, reference
from dokku_registryd.core.releases import Release, ReleaseState
from dokku_registryd.effects import access, precedence, states, voice

UNREAD: Final = "?"
"""Stands for what the registry did not tell: neither a digest nor its absence."""
_ENDED_BADLY = frozenset({ReleaseState.FAILED, ReleaseState.DROPPED})


def note(
    release: Release, tags: Iterable[str], way: access.Access, world: ports.World
) -> None:
    """Keep what extra tags stand for before a release moves them.

    What was kept first stays, whatever they stand for by now. What the registry does
    not tell is left out: whoever moves the tags asks once more.
    """
    known = world.ledger.tag_moves(release.job_id)
    names = [name for name in _names(release, tags) if name not in known]
    if not names:
        return
    image = reference.parse(release.reference)

    def ask(name: str) -> str:
        with contextlib.suppress(errors.TransientError, errors.PermanentError):
            return way.call(partial(_digest, image.with_tag(name), world)) or ""
        return UNREAD

    with ThreadPoolExecutor(max_workers=world.parallel_tags) as pool:
        found = dict(zip(names, pool.map(ask, names), strict=True))
    told = {name: digest for name, digest in found.items() if digest != UNREAD}
    world.ledger.record_tag_moves(release.job_id, told)


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
    names = _names(release, tags)
    if not names:
        return
    precedence.give_way(release.app, release.reference, world)
    image = reference.parse(release.reference)
    if manifest is None:
        manifest = way.call(partial(_manifest, image, release.digest, world))
    if manifest is None:
        raise errors.RegistryUnavailableError(
            f"the registry confirmed {release.reference}, but does not give it out"
        )
    note(release, names, way, world)
    _note_unread(release, names, world)
    for name in names:
        says.detail(f"Tagging {release.image_repo} as {name} in registry format")
        says.detail(f"Pushing {release.repository}:{name}")
    with ThreadPoolExecutor(max_workers=world.parallel_tags) as pool:
        # All are begun before the first failure is raised.
        targets = [image.with_tag(name) for name in names]
        for result in [
            pool.submit(_put, target, manifest, way, world) for target in targets
        ]:
            result.result()


def tell_left_out(policy: properties.AppPolicy, says: voice.Voice) -> None:
    """Say which values a release does without; Dokku's plugin lets it go on too."""
    log = structlog.get_logger().bind(app=policy.app)
    for text in policy.left_out:
        log.warning("property.ignored", reason=text)
        says.warning(text)


def restore(
    release: Release,
    world: ports.World,
    says: voice.Voice,
    *,
    must_answer: bool = False,
) -> None:
    """Move the tags of a release that does not count back to what they stood for.

    It does what it can, and may be repeated: a tag that stands for something else by
    now is left alone, and one that cannot be moved back is said and logged.

    Raises:
        TransientError: The registry does not answer, and `must_answer`: the caller
            comes back.
    """
    moves = _moves(release, world)
    if not moves or not release.digest:
        return
    domain = reference.parse(release.reference).domain
    way = access.Access(
        world,
        app=release.app,
        domain=domain,
        direction=pauses.Direction.PUSH,
        is_under_way=True,
    )
    with ThreadPoolExecutor(max_workers=world.parallel_tags) as pool:
        found = pool.map(
            lambda move: _restore(
                release, move[0], move[1], way, world, must_answer=must_answer
            ),
            moves.items(),
        )
        returns = [entry for entry in found if entry is not None]
    _tell(release, returns, world, says)


@dataclass(frozen=True, slots=True)
class _Return:
    """What came of moving one tag back."""

    tag: str
    digest: str
    problem: str = ""


def _restore(
    release: Release,
    tag: str,
    previous: str,
    way: access.Access,
    world: ports.World,
    *,
    must_answer: bool,
) -> _Return | None:
    """Move one tag back; None if it is not at this release, or was there before."""
    target = reference.parse(release.reference).with_tag(tag)
    digest = _goal(release, tag, previous, world)
    try:
        stands_for = way.call(partial(_digest, target, world))
        if stands_for != release.digest or digest == release.digest:
            return None
        return _Return(tag, digest, _put_back(target, digest, way, world))
    except errors.TransientError as error:
        if must_answer:
            raise
        return _Return(tag, digest, str(error))
    except errors.PermanentError as error:
        return _Return(tag, digest, str(error))


def _put_back(
    target: reference.ImageReference,
    digest: str,
    way: access.Access,
    world: ports.World,
) -> str:
    """Let a tag stand for a digest again; return why that cannot be, empty if it is."""
    if digest == UNREAD:
        return "nobody knows what it stood for"
    if not digest:
        return "it was not there before, and a tag alone cannot be deleted"
    manifest = way.call(partial(_manifest, target, digest, world))
    if manifest is None:
        return f"the registry no longer has {digest}"
    _put(target, manifest, way, world)
    return ""


def _tell(
    release: Release, returns: list[_Return], world: ports.World, says: voice.Voice
) -> None:
    log = structlog.get_logger().bind(app=release.app, reference=release.reference)
    numbers = {row.digest: row.number for row in world.ledger.releases(release.app)}
    for entry in returns:
        if entry.problem:
            log.warning("tags.stranded", tags=[entry.tag], error=entry.problem)
            says.warning(
                f"The extra tag {entry.tag} stays at {release.number}: {entry.problem}"
            )
    restored = sorted(
        (entry for entry in returns if not entry.problem), key=lambda one: one.digest
    )
    for digest, group in groupby(restored, key=lambda one: one.digest):
        names = [entry.tag for entry in group]
        log.info("tags.restored", tags=names, digest=digest)
        says.detail(f"Moved {', '.join(names)} back to {numbers.get(digest, digest)}")


def _goal(release: Release, tag: str, previous: str, world: ports.World) -> str:
    """Return the digest to which a tag goes back.

    What it stood for may be a release that failed as well and could not put it back:
    then that one's own memory counts.
    """
    seen = {release.job_id}
    while previous and previous != UNREAD:
        failed = _failed_release(release, previous, world)
        if failed is None or failed.job_id in seen:
            return previous
        seen.add(failed.job_id)
        previous = world.ledger.tag_moves(failed.job_id).get(tag, UNREAD)
    if previous == UNREAD:
        return _digest_before(release, world) or UNREAD
    return previous


def _failed_release(
    release: Release, digest: str, world: ports.World
) -> Release | None:
    """Return the earlier release that a digest stands for, if all such have failed."""
    rows = [
        row
        for row in world.ledger.releases(release.app)
        if row.digest == digest
        and row.repository == release.repository
        and row.job_id != release.job_id
    ]
    is_failed = rows and all(row.failed_at or row.state in _ENDED_BADLY for row in rows)
    return rows[0] if is_failed else None


def _digest_before(release: Release, world: ports.World) -> str:
    for older in world.ledger.releases(release.app):
        if (
            older.sequence < release.sequence
            and older.state is ReleaseState.PUSHED
            and not older.failed_at
            and older.digest
            and older.repository == release.repository
        ):
            return older.digest
    return ""


def _moves(release: Release, world: ports.World) -> Mapping[str, str]:
    """Return which tags a release may have moved, and what is kept of them.

    Nothing was kept by versions that moved them without asking.
    """
    tags = states.policy_of(world, release.app).extra_tags
    unread = dict.fromkeys(_names(release, tags), UNREAD)
    return {**unread, **world.ledger.tag_moves(release.job_id)}


def _note_unread(release: Release, names: list[str], world: ports.World) -> None:
    """Go on without what cannot be read: a release is worth more than its undoing."""
    known = world.ledger.tag_moves(release.job_id)
    unread = [name for name in names if name not in known]
    if not unread:
        return
    structlog.get_logger().warning(
        "tags.unrecorded", app=release.app, reference=release.reference, tags=unread
    )
    world.ledger.record_tag_moves(release.job_id, dict.fromkeys(unread, UNREAD))


def _names(release: Release, tags: Iterable[str]) -> list[str]:
    return [tag for tag in tags if tag != str(release.number)]


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


def _put(
    target: reference.ImageReference,
    manifest: images.Manifest,
    way: access.Access,
    world: ports.World,
) -> None:
    stored = way.call(
        lambda auth: world.registry.put_manifest(target, manifest, auth=auth)
    )
    if stored != manifest.digest:
        raise errors.DigestMismatchError(
            f"{target.familiar} was put as {manifest.digest}, but the registry"
            f" stored {stored}. Ask whoever runs the registry why it changes"
            " manifests"
        )
