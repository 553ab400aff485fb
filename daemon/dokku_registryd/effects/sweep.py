"""A sweep: compares the whole host with the wanted state, and requests jobs.

It is the truth behind every hint. One image listing and one container listing serve all
apps. It requests heals, removes unneeded names of superseded releases, and finishes the
work of hooks: it erases logins that they moved away. A missing app keeps everything
(`absence`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from dokku_registryd import ports
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.image import (
    images,
    leftovers,
    needs,
    reference,
    spares,
    wanted,
)
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import check_turns, mirrors
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects import (
    disk,
    housekeeping,
    mirror,
    mirror_checks,
    prune,
)
from dokku_registryd.effects.app import absence, app_state, built_names, sight
from dokku_registryd.effects.deploy import live, reply_writer
from dokku_registryd.effects.registry import numbers, sending


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The actions of a sweep."""

    references: int
    """The number of references that must exist on this host."""
    apps: int
    """The number of apps that they belong to."""
    gaps: tuple[wanted.Gap, ...]
    """The missing references; apps with running containers come first."""
    removable_names: tuple[str, ...]
    """Names to remove."""
    gone: tuple[str, ...]
    """Apps that a hook reported as destroyed and that have left logins."""
    passing: tuple[str, ...] = ()
    """Temporary names of pushes through the relay, also of earlier processes."""
    unchecked: tuple[str, ...] = ()
    """Apps whose release should be checked in its registry now."""
    unpublished: tuple[str, ...] = ()
    """Apps whose live release other hosts should be told of."""
    pushed: tuple[Release, ...] = field(default=(), compare=False, repr=False)
    """The releases that apps run, if their digests are recorded."""
    freeable: tuple[spares.Spare, ...] = field(default=(), compare=False, repr=False)
    """The images that a full disk would free, in their order."""
    freed: int = 0
    """How many of them were freed."""
    outdated: tuple[str, ...] = ()
    """Jobs of releases that are amiss in their registry and no longer deployed."""
    copies: mirrors.Plan = mirrors.NOTHING
    """What changes about the copies in mirrors."""
    unchecked_copies: tuple[str, ...] = ()
    """Apps whose copies should be checked in their mirror now."""
    withheld: tuple[wanted.Gap, ...] = ()
    """Gaps that wait for the end of a deploy: it tags these names itself, or fails."""


def plan(context: ports.Context) -> Plan:
    """Read the whole state and compute the actions; change nothing."""
    listed = context.engine.images()
    observed = wanted.Observed.of(listed)
    containers = context.engine.containers()
    running = {entry.app for entry in containers if entry.is_running}
    with context.properties.look() as look:
        by_app = _needs(context, look, observed, containers)
        found = list(by_app.values())
        needed = needs.needed(found, containers)
        entries = [entry for need in found for entry in need.entries]
        left = [entry for need in found for entry in need.left]
        gaps = sorted(
            sight.confirmed(wanted.gaps(entries, observed), entries, context),
            key=lambda gap: gap.wanted.app not in running,
        )
        unchecked, unchecked_copies = _unchecked(found, context)
        return Plan(
            references=len(entries),
            apps=len({entry.app for entry in entries}),
            gaps=tuple(gaps),
            removable_names=tuple(
                leftovers.removable_names(
                    left, observed, needed, now=context.clock.now()
                )
            ),
            gone=_gone(context),
            passing=tuple(name for image in listed for name in image.passing),
            unchecked=tuple(unchecked),
            unpublished=tuple(_unpublished(found, context)),
            pushed=tuple(need.pushed for need in found if need.pushed is not None),
            outdated=tuple(_outdated(by_app, context)),
            freeable=tuple(disk.freeable(found, observed, needed, context)),
            copies=mirror.plan(by_app.values(), context),
            unchecked_copies=tuple(unchecked_copies),
        )


