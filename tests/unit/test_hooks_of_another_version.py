"""Hooks beside a program of another version: no deploy fails because of an upgrade."""

import subprocess
from pathlib import Path

import pytest

from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import Kind
from support.dokku_host import HOOKS

LEAVE = """
. "$1/functions"
. "$1/spool-functions"
leave_trigger 1.2.3 release app=web image=dokku/web:latest scheduler=docker-local \
  build=b1 waiter=12.34 source=git-hook "deployer=ana k." revision=3f1c9a7
"""
KEYS = ("build", "waiter", "source", "deployer", "revision")
PLAIN = triggers.Trigger(
    kind=Kind.RELEASE,
    app="web",
    image="dokku/web:latest",
    scheduler="docker-local",
)


def leave(shell: str, folder: Path) -> triggers.Trigger:
    """Leave a release with all optional keys, and return what the program reads."""
    spool.Spool(folder).prepare()
    subprocess.run(
        [shell, "-c", LEAVE, shell, str(HOOKS)],
        env={
            "PATH": "/usr/bin:/bin",
            "DOKKU_REGISTRYD_PATHS__DATA_DIR": str(folder),
            "DOKKU_REGISTRYD_DEFAULTS": "/dev/null",
        },
        check=True,
    )
    (found,) = spool.Spool(folder).scan(set())
    assert isinstance(found, spool.Found)
    return found.trigger


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize(
    ("lock", "keys"),
    [
        ("daemon 12\n", {}),
        ("", {}),
        ("daemon 12\nversion 0.1.0\nfingerprint build\n", {}),
        ("daemon 12\nreads build\n", {"build": "b1"}),
        ("daemon 12\nreads other build-x waiter\n", {"waiter": "12.34"}),
        (
            "daemon 12\nreads deployer source\n",
            {"deployer": "ana k.", "source": "git-hook"},
        ),
    ],
    ids=["older", "empty", "others", "one", "newer", "texts"],
)
def test_what_the_program_reads(
    tmp_path: Path, shell: str, lock: str, keys: dict[str, str]
) -> None:
    """A hook leaves out what the program that works the spool does not read."""
    (tmp_path / "lock").write_text(lock)

    read = leave(shell, tmp_path)

    assert {key: getattr(read, key) for key in KEYS} == dict.fromkeys(KEYS, "") | keys
    assert (read.kind, read.app, read.image) == (PLAIN.kind, PLAIN.app, PLAIN.image)


@pytest.mark.parametrize("role", [spool.DAEMON, spool.HOOK])
def test_a_program_of_the_same_version(tmp_path: Path, role: str) -> None:
    """All that this version's program reads is left, for daemon and hook."""
    lock = spool.SpoolLock(tmp_path)
    assert lock.acquire(role)

    read = leave("bash", tmp_path)

    assert [getattr(read, key) for key in KEYS] == [
        "b1",
        "12.34",
        "git-hook",
        "ana k.",
        "3f1c9a7",
    ]
    lock.release()


def test_no_program_yet(tmp_path: Path) -> None:
    """Before the first start the program is as new as the hooks."""
    assert leave("dash", tmp_path).build == "b1"


def test_a_hook_of_an_older_version(tmp_path: Path) -> None:
    """What hooks left before an upgrade is read after it."""
    files = spool.Spool(tmp_path)
    files.add("1.2.3", PLAIN)

    (found,) = files.scan(set())

    assert isinstance(found, spool.Found)
    assert found.trigger == PLAIN
