"""`forget`: remove the data of an app that was destroyed without our hooks.

A sweep never does this on its own: the folder of a missing app may be on a disk that is
not mounted. This does the same as the hook `post-delete`, with the same trigger.
"""

import argparse
import contextlib
import os
import time
from pathlib import Path

from dokku_registryd import config, errors
from dokku_registryd.adapters.dokku import app_folders, destroyed_apps
from dokku_registryd.adapters.files import atomic
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.dokku import app_names, presence
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.verbs import preparation
from dokku_registryd.verbs.output import Output
from dokku_registryd.verbs.service import doctor_host
from dokku_registryd.wiring import properties


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Remove properties, logins and releases of an app, if confirmed.

    Raises:
        RegistrydError: The app exists, or its absence cannot be verified.
    """
    settings = preparation.enter(arguments, out)
    app = arguments.app
    if not app_names.is_app_name(app):
        raise errors.RegistrydError(f"{app!r} is not an app name")
    _check_absent(settings, app)
    if not _is_known(settings, app):
        out.line(f"There is no data of {app}.")
        return 0
    if not arguments.yes:
        doubt = doctor_host.apps_on(settings).absence
        if doubt.detail:
            out.error(doubt.detail)
        out.error(
            f"this permanently removes properties, logins (also in credential helpers)"
            f" and releases of {app}. If {app} was destroyed, run: dokku-registryd"
            f" forget {app} --yes"
        )
        return 1
    _forget(settings, app)
    out.line(f"Forgot {app}. The service erases its logins and releases.")
    return 0


def _check_absent(settings: config.Settings, app: str) -> None:
    root: presence.Root = app_folders.look(Path(settings.paths.dokku_root))
    if root.error:
        raise errors.RegistrydError(f"cannot read {root.path}: {root.error}")
    if root.has_entry(app):
        reason = root.unseen.get(app, "")
        found = f"{root.path}/{app} is {reason}" if reason else f"App {app} exists"
        raise errors.RegistrydError(
            f"{found}; forget is only for apps whose folder is gone. If you do not need"
            f" the app, run dokku apps:destroy {app}"
        )


def _is_known(settings: config.Settings, app: str) -> bool:
    files = properties.build_properties(settings)
    if app in files.owners():
        return True
    book = preparation.read_ledger(settings)
    if book is None:
        return False
    with contextlib.closing(book):
        return bool(book.releases(app))


def _forget(settings: config.Settings, app: str) -> None:
    """Do the steps of the hook in its order; a second call does the remaining ones."""
    stamp = f"{time.time_ns() // 1000:016d}.{os.getpid()}.0"
    folders = destroyed_apps.DestroyedApps(
        root=settings.forgotten_dir, config_root=settings.config_root
    )
    place = settings.deployed_dir / app
    try:
        folders.detach(app, stamp)
        atomic.remove(place, is_strict=True)
    except OSError as error:
        raise errors.TransientError(
            f"cannot remove the data of {app}: {error.filename or place}:"
            f" {os.strerror(error.errno or 0)}"
        ) from error
    trigger = triggers.Trigger(kind=Kind.DESTROYED, app=app)
    spool.Spool(settings.data_dir).add(stamp, trigger)
