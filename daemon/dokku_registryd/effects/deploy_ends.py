"""How deploys of Dokku ended: its records, its locks, and what its containers run."""

from dokku_registryd import errors, ports
from dokku_registryd.core import deploys


def has_ended(app: str, build: str, told: deploys.Told, world: ports.World) -> bool:
    """Return whether a deploy has ended, however it did."""
    state, age = _look(app, build, told, world)
    verdict = deploys.judge(state, is_running_here=False, age_seconds=age)
    return verdict is not deploys.Verdict.WAIT


def goes_on(app: str, build: str, world: ports.World) -> bool:
    """Return whether a deploy was let go on with its release, as far as can be told.

    It was told of it, or has succeeded since: Dokku ends one whose hook has failed.
    """
    if not build:
        return False
    try:
        if build in world.deploying.told(app):
            return True
    except errors.TransientError:
        return True  # What cannot be read takes nothing back.
    return world.builds.state(app, build) is deploys.BuildState.SUCCEEDED


def judge(
    app: str, build: str, told: deploys.Told, world: ports.World
) -> deploys.Verdict:
    """Return what follows for the release of a deploy.

    Raises:
        TransientError: Neither Engine nor Dokku's files tell what runs.
    """
    state, age = _look(app, build, told, world)
    verdict = deploys.judge(state, is_running_here=False, age_seconds=age)
    if verdict is not deploys.Verdict.BACK:
        return verdict
    return deploys.judge(
        state, is_running_here=_runs(app, build, told, world), age_seconds=age
    )


def _look(
    app: str, build: str, told: deploys.Told, world: ports.World
) -> tuple[deploys.BuildState, float]:
    state = world.builds.state(app, build)
    age = max(0.0, world.clock.now() - told.since)
    # All processes are looked at for that, so it is not done before it matters.
    if (
        state is deploys.BuildState.UNKNOWN
        and age >= deploys.PATIENCE
        and world.is_released(app)
    ):
        state = deploys.BuildState.ENDED
    return state, age


def _runs(app: str, build: str, told: deploys.Told, world: ports.World) -> bool:
    containers = world.engine.containers()
    recorded = world.builds.containers(app)
    if told.record.is_local:
        # Its image has no identity in the ledger: something else than ours runs.
        known = {release.image_id for release in world.ledger.releases(app)}
        return any(
            deploys.runs([container], app, container.image_id, recorded=recorded)
            and container.image_id not in known
            for container in containers
        )
    release = world.ledger.release_of_build(app, build)
    return release is not None and deploys.runs(
        containers, app, release.image_id, recorded=recorded
    )
