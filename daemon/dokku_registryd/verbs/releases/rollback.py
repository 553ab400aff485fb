"""`rollback`: release what ran before once more, and have Dokku deploy it."""

import argparse
import sys
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from dokku_registryd import config
from dokku_registryd.adapters.dokku import held_lock, modes, restarts
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.release import rollbacks
from dokku_registryd.core.release.releases import Release
from dokku_registryd.verbs import preparation
from dokku_registryd.verbs.output import Output
from dokku_registryd.verbs.releases import repeating
from dokku_registryd.wiring import properties

NOT_ROLLED_BACK = (
    "Not rolled back: the app's config, its databases, what its release tasks have"
    " done, and Dokku's copies of Procfile and app.json."
)


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Roll an app back, or print the plan.

    Raises:
        RefusedError: It is not possible; the text says why.
        RegistrydError: Engine or ledger cannot be used, or another deploy runs.
    """
    settings = preparation.enter(arguments, out)
    preparation.check_app(arguments, arguments.app)
    if arguments.dry_run:
        plan, is_here = _plan(settings, arguments)
        if arguments.format == "json":
            out.json(_as_json(plan, is_here=is_here, outcome="planned"))
        else:
            for line in _described(plan, settings, is_here=is_here):
                out.line(line)
        return 0
    build = restarts.new_build()
    with held_lock.held(
        Path(settings.paths.dokku_lib_root),
        Path(settings.paths.dokku_root),
        arguments.app,
        build,
    ) as lock:
        plan, is_here = _plan(settings, arguments)
        ended = repeating.run(
            settings,
            arguments,
            out,
            app=arguments.app,
            source=plan.source,
            build=build,
            lock=lock,
        )
    if arguments.format == "json":
        outcome = "failed" if ended.status else "done"
        out.json(_as_json(plan, is_here=is_here, outcome=outcome, number=ended.number))
    elif ended.status:
        sys.stdout.flush()
        out.error(f"{plan.source.app} is not rolled back to {plan.source.number}")
    else:
        out.line(
            f"{plan.source.app} is rolled back from {plan.runs.number} to"
            f" {plan.source.number}, as {plan.repository}:{ended.number}."
        )
        out.line(NOT_ROLLED_BACK)
    return ended.status


def _plan(
    settings: config.Settings, arguments: argparse.Namespace
) -> tuple[rollbacks.Plan, bool]:
    """Return the plan, and whether the image is on this host."""
    files = properties.build_properties(settings)
    app = arguments.app
    repeating.check_idle(settings, app)
    resolved = policy.resolve(app, files.get, settings.defaults)
    resolved.require("hold")
    book = preparation.read_ledger(settings)
    try:
        facts = rollbacks.Facts(
            policy=resolved,
            releases=book.releases(app) if book else [],
            sources={job: one.source for job, one in book.repeats(app).items()}
            if book
            else {},
            deployed=files.deployed(app),
            is_companion=modes.is_companion(Path(settings.paths.dokku_lib_root)),
            abandoned=repeating.abandoned(book, app),
        )
        number = int(arguments.number) if arguments.number else None
        removals = book.removals(app) if book else {}
        mirrored = (
            repeating.mirrored(book, facts.releases, resolved.mirror)
            if book
            else frozenset()
        )
        removed = {job for job, removal in removals.items() if removal.is_over}
        removed -= mirrored
        plan, is_here = _choose(
            facts, number, removed, lambda source: repeating.is_here(settings, source)
        )
        if not is_here and book:
            job_id = plan.source.job_id
            rollbacks.check_parts(
                plan.source,
                book.check_of(job_id),
                is_removed=job_id in removed,
                is_mirrored=job_id in mirrored,
            )
    finally:
        if book:
            book.close()
    return plan, is_here


def _choose(
    facts: rollbacks.Facts,
    number: int | None,
    removed: Collection[str],
    is_here: Callable[[Release], bool],
) -> tuple[rollbacks.Plan, bool]:
    """Return the plan, and whether the image is on this host.

    Without a number it passes over releases that are neither here nor in a registry.
    The Engine is asked for one release after the other, as a registry may lack many.
    """
    while True:
        plan = rollbacks.plan(facts, number)
        job_id = plan.source.job_id
        if is_here(plan.source):
            return plan, True
        if number is not None or job_id not in removed:
            return plan, False
        facts = replace(facts, gone=facts.gone | {job_id})


def _described(
    plan: rollbacks.Plan, settings: config.Settings, *, is_here: bool
) -> list[str]:
    source = plan.source
    image = "on this host" if is_here else f"pulled as {source.digest}"
    sent = (
        f"the next number of {plan.repository}, as {source.digest}"
        if plan.is_named_only
        else f"sent to {plan.repository}, since {source.repository} had it"
    )
    login = repeating.login_line(settings, source.app, plan.repository)
    return [
        f"{source.app} runs {plan.runs.reference}. A rollback to {source.number}:",
        f"  image    {image}",
        f"  release  {sent}",
        *([login] if login else []),
        f"  deploy   dokku ps:restart {source.app}, with its checks",
        NOT_ROLLED_BACK,
    ]


def _as_json(
    plan: rollbacks.Plan, *, is_here: bool, outcome: str, number: int = 0
) -> dict[str, object]:
    return {
        "app": plan.source.app,
        "from_number": plan.runs.number,
        "to_number": plan.source.number,
        "digest": plan.source.digest,
        "is_here": is_here,
        "is_sent": not plan.is_named_only,
        "repository": plan.repository,
        "outcome": outcome,
        "number": number,
    }
