"""What a prune would remove from an app's registry, by all that this host knows.

`core.release.prunes` decides; this module reads what it needs: properties, ledger,
containers, and the repository.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from dokku_registryd import errors, ports
from dokku_registryd.core.image import reference, wanted
from dokku_registryd.core.registry import backoff, removal_advice
from dokku_registryd.core.release import prunes, repository_needs
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.registry import registry_session, repository_look

_MISSING: Final = "its folder is missing"
_DECIDING: Final = ("hold", "keep-releases", "keep-remote")
"""Properties of ours that must be readable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What the plans of all apps have in common."""

    apps: frozenset[str]
    """The apps with a folder."""
    busy: frozenset[str]
    repeated: frozenset[str]
    copying: frozenset[str]
    used: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryPlan:
    """The plan of one app for one repository."""

    app: str
    repository: str
    """Server and image repository, as Dokku writes it."""
    entries: tuple[prunes.Entry, ...]
    is_agreed: bool = False
    problem: str = ""
    """Why the repository cannot be read, or nothing be removed there."""

    @property
    def going(self) -> int:
        """How many numbers go."""
        return sum(entry.goes for entry in self.entries)


def common_of(context: ports.Context, *, but: str = "") -> Common:
    """Read what the plans of all apps have in common.

    Args:
        context: The host.
        but: A job that does not count, since it asks.

    Raises:
        EngineUnavailableError: The Engine does not answer.
    """
    containers = context.engine.containers()
    unfinished = [record.job for record in context.ledger.unfinished_jobs()]
    return Common(
        apps=frozenset(context.properties.apps()),
        busy=frozenset(
            app
            for job in unfinished
            if (job.rules.is_sending or job.rules.is_ordered) and job.job_id != but
            for app in job.trigger.apps
        ),
        repeated=frozenset(job.trigger.job for job in unfinished),
        copying=frozenset(copy.job_id for _, copy in context.ledger.lacking_copies()),
        used=frozenset(
            name
            for entry in containers
            for name in (entry.image_id, wanted.engine_name(entry.image))
            if name
        ),
    )


def plan_of(app: str, common: Common, context: ports.Context) -> list[RepositoryPlan]:
    """Return an app's plan for each repository, by what this host knows.

    Raises:
        UnreadableError: The app's own files cannot be read.
    """
    entries = prunes.plan(app, _host(app, common, context))
    consents = context.ledger.consents(context.machine)
    return [
        RepositoryPlan(
            app=app,
            repository=repository,
            entries=tuple(
                entry for entry in entries if entry.release.repository == repository
            ),
            is_agreed=repository in consents,
        )
        for repository in dict.fromkeys(entry.release.repository for entry in entries)
    ]


def settled(plan: RepositoryPlan, context: ports.Context) -> RepositoryPlan:
    """Return a plan that takes into account what else the repository has.

    It is for a user who waits, and goes on to its end.
    """
    if not plan.going:
        return plan
    image = image_of(plan)
    if removal_advice.is_known_unable(image.domain):
        return replace(plan, problem=removal_advice.instead(image.domain))
    going = [entry.release.digest for entry in plan.entries if entry.goes]
    try:
        look = repository_look.look(
            image,
            session_of(plan, context, registry_session.to_the_end),
            context,
            going=going if has_records(plan.app, context) else None,
        )
    except (errors.TransientError, errors.PermanentError) as error:
        return replace(plan, problem=str(error))
    return replace(plan, entries=tuple(repository_needs.settle(plan.entries, look)))


def is_due(app: str, context: ports.Context) -> bool:
    """Return whether a prune of an app would remove something, by the ledger alone."""
    try:
        state = app_state.state_of(context, app)
    except errors.RegistrydError:
        return False
    if state.policy.keep_remote is None:
        return False
    host = prunes.Host(
        apps={app: state},
        now=context.clock.now(),
        removed=_removed(app, context),
    )
    consents = context.ledger.consents(context.machine)
    return any(
        entry.goes and entry.release.repository in consents
        for entry in prunes.plan(app, host)
    )


def has_records(app: str, context: ports.Context) -> bool:
    """Return whether other hosts are told of its releases."""
    return app_state.policy_of(context, app).release_records


def image_of(plan: RepositoryPlan) -> reference.ImageReference:
    """Return a reference in the repository of a plan."""
    return reference.parse(plan.entries[0].release.reference)


def session_of(
    plan: RepositoryPlan, context: ports.Context, check: Callable[[], object]
) -> registry_session.RegistrySession:
    """Return the session that removes from the repository of a plan.

    Args:
        plan: The plan.
        context: The host.
        check: Raises if another job goes first.
    """
    return registry_session.RegistrySession(
        context,
        app=plan.app,
        domain=image_of(plan).domain,
        direction=backoff.Direction.PUSH,
        check=check,
        is_aside=True,
    )


def _host(app: str, common: Common, context: ports.Context) -> prunes.Host:
    states = {app: _state(app, context)}
    unread: dict[str, str] = {}
    if app not in common.apps:
        unread[app] = _MISSING
    for other in sorted(context.ledger.apps_beside(app) - {app}):
        if other not in common.apps:
            unread[other] = _MISSING
            continue
        try:
            states[other] = _state(other, context)
        except errors.UnreadableError as error:
            unread[other] = str(error)
    return prunes.Host(
        apps=states,
        now=context.clock.now(),
        unread=unread,
        busy=common.busy,
        held={
            name: frozenset(state.policy.holds.numbers)
            for name, state in states.items()
        },
        repeated=common.repeated,
        copying=common.copying,
        used=common.used,
        removed=frozenset(
            job_id for name in states for job_id in _removed(name, context)
        ),
    )


def _state(app: str, context: ports.Context) -> wanted.AppState:
    state = app_state.state_of(context, app)
    state.policy.require(*_DECIDING)
    return state


def _removed(app: str, context: ports.Context) -> frozenset[str]:
    rows = context.ledger.removals(app)
    return frozenset(job_id for job_id, removal in rows.items() if removal.is_over)
