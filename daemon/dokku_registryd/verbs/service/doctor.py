"""`doctor`: check the host and the apps before a deploy. It changes nothing.

Each finding is one line that begins with `ok`, `warn` or `fail` and includes a hint.
The number of parallel requests to registries and their duration are limited.
"""

import argparse
import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from dokku_registryd import config, errors
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import peek
from dokku_registryd.core.status import findings
from dokku_registryd.core.status.findings import Finding, Level
from dokku_registryd.verbs import preparation, reading
from dokku_registryd.verbs.output import Output
from dokku_registryd.verbs.service import (
    check,
    closed_files,
    doctor_apps,
    doctor_context,
    doctor_follow,
    doctor_host,
    registries,
)
from dokku_registryd.wiring import clients, credentials, notifications

_MOST_APPS = 5
# A user waits, so the timeouts are shorter than those of a release.
_LIMITS = {
    "connect_timeout_seconds": 5.0,
    "read_timeout_seconds": 10.0,
    "total_timeout_seconds": 15.0,
    "helper_timeout_seconds": 10.0,
}


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Print the findings; return 1 if one of them is a failure."""
    found = findings.fold(_examine(arguments))
    if arguments.format == "json":
        out.json([finding.as_document() for finding in found])
    else:
        for apps, finding in _together(found):
            out.line(_as_text(apps, finding))
    return int(any(finding.level is Level.FAIL for finding in found))


def _examine(arguments: argparse.Namespace) -> Iterator[Finding]:
    environ = arguments.environ
    file = config.config_file(arguments.config, environ)[0]
    files = closed_files.Files.look(
        file,
        environ.get(check.DEFAULTS_VARIABLE, check.DEFAULTS_FILE),
    )
    try:
        settings = preparation.enter(arguments)
    except errors.ConfigurationError as error:
        yield findings.fail("settings", str(error))
        return
    if arguments.app:
        preparation.check_app(arguments, arguments.app)
    root = Path(settings.paths.dokku_root)
    if text := files.about_settings(root):
        yield findings.fail("settings", text)
    if text := files.about_defaults(root):
        yield findings.warn("settings", text)
    yield from doctor_host.examine(settings, environ, arguments.root)
    for text in check.about_notifications(settings, environ, file):
        yield findings.warn("notify", text)
    yield from _undelivered(settings, check.service_environ(environ))
    with _context(settings, check.service_environ(environ)) as context:
        if not arguments.app:
            yield from doctor_follow.examine(
                context.context, is_served=context.is_healing
            )
        yield from doctor_apps.examine(context, only=arguments.app)


@contextlib.contextmanager
def _context(
    settings: config.Settings, environ: Mapping[str, str]
) -> Iterator[doctor_context.DoctorContext]:
    facts = registries.engine_facts(settings)
    table = settings.registry
    limits = {key: min(value, getattr(table, key)) for key, value in _LIMITS.items()}
    short = settings.model_copy(update={"registry": table.model_copy(update=limits)})
    registry = clients.build_registry(short, lambda: facts, environ)
    with (
        contextlib.closing(registry),
        reading.context(short, _ledger(settings)) as context,
    ):
        yield doctor_context.DoctorContext(
            context=context,
            registry=registry,
            credentials=credentials.build_credentials(short),
            is_healing=_is_healing(settings),
            config_root=settings.config_root,
        )


def _undelivered(
    settings: config.Settings, environ: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield the ways to the operator whose last messages did not arrive."""
    with contextlib.closing(_ledger(settings)) as book:
        known = book.notices().channels
    for way in notifications.build_channels(settings, environ):
        name, channel = way.name, known.get(way.name)
        if channel is not None and channel.attempts:
            times = f"{channel.attempts} time{'s' * (channel.attempts > 1)}"
            yield findings.warn(
                "notify",
                f"{name}: a message was not delivered, {times} by now: {channel.error}."
                " Correct it, then try it with: sudo dokku-registryd notify",
            )


def _is_healing(settings: config.Settings) -> bool:
    holder = peek.holder(str(settings.data_dir))
    return holder is not None and holder[0] != peek.HOOK


def _ledger(settings: config.Settings) -> ledger.SqliteLedger:
    """Open the ledger, or an empty one if it is unreadable (a finding of the host)."""
    with contextlib.suppress(errors.LedgerError):
        book = preparation.read_ledger(settings)
        if book is not None:
            book.unfinished_jobs()
            return book
    return ledger.SqliteLedger(None)


def _together(found: list[Finding]) -> list[tuple[list[str], Finding]]:
    """Return findings, each with its apps: one fault of several apps stands once."""
    rows: dict[object, tuple[list[str], Finding]] = {}
    for number, finding in enumerate(found):
        is_fault = finding.app and finding.level is not Level.OK
        key = (finding.level, finding.check, finding.text) if is_fault else number
        rows.setdefault(key, ([], finding))[0].append(finding.app)
    return list(rows.values())


def _as_text(apps: list[str], finding: Finding) -> str:
    named = ", ".join(apps[:_MOST_APPS])
    if apps[_MOST_APPS:]:
        named += f" and {len(apps) - _MOST_APPS} more"
    where = f"{named} {finding.check}" if named else finding.check
    return f"{finding.level:<4}  {where}: {finding.text}"
