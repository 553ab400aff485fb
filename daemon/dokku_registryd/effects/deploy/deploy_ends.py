"""How deploys ended: Dokku's records, its locks, and the running containers."""

from collections.abc import Mapping

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import deploys

_Told = Mapping[str, deploys.Told]


def has_ended(app: str, build: str, all_told: _Told, context: ports.Context) -> bool:
    """Return whether a deploy has ended, with success or not.

    Args:
        app: The app.
        build: The deploy.
        all_told: The replies to the app's deploys.
        context: The host.
    """
    state, age = _look(app, build, all_told, context)
    verdict = deploys.judge(state, is_running_here=False, age_seconds=age)
    return verdict is not deploys.Verdict.WAIT


def goes_on(app: str, build: str, context: ports.Context) -> bool:
    """Return whether a deploy was allowed to continue, as far as can be told.

    It got that reply, or has succeeded later: Dokku ends one whose hook has failed.
    """
    if not build:
        return False
    try:
        if build in context.deploying.told(app):
            return True
    except errors.TransientError:
        return True  # An unreadable file must not undo anything.
    return context.builds.state(app, build) is deploys.BuildState.SUCCEEDED


def judge(
    app: str, build: str, all_told: _Told, context: ports.Context, *, by: str = ""
) -> deploys.Verdict:
    """Return the consequence for the release of a deploy.

    Args:
        app: The app.
        build: The deploy.
        all_told: The replies to the app's deploys.
        context: The host.
        by: The deploy that asks, if any: it is running, and started later.

    Raises:
        TransientError: Neither the Engine nor Dokku's files say what runs.
    """
    state, age = _look(app, build, all_told, context, by=by)
    verdict = deploys.judge(state, is_running_here=False, age_seconds=age)
    if verdict is not deploys.Verdict.BACK:
        return verdict
    is_running = runs(app, build, all_told[build], context)
    return deploys.judge(state, is_running_here=is_running, age_seconds=age)


def _look(
    app: str, build: str, all_told: _Told, context: ports.Context, *, by: str = ""
) -> tuple[deploys.BuildState, float]:
    """Return the facts about a deploy, and the seconds since its reply.

    Finding the holder of a lock reads all processes, so it is not done before it is
    needed.
    """
    state = context.builds.state(app, build)
    age = max(0.0, context.clock.now() - all_told[build].since)
    verdict = deploys.judge(state, is_running_here=False, age_seconds=age)
    if verdict is deploys.Verdict.BACK and deploys.may_hold_lock(
        build, all_told, by=by, age_seconds=age
    ):
        # Dokku may record `canceled` for a deploy that continues.
        if context.is_deploying(app):
            state = deploys.BuildState.RUNNING
    elif (
        state is deploys.BuildState.UNKNOWN
        and age >= deploys.PATIENCE
        and context.is_released(app)
    ):
        state = deploys.BuildState.ENDED
    return state, age


def runs(app: str, build: str, told: deploys.Told, context: ports.Context) -> bool:
    """Return whether a container of an app runs the release of a deploy.

    Raises:
        TransientError: Neither the Engine nor Dokku's files say what runs.
    """
    containers = context.engine.containers()
    recorded = context.builds.containers(app)
    if told.record.is_local:
        # The ledger does not know its image: a foreign image runs.
        known = _known_images(app, context)
        return known is not None and any(
            deploys.runs([container], app, container.image_id, recorded=recorded)
            and container.image_id not in known
            for container in containers
        )
    release = context.ledger.release_of_build(app, build)
    return release is not None and deploys.runs(
        containers, app, release.image_id, recorded=recorded
    )


def _known_images(app: str, context: ports.Context) -> set[str] | None:
    """Return the images of an app's releases; None if the running one is unknown.

    A ledger that was lost or restored does not know what runs. Then the names on this
    host tell its image; if they are gone too, nothing proves that another image runs.
    """
    known = {release.image_id for release in context.ledger.releases(app)}
    before = context.deployed.deployed(app)
    if before is None or before.is_local:
        return known
    row = context.ledger.release_under(app, before)
    if row is not None and row.image_id:
        return known
    named = {
        image.image_id
        for name in (before.reference, before.local_reference)
        if (image := context.engine.image(name)) is not None
    }
    return known | named if named else None
