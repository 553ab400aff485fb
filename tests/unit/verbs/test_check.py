"""`check`: places that do not agree with the settings."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.install import running_settings
from support.calling import Caller

_SYSTEMCTL = """#!/bin/sh
[ "$1" = show ] || exit 1
printf '%s\\n' 'ProtectSystem=strict' 'ReadWritePaths=-/etc/x {folder}'
"""
Unit = Callable[[Path], dict[str, str]]


@pytest.fixture
def unit(tmp_path: Path, booted: Path) -> Unit:
    """Give a systemd whose unit makes one folder writable."""
    (booted / "run/systemd/system").mkdir(parents=True)

    def make(folder: Path) -> dict[str, str]:
        program = tmp_path / "bin" / "systemctl"
        program.parent.mkdir()
        program.write_text(_SYSTEMCTL.format(folder=folder))
        program.chmod(0o755)
        return {"PATH": f"{program.parent}:/usr/bin:/bin"}

    return make


def test_a_folder_that_the_unit_does_not_list(caller: Caller, unit: Unit) -> None:
    """A data folder that was moved in the settings only is closed to the service."""
    environ = unit(Path("/var/lib/dokku/data/registryd"))

    caller.call("check", **environ)

    (said,) = [text for text in caller.complaints if "The unit" in text]
    assert f"add ReadWritePaths={caller.data_dir} below [Service]" in said


def test_a_folder_that_the_unit_lists(caller: Caller, unit: Unit) -> None:
    """All places agree."""
    caller.call("check", **unit(caller.data_dir))

    assert not [text for text in caller.complaints if "The unit" in text]


def test_a_service_that_uses_other_values(caller: Caller) -> None:
    """What a restart would change is a warning, while the service runs."""
    tells = running_settings.render({"daemon.workers": 3, "status.port": 0})
    assert caller.lock.acquire(spool.DAEMON, tells=tells)

    caller.call("check")
    running = [text for text in caller.complaints if "the running service" in text]
    caller.lock.release()
    caller.complaints.clear()
    caller.call("check")

    (said,) = running
    assert said.startswith("warning: daemon.workers: the running service uses 3, not 8")
    assert not [text for text in caller.complaints if "the running service" in text]
