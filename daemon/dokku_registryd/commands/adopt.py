"""`adopt`: take what Dokku's own plugin released into the ledger, and say what differs.

`install` calls it as a program of its own, because it must not run as root.
"""

import argparse
import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

from dokku_registryd import app, config, errors
from dokku_registryd.adapters import clocks, ledger, plugins, spool
from dokku_registryd.commands import scene
from dokku_registryd.commands.output import Output
from dokku_registryd.core import adoption
from dokku_registryd.effects import adopt

_LOCAL_SCHEDULER = "docker-local"


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Adopt all apps that were pushed, or only look.

    Raises:
        EngineUnavailableError: The Engine does not answer.
        LedgerError: The ledger cannot be used.
    """
    settings = scene.enter(arguments, out)
    found = _adopt(arguments, settings, out)
    if arguments.format == "json":
        out.json([dataclasses.asdict(entry) for entry in found])
        return 0
    for entry in found:
        for line in _as_text(entry, is_dry_run=arguments.dry_run):
            out.line(line)
    out.line(_summary(found))
    return 0


def _adopt(
    arguments: argparse.Namespace, settings: config.Settings, out: Output
) -> list[adoption.Adoption]:
    host = _plugins(arguments, settings)
    engine = app.build_engine(settings)
    with contextlib.closing(engine), _ledger(arguments, settings, out) as book:
        world = app.build_world(
            settings,
            engine=engine,
            ledger=book,
            clock=clocks.SystemClock(),
            submit=lambda _trigger: None,
        )
        return adopt.Adopter(
            world,
            scheduler_of=lambda name: _scheduler(host, name),
            is_dry_run=arguments.dry_run,
        ).adopt_all()


@contextlib.contextmanager
def _ledger(
    arguments: argparse.Namespace, settings: config.Settings, out: Output
) -> Iterator[ledger.SqliteLedger]:
    """Give the ledger; while no service has it, nobody else works on it meanwhile."""
    lock = spool.SpoolLock(settings.data_dir)
    aside = ""
    if arguments.dry_run:
        book = scene.read_ledger(settings) or ledger.SqliteLedger(None)
    elif lock.acquire(spool.HOOK):
        book, aside = ledger.open_or_rebuild(
            settings.ledger_file, stamp=str(int(time.time()))
        )
    else:
        book = ledger.SqliteLedger(settings.ledger_file)
    if aside:
        out.error(f"the ledger was damaged and begun anew; the old one is {aside}")
    try:
        yield book
    finally:
        book.close()
        lock.release()


def _plugins(
    arguments: argparse.Namespace, settings: config.Settings
) -> plugins.Plugins:
    environ, lib_root = arguments.environ, settings.paths.dokku_lib_root
    return plugins.Plugins(
        Path(environ.get("PLUGIN_PATH") or f"{lib_root}/plugins"),
        Path(environ.get("PLUGIN_CORE_PATH") or f"{lib_root}/core-plugins"),
        environ,
    )


def _scheduler(host: plugins.Plugins, name: str) -> str:
    try:
        return host.detect_scheduler(name)
    except errors.RegistrydError:
        return _LOCAL_SCHEDULER  # As Dokku itself has it where nobody answers.


def _as_text(entry: adoption.Adoption, *, is_dry_run: bool) -> list[str]:
    verb = "would be adopted" if is_dry_run else "adopted"
    state = f"{verb}, {entry.digest or 'digest unknown'}"
    if not entry.is_new:
        state = "in the ledger already"
    warnings = [f" !     {entry.app}: {text}" for text in entry.differences]
    if not entry.reference:
        return warnings
    first = f"       {entry.app}: {entry.reference} {state}"
    return [first, *warnings]


def _summary(found: list[adoption.Adoption]) -> str:
    new = sum(entry.is_new for entry in found)
    known = sum(bool(entry.reference) and not entry.is_new for entry in found)
    differing = sum(bool(entry.differences) for entry in found)
    return (
        f"       New in the ledger: {new}; known before: {known};"
        f" with something to look at: {differing}"
    )
