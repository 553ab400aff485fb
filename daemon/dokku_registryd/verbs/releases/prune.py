"""`prune`: remove numbers from registries that keep-remote does not ask for.

The plan is printed first, with what the registries have. Nothing is removed from a
repository before an operator has agreed once.
"""

import argparse
from collections.abc import Iterator

from dokku_registryd import errors, ports
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.effects import prune, prune_plans
from dokku_registryd.effects.app import app_state
from dokku_registryd.effects.prune_plans import RepositoryPlan
from dokku_registryd.verbs import preparation, reading
from dokku_registryd.verbs.hooks import follow
from dokku_registryd.verbs.output import Output


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Print the plan of one app or of all, and carry it out where it is agreed.

    Raises:
        EngineUnavailableError: The Engine does not answer.
        UnreadableError: Files of the one app cannot be read.
    """
    settings = preparation.enter(arguments, out)
    if arguments.app:
        preparation.check_app(arguments, arguments.app)
    with reading.context(settings) as context:
        plans = list(_plans(arguments.app, context, out))
        is_asked = _is_any_asked(arguments.app, context)
    if arguments.format == "json":
        out.json([_as_json(plan) for plan in plans])
    else:
        _print(plans, out, is_one=bool(arguments.app))
        if not is_asked:
            out.line(_how_to_ask(arguments.app))
    has_problem = any(plan.problem for plan in plans)
    if arguments.dry_run:
        if arguments.format != "json":
            _print_way_on(plans, arguments.app, out)
        return int(has_problem)
    if arguments.format == "json":
        out = Output(line=lambda _text: None, error=out.error)  # stdout is one value
    ended = _carry_out(plans, arguments, out, is_asked=is_asked)
    return max(int(has_problem), ended)


def _carry_out(
    plans: list[RepositoryPlan],
    arguments: argparse.Namespace,
    out: Output,
    *,
    is_asked: bool,
) -> int:
    """Request the jobs and follow them; say what waits for consent, or what it means.

    Args:
        plans: The plans.
        arguments: The command line.
        out: Where to write.
        is_asked: Whether any keep-remote is set, without which nothing is agreed to.
    """
    chosen: list[RepositoryPlan] = []
    waiting: list[RepositoryPlan] = []
    for plan in plans:
        # A consent counts for later numbers too, so none need be there now.
        is_new = arguments.yes and not plan.is_agreed
        if plan.problem or not (plan.going or is_new):
            continue
        (chosen if arguments.yes or plan.is_agreed else waiting).append(plan)
    apps = [plan.app for plan in chosen]
    if arguments.yes and arguments.app and not plans:
        apps.append(arguments.app)
    tag = prune.AGREED if arguments.yes else ""
    statuses = [
        follow.leave(
            arguments, out, triggers.Trigger(kind=Kind.PRUNE, app=app, tag=tag)
        )
        for app in dict.fromkeys(apps)
    ]
    if arguments.yes and apps and is_asked:
        out.line(_told_of_consent(arguments.app))
    for repository in dict.fromkeys(plan.repository for plan in waiting):
        out.error(
            f"nothing is removed from {repository} before you agree, once. What is"
            f" removed there cannot be restored: dokku-registryd prune"
            f" {next(plan.app for plan in waiting if plan.repository == repository)}"
            " --yes"
        )
    return max(statuses, default=0) or int(bool(waiting))


def _plans(
    only: str | None, context: ports.Context, out: Output
) -> Iterator[RepositoryPlan]:
    common = prune_plans.common_of(context)
    for app in [only] if only else sorted(common.apps):
        try:
            if only is None and not _is_asked(app, context):
                continue
            found = prune_plans.plan_of(app, common, context)
        except errors.UnreadableError as error:
            if only:
                raise
            out.error(f"{app}: {error}")
            continue
        for plan in found:
            yield prune_plans.settled(plan, context)


def _is_asked(app: str, context: ports.Context) -> bool:
    return app_state.policy_of(context, app).keep_remote is not None


def _is_any_asked(only: str | None, context: ports.Context) -> bool:
    """Return whether the app, or any app, says which numbers stay."""
    if only:
        return _is_asked(only, context)
    for app in context.properties.apps():
        # `_plans` has told what cannot be read: it may well be asked.
        try:
            if _is_asked(app, context):
                return True
        except errors.UnreadableError:
            return True
    return False


def _how_to_ask(app: str | None) -> str:
    return (
        f"No keep-remote is set{f' for {app}' if app else ''}, so all numbers stay in"
        " the registry. To keep the 10 latest and those of 30 days there: dokku"
        f" registryd:set {app or '--global'} keep-remote 10,30d"
    )


def _print(plans: list[RepositoryPlan], out: Output, *, is_one: bool) -> None:
    shown = [plan for plan in plans if plan.going or plan.problem or is_one]
    for plan in shown:
        out.line(f"{plan.repository} ({plan.app})")
        if plan.problem:
            out.line(f"  nothing is removed: {plan.problem}")
            continue
        table = preparation.Table(
            ("  NUMBER", "ACTION", "WHY"),
            [
                (
                    f"  {entry.release.number}",
                    "remove" if entry.goes else "keep",
                    entry.kept_by or "nothing needs it",
                )
                for entry in plan.entries
            ],
        )
        for line in table.lines():
            out.line(line)
    if not any(plan.going or plan.problem for plan in plans):
        out.line("No number to remove.")


def _told_of_consent(app: str | None) -> str:
    # `all` excepts an app from the global value too.
    return (
        "From now on the service does this after each deploy. To end that: dokku"
        f" registryd:set {app or 'APP'} keep-remote all"
    )


def _print_way_on(plans: list[RepositoryPlan], app: str | None, out: Output) -> None:
    """Say how to agree, if a number would go and waits for consent."""
    count = sum(plan.going for plan in plans if not plan.problem and not plan.is_agreed)
    if count:
        numbers = "1 number" if count == 1 else f"{count} numbers"
        out.line(
            f"To remove {numbers}, now and after each deploy: dokku registryd:prune"
            f" {f'{app} ' if app else ''}--yes"
        )


def _as_json(plan: RepositoryPlan) -> dict[str, object]:
    is_blocked = bool(plan.problem)
    return {
        "app": plan.app,
        "repository": plan.repository,
        "agreed": plan.is_agreed,
        "problem": plan.problem,
        "numbers": [
            {
                "number": entry.release.number,
                "digest": entry.release.digest,
                "action": "remove" if entry.goes and not is_blocked else "keep",
                "reason": entry.kept_by or plan.problem,
            }
            for entry in plan.entries
        ],
    }
