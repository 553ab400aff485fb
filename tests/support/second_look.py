"""What `make test` does if a test fails and then passes: it says so, and goes on.

Nine thousand tests with real Engines, registries and disks share a machine that may be
busy. One that fails is run once more. A second failure fails the run, and so do more
than a few first ones: what fails that often is broken. The first failure is printed
whole, since a test that passes the second time is to be mended too.
"""

import socket
from typing import Final, Protocol

import pytest

MOST: Final = 3
"""The largest number of tests of a run that may need the second look."""


class _Printed(Protocol):
    stats: dict[str, list[pytest.TestReport]]

    def section(self, title: str, sep: str = "=") -> None: ...

    def line(self, msg: str) -> None: ...


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which too many tests needed the second look."""
    if session.exitstatus == pytest.ExitCode.OK and len(_first(session.config)) > MOST:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: _Printed, config: pytest.Config) -> None:
    """Print how each of them failed at first."""
    first = _first(config)
    if not first:
        return
    terminalreporter.section("failed at first")
    for report in first:
        terminalreporter.section(report.nodeid, sep="_")
        terminalreporter.line(report.longreprtext)
        for title, text in report.sections:
            terminalreporter.section(title, sep="-")
            terminalreporter.line(text.rstrip())
    terminalreporter.line(
        f"{len(first)} failed at first, and {MOST} may: each is to be mended"
    )


def hasten(config: pytest.Config) -> None:
    """Let no test wait for the process that counts failures.

    Before each test it is asked once and told once. By default the next question waits
    until what was told is acknowledged, which the other end delays by 40 ms.
    """
    asked = getattr(getattr(config, "failures_db", None), "sock", None)
    if asked is not None:
        asked.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _first(config: pytest.Config) -> list[pytest.TestReport]:
    printed: _Printed | None = config.pluginmanager.get_plugin("terminalreporter")
    return printed.stats.get("rerun", []) if printed is not None else []
