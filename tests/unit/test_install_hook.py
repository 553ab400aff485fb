"""The hook that Dokku runs as root: after plugins changed, at a container's boot."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from support.dokku_host import DokkuHost, Result

CAME_BACK = (
    " !     Dokku's own registry plugin is enabled again and in charge;"
    " dokku-registryd only accompanies it\n"
    " !     To give it back to dokku-registryd: sudo dokku-registryd install\n"
    " !     To leave it so: sudo dokku-registryd install --companion\n"
)
NOBODY = 65534


@pytest.fixture
def host(tmp_path: Path) -> DokkuHost:
    """Give a host on which the program is there, and plugins belong to user nobody."""
    host = DokkuHost(
        tmp_path,
        environ={
            "DOKKU_SYSTEM_USER": str(os.geteuid() or NOBODY),
            "DOKKU_SYSTEM_GROUP": str(os.getegid() or NOBODY),
            "DOKKU_REGISTRYD_BIN": "/bin/true",
        },
    )
    shutil.rmtree(host.data_dir)
    shutil.rmtree(host.config_root)
    return host


def modes(*folders: Path) -> set[int]:
    """Return the modes of folders."""
    return {stat.S_IMODE(folder.stat().st_mode) for folder in folders}


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_folders(host: DokkuHost, umask: int) -> None:
    """Folders of properties are as Dokku has them, spool and replies are private."""
    for _ in range(2):
        assert host.trigger("install", umask=umask) == Result("", "", 0)

    config = host.config_root
    public = [config, config / "registry", config / "registryd"]
    spool = host.data_dir / "spool"
    private = [host.data_dir, spool, host.data_dir / "replies"]
    private += [spool / name for name in ("tmp", "new", "rejected")]
    assert modes(*public) == {0o755}
    assert modes(*private) == {0o700}
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in [*public, *private]}
    assert owners == {(os.geteuid() or NOBODY, os.getegid() or NOBODY)}


def test_modes_are_corrected(host: DokkuHost) -> None:
    """Folders with wrong modes are corrected."""
    host.trigger("install")
    host.data_dir.chmod(0o755)
    (host.config_root / "registry").chmod(0o700)

    host.trigger("install")

    assert modes(host.data_dir) == {0o700}
    assert modes(host.config_root / "registry") == {0o755}


def test_folder_that_is_a_link(host: DokkuHost, tmp_path: Path) -> None:
    """A folder that was moved elsewhere stays a link, and its target as it is."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o711)
    host.config_root.symlink_to(elsewhere)

    assert host.trigger("install").code == 0

    assert host.config_root.is_symlink()
    assert modes(elsewhere) == {0o711}
    assert (elsewhere / "registryd").is_dir()


def test_dokkus_own_plugin_came_back(host: DokkuHost) -> None:
    """Where takeover was wanted and Dokku's plugin came back, it is said, no more."""
    host.trigger("install")
    (host.data_dir / "mode").write_text("takeover\n")
    host.enable_core()

    assert host.trigger("install") == Result("", CAME_BACK, 0)
    assert (host.plugins / "enabled" / "registry").is_symlink()


@pytest.mark.parametrize("wanted", ["companion\n", ""])
def test_companion_is_wanted(host: DokkuHost, wanted: str) -> None:
    """Where Dokku's own plugin is to be enabled nothing is said."""
    host.trigger("install")
    (host.data_dir / "mode").write_text(wanted)
    host.enable_core()

    assert host.trigger("install") == Result("", "", 0)


@pytest.mark.parametrize(
    ("name", "is_companion", "code"),
    [("registryd", False, 1), ("registryd", True, 0), ("other", False, 0)],
)
def test_uninstalling_by_dokku(
    host: DokkuHost, name: str, is_companion: bool, code: int
) -> None:
    """Dokku may not remove the only plugin that answers; others are none of ours."""
    if is_companion:
        host.enable_core()

    result = host.trigger("uninstall", name)

    needed = (
        " !     Dokku's own registry plugin is disabled, so this one is needed. To"
        " remove it and give all back: sudo dokku-registryd uninstall\n"
    )
    assert result == Result("", needed if code else "", code)


def test_no_program(host: DokkuHost) -> None:
    """A plugin without its program says so, and fails nothing."""
    result = host.trigger("install", environ={"DOKKU_REGISTRYD_BIN": "no-such-thing"})

    assert result == Result(
        "",
        " !     There is no program no-such-thing, so no release can be pushed. Install"
        " dokku-registryd again\n",
        0,
    )


def test_folder_that_cannot_be_made(host: DokkuHost) -> None:
    """What cannot be made is named with its cure, and the chain goes on."""
    host.config_root.touch()

    result = host.trigger("install")

    assert result.code == 0
    assert result.stderr.startswith(
        f" !     Cannot make the property folders below {host.lib_root}/config ("
    )
    assert result.stderr.endswith("; make them for user dokku, mode 0755\n")
