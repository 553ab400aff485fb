"""`forget`: remove what is left of an app that is gone and that no hook spoke of.

A sweep never does so by itself: an app that it cannot see may be on a disk that is not
mounted. This does what the hook `post-delete` does, and leaves the same trigger.
"""

import argparse
import contextlib
import os
import time
from pathlib import Path

from dokku_registryd import config, errors
from dokku_registryd.adapters.dokku import app_folders, destroyed_apps, property_files
from dokku_registryd.adapters.files import atomic
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.dokku import app_names, presence
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.verbs import preparation
from dokku_registryd.verbs.output import Output
from dokku_registryd.verbs.service import doctor_host


def perform(arguments: argparse.Namespace, out: Output) -> int:
    """Remove properties, logins and releases of an app, if that is confirmed.

    Raises:
        RegistrydError: The app is there, or it cannot be told.
    """
    settings = preparation.enter(arguments, out)
    app = arguments.app
    if not app_names.is_app_name(app):
        raise errors.RegistrydError(f"{app!r} is not an app name")
    _check_absent(settings, app)
    if not _is_known(settings, app):
        out.line(f"Nothing is left of {app}.")
        return 0
    if not arguments.yes:
        doubt = doctor_host.apps_on(settings).absence
        if doubt.detail:
            out.error(doubt.detail)
        out.error(
            f"this removes properties, logins and releases of {app} for good, those in"
            f" credential helpers too. If {app} is gone, run: dokku-registryd forget"
            f" {app} --yes"
        )
        return 1
    _forget(settings, app)
    out.line(f"{app} is forgotten; the service erases its logins and releases.")
    return 0


def _check_absent(settings: config.Settings, app: str) -> None:
    root: presence.Root = app_folders.look(Path(settings.paths.dokku_root))
    if root.error:
        raise errors.RegistrydError(f"cannot read {root.path}: {root.error}")
    if root.has_entry(app):
        reason = root.unseen.get(app, "")
        found = f"{root.path}/{app} is {reason}" if reason else f"App {app} exists"
        raise errors.RegistrydError(
            f"{found}. Destroy it with dokku apps:destroy {app}, or remove that"
        )


def _is_known(settings: config.Settings, app: str) -> bool:
    files = property_files.PropertyFiles(
        config_root=settings.config_root,
        dokku_root=Path(settings.paths.dokku_root),
        deployed_root=settings.deployed_dir,
    )
    if app in files.owners():
        return True
    book = preparation.read_ledger(settings)
    if book is None:
        return False
    with contextlib.closing(book):
        return bool(book.releases(app))


def _forget(settings: config.Settings, app: str) -> None:
    """Do what the hook does, in its order; a second call does what is left."""
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
            f"cannot remove what is left of {app}: {error.filename or place}:"
            f" {os.strerror(error.errno or 0)}"
        ) from error
    trigger = triggers.Trigger(kind=Kind.DESTROYED, app=app)
    spool.Spool(settings.data_dir).add(stamp, trigger)
