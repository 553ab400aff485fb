"""What is seen of the service that runs: by systemd, and by the lock that it holds."""

from pathlib import Path

import pytest

from dokku_registryd import __version__
from dokku_registryd.adapters.host import installed, package
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.install import builds, paths
from dokku_registryd.core.install.host_state import Facts

SYSTEMCTL = """\
#!/bin/sh
case $1 in show) echo {state} ;; *) exit 0 ;; esac
"""
OLDER = builds.render(builds.Build("0.0.1", "77"))


def look(tmp_path: Path, state: str) -> Facts:
    """Look at a host on which systemd says this of the service."""
    systemctl = tmp_path / "bin" / "systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(SYSTEMCTL.format(state=state))
    systemctl.chmod(0o755)
    (tmp_path / "run" / "systemd" / "system").mkdir(parents=True)
    where = paths.Paths(
        root=str(tmp_path),
        lib_root=str(tmp_path / "lib"),
        data_dir=str(tmp_path),
        plugins=str(tmp_path / "plugins"),
        core_plugins=str(tmp_path / "core-plugins"),
    )
    environ = {"PATH": f"{systemctl.parent}:/usr/bin:/bin"}
    return installed.look(where, installed.owner_of(tmp_path), environ)


@pytest.mark.parametrize(
    ("state", "is_running"),
    [
        ("active", True),
        ("activating", True),
        ("reloading", True),
        ("inactive", False),
        ("failed", False),
        ("deactivating", False),
    ],
)
def test_what_systemd_says(tmp_path: Path, state: str, is_running: bool) -> None:
    """A service that is starting has loaded a program, so it counts as running."""
    seen = look(tmp_path, state)

    assert (seen.is_service_running, seen.daemon, seen.difference) == (
        is_running,
        0,
        "",
    )


@pytest.mark.parametrize(
    ("tells", "difference"),
    [
        (OLDER, f"runs 0.0.1, but {__version__} is installed"),
        ("", f"runs an older version than the installed {__version__}"),
        (builds.render(package.build()), ""),
    ],
    ids=["older", "untold", "same"],
)
def test_what_the_daemon_tells(tmp_path: Path, tells: str, difference: str) -> None:
    """What runs another program is outdated, also where all files are in place."""
    lock = spool.SpoolLock(tmp_path)
    assert lock.acquire(spool.DAEMON, tells=tells)

    seen = look(tmp_path, "active")

    lock.release()
    assert (seen.difference, seen.is_outdated) == (difference, bool(difference))
    assert seen.daemon


def test_a_service_that_waits_for_a_hook(tmp_path: Path) -> None:
    """It tells nothing yet and may be of before the upgrade, so it is started again."""
    lock = spool.SpoolLock(tmp_path)
    assert lock.acquire(spool.HOOK)

    seen = look(tmp_path, "activating")

    lock.release()
    assert seen.is_outdated
    assert not seen.daemon
