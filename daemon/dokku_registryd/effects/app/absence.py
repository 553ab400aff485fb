"""Absence: which apps a sweep did not see, told and kept, and nothing else.

An app is gone when a hook said so. What merely cannot be seen keeps its properties,
logins, releases and images. An operator hears of it, and decides.
"""

import contextlib

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.core.dokku import presence


def look(context: ports.Context) -> presence.Memory:
    """Return what a look at Dokku's root means; nothing is changed.

    Raises:
        UnreadableError: It cannot be told which apps have properties.
    """
    # Owners before apps: what is created in between must not seem to be missing.
    known = context.properties.owners()
    root = context.properties.root()
    before = context.absences.recall()
    return presence.judge(root, known, before, now=context.clock.now())


def note(context: ports.Context) -> None:
    """Look, keep what was not seen, and tell it where that has changed."""
    before = context.absences.recall().absence
    try:
        found = look(context)
    except errors.UnreadableError:
        return  # To the sweep every app is unknown then, and `doctor` says why.
    with contextlib.suppress(errors.TransientError):
        # A disk that refuses it now is asked again by the next sweep.
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
    """Return whether an app's folder is not there, for sure.

    For apps that a hook spoke of: alone it does not make an app gone.

    Raises:
        UnreadableError: It cannot be told which apps have properties.
    """
    known = context.properties.owners()
    root = context.properties.root()
    return presence.shows_gone(app, root, known, context.absences.recall())
