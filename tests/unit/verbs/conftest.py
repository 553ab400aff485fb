"""A host for verbs, and a process that owns its spool."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from dokku_registryd.adapters.host import package
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import spool
from dokku_registryd.adapters.status import sockets
from dokku_registryd.core.install import builds
from support import open_way
from support.calling import Caller, Closed, Served

NOBODY = 65534


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    """Give a way to call verbs on a host where no service runs."""
    handlers = logging.getLogger().handlers[:]
    yield Caller(tmp_path)
    logging.getLogger().handlers[:] = handlers
    structlog.reset_defaults()


@pytest.fixture
def booted(caller: Caller) -> Path:
    """Give the folder that its verbs take for `/`; systemd has not booted there."""
    return caller.root


@pytest.fixture
def lock(caller: Caller) -> Iterator[spool.SpoolLock]:
    """Hold the spool, as a daemon does that is slow to answer."""
    tells = builds.render(package.build())
    assert caller.lock.acquire(spool.DAEMON, tells=tells)
    yield caller.lock
    caller.lock.release()


@pytest.fixture
def book(caller: Caller) -> Iterator[ledger.SqliteLedger]:
    """Give the ledger that the verbs will read."""
    opened = caller.open_ledger()
    yield opened
    opened.close()


@pytest.fixture
def served(caller: Caller) -> Iterator[Served]:
    """Give the status socket of a service that has no page yet."""
    made = Served()
    with made.open(caller.data_dir / sockets.NAME, caller.data_dir, group=None):
        yield made


@pytest.fixture
def closed() -> Iterator[Closed]:
    """Give a host whose data folder its own owner may not read, as no other user."""
    with open_way.folder() as folder:
        made = Caller(folder)
        if os.geteuid() == 0:  # It becomes the owner of the folder.
            os.chown(made.data_dir, NOBODY, NOBODY)
        made.data_dir.chmod(0)
        yield Closed(made)
        made.data_dir.chmod(0o700)