def carry_out(context: ports.Context) -> Plan:
    """Request the jobs that the state of the whole host requires; return the plan."""
    log = structlog.get_logger()
    started = context.clock.monotonic()
    absence.note(context)
    found = plan(context)
    # A heal logs the names that it moves back.
    sight.tell(gap for gap in found.gaps if isinstance(gap, wanted.Lost))
    healable = built_names.healable(found.gaps, context)
    for app in dict.fromkeys(gap.wanted.app for gap in healable):
        context.submit(triggers.Trigger(kind=Kind.HEAL, app=app))
    for name in found.removable_names:
        if context.engine.untag(name):
            log.info("name.untagged", reference=name)
    found = replace(
        found,
        freed=disk.relieve(found.freeable, context),
        withheld=tuple(
            gap
            for gap in found.gaps
            if not isinstance(gap, wanted.Lost) and gap not in healable
        ),
    )
    sending.take_away(found.passing, context)
    # A hook would wait for them, and a deploy for the hook.
    for app in found.unchecked if context.is_service else ():
        context.submit(triggers.Trigger(kind=Kind.VERIFY, app=app))
    for app in found.unpublished if context.is_service else ():
        context.submit(triggers.Trigger(kind=Kind.PUBLISH, app=app))
    prune.request_due(found.pushed, context)
    if found.outdated:
        context.ledger.forget_checks(found.outdated)
    mirror.request(found.copies, found.unchecked_copies, context)
    for app in found.gone:
        context.submit(triggers.Trigger(kind=Kind.ABANDONED, app=app))
    housekeeping.tidy(context)
    log.info(
        "sweep.finished",
        wanted=found.references,
        missing=len(healable),
        spare=len(found.removable_names),
        gone=len(found.gone),
        took_seconds=round(context.clock.monotonic() - started, 3),
    )
    return found


def _needs(
    context: ports.Context,
    look: ports.Snapshot,
    observed: wanted.Observed,
    containers: list[images.LocalContainer],
) -> dict[str, needs.Need]:
    """Return the needs of the apps, with all local names of their releases."""
    found = app_state.all_needs(context, look, observed)
    needed = needs.needed(found.values(), containers)
    owners = {
        release.app
        for image_id in needs.unclaimed_images(found.values(), observed, needed)
        for release in context.ledger.releases_of_image(image_id)
    }
    lacking = owners & found.keys()
    if lacking:
        # Images of old releases came back: the remembered needs lack them.
        for app in lacking:
            del context.remembered[app]
        found = app_state.all_needs(context, look, observed)
    return found


def _unchecked(
    found: Sequence[needs.Need], context: ports.Context
) -> tuple[list[str], list[str]]:
    """Return apps whose deployed release, and whose copies, should be checked."""
    pushed = [need.pushed for need in found if need.pushed is not None]
    records = context.ledger.checks_of(release.job_id for release in pushed)
    return check_turns.choose_both(
        [
            check_turns.Deployed(
                app=release.app,
                job_id=release.job_id,
                digest=release.digest,
                host=reference.parse(release.reference).domain,
                pushed_at=release.pushed_at,
            )
            for release in pushed
        ],
        records,
        mirror_checks.known(found, context),
        context.clock.now(),
    )


def _unpublished(found: Iterable[needs.Need], context: ports.Context) -> Iterator[str]:
    """Yield the apps whose live release lacks its record."""
    pushed = [need.pushed for need in found if need.pushed and need.is_recorded]
    known = context.ledger.puts() if pushed else {}
    now = context.clock.now()
    for release in pushed:
        put = known.get(release.job_id)
        if put is None or put.is_due(now):
            yield release.app


def _outdated(found: Mapping[str, needs.Need], context: ports.Context) -> Iterator[str]:
    """Yield jobs of releases that are amiss and not run by their apps any more."""
    for app, record in context.ledger.amiss():
        need = found.get(app)
        if need is None or not need.is_known:
            continue
        if need.pushed is None or need.pushed.job_id != record.job_id:
            yield record.job_id


def _gone(context: ports.Context) -> tuple[str, ...]:
    gone = {
        app for app in context.destroyed.noted() if absence.shows_gone(app, context)
    }
    return tuple(sorted(gone.union(context.destroyed.apps())))


def request(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome:
    """Record that new containers run: names of the previous release may be unneeded.

    Raises:
        EngineUnavailableError: The Engine does not answer.
    """
    build = job.trigger.build
    release = context.ledger.release_of_build(job.app, build) if build else None
    if release is not None:
        live.go_live(release, context)
    else:
        live.tell_overtaken(job.app, job.trigger.tag, context)
        numbers.note_live(job.app, context)
    _bring_home(job.app, context)
    prune.request(job.app, context)
    context.submit(triggers.Trigger(kind=Kind.SWEEP))
    return outcomes.done()


def _bring_home(app: str, context: ports.Context) -> None:
    """Record that a cluster release runs on this host: it is wanted here now."""
    state = app_state.state_of(context, app)
    deployed = wanted.deployed_of(state)
    release = wanted.release_of(state, deployed) if deployed else None
    if release is None or not context.schedulers:
        return
    if release.scheduler in context.schedulers:
        return
    # By ID, as the Engine does not show a name that the image has lost meanwhile.
    used = {entry.image_id for entry in context.engine.containers()}
    if release.image_id in used:
        context.ledger.update_release(release.job_id, scheduler=context.schedulers[0])
