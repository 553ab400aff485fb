"""Checks whether a registry has all parts of a release, and records the result.

A push through the relay has seen or sent every part, so it needs no further request.
All others are looked at later (`parts_look`).
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.image import images, parts, reference
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import (
    Look,
    Number,
    Record,
    Standing,
)
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.registry import parts_look, registry_session


def note_shown(
    release: Release,
    manifest: images.Manifest | None,
    evidence: parts.Evidence,
    context: ports.Context,
) -> bool:
    """Record that a release is complete, if its own push has shown it; ask nothing.

    A ledger that refuses does not matter here: a later check finds out.

    Returns:
        Whether it has.
    """
    if manifest is None or manifest.digest != release.digest:
        return False
    tree = parts.is_shown(manifest, evidence)
    if tree is None:
        return False
    with contextlib.suppress(errors.LedgerError):
        before = context.ledger.check_of(release.job_id)
        record = completeness.shown(
            release.job_id,
            release.digest,
            parts=len(tree.parts),
            now=context.clock.now(),
            tree=tuple(map(str, tree.parts)),
        )
        # The release's next commit syncs it; without it a check follows.
        context.ledger.record_check(record, is_synced=False)
        _tell(release, before, record)
    return True


def look_at(
    release: Release,
    before: Record | None,
    context: ports.Context,
    *,
    give_way: Callable[[], None] = lambda: None,
    is_aside: bool = False,
) -> tuple[Look, str]:
    """Look for all parts of a release with its app's login; record nothing.

    Args:
        release: The release.
        before: What is known about it.
        context: The host.
        give_way: Raises if the look should end.
        is_aside: Whether no other job waits for it: it leaves the rest of a limit for
            pulls to others, and what a registry refuses it pauses no other job.

    Returns:
        As `parts_look.look` does.

    Raises:
        PreemptedError: Another job goes first.
    """
    image = reference.parse(release.reference)
    session = registry_session.RegistrySession(
        context,
        app=release.app,
        domain=image.domain,
        direction=backoff.Direction.PULL,
        check=give_way,
        is_aside=is_aside,
    )
    reader = parts_look.reader_of(image, session, context, give_way=give_way)
    if not is_aside:
        reader = replace(reader, is_scarce=lambda: False)
    return parts_look.look(
        image,
        release.digest,
        reader,
        context.clock.monotonic,
        tree=completeness.tree_of(before, release.digest),
        asks_number=True,
    )


def ask_again(
    release: Release,
    known: Record | None,
    context: ports.Context,
    give_way: Callable[[], None],
) -> Record | None:
    """Return what the registry lacks of a release that the Engine could not pull.

    It is not asked again within an hour after it lacked something.

    Raises:
        PreemptedError: Another job goes first.
    """
    now = context.clock.now()
    is_known = known is not None and known.standing is Standing.INCOMPLETE
    if is_known and not completeness.is_due(
        known, release.digest, job_id=release.job_id, now=now
    ):
        return known
    found, _ = look_at(release, known, context, give_way=give_way)
    record(release, found, known, context)
    return context.ledger.check_of(release.job_id)


def record(
    release: Release, found: Look, before: Record | None, context: ports.Context
) -> Record:
    """Record a look at a release; return what is known now.

    Args:
        release: The release.
        found: The look.
        before: What was known when it began: it is discarded if that has changed.
        context: The host.
    """
    known = _after(release, found, before, context)
    if context.ledger.replace_check(before, known):
        _tell(release, before, known)
    return context.ledger.check_of(release.job_id) or known


def record_now(release: Release, found: Look, context: ports.Context) -> None:
    """Record a look that came after all others, such as that of a repair."""
    before = context.ledger.check_of(release.job_id)
    known = _after(release, found, before, context)
    context.ledger.record_check(known)
    _tell(release, before, known)


def _after(
    release: Release, found: Look, before: Record | None, context: ports.Context
) -> Record:
    known = completeness.after(
        before, found, job_id=release.job_id, now=context.clock.now()
    )
    if not known.is_amiss:
        return known
    with contextlib.suppress(errors.EngineUnavailableError):
        local = context.engine.image(release.image_id or release.reference)
        return replace(known, is_here=local is not None)
    return known


def _tell(release: Release, before: Record | None, known: Record) -> None:
    was_incomplete = before is not None and before.standing is Standing.INCOMPLETE
    log = structlog.get_logger()
    if known.standing is Standing.INCOMPLETE:
        if not was_incomplete or before is None or before.missing != known.missing:
            log.warning(
                "release.incomplete",
                app=release.app,
                reference=release.reference,
                digest=known.digest,
                missing=list(known.missing),
                lacking=known.lacking,
            )
    elif was_incomplete:
        log.info(
            "release.completed",
            app=release.app,
            reference=release.reference,
            digest=known.digest,
        )
    _tell_number(release, before.number if before else Number.KEPT, known.number)


def _tell_number(release: Release, before: Number, now: Number) -> None:
    if before is now:
        return
    log = structlog.get_logger()
    facts = {
        "app": release.app,
        "reference": release.reference,
        "digest": release.digest,
    }
    if now is Number.KEPT:
        log.info("number.returned", **facts)
    else:
        log.warning("number.lost", reason=now.value, **facts)
