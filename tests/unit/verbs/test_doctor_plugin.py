"""`doctor` on the plugin, where no whole host is needed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from dokku_registryd.adapters.host import shipped_files
from dokku_registryd.core.install import paths
from dokku_registryd.core.status import findings
from support.calling import Caller
from support.dokku_host import DokkuHost
from support.installed_copy import InstalledCopy
from support.login_host import LoginHost


@pytest.fixture
def host(tmp_path: Path) -> LoginHost:
    """Give a host on which all is in place."""
    return LoginHost(tmp_path)


def about_plugin(host: LoginHost) -> list[str]:
    """Return what is said of the plugin."""
    result = host.dokku("registryd:doctor", "api")
    lines = result.stdout.splitlines()
    return [line for line in lines if line[6:].startswith("plugin: ")]


def places(host: DokkuHost, data_dir: Path) -> paths.Paths:
    """Return the paths of an installation on a host."""
    return paths.Paths(
        root=str(host.root),
        dokku_root=str(host.dokku_root),
        lib_root=str(host.lib_root),
        data_dir=str(data_dir),
    )


@pytest.mark.parametrize("folder", ["data/registryd", "elsewhere"])
def test_an_installed_unit(host: LoginHost, folder: str) -> None:
    """The unit that `install` writes is right, and one for another folder is not."""
    where = places(host.host, host.host.lib_root / folder)
    unit = Path(where.unit)
    unit.parent.mkdir(parents=True)
    unit.write_text(where.localize(shipped_files.unit()))

    (line,) = about_plugin(host)

    expected = findings.Level.OK if folder == "data/registryd" else findings.Level.WARN
    assert line.startswith(f"{expected:<4}  plugin: ")


def test_a_package_that_cannot_be_read(caller: Caller, tmp_path: Path) -> None:
    """Dokku's user may not be able to read what root has installed."""
    copy = InstalledCopy(tmp_path / "opt")
    shutil.rmtree(copy.packages / "dokku_registryd" / "_share")

    done = subprocess.run(
        [copy.program, "doctor", *caller.options],
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert (
        f"fail  plugin: cannot read the files of this package ({tmp_path}/opt/"
        in done.stdout
    )
    assert "such as /opt/dokku-registryd" in done.stdout
