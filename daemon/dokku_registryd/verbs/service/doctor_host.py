"""The host checks of `doctor`: settings, spool, service, Engine."""

import errno
import http
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from dokku_registryd import config, errors
from dokku_registryd.adapters.engine import push_way
from dokku_registryd.adapters.files import absence_file, disk_trial
from dokku_registryd.adapters.host import clocks, package
from dokku_registryd.adapters.registry import proxy as registry_proxy
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.dokku import absence_text, presence
from dokku_registryd.core.engine import push_ways
from dokku_registryd.core.install import builds
from dokku_registryd.core.registry import proxies
from dokku_registryd.core.status import findings, service_states, status_page
from dokku_registryd.core.status.findings import Finding
from dokku_registryd.verbs import preparation
from dokku_registryd.verbs.service import (
    check,
    doctor_plugin,
    doctor_properties,
    registries,
    service_view,
)
from dokku_registryd.wiring import clients, properties

# A host that no exception matches.
_ANYWHERE = "https://registry.invalid/"


def examine(
    settings: config.Settings, environ: Mapping[str, str], root: str = ""
) -> Iterator[Finding]:
    """Yield the findings about the host, whose files are below `root`."""
    warnings = check.list_warnings(settings, environ, root)
    yield from (findings.warn("settings", warning) for warning in warnings)
    if not warnings:
        yield findings.ok("settings", "valid, no warnings")
    yield from _apps(settings)
    yield from _properties(settings)
    yield from _spool(settings)
    yield _disk(settings)
    yield _ledger(settings)
    yield from _service(settings, environ, root)
    yield from doctor_plugin.examine(settings, environ)
    yield from _engine(settings, environ)
    yield from _pushes(settings)


def _apps(settings: config.Settings) -> Iterator[Finding]:
    try:
        found = apps_on(settings).absence
    except errors.UnreadableError as error:
        yield findings.fail("apps", str(error))
        return
    if found.cause is presence.Cause.NOTHING:
        yield findings.ok("apps", "all apps with properties have a folder")
        return
    if found.detail:
        said = found.detail if found.detail.endswith("?") else f"{found.detail}."
        yield findings.fail("apps", f"{said} No data of apps is removed")
    for entry in found.apps:
        yield _missing(entry, is_alone=found.cause is presence.Cause.APPS)


def _properties(settings: config.Settings) -> Iterator[Finding]:
    files = properties.build_properties(settings)
    apps = frozenset(files.root().apps)
    yield from doctor_properties.on_host(files, settings.config_root, apps)


