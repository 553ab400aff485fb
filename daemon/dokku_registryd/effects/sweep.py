"""A sweep: one look at the whole host, which asks for the jobs that close its gaps.

This is the truth behind every hint. One image listing and one container listing serve
all apps. It asks for heals, takes spare names of superseded releases away, and notices
what a hook could not tell us: logins whose app is gone.
"""

from dataclasses import dataclass

import structlog

from dokku_registryd import ports
from dokku_registryd.core import images, jobs, outcomes, triggers, wanted
from dokku_registryd.core.releases import ReleaseState
from dokku_registryd.effects import states, voice

REPLY_SECONDS = 86_400  # a hook that waits longer than a day is gone
JOB_SECONDS = 90 * 86_400  # how long the ledger tells how a job ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a sweep would do."""

    references: int
    """How many references must exist on this host."""
    gaps: tuple[wanted.Gap, ...]
    """What is missing; apps whose containers run come first."""
    needless: tuple[str, ...]
    """Names that may be taken away."""
    gone: tuple[str, ...]
    """Apps that are gone and have left properties or logins behind."""


def plan(world: ports.World) -> Plan:
    """Read the whole state and work out what it lacks; nothing is changed."""
    observed = wanted.Observed.of(world.engine.images())
    containers = world.engine.containers()
    apps = states.all_states(world)
    entries = [
        entry for state in apps for entry in wanted.wanted_of(state, world.schedulers)
    ]
    running = {entry.app for entry in containers if entry.is_running}
    gaps = sorted(
        wanted.gaps(entries, observed), key=lambda gap: gap.wanted.app not in running
    )
    needed = _needed(apps, entries, containers)
    spare = [
        name
        for state in apps
        for name in wanted.needless(state, observed, needed, world.schedulers)
    ]
    return Plan(
        references=len(entries),
        gaps=tuple(gaps),
        needless=tuple(spare),
        gone=_gone(world),
    )


def perform(job: jobs.Job, world: ports.World, says: voice.Voice) -> outcomes.Outcome:  # noqa: ARG001 - effects share one signature
    """Ask for what a look at the whole host shows to be needed."""
    log = structlog.get_logger()
    started = world.clock.monotonic()
    found = plan(world)
    healable = [gap for gap in found.gaps if not isinstance(gap, wanted.Lost)]
    for app in dict.fromkeys(gap.wanted.app for gap in healable):
        world.submit(triggers.Trigger(kind=triggers.Kind.HEAL, app=app))
    for name in found.needless:
        if world.engine.untag(name):
            log.info("name.untagged", reference=name)
    for app in found.gone:
        world.submit(triggers.Trigger(kind=triggers.Kind.ABANDONED, app=app))
    now = world.clock.now()
    world.replies.remove_older(now - REPLY_SECONDS)
    world.ledger.prune_jobs(finished_before=now - JOB_SECONDS)
    log.info(
        "sweep.finished",
        wanted=found.references,
        missing=len(healable),
        spare=len(found.needless),
        gone=len(found.gone),
        took_seconds=round(world.clock.monotonic() - started, 3),
    )
    return outcomes.done()


def _needed(
    apps: list[wanted.AppState],
    entries: list[wanted.Wanted],
    containers: list[images.LocalContainer],
) -> frozenset[str]:
    unconfirmed = {
        release.image_id
        for state in apps
        for release in state.releases
        if release.state in {ReleaseState.RESERVED, ReleaseState.CONFIRMED}
    }
    names = {wanted.engine_name(entry.reference) for entry in entries}
    names |= {wanted.engine_name(container.image) for container in containers}
    image_ids = {entry.image_id for entry in entries if entry.image_id}
    image_ids |= {container.image_id for container in containers}
    return frozenset(unconfirmed | names | image_ids)


def _gone(world: ports.World) -> tuple[str, ...]:
    owners = {*world.properties.owners(), *world.detached.noted()}
    without_app = owners - set(world.properties.apps())
    return tuple(sorted(without_app | set(world.detached.apps())))


def request(job: jobs.Job, world: ports.World, says: voice.Voice) -> outcomes.Outcome:  # noqa: ARG001 - effects share one signature
    """Note that new containers run: names of the release before may be spare now.

    Raises:
        EngineUnavailableError: The Engine does not answer.
    """
    _bring_home(job.app, world)
    world.submit(triggers.Trigger(kind=triggers.Kind.SWEEP))
    return outcomes.done()


def _bring_home(app: str, world: ports.World) -> None:
    """Note that a release for a cluster runs on this host since: it is wanted here."""
    state = states.state_of(world, app)
    deployed = wanted.deployed_of(state)
    release = wanted.release_of(state, deployed) if deployed else None
    if release is None or not world.schedulers:
        return
    if release.scheduler in world.schedulers:
        return
    # By ID, since the Engine shows no name that the image has lost meanwhile.
    used = {entry.image_id for entry in world.engine.containers()}
    if release.image_id in used:
        world.ledger.update_release(release.job_id, scheduler=world.schedulers[0])
