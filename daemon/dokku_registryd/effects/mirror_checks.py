"""Checks of copies: whether a mirror still has all parts of a release.

A copy is checked like a release in its first registry: once a day, within the budget of
its registry, by HEAD for each part, and without a job that waits for it. What is lost
is copied again by the same job.
"""

from collections.abc import Callable, Iterable, Iterator

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.image import needs, reference
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import check_turns, completeness, mirrors
from dokku_registryd.effects.registry import (
    aside,
    copy_tags,
    copying,
    discretion,
    parts_look,
)


def known(
    found: Iterable[needs.Need], context: ports.Context
) -> Iterator[tuple[check_turns.Deployed, completeness.Record]]:
    """Yield the copies that mirrors have, each with what is known about its parts."""
    entries = [entry for need in found for entry in need.mirrored]
    copies = context.ledger.copies_of(entry.release.job_id for entry in entries)
    records = context.ledger.checks_of(copies)
    for entry in entries:
        copy = copies.get(entry.release.job_id)
        if copy is None or not copy.copied_at or not mirrors.is_current(copy, entry):
            continue
        one = check_turns.Deployed(
            app=entry.app,
            job_id=copy.job_id,
            digest=copy.digest,
            host=reference.parse(f"{copy.target}:1").domain,
        )
        yield one, mirrors.as_check(copy, records.get(copy.job_id))


def check(
    entry: mirrors.Wanted, copy: mirrors.Copy, context: ports.Context
) -> mirrors.Copy:
    """Look for all parts of a copy, if that is due; record and return the result.

    Raises:
        PreemptedError: Another job goes first.
    """
    first = context.ledger.check_of(copy.job_id)
    before, now = mirrors.as_check(copy, first), context.clock.now()
    if not completeness.is_due(before, copy.digest, job_id=copy.job_id, now=now):
        return copy
    discreet = discretion.Discretion()
    guarded = discreet.over(context)
    try:
        found = aside.Aside(
            entry.app,
            context,
            lambda give_way: _look(entry, before, guarded, give_way),
        ).run()
    except (errors.PreemptedError, errors.LedgerError):
        raise
    except (
        errors.TransientError,
        errors.PermanentError,
        errors.InvalidReferenceError,
    ) as error:
        after = mirrors.unread(copy, str(discreet.error(error)), now)
    else:
        after = _after(entry, copy, found, context)
    context.ledger.record_copies([after])
    return after


def _after(
    entry: mirrors.Wanted,
    copy: mirrors.Copy,
    found: completeness.Look,
    context: ports.Context,
) -> mirrors.Copy:
    now = context.clock.now()
    if not found.missing:
        if found.unread:
            return mirrors.unread(copy, found.unread, now)
        return mirrors.done(copy, now)
    missing = [str(part) for part in found.missing[: completeness.MOST_NAMED]]
    lacking = len(found.missing)
    structlog.get_logger().warning(
        "mirror.incomplete",
        app=entry.app,
        reference=entry.release.reference,
        target=entry.target,
        digest=copy.digest,
        missing=missing,
        lacking=lacking,
    )
    return mirrors.lost(copy, completeness.describe(missing, lacking), now)


def _look(
    entry: mirrors.Wanted,
    before: completeness.Record,
    context: ports.Context,
    give_way: Callable[[], None],
) -> completeness.Look:
    """Look for the parts; a copy that has lost its tag only gets it again."""
    image = reference.parse(f"{entry.target}:{entry.release.number}")
    place = copying.place_of(
        image,
        entry.app,
        context,
        backoff.Direction.PULL,
        check=give_way,
        is_aside=True,
    )
    reader = parts_look.reader_of(image, place.session, context, give_way=give_way)
    found, _ = parts_look.look(
        image,
        before.digest,
        reader,
        context.clock.monotonic,
        tree=before.tree,
    )
    if found.is_complete:
        give_way()
        place = copying.place_of(
            image,
            entry.app,
            context,
            backoff.Direction.PUSH,
            check=give_way,
            is_aside=True,
        )
        copy_tags.give(place, before.digest, entry.release.number, context)
    return found
