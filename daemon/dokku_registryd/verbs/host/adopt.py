"""`adopt`: record releases of Dokku's own plugin in the ledger, and list differences.

`install` runs it as a separate program, because it must not run as root.
"""

import argparse
import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

from dokku_registryd import config, errors
from dokku_registryd.adapters.dokku import plugins
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.release import adoption
from dokku_registryd.effects import adopt
from dokku_registryd.verbs import preparation, reading
from dokku_registryd.verbs.output import Output

HOOK_WAIT_SECONDS = 3600.0  # as a starting daemon waits for a hook
_LOCK_POLL_SECONDS = 0.2
_LOCAL_SCHEDULER = "docker-local"


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Adopt all apps with a pushed release, or only list them.

    Raises:
        EngineUnavailableError: The Engine does not answer.
        LedgerError: The ledger cannot be used.
    """
    settings = preparation.enter(arguments, out)
    found = record(arguments, settings, out)
    if arguments.format == "json":
        out.json([dataclasses.asdict(entry) for entry in found])
        return 0
    for entry in found:
        for line in _as_text(entry, is_dry_run=arguments.dry_run):
            out.line(line)
    out.line(_summary(found))
    return 0


def record(
    arguments: argparse.Namespace, settings: config.Settings, out: Output
) -> list[adoption.Adoption]:
    """Adopt all apps with a pushed release, as `perform` does; print no result."""
    host = _plugins(arguments, settings)
    with (
        _ledger(arguments, settings, out) as book,
        reading.context(settings, book) as context,
    ):
        return adopt.Adopter(
            context,
            scheduler_of=lambda name: _scheduler(host, name),
            is_dry_run=arguments.dry_run,
        ).adopt_all()


@contextlib.contextmanager
def _ledger(
    arguments: argparse.Namespace, settings: config.Settings, out: Output
) -> Iterator[ledger.SqliteLedger]:
    """Yield the ledger, and hold the spool's lock if no service holds it.

    Who uses the ledger closes it.
    """
    lock = spool.SpoolLock(settings.data_dir)
    try:
        if arguments.dry_run:
            yield preparation.read_ledger(settings) or ledger.SqliteLedger(None)
        else:
            yield _open(lock, settings, out)
    finally:
        lock.release()


def _open(
    lock: spool.SpoolLock, settings: config.Settings, out: Output
) -> ledger.SqliteLedger:
    """Open the ledger for writing.

    If another process uses the ledger too, its schema must be current. A hook that
    uses an older one exits with its deploy, so this waits for it.
    """
    deadline = time.monotonic() + HOOK_WAIT_SECONDS
    is_told = False
    while not lock.acquire(spool.HOOK):
        holder = lock.holder()
        try:
            return ledger.SqliteLedger(settings.ledger_file, may_migrate=False)
        except ledger.OlderLedgerError:
            is_daemon = holder is not None and holder[0] != spool.HOOK
            if is_daemon or time.monotonic() > deadline:
                raise
        if holder is not None and not is_told:
            is_told = True
            out.line(
                f"       Waiting for the deploy whose hook, pid {holder[1]}, uses the"
                " ledger"
            )
        time.sleep(_LOCK_POLL_SECONDS)
    book, aside = ledger.open_or_rebuild(
        settings.ledger_file, stamp=str(int(time.time()))
    )
    if aside:
        out.error(
            f"the ledger was damaged and has been rebuilt; the old one is {aside}"
        )
    return book


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
        return _LOCAL_SCHEDULER  # Dokku's default if no plugin answers.


def _as_text(entry: adoption.Adoption, *, is_dry_run: bool) -> list[str]:
    verb = "would be adopted" if is_dry_run else "adopted"
    state = f"{verb}, {entry.digest or 'digest unknown'}"
    if not entry.is_new:
        state = "is already in the ledger"
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
        f"       Adopted: {new}; already in the ledger: {known};"
        f" with differences: {differing}"
    )
