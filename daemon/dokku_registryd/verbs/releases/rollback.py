"""`rollback`: release what ran before once more, and have Dokku deploy it."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from dokku_registryd import config
from dokku_registryd.adapters.dokku import held_lock, modes, property_files, restarts
from dokku_registryd.adapters.host import processes
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import rollbacks
from dokku_registryd.core.release.releases import Release
from dokku_registryd.verbs import preparation
from dokku_registryd.verbs.hooks import follow
from dokku_registryd.verbs.output import Output
from dokku_registryd.wiring import engines

NOT_ROLLED_BACK = (
    "Not rolled back: the app's config, its databases, what its release tasks have"
    " done, and Dokku's copies of Procfile and app.json."
)
_SOURCE = "registryd:rollback"
_NOT_FOUND = 127  # as a shell ends whose command is missing


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
            for line in _described(plan, is_here=is_here):
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
        return _Rollback(settings, arguments, out, plan, build, is_here=is_here).run(
            lock
        )


def _plan(
    settings: config.Settings, arguments: argparse.Namespace
) -> tuple[rollbacks.Plan, bool]:
    """Return the plan, and whether the image is on this host."""
    files = property_files.PropertyFiles(
        config_root=settings.config_root,
        dokku_root=Path(settings.paths.dokku_root),
        deployed_root=settings.deployed_dir,
    )
    app = arguments.app
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
        )
        number = int(arguments.number) if arguments.number else None
        plan = rollbacks.plan(facts, number)
        is_here = _is_here(settings, plan.source)
        if not is_here and book:
            job_id = plan.source.job_id
            removal = book.removals(app).get(job_id)
            rollbacks.check_parts(
                plan.source,
                book.check_of(job_id),
                is_removed=removal is not None and removal.is_over,
            )
    finally:
        if book:
            book.close()
    return plan, is_here


def _is_here(settings: config.Settings, source: Release) -> bool:
    engine = engines.build_engine(settings)
    try:
        names = (source.image_id, f"{source.repository}@{source.digest}")
        return any(engine.image(name) is not None for name in names)
    finally:
        engine.close()


class _Rollback:
    """One rollback, while its deploy lock is held."""

    def __init__(
        self,
        settings: config.Settings,
        arguments: argparse.Namespace,
        out: Output,
        plan: rollbacks.Plan,
        build: str,
        *,
        is_here: bool,
    ) -> None:
        self._settings = settings
        self._arguments = arguments
        self._out = out
        self._plan = plan
        self._build = build
        self._is_here = is_here
        self._is_json = arguments.format == "json"
        self._progress = out
        if self._is_json:  # stdout is one document
            self._progress = Output(line=lambda _text: None, error=out.error)

    def run(self, lock: int) -> int:
        """Release, deploy, and go back if that fails; return the exit status."""
        source = self._plan.source
        status = self._ask(
            triggers.Trigger(
                kind=Kind.RELEASE,
                app=self._arguments.app,
                image=source.image_id,
                scheduler=rollbacks.LOCAL,
                build=self._build,
                job=source.job_id,
                waiter=_this_process(),
                source=_SOURCE,
                deployer=_deployer(self._arguments.environ),
            )
        )
        number = self._number()
        if status or not number:
            return self._end("failed", status or 1, number)
        status = self._deploy(lock)
        if status:
            self._ask(
                triggers.Trigger(
                    kind=Kind.DEPLOY_FAILED, app=self._arguments.app, build=self._build
                )
            )
            return self._end("failed", status, number)
        return self._end("done", 0, number)

    def _ask(self, trigger: triggers.Trigger) -> int:
        return follow.leave(self._arguments, self._progress, trigger)

    def _number(self) -> int:
        """Return the number of the new release; 0 if it has none."""
        book = preparation.read_ledger(self._settings)
        release = book.release_of(self._arguments.id) if book else None
        if book:
            book.close()
        return release.number if release else 0

    def _deploy(self, lock: int) -> int:
        try:
            return restarts.restart(
                self._arguments.app,
                self._build,
                self._arguments.environ,
                lock=lock,
                is_quiet=self._is_json,
            )
        except OSError as error:
            self._out.error(f"cannot run dokku: {os.strerror(error.errno or 0)}")
            return _NOT_FOUND

    def _end(self, outcome: str, status: int, number: int) -> int:
        plan = self._plan
        if self._is_json:
            document = _as_json(
                plan, is_here=self._is_here, outcome=outcome, number=number
            )
            self._out.json(document)
        elif outcome == "done":
            self._out.line(
                f"{plan.source.app} is rolled back from {plan.runs.number} to"
                f" {plan.source.number}, as {plan.repository}:{number}."
            )
            self._out.line(NOT_ROLLED_BACK)
        else:
            sys.stdout.flush()
            self._out.error(
                f"{plan.source.app} is not rolled back to {plan.source.number}"
            )
        return status


def _deployer(environ: Mapping[str, str]) -> str:
    """Return the name of the key that called us, as the release hook tells it."""
    name = environ.get("SSH_NAME") or environ.get("NAME") or ""
    return name if triggers.is_text(name) else ""


def _this_process() -> str:
    pid = os.getpid()
    return f"{pid}.{processes.started(pid)}.{processes.namespace()}"


def _described(plan: rollbacks.Plan, *, is_here: bool) -> list[str]:
    source = plan.source
    image = "on this host" if is_here else f"pulled as {source.digest}"
    sent = (
        f"the next number of {plan.repository}, as {source.digest}"
        if plan.is_named_only
        else f"sent to {plan.repository}, since {source.repository} had it"
    )
    return [
        f"{source.app} runs {plan.runs.reference}. A rollback to {source.number}:",
        f"  image    {image}",
        f"  release  {sent}",
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
