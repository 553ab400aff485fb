"""The spool: what is trusted, what is set aside, and who may work it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import Kind

TRIGGER = triggers.Trigger(
    kind=Kind.RELEASE,
    app="web",
    image="dokku/web:latest",
    scheduler="docker-local",
)
CONTENT = triggers.render(TRIGGER)


@pytest.fixture
def box(tmp_path: Path) -> spool.Spool:
    """An empty spool."""
    made = spool.Spool(tmp_path)
    made.prepare()
    return made


def reasons(box: spool.Spool) -> dict[str, str]:
    """Scan, and return what was refused and why."""
    return {
        entry.name: entry.reason
        for entry in box.scan(set())
        if isinstance(entry, spool.Refused)
    }


def test_a_trigger_is_found(box: spool.Spool) -> None:
    """A trigger that was added is found, again and again, until it is removed."""
    box.add("1.1.1", TRIGGER)

    for _ in range(2):
        assert list(box.scan(set())) == [
            spool.Found(trigger_id="1.1.1", trigger=TRIGGER)
        ]
    box.remove("1.1.1")
    box.remove("1.1.1")
    assert list(box.scan(set())) == []


def test_triggers_come_in_order(box: spool.Spool) -> None:
    """The oldest name comes first; names that are known are left out."""
    for name in ("3.1.1", "1.1.1", "2.1.1"):
        box.add(name, TRIGGER)

    found = [e.trigger_id for e in box.scan({"2.1.1"}) if isinstance(e, spool.Found)]

    assert found == ["1.1.1", "3.1.1"]


def test_bad_content_is_set_aside(box: spool.Spool, tmp_path: Path) -> None:
    """A malformed file moves to rejected with its reason beside it."""
    (box.new / "bad").write_bytes(b"hello\n")

    assert list(reasons(box)) == ["bad"]
    rejected = tmp_path / "spool" / "rejected"
    assert (rejected / "bad").read_bytes() == b"hello\n"
    assert "opening line" in (rejected / "bad.reason").read_text()
    assert list(box.new.iterdir()) == []


def test_a_good_file_is_untouched_by_bad_neighbours(box: spool.Spool) -> None:
    """One bad file disturbs no other."""
    (box.new / "0bad").write_bytes(b"")
    box.add("1.1.1", TRIGGER)
    (box.new / "2bad").write_bytes(b"\xff" * 10_000)

    found = [e.trigger_id for e in box.scan(set()) if isinstance(e, spool.Found)]

    assert found == ["1.1.1"]
    assert box.rejected() == 2


def test_a_symbolic_link_is_refused(box: spool.Spool, tmp_path: Path) -> None:
    """A link is moved away as a link; what it points to is not read or moved."""
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    (box.new / "link").symlink_to(secret)

    assert reasons(box) == {"link": "it is a symbolic link"}
    assert secret.read_bytes() == CONTENT


def test_a_hard_link_is_refused(box: spool.Spool, tmp_path: Path) -> None:
    """A file with a second name may be changed behind our back."""
    other = tmp_path / "other"
    other.write_bytes(CONTENT)
    (box.new / "hard").hardlink_to(other)

    assert reasons(box) == {"hard": "it has a second name (hard link)"}


def test_a_fifo_and_a_folder_are_refused(box: spool.Spool) -> None:
    """Nothing but a regular file is read, and nothing blocks."""
    os.mkfifo(box.new / "fifo")
    (box.new / "folder").mkdir()

    assert reasons(box) == {
        "fifo": "it is not a regular file",
        "folder": "it is not a regular file",
    }


def test_a_foreign_file_is_refused(box: spool.Spool) -> None:
    """A file of another user is not accepted as one of our hooks."""
    foreign = box.new / "foreign"
    foreign.write_bytes(CONTENT)
    os.chown(foreign, 12345, 12345)

    assert reasons(box) == {
        "foreign": f"it belongs to user 12345, not to user {os.geteuid()}"
    }


@pytest.mark.parametrize(
    "name", [b"a b", b"x\ny", b"\xff\xfe", b".hidden", b"n" * 200, b"sp\x07el"]
)
def test_an_odd_name_is_refused(box: spool.Spool, tmp_path: Path, name: bytes) -> None:
    """A file whose name is not a trigger's gets a harmless one in rejected."""
    with open(os.path.join(os.fsencode(box.new), name), "wb") as file:  # noqa: PTH118, PTH123 - names are bytes here
        file.write(CONTENT)

    refused = reasons(box)

    assert list(refused.values()) == ["its name is not a valid trigger name"]
    (shown,) = refused
    assert shown.startswith("unnamed-")
    assert (tmp_path / "spool" / "rejected" / shown).read_bytes() == CONTENT


def test_a_spool_that_vanished_is_empty(tmp_path: Path) -> None:
    """A missing folder is not an error; it is created before the next scan."""
    box = spool.Spool(tmp_path / "gone")

    assert list(box.scan(set())) == []
    assert box.pending() == 0


@pytest.mark.parametrize("name", ["new", "rejected"])
def test_a_spool_that_cannot_be_counted(
    box: spool.Spool, tmp_path: Path, name: str
) -> None:
    """What cannot be read is not taken for empty."""
    folder = tmp_path / "spool" / name
    folder.rmdir()
    folder.write_text("no folder")

    with pytest.raises(NotADirectoryError):
        (box.pending() if name == "new" else box.rejected())


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """A second process cannot take the lock, and sees who has it."""
    lock = spool.SpoolLock(tmp_path)
    assert lock.holder() is None
    assert lock.acquire(spool.DAEMON)

    other = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import sys; from pathlib import Path;"
                "from dokku_registryd.adapters.spool import spool;"
                "lock = spool.SpoolLock(Path(sys.argv[1]));"
                "print(lock.acquire('hook'), lock.holder())"
            ),
            str(tmp_path),
        ],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert other.stdout == f"False ('daemon', {os.getpid()})\n"
    lock.release()
    assert lock.holder() is None


def test_a_lock_file_that_was_removed(tmp_path: Path) -> None:
    """After the lock file was removed its holder still holds the folder."""
    lock = spool.SpoolLock(tmp_path)
    assert lock.acquire(spool.DAEMON)
    (tmp_path / "lock").unlink()

    second = spool.SpoolLock(tmp_path)

    assert not second.acquire(spool.HOOK)
    assert second.holder() == (spool.DAEMON, 0)
    lock.release()
    assert second.acquire(spool.HOOK)
    assert second.holder() == (spool.HOOK, os.getpid())
    second.release()
