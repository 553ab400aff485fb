"""Mirror: a copy of an app's releases in a second registry, behind its deploys.

A sweep records which copies lack, and requests them; nothing else waits for one. A copy
goes from registry to registry, gives way to all other jobs, and is repeated later if a
registry does not answer: a mirror that is away delays no deploy and fails no job. What
is there is checked now and then (`mirror_checks`), and copied again if parts are gone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.image import needs, reference
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import mirrors
from dokku_registryd.effects import mirror_checks
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import aside, copy_tags, copying, discretion


def plan(found: Iterable[needs.Need], context: ports.Context) -> mirrors.Plan:
    """Compare what mirrors should have with the ledger; change nothing."""
    entries = [entry for need in found for entry in need.mirrored]
    lacking = [copy for _, copy in context.ledger.lacking_copies()]
    if not entries and not lacking:
        return mirrors.NOTHING
    known = context.ledger.copies_of(entry.release.job_id for entry in entries)
    return mirrors.plan(entries, known, lacking, context.clock.now())


def request(
    found: mirrors.Plan, unchecked: Iterable[str], context: ports.Context
) -> None:
    """Record what a sweep found, and request the copies and checks that are due.

    Args:
        found: What changes about the copies.
        unchecked: Apps whose copies should be checked.
        context: The host.
    """
    if found.begin:
        context.ledger.record_copies(found.begin)
    if found.drop:
        context.ledger.forget_copies(found.drop)
    # A hook would wait for them, and a deploy for the hook.
    apps = dict.fromkeys([*found.apps[: mirrors.MOST_APPS], *unchecked])
    for app in apps if context.is_service else ():
        context.submit(triggers.Trigger(kind=Kind.MIRROR, app=app))


def perform(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome:
    """Copy the releases of an app that its mirror lacks.

    Raises:
        PreemptedError: Another job goes first.
    """
    try:
        entries = mirrors.wanted_of(app_state.state_of(context, job.app))
    except errors.UnreadableError as error:
        return outcomes.skipped(f"not copied: {error}")
    known = context.ledger.copies_of(entry.release.job_id for entry in entries)
    now = context.clock.now()
    done: mirrors.Wanted | None = None
    for entry in entries:
        copy = known.get(entry.release.job_id)
        if copy is None or not mirrors.is_current(copy, entry):
            copy = mirrors.begun(entry, now)
        if copy.copied_at:
            copy = mirror_checks.check(entry, copy, context)
        if not copy.is_due(now):
            continue
        reason = _attempt(entry, copy, context)
        if reason:
            return outcomes.skipped(
                f"not copied: {reason}", reference=entry.release.reference
            )
        done = done or entry
    _request_next(job.app, context)
    if done is None:
        return outcomes.skipped("its mirror lacks nothing")
    return outcomes.done(
        f"copied to {done.target}",
        reference=done.release.reference,
        digest=done.release.digest,
    )


def _attempt(entry: mirrors.Wanted, copy: mirrors.Copy, context: ports.Context) -> str:
    """Copy one release and record the result; return why it failed.

    Raises:
        PreemptedError: Another job goes first.
    """
    started = context.clock.monotonic()
    release = entry.release
    discreet = discretion.Discretion()
    # A failed attempt, or the mirror itself, may have left a part of it there.
    work = partial(_copy, entry, discreet.over(context), is_thorough=bool(copy.error))
    try:
        result = aside.Aside(entry.app, context, work).run()
    except (errors.PreemptedError, errors.LedgerError):
        raise
    except (
        errors.TransientError,
        errors.PermanentError,
        errors.InvalidReferenceError,
    ) as error:
        _note_failure(entry, copy, discreet.error(error), context)
        return str(error)
    context.ledger.record_copies([mirrors.done(copy, context.clock.now())])
    structlog.get_logger().info(
        "mirror.copied",
        app=entry.app,
        reference=release.reference,
        target=f"{entry.target}:{result.tag}",
        digest=release.digest,
        blobs=result.copied.blobs,
        mounted=result.copied.mounted,
        sent_bytes=result.copied.sent_bytes,
        took_seconds=round(context.clock.monotonic() - started, 3),
    )
    return ""


def _note_failure(
    entry: mirrors.Wanted,
    copy: mirrors.Copy,
    error: errors.RegistrydError,
    context: ports.Context,
) -> None:
    delay = context.delay(copy.failures + 1, error)
    now = context.clock.now()
    context.ledger.record_copies(
        [mirrors.failed(copy, str(error), delay=delay, now=now)]
    )
    structlog.get_logger().warning(
        "mirror.failed",
        app=entry.app,
        reference=entry.release.reference,
        target=entry.target,
        failures=copy.failures + 1,
        delay_seconds=round(delay, 1),
        error=str(error),
    )


def _request_next(app: str, context: ports.Context) -> None:
    """Request the copies of the next app; one that fails leaves the rest to a sweep."""
    now = context.clock.now()
    waiting = (
        other
        for other, copy in context.ledger.lacking_copies()
        if other != app and copy.is_due(now)
    )
    following = next(waiting, None)
    if following is not None:
        context.submit(triggers.Trigger(kind=Kind.MIRROR, app=following))


@dataclass(frozen=True, slots=True)
class _Result:
    copied: copying.Copied
    tag: str
    """The tag in the mirror."""


def _copy(
    entry: mirrors.Wanted,
    context: ports.Context,
    give_way: Callable[[], None],
    *,
    is_thorough: bool,
) -> _Result:
    release = entry.release
    source = reference.parse(release.reference)
    target = reference.parse(f"{entry.target}:{release.number}")
    # A limit that the copy meets is not met by a heal until that asks itself.
    place_of = partial(
        copying.place_of, app=entry.app, context=context, check=give_way, is_aside=True
    )
    place = place_of(target, direction=backoff.Direction.PUSH)
    copied = copying.copy(
        release.digest,
        place_of(source, direction=backoff.Direction.PULL),
        place,
        context,
        give_way=give_way,
        is_thorough=is_thorough,
    )
    give_way()
    return _Result(
        copied, copy_tags.give(place, release.digest, release.number, context)
    )
