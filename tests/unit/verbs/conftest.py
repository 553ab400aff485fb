"""A host for verbs, and a process that owns its spool."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from dokku_registryd.adapters.host import package
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.install import builds
from support.calling import Caller


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    """Give a way to call verbs on a host where no service runs."""
    handlers = logging.getLogger().handlers[:]
    yield Caller(tmp_path)
    logging.getLogger().handlers[:] = handlers
    structlog.reset_defaults()


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
