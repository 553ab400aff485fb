"""Where the status socket lies, what it replaces, and what it leaves alone."""

import os
import socket
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dokku_registryd.adapters.status import peers, sockets
from dokku_registryd.adapters.status.sockets import UnixPlace
from support import raw_client

NOBODY = 65534


def open_place(
    path: Path, data_dir: Path, *, is_for_anybody: bool = False
) -> UnixPlace:
    """Open a socket as the daemon does."""
    return UnixPlace(path, data_dir, is_for_anybody=is_for_anybody)


def leave_stale(path: Path) -> None:
    """Leave a socket as a process does that is killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()


@pytest.mark.parametrize(
    ("name", "environ", "expected"),
    [
        ("status.sock", {}, "/data/status.sock"),
        ("s", {"RUNTIME_DIRECTORY": "/run/x"}, "/run/x/s"),
        ("s", {"RUNTIME_DIRECTORY": "/run/x:/run/y"}, "/run/x/s"),
        ("/a/b", {"RUNTIME_DIRECTORY": "/run/x"}, "/a/b"),
    ],
    ids=["data folder", "systemd", "two folders", "absolute"],
)
def test_place(name: str, environ: dict[str, str], expected: str) -> None:
    """A mere name lies where systemd made a folder, or else in the data folder."""
    assert sockets.place(name, Path("/data"), environ) == Path(expected)


@pytest.mark.parametrize(
    ("folder", "is_for_anybody", "mode"),
    [
        ("run", False, 0o660),
        ("run", True, 0o666),
        ("data", False, 0o600),
        ("data", True, 0o600),
    ],
)
def test_mode(tmp_path: Path, folder: str, is_for_anybody: bool, mode: int) -> None:
    """Owner and group may connect, or all if the peer check decides; else the owner."""
    data = tmp_path / "data"
    for name in ("run", "data"):
        (tmp_path / name).mkdir()
    path = tmp_path / folder / "status.sock"

    with closing(open_place(path, data, is_for_anybody=is_for_anybody)):
        assert stat.S_IMODE(path.stat().st_mode) == mode

    assert list((tmp_path / folder).iterdir()) == []


def test_a_stale_socket(tmp_path: Path) -> None:
    """What a daemon that died has left is replaced, the link to it too."""
    run, data = tmp_path / "run", tmp_path / "data"
    run.mkdir()
    data.mkdir()
    leave_stale(run / "status.sock")
    (data / "status.sock").symlink_to("/nowhere")

    with closing(open_place(run / "status.sock", data)):
        with raw_client.connect(data / "status.sock", seconds=10):
            pass
        assert (data / "status.sock").readlink() == run / "status.sock"

    assert list(run.iterdir()) == list(data.iterdir()) == []


def test_a_link_from_another_start(tmp_path: Path) -> None:
    """A link that an earlier start has left gives way to the socket itself."""
    path = tmp_path / "status.sock"
    path.symlink_to("/run/dokku-registryd/status.sock")

    with closing(open_place(path, tmp_path)):
        assert path.is_socket()
        assert not path.is_symlink()


def test_a_long_path(tmp_path: Path) -> None:
    """A path that is too long for the kernel works all the same."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    path = folder / "status.sock"

    with (
        closing(open_place(path, folder)),
        raw_client.connect(path, seconds=10) as client,
    ):
        assert client.getpeername().endswith("/status.sock")


def test_a_living_socket(tmp_path: Path) -> None:
    """The socket of another process that listens is left alone."""
    path = tmp_path / "status.sock"
    with closing(open_place(path, tmp_path)):
        before = path.lstat()

        with pytest.raises(OSError, match="another process that listens"):
            open_place(path, tmp_path)

        assert path.lstat() == before


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_an_entry_that_is_not_a_socket(tmp_path: Path, kind: str) -> None:
    """A file, a folder and an operator's link stay where they are."""
    path = tmp_path / "place"
    match kind:
        case "file":
            path.write_text("keep me")
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to("elsewhere")
    before = path.lstat()

    with pytest.raises(OSError, match="is not our socket"):
        open_place(path, tmp_path)

    assert path.lstat() == before


def test_a_socket_of_another_user(tmp_path: Path) -> None:
    """A socket of another user stays, even without a listener."""
    path = tmp_path / "status.sock"
    leave_stale(path)
    os.chown(path, NOBODY, NOBODY)

    with pytest.raises(OSError, match="is not our socket"):
        open_place(path, tmp_path)

    assert path.is_socket()


def test_a_socket_that_was_replaced(tmp_path: Path) -> None:
    """At the end only what we have opened goes, not what lies there now."""
    path = tmp_path / "status.sock"
    place = open_place(path, tmp_path)
    path.unlink()
    path.write_text("foreign")

    place.close()

    assert path.read_text() == "foreign"


def test_a_link_that_cannot_be_made(tmp_path: Path) -> None:
    """A foreign file in the place of the link does not prevent the socket."""
    run, data = tmp_path / "run", tmp_path / "data"
    run.mkdir()
    data.mkdir()
    (data / "status.sock").write_text("keep me")

    with (
        closing(open_place(run / "status.sock", data)),
        raw_client.connect(run / "status.sock", seconds=10),
    ):
        pass

    assert (data / "status.sock").read_text() == "keep me"


def test_a_missing_folder(tmp_path: Path) -> None:
    """A folder that is missing is not made: its mode is the operator's business."""
    with pytest.raises(FileNotFoundError):
        open_place(tmp_path / "missing" / "status.sock", tmp_path)


# It becomes another user once Python runs: that user may not be allowed to read Python.
_KNOCK = """\
import os, socket, sys
user, group, *further = map(int, sys.argv[2:])
os.setgroups(further)
os.setgid(group)
os.setuid(user)
with socket.socket(socket.AF_UNIX) as client:
    client.connect(chr(0) + sys.argv[1])
    client.recv(1)
"""


@pytest.mark.parametrize(
    ("who", "group", "refused"),
    [
        ("0 0", None, None),
        ("65534 65534", 777, NOBODY),
        ("65534 65534", None, NOBODY),
        ("65534 777", 777, None),
        ("65534 65534 5 777", 777, None),
        ("65534 65534 5 6", 777, NOBODY),
    ],
    ids=["root", "other", "no group", "group", "further group", "other groups"],
)
def test_doorkeeper(who: str, group: int | None, refused: int | None) -> None:
    """Root, our user and the group's members may ask; the kernel says who it is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        name = f"registryd-test-{os.getpid()}-{who}-{group}"
        listener.bind(f"\0{name}")
        listener.listen()
        listener.settimeout(120)
        knocker = subprocess.Popen(
            [sys.executable, "-IS", "-c", _KNOCK, name, *who.split()]
        )
        try:
            connection, _ = listener.accept()
            with connection:
                verdict = peers.PeerCheck(group).refuses(connection)
        finally:
            knocker.wait(120)

    assert verdict == refused


def test_find_group() -> None:
    """A group is found by its name, and a missing one is none."""
    assert peers.find_group("root") == 0
    assert peers.find_group("no-such-group") is None