def _missing(entry: presence.Missing, *, is_alone: bool) -> Finding:
    text = "it has properties or a recorded release, but no folder"
    if entry.reason:
        text += f": {entry.reason}"
    if entry.is_proposed:
        days = int(entry.counted // 86_400)
        text += (
            f". It has been missing for {days} days, and no hook reported that it was"
            " destroyed"
        )
    if is_alone:
        text += (
            ". If it was destroyed, remove its data with:"
            f" dokku-registryd forget {entry.app}"
        )
    return findings.warn("apps", text, app=entry.app)


def apps_on(settings: config.Settings) -> presence.Memory:
    """Return which apps are missing, judged by Dokku's root as it is now.

    Raises:
        UnreadableError: The list of apps with properties cannot be read.
    """
    files = properties.build_properties(settings)
    kept = absence_file.AbsenceFile(settings.data_dir / absence_text.FILE_NAME)
    known, root = files.owners(), files.root()
    return presence.judge(root, known, kept.recall(), now=time.time())


def _spool(settings: config.Settings) -> Iterator[Finding]:
    folders = [settings.spool_dir / name for name in ("tmp", "new")]
    if settings.replies_dir.exists():
        folders.append(settings.replies_dir)
    missing = [str(folder) for folder in folders if not folder.exists()]
    if not settings.data_dir.exists():
        yield findings.fail(
            "spool",
            f"{settings.data_dir} (paths.data_dir) does not exist. If it was moved,"
            " move it back or correct the setting. Otherwise create it with: sudo"
            " dokku-registryd install",
        )
    elif missing:
        yield findings.fail(
            "spool",
            f"not found: {', '.join(missing)}. Start the service once to create"
            " them: systemctl start dokku-registryd",
        )
    present = [folder for folder in folders if str(folder) not in missing]
    closed = [*_closed(present)]
    yield from closed
    files = spool.Spool(settings.data_dir)
    try:
        rejected, pending = files.rejected(), files.pending()
    except OSError as error:
        yield findings.fail(
            "spool",
            f"cannot read {error.filename or settings.spool_dir}:"
            f" {os.strerror(error.errno or 0)}. It must be a folder that user dokku"
            " owns",
        )
        return
    if rejected:
        yield findings.warn(
            "spool",
            f"{rejected} trigger files were rejected: read the .reason files in"
            f" {settings.spool_dir / 'rejected'}, then remove them",
        )
    if not missing and not closed:
        yield findings.ok("spool", f"writable, {pending} trigger files waiting")


def _closed(folders: list[Path]) -> Iterator[Finding]:
    """Yield findings about folders that accept no file, asked as the service asks."""
    refusals = {folder: disk_trial.refusal(folder) for folder in folders}
    for folder, reason in refusals.items():
        if reason == os.strerror(errno.EACCES):
            yield findings.fail(
                "spool",
                f"{folder} is not writable by the current user. Run this as user dokku,"
                " or give the folder to that user",
            )
        elif reason:
            yield findings.fail(
                "spool",
                f"{folder} accepts no file ({reason}), so deploys of apps that push"
                " fail, and nothing is restored. Free its disk, or repair it",
            )


def _disk(settings: config.Settings) -> Finding:
    folder = settings.data_dir
    while not folder.exists():
        folder = folder.parent
    try:
        free = clocks.free_bytes(str(folder)) >> 20
    except OSError as error:
        return findings.fail("disk", f"{folder}: {os.strerror(error.errno or 0)}")
    floor = settings.heal.min_free_disk_mb
    if free < floor:
        return findings.warn(
            "disk",
            f"{free} MB are free for {folder}, less than heal.min_free_disk_mb"
            f" ({floor}): no image is pulled. Free disk space",
        )
    return findings.ok("disk", f"{free} MB are free for {folder}")


def _ledger(settings: config.Settings) -> Finding:
    try:
        book = preparation.read_ledger(settings)
        if book is None:
            return findings.ok("ledger", "does not exist yet")
        waiting = len(book.unfinished_jobs())
        book.close()
    except errors.LedgerError as error:
        return findings.fail("ledger", str(error))
    return findings.ok("ledger", f"readable, {waiting} jobs pending")


def _service(
    settings: config.Settings, environ: Mapping[str, str], root: str
) -> Iterator[Finding]:
    view = service_view.look(
        str(settings.data_dir), environ, status_page.PATH, root=root
    )
    state = view.state
    if not state.is_running:
        is_harmful = state.name in {service_states.HUNG, service_states.AWAY}
        level = findings.fail if is_harmful else findings.warn
        yield level("service", state.sentence())
        return
    difference = package.difference(str(settings.data_dir))
    if difference:
        yield findings.warn("service", f"{difference}: {builds.CURE}")
    else:
        level = findings.warn if state.cure else findings.ok
        yield level("service", state.sentence())
    status, text = view.answer or (http.HTTPStatus.OK, "")
    if status == http.HTTPStatus.OK:
        # The checks of this host judge what a deploy meets. The service may see more.
        for name, reason in status_page.Page(text).failing:
            yield findings.warn("service", f"it is not ready: {reason}", follows=name)


def _engine(settings: config.Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    try:
        facts = registries.ask_engine(settings)
    except errors.RegistrydError as error:
        yield findings.fail("engine", str(error))
        return
    yield findings.ok(
        "engine", f"Docker Engine {facts.version}, {facts.image_store} image store"
    )
    said = clients.said_proxies(settings, check.service_environ(environ))
    proxy = proxies.choose(_ANYWHERE, (*said, proxies.from_engine(facts)))
    if proxy is None:
        return
    if complaint := registry_proxy.complaint(proxy):
        yield findings.fail("proxy", complaint)
        return
    yield findings.ok(
        "proxy", f"registries are reached via {proxy.shown} ({proxy.name})"
    )


def _pushes(settings: config.Settings) -> Iterator[Finding]:
    """Yield a finding about the path of pushes, if it is known."""
    reason = push_way.read(str(settings.data_dir))
    if reason is None:
        return
    text = push_ways.describe(reason)
    if not reason or settings.engine.push_path == "engine":
        yield findings.ok("pushes", text)
        return
    yield findings.warn(
        "pushes",
        f"{text}. Two hosts that push at the same time may overwrite each other's"
        " number. Set engine.relay_port to a free port, or engine.push_path to engine"
        " if that is intended",
    )
