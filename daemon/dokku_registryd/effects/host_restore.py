"""What is to be restored on this host: one look at Dokku's files, ledger and Engine.

It changes nothing. The work itself is done by heals, in their own jobs.
"""

from collections.abc import Callable
from dataclasses import replace

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import presence
from dokku_registryd.core.image import wanted
from dokku_registryd.core.release import host_restore
from dokku_registryd.core.release.host_restore import Course, Step
from dokku_registryd.effects.app import absence, app_state, sight

_PS = "ps"
_COMMON = "common"
_TRUE = "true"


def plan(
    context: ports.Context, *, variable_of: Callable[[str], str] = lambda _app: ""
) -> list[Course]:
    """Return what each app with a deployed release needs, in the order of the work.

    Args:
        context: The host.
        variable_of: Returns an app's `DOKKU_APP_RESTORE`.

    Raises:
        EngineUnavailableError: The Engine does not answer.
        TransientError: The apps cannot be listed.
        UnreadableError: The apps with properties cannot be listed.
    """
    observed = wanted.Observed.of(context.engine.images())
    states, unread = app_state.all_states(context)
    # A release that never went live is nothing to restore.
    live = [state for state in states if _has_run(state)]
    found = [_course(state, observed, context) for state in live]
    found += [host_restore.unread(app, reason) for app, reason in unread.items()]
    known = {course.app for course in found}
    for app in context.properties.apps():
        if app not in known and _get(context, _COMMON, app, "deployed") == _TRUE:
            found.append(_unpushed(app, observed, context))
    root = context.properties.root()
    gone = absence.look(context).absence
    if gone.cause is not presence.Cause.NOTHING:
        found += host_restore.missing(gone, root.path)
    return host_restore.ordered(
        replace(course, runs=_runs(course.app, context, variable_of))
        for course in found
    )


def needs_adoption(context: ports.Context) -> list[str]:
    """Return the apps whose deployed release the ledger does not know."""
    states, _ = app_state.all_states(context)
    return [
        state.policy.app
        for state in states
        if (deployed := wanted.deployed_of(state)) is not None
        and wanted.release_of(state, deployed) is None
    ]


def _has_run(state: wanted.AppState) -> bool:
    return state.deployed is not None or wanted.deployed_of(state) is not None


def _course(
    state: wanted.AppState, observed: wanted.Observed, context: ports.Context
) -> Course:
    # Their deploys ended with the old host: only what was live is restored.
    state = replace(state, deploying=())
    entries = wanted.wanted_of(state, context.schedulers)
    gaps = sight.confirmed(wanted.gaps(entries, observed), entries, context)
    deployed = wanted.deployed_of(state)
    release = wanted.release_of(state, deployed) if deployed else None
    record = context.ledger.check_of(release.job_id) if release else None
    return host_restore.course_of(
        state, gaps, schedulers=context.schedulers, record=record
    )


def _unpushed(app: str, observed: wanted.Observed, context: ports.Context) -> Course:
    """Return the course of an app that runs a build of this host only."""
    course = Course(app=app, step=Step.NOTHING)
    try:
        scheduler = app_state.policy_of(context, app).scheduler
    except errors.UnreadableError as error:
        return host_restore.unread(app, str(error))
    if scheduler and scheduler not in context.schedulers:
        return host_restore.elsewhere(course, scheduler)
    if f"dokku/{app}:latest" in observed.names:
        return course
    return host_restore.unpushed(course)


def _runs(app: str, context: ports.Context, variable_of: Callable[[str], str]) -> bool:
    return host_restore.runs(
        restore=_get(context, _PS, app, "restore"),
        scale=_get(context, _PS, app, "scale"),
        variable=variable_of(app),
    )


def _get(context: ports.Context, plugin: str, app: str, name: str) -> str:
    try:
        return context.properties.get(plugin, app, name)
    except errors.UnreadableError:
        return ""  # It only decides the order.
