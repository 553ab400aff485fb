"""Heal: restore an app's wanted references, without network if possible.

It reads the state by name, so that one heal costs the same on any host. A pull uses the
digest that the registry confirmed; it never takes an image that another client has
pushed to the same tag.
"""

from collections.abc import Callable
from functools import partial

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.image import images, reference, wanted
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff
from dokku_registryd.core.release import releases
from dokku_registryd.effects import from_mirror
from dokku_registryd.effects.app import app_state, built_names, sight
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import pull_errors, registry_session

# Stop pulling an image that something keeps deleting, to spare the registry and its
# rate limit.
LOOP_PULLS = 3
LOOP_SECONDS = 600.0
# The number of recent jobs of the app to read: others end between the pulls.
LOOP_JOBS = 100
_PULLED = outcomes.PULLED


def perform(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome:
    """Close the gaps of one app.

    Raises:
        TransientError: Engine or registry do not answer, or the disk is too full.
        PermanentError: The registry no longer has the image, or refuses the login.
    """
    state = app_state.state_of(context, job.app)
    state.policy.require("heal")
    entries = wanted.wanted_of(state, context.schedulers)
    if not entries:
        return outcomes.skipped(_reason(state))
    gaps = sight.gaps(entries, context)
    sight.tell(gaps)
    pulled, session = _pull(
        gaps,
        state,
        context,
        reply,
        is_internal=job.is_internal,
    )
    if pulled:
        # Its image has all the other names too, under its new ID.
        state = app_state.state_of(context, job.app)
        entries = wanted.wanted_of(state, context.schedulers)
    gaps = sight.gaps(entries, context)
    healed = _retag(gaps, context, reply)
    _check_identity(gaps)
    source = entries[0].source
    if not pulled and not healed:
        return outcomes.skipped(_rest(gaps), reference=source)
    digest = entries[0].digest or (_digest_of(pulled, source) if pulled else "")
    return outcomes.done(
        session,
        reference=source,
        image_id=pulled.image_id if pulled else healed[0].image_id,
        digest=digest,
    )


def _rest(gaps: list[wanted.Gap]) -> str:
    if any(isinstance(gap, wanted.Retag) for gap in gaps):
        return "missing names are left to the running deploy"
    return "no missing names"


def _reason(state: wanted.AppState) -> str:
    policy = state.policy
    if not policy.heal:
        return "heal is off"
    if wanted.deployed_of(state) is None:
        if state.deployed is not None:
            return "its release was not pushed"
        if not policy.push_on_release:
            return "push-on-release is off"
        return "no release yet"
    return "its scheduler does not keep images on this host"


def _pull(
    gaps: list[wanted.Gap],
    state: wanted.AppState,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
    *,
    is_internal: bool,
) -> tuple[images.LocalImage | None, str]:
    """Pull the image of the first gap; return it, and what was done."""
    pulls = [gap.wanted for gap in gaps if isinstance(gap, wanted.Pull)]
    if not pulls:
        return None, "retagged without a pull"
    entry = pulls[0]
    # A deploy may need another image than the running one; a later heal restores that.
    pulls = [other for other in pulls if other.source == entry.source]
    _check_pushed(entry, state)
    if is_internal:
        _check_loop(entry, context)
    _check_space(entry, context)
    give_way = partial(_give_way, entry, context, may_give_up=is_internal)
    reply.detail(f"Pulling {entry.source}")
    mirror = state.policy.mirror
    done = _PULLED
    try:
        image = _fetch(entry, context, reply, give_way)
    except (errors.TransientError, errors.PermanentError) as error:
        spare = from_mirror.pull(
            error, entry, mirror, context, reply, give_way=give_way
        )
        if spare is None:
            told = pull_errors.explain(error, entry, state, context, give_way)
            if told is error:
                raise
            raise told from error
        image, done = spare, f"{_PULLED} from its mirror {mirror}"
    for missing in pulls:
        context.engine.tag(image.image_id, missing.reference)
    _remember(entry, image, state, context)
    if done != _PULLED:
        from_mirror.forget_name(entry, mirror, context)
    return image, done


def fetch(
    entry: wanted.Wanted,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
    give_way: Callable[[], None],
) -> images.LocalImage:
    """Pull an image by its digest, if there is room for it; for a release too.

    Raises:
        TransientError: Engine or registry do not answer, or the disk is too full.
        PermanentError: The registry no longer has the image, or refuses the login.
    """
    _check_space(entry, context)
    return _fetch(entry, context, reply, give_way)


def _give_way(
    entry: wanted.Wanted, context: ports.Context, *, may_give_up: bool
) -> None:
    """Raise if another job of the app goes first."""
    if context.is_disowned(entry.app) or (
        may_give_up and context.is_preempted(entry.app)
    ):
        raise errors.PreemptedError(
            f"the pull of {entry.source} was preempted by another job of {entry.app}"
        )


def _fetch(
    entry: wanted.Wanted,
    context: ports.Context,
    reply: reply_writer.ReplyWriter,
    give_way: Callable[[], None],
) -> images.LocalImage:
    give_way()
    source = reference.parse(entry.source)
    session = registry_session.RegistrySession(
        context,
        app=entry.app,
        domain=source.domain,
        direction=backoff.Direction.PULL,
        check=give_way,
    )
    target = entry.source
    if entry.digest:
        target = f"{entry.source.rpartition(':')[0]}@{entry.digest}"
    else:
        structlog.get_logger().warning(
            "heal.unproved", app=entry.app, reference=entry.source
        )
        reply.warning(
            f"{entry.source} is pulled by its tag, because no digest of it was"
            " recorded: it may not be the released image"
        )
    return session.call(
        lambda auth: context.engine.pull(target, auth=auth, give_way=give_way),
        is_paced=False,
    )


def _check_pushed(entry: wanted.Wanted, state: wanted.AppState) -> None:
    """Refuse to pull an image that we have not pushed: it would be a foreign one."""
    if entry.digest:
        return
    is_unpushed = any(
        release.reference == entry.source
        and release.state is not releases.ReleaseState.PUSHED
        and not release.digest
        for release in state.releases
    )
    if is_unpushed:
        raise errors.ImageNotFoundError(
            f"cannot restore {entry.source}: its image is gone and was not pushed"
            f" yet. Rebuild the app with dokku ps:rebuild {entry.app}"
        )


def _check_loop(entry: wanted.Wanted, context: ports.Context) -> None:
    """Refuse to pull an image that something on this host keeps deleting."""
    now = context.clock.now()
    recent = [
        record
        for record in context.ledger.finished_jobs(
            now=now, limit=LOOP_JOBS, app=entry.app
        )
        if record.job.kind is Kind.HEAL
        # Times in the future were written before the clock was set back.
        and 0.0 <= now - record.finished_at <= LOOP_SECONDS
        and record.outcome is not None
        and record.outcome.detail.startswith(_PULLED)
        and record.outcome.reference == entry.source
    ]
    if len(recent) < LOOP_PULLS:
        return
    reason = f"it was pulled {LOOP_PULLS} times within {LOOP_SECONDS // 60:.0f} minutes"
    structlog.get_logger().warning(
        "heal.blocked", app=entry.app, reference=entry.source, reason=reason
    )
    raise errors.TransientError(
        f"cannot restore {entry.source} now: {reason}, and is missing again. Find"
        " out what removes it (a prune by cron?), or run dokku-registryd heal"
        f" {entry.app}",
        retry_after=LOOP_SECONDS,
    )


def _check_space(entry: wanted.Wanted, context: ports.Context) -> None:
    root_dir = context.engine.facts().root_dir
    free = context.free_bytes(root_dir)
    if free < context.min_free_bytes:
        structlog.get_logger().warning(
            "heal.blocked",
            app=entry.app,
            reference=entry.source,
            reason=f"{free >> 20} MB free for {root_dir}",
        )
        raise errors.TransientError(
            f"cannot pull {entry.source}: {free >> 20} MB are free for {root_dir},"
            f" less than heal.min_free_disk_mb ({context.min_free_bytes >> 20})."
            " Free disk space, or lower that setting"
        )


def _remember(
    entry: wanted.Wanted,
    image: images.LocalImage,
    state: wanted.AppState,
    context: ports.Context,
) -> None:
    """Record digest and image ID of a pulled image, if the ledger lacks them."""
    deployed = wanted.deployed_of(state)
    if deployed is None:
        return
    known = wanted.release_of(state, deployed)
    if known is None:
        context.ledger.adopt(_adopted(entry, image, deployed, context))
    elif known.image_id != image.image_id or not known.digest:
        # A new image store names the same manifest by another ID. A release that is
        # not pushed under its number gets its digest when it is confirmed.
        is_pushed = known.state is releases.ReleaseState.PUSHED
        digest = _digest_of(image, entry.source) if is_pushed else ""
        context.ledger.update_release(
            known.job_id, image_id=image.image_id, digest=known.digest or digest
        )


def _adopted(
    entry: wanted.Wanted,
    image: images.LocalImage,
    deployed: releases.DeployedRelease,
    context: ports.Context,
) -> releases.Release:
    now = context.clock.now()
    return releases.Release(
        job_id=f"adopted-{entry.app}-{deployed.number}-{int(now)}",
        app=entry.app,
        number=deployed.number,
        image_id=image.image_id,
        server=deployed.server,
        image_repo=deployed.image_repo,
        scheduler=context.schedulers[0] if context.schedulers else "docker-local",
        state=releases.ReleaseState.PUSHED,
        digest=entry.digest or _digest_of(image, entry.source),
        created_at=now,
        pushed_at=now,
    )


def _digest_of(image: images.LocalImage, source: str) -> str:
    return image.digest_in(wanted.engine_name(source.rpartition(":")[0]))


def _check_identity(gaps: list[wanted.Gap]) -> None:
    """Fail if a name points to a foreign image."""
    for gap in gaps:
        if isinstance(gap, wanted.Lost) and gap.leads_to:
            raise errors.DigestMismatchError(
                f"{gap.wanted.reference} points to another image on this host"
                f" ({gap.leads_to}), and the released image is neither here nor known"
                f" to its registry. Rebuild the app with dokku ps:rebuild"
                f" {gap.wanted.app}"
            )


def _retag(
    gaps: list[wanted.Gap], context: ports.Context, reply: reply_writer.ReplyWriter
) -> list[wanted.Retag]:
    healed: list[wanted.Retag] = []
    for gap in gaps:
        if not isinstance(gap, wanted.Retag):
            continue
        if gap.wanted.may_pull:
            context.engine.tag(gap.image_id, gap.wanted.reference)
        elif not built_names.give(gap, context):
            continue
        reply.detail(f"Tagging {gap.wanted.reference}")
        healed.append(gap)
    return healed
