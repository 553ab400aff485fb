"""Prune: remove numbers from an app's registry that `keep-remote` does not ask for.

`prune_plans` makes the plan, and this module carries it out. Nothing is removed from a
repository without the consent of an operator, which is asked for once on each machine
and recorded: a second host with a copy of the data would remove what the first one
runs. Other jobs go first: a prune ends between two requests as soon as one waits for a
worker, or for its registry.
"""

from collections.abc import Iterable
from functools import partial
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import removal_advice
from dokku_registryd.core.release import prunes
from dokku_registryd.core.release.releases import Release
from dokku_registryd.effects import prune_plans
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.deploy import reply_writer
from dokku_registryd.effects.registry import (
    removing,
)

MOST_AT_ONCE: Final = 20
"""Apps whose prune one sweep requests."""
AGREED: Final = "agreed"
"""The tag of a job by which an operator agrees to removals."""


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


def request(app: str, context: ports.Context) -> None:
    """Request a prune of an app that has just deployed, if it would remove something.

    A hook would wait for it, and a deploy for the hook.
    """
    if context.is_service and prune_plans.is_due(app, context):
        context.submit(triggers.Trigger(kind=Kind.PRUNE, app=app))


def request_due(pushed: Iterable[Release], context: ports.Context) -> None:
    """Request the prunes that are due by their time, the longest due ones first.

    Args:
        pushed: The releases that apps run.
        context: The host.
    """
    consents = context.ledger.consents(context.machine)
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
        if prune_plans.is_due(release.app, context):
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

    def _plans(self) -> list[prune_plans.RepositoryPlan]:
        common = prune_plans.common_of(self._context, but=self._job.job_id)
        return prune_plans.plan_of(self._app, common, self._context)

    def _agree(self, plans: Iterable[prune_plans.RepositoryPlan]) -> None:
        policy = app_state.policy_of(self._context, self._app)
        if policy.keep_remote is None:
            return
        own = {f"{policy.server}{policy.image_repo}"}
        self._context.ledger.agree(
            sorted(own.union(plan.repository for plan in plans)),
            host=self._context.machine,
            at=self._context.clock.now(),
        )

    def _carry_out(self, plan: prune_plans.RepositoryPlan) -> None:
        domain = prune_plans.image_of(plan).domain
        if removal_advice.is_known_unable(domain):
            raise removing.CannotRemoveError(removal_advice.instead(domain))
        self._reply.headline(f"Removing numbers from {plan.repository}")
        remover = removing.Remover(
            repository=plan.repository,
            session=prune_plans.session_of(plan, self._context, self._give_way),
            context=self._context,
            reply=self._reply,
            give_way=self._give_way,
            planned=partial(self._planned, plan.repository),
            has_records=prune_plans.has_records(self._app, self._context),
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
