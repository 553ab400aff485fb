"""How deploys of Dokku ended: its records, its locks, and what its containers run."""

from collections.abc import Mapping

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import deploys

_Told = Mapping[str, deploys.Told]


def has_ended(app: str, build: str, all_told: _Told, context: ports.Context) -> bool:
    """Return whether a deploy has ended, however it did.

    Args:
        app: The app.
        build: The deploy.
        all_told: What the deploys of the app were told.
        context: What tells of them.
    """
    state, age = _look(app, build, all_told, context)
    verdict = deploys.judge(state, is_running_here=False, age_seconds=age)
    return verdict is not deploys.Verdict.WAIT


def goes_on(app: str, build: str, context: ports.Context) -> bool:
    """Return whether a deploy was let go on with its release, as far as can be told.

    It was told of it, or has succeeded since: Dokku ends one whose hook has failed.
    """
    if not build:
        return False
    try:
        if build in context.deploying.told(app):
            return True
    except errors.TransientError:
        return True  # What cannot be read takes nothing back.
    return context.builds.state(app, build) is deploys.BuildState.SUCCEEDED


def judge(
    app: str, build: str, all_told: _Told, context: ports.Context, *, by: str = ""
) -> deploys.Verdict:
    """Return what follows for the release of a deploy.

    Args:
        app: The app.
        build: The deploy.
        all_told: What the deploys of the app were told.
        context: What tells of them.
        by: The deploy that asks, if one does: it runs, and came later.

    Raises:
        TransientError: Neither Engine nor Dokku's files tell what runs.
    """
    state, age = _look(app, build, all_told, context, by=by)
    verdict = deploys.judge(state, is_running_here=False, age_seconds=age)
    if verdict is not deploys.Verdict.BACK:
        return verdict
    is_running = _runs(app, build, all_told[build], context)
    return deploys.judge(state, is_running_here=is_running, age_seconds=age)


def _look(
    app: str, build: str, all_told: _Told, context: ports.Context, *, by: str = ""
) -> tuple[deploys.BuildState, float]:
    """Return what is known of a deploy, and how long ago it was told, in seconds.

    All processes are looked at to know who holds a lock, so it is not done before it
    matters.
    """
    state = context.builds.state(app, build)
    age = max(0.0, context.clock.now() - all_told[build].since)
    verdict = deploys.judge(state, is_running_here=False, age_seconds=age)
    if verdict is deploys.Verdict.BACK and deploys.may_hold_lock(
        build, all_told, by=by, age_seconds=age
    ):
        # Dokku's record may say `canceled` of a deploy that goes on.
        if context.is_deploying(app):
            state = deploys.BuildState.RUNNING
    elif (
        state is deploys.BuildState.UNKNOWN
        and age >= deploys.PATIENCE
        and context.is_released(app)
    ):
        state = deploys.BuildState.ENDED
    return state, age


def _runs(app: str, build: str, told: deploys.Told, context: ports.Context) -> bool:
    containers = context.engine.containers()
    recorded = context.builds.containers(app)
    if told.record.is_local:
        # Its image has no identity in the ledger: something else than ours runs.
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
    """Return the images of an app's releases; None where that of what ran is unknown.

    A ledger that was lost or put back knows nothing of what runs. Then the names that
    it has on this host tell its image, and where they are gone too nothing proves that
    anything else runs.
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
