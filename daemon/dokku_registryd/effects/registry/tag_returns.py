"""Restores extra tags of a release that failed to their previous image.

The previous digests were recorded before the first tag moved (`extra_tags.note`), so
this works for an app's first release and after earlier rows of the ledger are gone.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release.releases import Release, ReleaseState
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import extra_tags, registry_session

_ENDED_BADLY: Final = frozenset({ReleaseState.FAILED, ReleaseState.DROPPED})


def restore(
    release: Release,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
    *,
    must_answer: bool = False,
) -> None:
    """Restore the tags of a release that failed to their previous digests.

    It does what it can, and may be repeated: a tag that points elsewhere by now is not
    touched, and a tag that cannot be restored is reported and logged.

    Raises:
        TransientError: The registry does not answer, and `must_answer` is set: the
            caller retries.
    """
    moves = _moves(release, context)
    if not moves or not release.digest or _is_right(release, context):
        return
    domain = reference.parse(release.reference).domain
    session = registry_session.RegistrySession(
        context,
        app=release.app,
        domain=domain,
        direction=backoff.Direction.PUSH,
        check=registry_session.to_the_end,  # The release has been cancelled already.
        is_under_way=True,
    )
    with ThreadPoolExecutor(max_workers=context.parallel_tags) as pool:
        found = pool.map(
            lambda move: _restore(
                release, move[0], move[1], session, context, must_answer=must_answer
            ),
            moves.items(),
        )
        returns = [entry for entry in found if entry is not None]
    _tell(release, returns, context, reply)


@dataclass(frozen=True, slots=True)
class _Return:
    """The result of restoring one tag."""

    tag: str
    digest: str
    problem: str = ""


def _restore(
    release: Release,
    tag: str,
    previous: str,
    session: registry_session.RegistrySession,
    context: ports.Context,
    *,
    must_answer: bool,
) -> _Return | None:
    """Restore one tag; None if it is not at this release, or was there before."""
    target = reference.parse(release.reference).with_tag(tag)
    digest = _goal(release, tag, previous, context)
    try:
        stands_for = session.call(partial(extra_tags.digest_of, target, context))
        if stands_for != release.digest or digest == release.digest:
            return None
        return _Return(tag, digest, _put_back(target, digest, session, context))
    except errors.TransientError as error:
        if must_answer:
            raise
        return _Return(tag, digest, str(error))
    except errors.PermanentError as error:
        return _Return(tag, digest, str(error))


def _put_back(
    target: reference.ImageReference,
    digest: str,
    session: registry_session.RegistrySession,
    context: ports.Context,
) -> str:
    """Point a tag to a digest again; return why that is impossible, or empty."""
    if digest == extra_tags.UNREAD:
        return "its previous image is unknown"
    if not digest:
        return "it did not exist before, and a tag alone cannot be deleted"
    manifest = session.call(partial(extra_tags.manifest_of, target, digest, context))
    if manifest is None:
        return f"the registry no longer has {digest}"
    extra_tags.put(target, manifest, session, context)
    return ""


def _tell(
    release: Release,
    returns: list[_Return],
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
) -> None:
    log = structlog.get_logger().bind(app=release.app, reference=release.reference)
    numbers = {row.digest: row.number for row in context.ledger.releases(release.app)}
    for entry in returns:
        if entry.problem:
            log.warning("tags.restore_failed", tags=[entry.tag], error=entry.problem)
            reply.warning(
                f"The extra tag {entry.tag} stays at {release.number}: {entry.problem}"
            )
    restored = sorted(
        (entry for entry in returns if not entry.problem), key=lambda one: one.digest
    )
    for digest, group in groupby(restored, key=lambda one: one.digest):
        names = [entry.tag for entry in group]
        log.info("tags.restored", tags=names, digest=digest)
        reply.detail(f"Moved {', '.join(names)} back to {numbers.get(digest, digest)}")


def _goal(release: Release, tag: str, previous: str, context: ports.Context) -> str:
    """Return the digest to which a tag is restored.

    Its previous release may have failed as well without restoring the tag: then the
    record of that one counts.
    """
    seen = {release.job_id}
    while previous and previous != extra_tags.UNREAD:
        failed = _failed_release(release, previous, context)
        if failed is None or failed.job_id in seen:
            return previous
        seen.add(failed.job_id)
        previous = context.ledger.tag_moves(failed.job_id).get(tag, extra_tags.UNREAD)
    if previous == extra_tags.UNREAD:
        return _digest_before(release, context) or extra_tags.UNREAD
    return previous


def _is_right(release: Release, context: ports.Context) -> bool:
    """Return whether a later release that counts has the same digest.

    A build without changes produces the same image again: tags at it belong to the
    later release now.
    """
    rows = context.ledger.releases_with_digest(release.digest, release)
    return any(row.sequence > release.sequence and not _has_failed(row) for row in rows)


def _has_failed(release: Release) -> bool:
    return bool(release.failed_at) or release.state in _ENDED_BADLY


def _failed_release(
    release: Release, digest: str, context: ports.Context
) -> Release | None:
    """Return the release of a digest, if all releases with it have failed.

    Another app may have pushed it to the same repository.
    """
    rows = [
        row
        for row in context.ledger.releases_with_digest(digest, release)
        if row.job_id != release.job_id
    ]
    return rows[0] if rows and all(map(_has_failed, rows)) else None


def _digest_before(release: Release, context: ports.Context) -> str:
    for older in context.ledger.releases(release.app):
        if (
            older.sequence < release.sequence
            and older.state is ReleaseState.PUSHED
            and not older.failed_at
            and older.digest
            and older.repository == release.repository
        ):
            return older.digest
    return ""


def _moves(release: Release, context: ports.Context) -> Mapping[str, str]:
    """Return the tags that a release may have moved, and their recorded digests.

    Older versions moved them without recording anything.
    """
    tags = app_state.policy_of(context, release.app).extra_tags
    unread = dict.fromkeys(
        extra_tags.names_of(release, tags, context), extra_tags.UNREAD
    )
    return {**unread, **context.ledger.tag_moves(release.job_id)}
