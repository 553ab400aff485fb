"""A host whose commands are answered by the real hooks and the real program."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support import fork_server
from support.dokku_host import DokkuHost, Result


@pytest.fixture
def host(tmp_path: Path) -> DokkuHost:
    """Give a host with the app foo, on which our plugin is in charge."""
    host = DokkuHost(
        tmp_path,
        environ={
            "DOKKU_REGISTRYD_BIN": str(fork_server.client()),
            "DOKKU_REGISTRYD_CONFIG": str(tmp_path / "config.toml"),
        },
    )
    (tmp_path / "config.toml").touch()
    host.create_app("foo")
    return host


@pytest.fixture
def dokku(host: DokkuHost) -> Callable[[str], Result]:
    """Give a way to call `dokku` with arguments that hold no blanks."""
    return lambda line: host.command(*line.split())
