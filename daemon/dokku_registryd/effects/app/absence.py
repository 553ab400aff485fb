"""Absence: detects, records and logs the apps that a sweep did not find.

An app counts as destroyed only if a hook said so. A merely missing app keeps its
properties, logins, releases and images. The operator is told, and decides.
"""

import contextlib

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import presence


def look(context: ports.Context) -> presence.Memory:
    """Return which apps are missing, judged by Dokku's root as it is now.

    Raises:
        UnreadableError: The list of apps with properties cannot be read.
    """
    # Owners before apps: an app created in between must not seem to be missing.
    known = context.properties.owners()
    root = context.properties.root()
    before = context.absences.recall()
    return presence.judge(root, known, before, now=context.clock.now())


def note(context: ports.Context) -> None:
    """Detect missing apps, record them, and log a change."""
    before = context.absences.recall().absence
    try:
        found = look(context)
    except errors.UnreadableError:
        return  # The sweep treats every app as unknown then; `doctor` reports why.
    with contextlib.suppress(errors.TransientError):
        # If the disk refuses it now, the next sweep retries.
        context.absences.keep(found)
    if found.absence.shown == before.shown:
        return
    log = structlog.get_logger()
    if found.absence.cause is presence.Cause.NOTHING:
        log.info("apps.returned")
        return
    log.warning(
        "apps.missed",
        cause=found.absence.cause.value,
        apps=[entry.app for entry in found.absence.apps],
        reason=found.absence.detail
        or "; ".join(
            f"{entry.app}: {entry.reason}"
            for entry in found.absence.apps
            if entry.reason
        ),
    )


def shows_gone(app: str, context: ports.Context) -> bool:
    """Return whether an app's folder is certainly absent.

    For apps that a hook reported: absence alone does not make an app destroyed.

    Raises:
        UnreadableError: The list of apps with properties cannot be read.
    """
    known = context.properties.owners()
    root = context.properties.root()
    return presence.shows_gone(app, root, known, context.absences.recall())
