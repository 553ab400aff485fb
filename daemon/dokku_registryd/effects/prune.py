"""Prune: remove numbers from an app's registry that `keep-remote` does not ask for.

The plan is made by `core.release.prunes`; this module reads what it needs and carries
it out. Nothing is removed from a repository without the consent of an operator, which
is asked for once and recorded. Other jobs go first: a prune ends between two requests
as soon as one waits for a worker, or for its registry.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.image import reference, wanted
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import backoff, removal_advice
from dokku_registryd.core.release import prunes, repository_needs
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import (
    registry_session,
    removing,
    repository_look,
)

MOST_AT_ONCE: Final = 20
"""Apps whose prune one sweep requests."""
AGREED: Final = "agreed"
"""The tag of a job by which an operator agrees to removals."""
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
    consents = context.ledger.consents()
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
    """Return a plan that takes into account what else the repository has."""
    if not plan.going:
        return plan
    image = _image(plan)
    if removal_advice.is_known_unable(image.domain):
        return replace(plan, problem=removal_advice.instead(image.domain))
    going = [entry.release.digest for entry in plan.entries if entry.goes]
    try:
        look = repository_look.look(
            image,
            _session(plan, context),
            context,
            going=going if _has_records(plan.app, context) else None,
        )
    except (errors.TransientError, errors.PermanentError) as error:
        return replace(plan, problem=str(error))
    return replace(plan, entries=tuple(repository_needs.settle(plan.entries, look)))


def perform(
    job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
) -> outcomes.Outcome:
    """Remove what the plan of an app lets go, where an operator has agreed.

    Raises:
        PreemptedError: Another job of the app goes first.
        PermanentError: The registry cannot or may not remove.
        TransientError: It does not answer.
    """
    prune = _Prune(job, context, reply)
    try:
        return prune.run()
    except errors.PreemptedError:
        raise  # It goes on when the others have ended.
    except (errors.TransientError, errors.PermanentError) as error:
        if not job.is_internal:
            raise
        # The next deploy or day tries again.
        structlog.get_logger().warning("prune.failed", app=job.app, reason=str(error))
        return outcomes.skipped(f"{prune.told()}: {error}")


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
    consents = context.ledger.consents()
    return any(
        entry.goes and entry.release.repository in consents
        for entry in prunes.plan(app, host)
    )


def request(app: str, context: ports.Context) -> None:
    """Request a prune of an app that has just deployed, if it would remove something.

    A hook would wait for it, and a deploy for the hook.
    """
    if context.is_service and is_due(app, context):
        context.submit(triggers.Trigger(kind=Kind.PRUNE, app=app))


def request_due(pushed: Iterable[Release], context: ports.Context) -> None:
    """Request the prunes that are due by their time, the longest due ones first.

    Args:
        pushed: The releases that apps run.
        context: The host.
    """
    consents = context.ledger.consents()
    if not consents or not context.is_service:
        return
    due = [
        (consents[release.repository].pruned_at, release)
        for release in pushed
        if release.repository in consents
        and consents[release.repository].is_due(context.clock.now())
    ]
    idle = []
    for _, release in sorted(due, key=lambda pair: pair[0])[:MOST_AT_ONCE]:
        if is_due(release.app, context):
            context.submit(triggers.Trigger(kind=Kind.PRUNE, app=release.app))
        else:
            idle.append(release.repository)
    if idle:
        context.ledger.note_pruned(idle, at=context.clock.now())


class _Prune:
    """One attempt of a job."""

    def __init__(
        self, job: jobs.Job, context: ports.Context, reply: reply_writer.ReplyWriter
    ) -> None:
        self._app = job.app
        self._job = job
        self._context = context
        self._reply = reply
        self._removed = 0
        self._urgent = 0
        """How many looks in a row have found jobs that wait for a worker."""
        self._unagreed: list[str] = []

    def run(self) -> outcomes.Outcome:
        plans = self._plans()
        if self._job.trigger.tag == AGREED:
            self._agree(plans)
            plans = self._plans()
        agreed = [plan.repository for plan in plans if plan.is_agreed]
        self._context.ledger.note_pruned(agreed, at=self._context.clock.now())
        for plan in plans:
            if plan.going and not plan.is_agreed:
                self._unagreed.append(plan.repository)
            elif plan.going:
                self._carry_out(plan)
        told = self.told()
        return outcomes.done(told) if self._removed else outcomes.skipped(told)

    def told(self) -> str:
        """Return what was done so far."""
        if self._removed:
            numbers = "number" if self._removed == 1 else "numbers"
            return f"removed {self._removed} {numbers} from the registry"
        if self._unagreed:
            return (
                f"nothing is removed from {', '.join(self._unagreed)} before you agree"
                f" with: dokku registryd:prune {self._app} --yes"
            )
        return "no number to remove"

    def _plans(self) -> list[RepositoryPlan]:
        common = common_of(self._context, but=self._job.job_id)
        return plan_of(self._app, common, self._context)

    def _agree(self, plans: Iterable[RepositoryPlan]) -> None:
        policy = app_state.policy_of(self._context, self._app)
        if policy.keep_remote is None:
            return
        own = {f"{policy.server}{policy.image_repo}"}
        self._context.ledger.agree(
            sorted(own.union(plan.repository for plan in plans)),
            at=self._context.clock.now(),
        )

    def _carry_out(self, plan: RepositoryPlan) -> None:
        domain = _image(plan).domain
        if removal_advice.is_known_unable(domain):
            raise removing.CannotRemoveError(removal_advice.instead(domain))
        self._reply.headline(f"Removing numbers from {plan.repository}")
        remover = removing.Remover(
            repository=plan.repository,
            session=_session(plan, self._context),
            context=self._context,
            reply=self._reply,
            give_way=self._give_way,
            planned=partial(self._planned, plan.repository),
            has_records=_has_records(self._app, self._context),
            known=dict(self._context.ledger.removals(self._app)),
        )
        try:
            remover.run(plan.entries)
        finally:
            self._removed += remover.removed

    def _planned(self, repository: str) -> list[prunes.Entry]:
        return [
            entry
            for plan in self._plans()
            if plan.repository == repository
            for entry in plan.entries
        ]

    def _give_way(self) -> None:
        if self._context.is_preempted(self._app):
            raise errors.PreemptedError(
                f"the prune was preempted by another job of {self._app}"
            )
        # A job that was just accepted waits for a moment, even for idle workers.
        self._urgent = self._urgent + 1 if self._context.has_urgent() else 0
        if self._urgent > 1:
            raise errors.PreemptedError("other jobs go first")


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


def _has_records(app: str, context: ports.Context) -> bool:
    return app_state.policy_of(context, app).release_records


def _removed(app: str, context: ports.Context) -> frozenset[str]:
    rows = context.ledger.removals(app)
    return frozenset(job_id for job_id, removal in rows.items() if removal.is_over)


def _image(plan: RepositoryPlan) -> reference.ImageReference:
    return reference.parse(plan.entries[0].release.reference)


def _session(
    plan: RepositoryPlan, context: ports.Context
) -> registry_session.RegistrySession:
    return registry_session.RegistrySession(
        context,
        app=plan.app,
        domain=_image(plan).domain,
        direction=backoff.Direction.PUSH,
        is_aside=True,
    )
