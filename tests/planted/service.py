"""Faults of the service, its ledger and its Engine."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from planted.planting import away, beside, changed, fault, frozen, owned, stopped
from support.site import Site
from support.waiting import until


@contextlib.contextmanager
def _schema(site: Site, version: int) -> Iterator[None]:
    path = site.host.data_dir / "ledger.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as book:
        (known,) = book.execute("PRAGMA user_version").fetchone()
        book.execute(f"PRAGMA user_version = {version}")
        book.commit()
    try:
        yield
    finally:
        with contextlib.closing(sqlite3.connect(path)) as book:
            book.execute(f"PRAGMA user_version = {known}")
            book.commit()


@fault(
    24,
    "fail",
    "engine",
    "does not answer",
    "systemctl status docker",
    health="the Docker Engine does not answer: see systemctl status docker",
)
def _engine_stopped(site: Site) -> Iterator[None]:
    site.engine.kill()
    site.service.wait_for("engine.lost")
    yield
    site.engine.start()


@fault(
    27,
    "fail",
    "service",
    "suspended by a signal",
    "kill -CONT",
    health="suspended by a signal",
)
def _service_suspended(site: Site) -> Iterator[None]:
    with frozen(site):
        yield


_SYSTEMD: Final = (
    "mount -t tmpfs tmpfs /run",
    "mkdir -p /run/systemd/system",
    "if [ -d /etc/systemd ]; then mount -t tmpfs tmpfs /etc/systemd; fi",
)
_UNIT: Final = "/run/systemd/system/dokku-registryd.service"


_SETTLED_SECONDS: Final = 6


@fault(
    25,
    "fail",
    "engine",
    "may not use",
    "sudo chgrp docker",
    health=None,
)
def _socket_closed(site: Site) -> Iterator[None]:
    socket = Path(site.engine.path)
    # A new socket may not have its group and mode yet, so it is not judged at once.
    until(lambda: time.time() - socket.stat().st_ctime > _SETTLED_SECONDS)
    folder = socket.parent
    mode = folder.stat().st_mode
    folder.chmod(0o755)
    with owned(site):
        yield
    folder.chmod(mode)


@fault(
    26,
    "warn",
    "service",
    "stopped. Deploys push by themselves; missing images are not restored",
    "systemctl start dokku-registryd",
    health="systemctl start dokku-registryd",
)
def _service_stopped(site: Site) -> Iterator[None]:
    wants = f"{_UNIT.rpartition('/')[0]}/multi-user.target.wants"
    enabled = (f": >{_UNIT}", f"mkdir {wants}", f"ln -s {_UNIT} {wants}")
    with stopped(site), beside(site, *_SYSTEMD, *enabled):
        yield


@fault(
    28,
    "warn",
    "service",
    "its unit is masked, so it will not start again",
    "systemctl unmask dokku-registryd",
    health=None,
)
def _unit_masked(site: Site) -> Iterator[None]:
    with beside(site, *_SYSTEMD, f"ln -s /dev/null {_UNIT}"):
        yield


@fault(
    28,
    "warn",
    "service",
    "masked: systemd refuses to start it",
    "systemctl unmask dokku-registryd",
    health="systemctl unmask dokku-registryd",
)
def _unit_masked_and_stopped(site: Site) -> Iterator[None]:
    with stopped(site), beside(site, *_SYSTEMD, f"ln -s /dev/null {_UNIT}"):
        yield


@fault(
    29,
    "warn",
    "service",
    "it will not start at the next boot",
    "systemctl enable dokku-registryd",
    health=None,
)
def _unit_disabled(site: Site) -> Iterator[None]:
    with beside(site, *_SYSTEMD, f": >{_UNIT}"):
        yield


@fault(
    39,
    "fail",
    "service",
    "but not with the data folder",
    "Put the folder back, then: systemctl restart",
    health="but not with the data folder",
)
def _data_away(site: Site) -> Iterator[None]:
    said = "LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=4711\n"
    systemctl = site.host.add_command("systemctl", f"#!/bin/sh\nprintf '{said}'\n")
    with (
        away(site.host.data_dir),
        beside(site, *_SYSTEMD, f": >{_UNIT}"),
    ):
        yield
    systemctl.unlink()
    site.service.kill()
    site.service.start()


@fault(
    42,
    "warn",
    "service",
    "stopped. Deploys push by themselves",
    "dokku-registryd run",
    health="dokku-registryd run",
)
def _stale_lock(site: Site) -> Iterator[None]:
    site.service.kill()
    (site.host.data_dir / "lock").write_text("daemon 99999\n")
    yield
    site.service.start()


@fault(
    43,
    "fail",
    "ledger",
    "was written by a newer dokku-registryd",
    "install the newer version again",
    health="stopped",
)
def _newer_ledger(site: Site) -> Iterator[None]:
    with stopped(site), _schema(site, 999):
        yield


@fault(
    44,
    "fail",
    "ledger",
    "is damaged",
    "sudo systemctl restart dokku-registryd",
    health="stopped",
)
def _damaged_ledger(site: Site) -> Iterator[None]:
    with stopped(site):
        folder = site.host.data_dir
        for path in folder.glob("ledger.sqlite3-*"):
            path.unlink()
        with changed(folder / "ledger.sqlite3", "nonsense" * 4096):
            yield


@fault(
    50,
    "warn",
    "service",
    "runs 0.0.1, but",
    "sudo dokku-registryd install",
)
def _older_service(site: Site) -> Iterator[None]:
    lock = site.host.data_dir / "lock"
    told = lock.read_text()
    lock.write_text(
        "".join(
            "version 0.0.1\n" if line.startswith("version ") else line
            for line in told.splitlines(keepends=True)
        )
    )
    yield
    lock.write_text(told)
