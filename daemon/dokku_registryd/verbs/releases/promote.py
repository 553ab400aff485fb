"""`promote`: have another app run the very bytes of a release, and deploy it."""

import argparse
import sys
from pathlib import Path

from dokku_registryd import config
from dokku_registryd.adapters.dokku import held_lock, modes, restarts
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.release import promotions
from dokku_registryd.verbs import preparation
from dokku_registryd.verbs.output import Output
from dokku_registryd.verbs.releases import repeating
from dokku_registryd.wiring import properties

NOT_PROMOTED = (
    "Not promoted: config, databases, what release tasks do, and Procfile and app.json,"
    " of which Dokku has a copy for each app."
)
FIRST = (
    "Dokku has never deployed {app}: it knows no ports and process types of it. Unless"
    " it listens on 5000, set them before: dokku ports:set {app} http:80:PORT"
)


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Promote a release, or print the plan.

    Raises:
        RefusedError: It is not possible; the text says why.
        RegistrydError: Engine or ledger cannot be used, or another deploy runs.
    """
    settings = preparation.enter(arguments, out)
    preparation.check_app(arguments, arguments.app)
    preparation.check_app(arguments, arguments.target)
    if arguments.dry_run:
        _show(_plan(settings, arguments), settings, arguments, out)
        return 0
    build = restarts.new_build()
    with held_lock.held(
        Path(settings.paths.dokku_lib_root),
        Path(settings.paths.dokku_root),
        arguments.target,
        build,
    ) as lock:
        plan = _plan(settings, arguments)
        is_here = repeating.is_here(settings, plan.source)
        ended = repeating.run(
            settings,
            arguments,
            out,
            app=plan.app,
            source=plan.source,
            build=build,
            lock=lock,
            is_first=plan.is_first,
        )
    if arguments.format == "json":
        outcome = "failed" if ended.status else "done"
        out.json(_as_json(plan, is_here=is_here, outcome=outcome, number=ended.number))
    elif ended.status:
        sys.stdout.flush()
        source = plan.source
        out.error(f"{source.app} {source.number} is not promoted to {plan.app}")
    else:
        source = plan.source
        out.line(
            f"{source.app} {source.number} is promoted to {plan.app}, as"
            f" {plan.repository}:{ended.number}: {source.digest}."
        )
        out.line(NOT_PROMOTED)
    return ended.status


def _plan(settings: config.Settings, arguments: argparse.Namespace) -> promotions.Plan:
    files = properties.build_properties(settings)
    source, app = arguments.app, arguments.target
    repeating.check_idle(settings, app)
    resolved = policy.resolve(app, files.get, settings.defaults)
    resolved.require("hold")
    deployed = files.deployed(app)
    book = preparation.read_ledger(settings)
    try:
        facts = promotions.Facts(
            policy=resolved,
            releases=book.releases(app) if book else [],
            deployed=deployed,
            source=source,
            source_releases=book.releases(source) if book else [],
            source_deployed=files.deployed(source),
            is_companion=modes.is_companion(Path(settings.paths.dokku_lib_root)),
            # Dokku's own property (plugins/common, IsDeployed).
            is_deployed=deployed is not None
            or files.get("common", app, "deployed").strip() == "true",
            abandoned=repeating.abandoned(book, app),
        )
        number = int(arguments.number) if arguments.number else None
        plan = promotions.plan(facts, number)
        if book:
            job_id = plan.source.job_id
            removal = book.removals(source).get(job_id)
            mirror = policy.resolve(source, files.get, settings.defaults).mirror
            promotions.check_parts(
                plan,
                book.check_of(job_id),
                is_here=repeating.is_here(settings, plan.source),
                is_removed=removal is not None and removal.is_over,
                is_mirrored=job_id in repeating.mirrored(book, [plan.source], mirror),
            )
    finally:
        if book:
            book.close()
    return plan


def _show(
    plan: promotions.Plan,
    settings: config.Settings,
    arguments: argparse.Namespace,
    out: Output,
) -> None:
    is_here = repeating.is_here(settings, plan.source)
    if arguments.format == "json":
        out.json(_as_json(plan, is_here=is_here, outcome="planned"))
        return
    source, app = plan.source, plan.app
    runs = plan.runs.reference if plan.runs else "nothing that was pushed"
    image = "on this host" if is_here else f"pulled as {source.digest}"
    way = f"copied from {source.repository}" if plan.is_copied else "there already"
    command = f"deploy {app} NUMBER" if plan.is_first else f"ps:restart {app}"
    out.line(f"{app} runs {runs}. A promotion of {source.app} {source.number}:")
    out.line(f"  image    {image}")
    out.line(f"  release  the next number of {plan.repository}, as {source.digest}")
    out.line(f"  layers   {way}, from registry to registry")
    if login := repeating.login_line(settings, app, plan.repository):
        out.line(login)
    out.line(f"  deploy   dokku {command}, with its checks")
    if plan.is_first:
        out.line(FIRST.format(app=app))
    out.line(NOT_PROMOTED)


def _as_json(
    plan: promotions.Plan, *, is_here: bool, outcome: str, number: int = 0
) -> dict[str, object]:
    return {
        "app": plan.source.app,
        "from_number": plan.source.number,
        "target": plan.app,
        "digest": plan.source.digest,
        "is_here": is_here,
        "is_copied": plan.is_copied,
        "is_first": plan.is_first,
        "repository": plan.repository,
        "outcome": outcome,
        "number": number,
    }
