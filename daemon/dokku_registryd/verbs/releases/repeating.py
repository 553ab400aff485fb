"""The steps of `rollback` and `promote`: a release is repeated, and deployed."""

import argparse
import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dokku_registryd import config, errors
from dokku_registryd.adapters.dokku import build_records, deploying_files, restarts
from dokku_registryd.adapters.host import processes
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.auth import ways_out
from dokku_registryd.core.dokku import deploys
from dokku_registryd.core.dokku.deploys import BuildState
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.image import reference
from dokku_registryd.core.job import waiters
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import mirrors, rollbacks
from dokku_registryd.core.release.releases import Release
from dokku_registryd.verbs import preparation, reading
from dokku_registryd.verbs.hooks import follow
from dokku_registryd.verbs.output import Output
from dokku_registryd.wiring import engines

_NOT_FOUND = 127  # as a shell ends whose command is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended."""

    status: int
    """The exit status: Dokku's, if it deployed."""
    number: int
    """The number of the new release; 0 if it has none."""


def check_idle(settings: config.Settings, app: str) -> None:
    """Refuse while a deploy of an app runs that got its release already.

    Of Dokku's commands only `git push` holds the deploy lock, `config:set` and
    `ps:rebuild` do not. A deploy of which nothing is known refuses nothing.

    Raises:
        RefusedError: A deploy runs.
    """
    records = build_records.BuildRecords(
        Path(settings.paths.dokku_lib_root) / "data" / "builds",
        dokku_root=Path(settings.paths.dokku_root),
    )
    told: Iterable[str] = ()
    with contextlib.suppress(errors.UnreadableError):
        told = deploying_files.DeployingFiles(settings.deploying_dir).told(app)
    for build in told:
        if records.state(app, build) is BuildState.RUNNING:
            way = deploys.way_past(app, build)
            raise rollbacks.RefusedError(f"{app} is being deployed. {way}")


def abandoned(book: ledger.SqliteLedger | None, app: str) -> frozenset[str]:
    """Return the unfinished releases of an app whose deploy was killed, by their jobs.

    A service ends them at once. Without one they stay until a process owns the spool,
    as the next release of the app does: it ends them before its own.
    """
    unfinished = book.unfinished_jobs() if book else []
    return frozenset(
        record.job.job_id
        for record in unfinished
        if (record.job.app, record.job.kind) == (app, Kind.RELEASE)
        and _is_gone(waiters.parse(record.job.trigger.waiter))
    )


def mirrored(
    book: ledger.SqliteLedger, releases: Iterable[Release], mirror: str
) -> frozenset[str]:
    """Return the releases that the mirror of their app has, by their jobs."""
    digests = {release.job_id: release.digest for release in releases}
    copies = book.copies_of(digests)
    return frozenset(
        job_id
        for job_id, digest in digests.items()
        if mirrors.has(copies.get(job_id), mirror, digest)
    )


def _is_gone(waiter: waiters.Waiter | None) -> bool:
    return waiter is not None and waiters.is_gone(
        waiter,
        processes.look(waiter),
        namespace=processes.namespace(),
        was_seen=False,
    )


def is_here(settings: config.Settings, source: Release) -> bool:
    """Return whether the image of a release is on this host."""
    engine = engines.build_engine(settings)
    try:
        return any(engine.image(name) is not None for name in source.image_names)
    finally:
        engine.close()


def login_line(settings: config.Settings, app: str, repository: str) -> str:
    """Return a line of a plan about an app's login to a registry; empty if it has one.

    The registry is not asked: it may need none.
    """
    domain = reference.parse(repository).domain
    with reading.context(settings) as context:
        try:
            known = context.credentials.resolve(app, domain)
        except errors.AuthenticationError as error:
            return f"  login    unreadable: {error}"
    if known is not None:
        return ""
    return (
        f"  login    none of {app} for {domain}. If it needs one:"
        f" {ways_out.log_in(app, domain, None)}"
    )


def run(
    settings: config.Settings,
    arguments: argparse.Namespace,
    out: Output,
    *,
    app: str,
    source: Release,
    build: str,
    lock: int,
    is_first: bool = False,
) -> Ended:
    """Release and deploy, and go back if that fails.

    Args:
        settings: The settings.
        arguments: The command line.
        out: Where to write; with JSON only errors are written here.
        app: The app that runs the release.
        source: The release that is repeated.
        build: The deploy.
        lock: The descriptor of its deploy lock.
        is_first: Whether Dokku has never deployed the app.
    """
    is_json = arguments.format == "json"
    # stdout is one document then.
    shown = Output(line=lambda _text: None, error=out.error) if is_json else out
    status = follow.leave(
        arguments,
        shown,
        triggers.Trigger(
            kind=Kind.RELEASE,
            app=app,
            image=source.image_names[0],
            scheduler=rollbacks.LOCAL,
            build=build,
            job=source.job_id,
            waiter=_this_process(),
            source=f"registryd:{arguments.verb}",
            deployer=_deployer(arguments.environ),
        ),
    )
    number = _number(settings, arguments.id)
    if status or not number:
        return Ended(status=status or 1, number=number)
    try:
        status = restarts.restart(
            app,
            build,
            arguments.environ,
            lock=lock,
            is_quiet=is_json,
            first=number if is_first else 0,
        )
    except OSError as error:
        out.error(f"cannot run dokku: {os.strerror(error.errno or 0)}")
        status = _NOT_FOUND
    if status:
        failed = triggers.Trigger(kind=Kind.DEPLOY_FAILED, app=app, build=build)
        follow.leave(arguments, shown, failed)
    return Ended(status=status, number=number)


def _number(settings: config.Settings, job_id: str) -> int:
    book = preparation.read_ledger(settings)
    if book is None:
        return 0
    release = book.release_of(job_id)
    book.close()
    return release.number if release else 0


def _deployer(environ: Mapping[str, str]) -> str:
    """Return the name of the key that called us, as the release hook tells it."""
    name = environ.get("SSH_NAME") or environ.get("NAME") or ""
    return name if triggers.is_text(name) else ""


def _this_process() -> str:
    pid = os.getpid()
    return f"{pid}.{processes.started(pid)}.{processes.namespace()}"
