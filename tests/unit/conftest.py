"""A host and its log, for tests of code that works on one."""

from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from dokku_registryd.core.status import log_events
from worlds import Host, build_world


def pytest_configure() -> None:
    """Let tracebacks be logged as on a host, where no library colours them."""
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, structlog.dev.ConsoleRenderer):
            processor.exception_formatter = structlog.dev.plain_traceback


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Give a host with one app that pushes, and its image."""
    built = build_world(tmp_path)
    built.create_app()
    built.engine.add_image("dokku/web:latest", b"one")
    yield built
    built.ledger.close()


@pytest.fixture
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """Give the log lines of this test as they come; each must be a promised one."""
    capture = LogCapture()
    structlog.reset_defaults()
    structlog.configure(processors=[capture])
    yield capture.entries
    structlog.reset_defaults()
    for line in capture.entries:
        promised = log_events.EVENTS[line["event"]]
        assert line["log_level"] in promised.levels, line
        fields = set(line) - {"event", "log_level", "exc_info"}
        assert all(map(promised.allows, fields)), line
