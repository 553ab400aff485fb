"""Faults of the service, its ledger and its Engine."""

import contextlib
import sqlite3
from collections.abc import Iterator

from planted.planting import changed, fault, stopped
from support.site import Site


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
    26,
    "warn",
    "service",
    "stopped: deploys push by themselves",
    "systemctl start dokku-registryd",
    health="systemctl start dokku-registryd",
)
def _service_stopped(site: Site) -> Iterator[None]:
    with stopped(site):
        yield


@fault(
    42,
    "warn",
    "service",
    "stopped: deploys push by themselves",
    "systemctl start dokku-registryd",
    health="systemctl start dokku-registryd",
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


@fault(44, "fail", "ledger", "is damaged", "ledger.sqlite3", health="stopped")
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
