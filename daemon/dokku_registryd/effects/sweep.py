"""A sweep: one look at the whole host, which asks for the jobs that close its gaps.

This is the truth behind every hint. One image listing and one container listing serve
all apps. It asks for heals, takes spare names of superseded releases away, and finishes
what a hook began: logins that it moved out of the way. An app that it cannot see keeps
everything (`absence`).
"""

from dataclasses import dataclass

import structlog

from dokku_registryd import ports
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.image import images, leftovers, needs, wanted
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects import housekeeping
from dokku_registryd.effects.app import absence, app_state, built_names, sight
from dokku_registryd.effects.deploy import live, reply
from dokku_registryd.effects.registry import numbers, sending


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
    """Apps that are gone by a hook's word and have left logins behind."""
    passing: tuple[str, ...] = ()
    """Names by which images are pushed by the relay, or were when we died."""


def plan(world: ports.World) -> Plan:
    """Read the whole state and work out what it lacks; nothing is changed."""
    listed = world.engine.images()
    observed = wanted.Observed.of(listed)
    containers = world.engine.containers()
    running = {entry.app for entry in containers if entry.is_running}
    with world.properties.look() as look:
        found = _needs(world, look, observed, containers)
        needed = needs.needed(found, containers)
        entries = [entry for need in found for entry in need.entries]
        left = [entry for need in found for entry in need.left]
        gaps = sorted(
            sight.confirmed(wanted.gaps(entries, observed), entries, world),
            key=lambda gap: gap.wanted.app not in running,
        )
        return Plan(
            references=len(entries),
            gaps=tuple(gaps),
            needless=tuple(leftovers.needless(left, observed, needed)),
            gone=_gone(world),
            passing=tuple(name for image in listed for name in image.passing),
        )


def perform(job: jobs.Job, world: ports.World, says: reply.Voice) -> outcomes.Outcome:  # noqa: ARG001 - effects share one signature
    """Ask for what a look at the whole host shows to be needed."""
    carry_out(world)
    return outcomes.done()


def carry_out(world: ports.World) -> Plan:
    """Ask for what a look at the whole host shows to be needed, and return that."""
    log = structlog.get_logger()
    started = world.clock.monotonic()
    absence.note(world)
    found = plan(world)
    # A heal tells of those that it moves back.
    sight.tell(gap for gap in found.gaps if isinstance(gap, wanted.Lost))
    healable = built_names.healable(found.gaps, world)
    for app in dict.fromkeys(gap.wanted.app for gap in healable):
        world.submit(triggers.Trigger(kind=Kind.HEAL, app=app))
    for name in found.needless:
        if world.engine.untag(name):
            log.info("name.untagged", reference=name)
    sending.take_away(found.passing, world)
    for app in found.gone:
        world.submit(triggers.Trigger(kind=Kind.ABANDONED, app=app))
    housekeeping.tidy(world)
    log.info(
        "sweep.finished",
        wanted=found.references,
        missing=len(healable),
        spare=len(found.needless),
        gone=len(found.gone),
        took_seconds=round(world.clock.monotonic() - started, 3),
    )
    return found


def _needs(
    world: ports.World,
    look: ports.Look,
    observed: wanted.Observed,
    containers: list[images.LocalContainer],
) -> list[needs.Need]:
    """Return what the apps need, with all that their releases have left here."""
    found = app_state.all_needs(world, look, observed)
    needed = needs.needed(found.values(), containers)
    owners = {
        release.app
        for image_id in needs.strangers(found.values(), observed, needed)
        for release in world.ledger.releases_of_image(image_id)
    }
    lacking = owners & found.keys()
    if lacking:
        # Images of old releases came back: what was kept in mind lacks them.
        for app in lacking:
            del world.remembered[app]
        found = app_state.all_needs(world, look, observed)
    return list(found.values())


def _gone(world: ports.World) -> tuple[str, ...]:
    gone = {app for app in world.detached.noted() if absence.shows_gone(app, world)}
    return tuple(sorted(gone.union(world.detached.apps())))


def request(job: jobs.Job, world: ports.World, says: reply.Voice) -> outcomes.Outcome:  # noqa: ARG001 - effects share one signature
    """Note that new containers run: names of the release before may be spare now.

    Raises:
        EngineUnavailableError: The Engine does not answer.
    """
    build = job.trigger.build
    release = world.ledger.release_of_build(job.app, build) if build else None
    if release is not None:
        live.go_live(release, world)
    else:
        live.tell_overtaken(job.app, job.trigger.tag, world)
        numbers.note_live(job.app, world)
    _bring_home(job.app, world)
    world.submit(triggers.Trigger(kind=Kind.SWEEP))
    return outcomes.done()


def _bring_home(app: str, world: ports.World) -> None:
    """Note that a release for a cluster runs on this host since: it is wanted here."""
    state = app_state.state_of(world, app)
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
