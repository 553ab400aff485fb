"""A service that cannot start: its last words are a log event, with the way out."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs
from dokku_registryd.core.job.kinds import Kind
from support import fork_server, open_way
from support.calling import Caller

OTHER = 54321
# Another user may not read an interpreter of root: all is loaded before.
_AS_OTHER = f"""
import os, sys
from dokku_registryd import cli
from dokku_registryd.adapters.host import package
from dokku_registryd.verbs import data_folder, identity, output
from dokku_registryd.verbs.service import run
package.load_all()
os.setgroups([]); os.setgid({OTHER}); os.setuid({OTHER})
sys.exit(cli.main(sys.argv[1:]))
"""
Plant = Callable[[Caller], object]


def run(
    caller: Caller,
    *words: str,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> "subprocess.CompletedProcess[str]":
    """Start the service in a process of its own; one that starts is a failure."""
    return fork_server.call(
        fork_server.PROGRAM,
        [*words, *caller.options, "run"],
        env=fork_server.plain_environ(),
        cwd=caller.data_dir.parent,
        timeout=300,
        stdout=stdout,
        stderr=stderr,
    )


def run_as_other(caller: Caller) -> "subprocess.CompletedProcess[str]":
    """Start the service as another user."""
    return subprocess.run(
        [sys.executable, "-c", _AS_OTHER, *caller.options, "run"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def write_settings(caller: Caller, text: str) -> None:
    """Add to the settings file."""
    path = Path(caller.options[1])
    path.write_text(f"{path.read_text()}\n{text}\n")


def leave_newer_ledger(caller: Caller) -> None:
    """Make a ledger as a later version would."""
    book = ledger.SqliteLedger(caller.data_dir / "ledger.sqlite3")
    book._connection.execute("PRAGMA user_version = 99")
    book.close()


def leave_newer_job(caller: Caller) -> None:
    """Leave a job as a later version with the same schema would."""
    book = caller.open_ledger()
    trigger = triggers.Trigger(kind=Kind.HEAL, app="web")
    book.add_jobs([jobs.Job(job_id="1.1.1", trigger=trigger, accepted_at=1.0)])
    book._connection.execute("UPDATE jobs SET kind = 'teleport'")
    book.close()


def put_file_in_the_place_of_the_folder(caller: Caller) -> None:
    """Replace the data folder by a file."""
    caller.data_dir.rmdir()
    caller.data_dir.touch()


FAULTS: list[tuple[str, Plant, int, str]] = [
    (
        "unknown key",
        lambda caller: write_settings(caller, "[daemon]\nwrokers = 2"),
        78,
        "unknown key (did you mean daemon.workers?)",
    ),
    (
        "no TOML",
        lambda caller: write_settings(caller, "nonsense"),
        78,
        "not valid TOML",
    ),
    (
        "no settings file",
        lambda caller: Path(caller.options[1]).unlink(),
        78,
        "Correct --config",
    ),
    ("newer ledger", leave_newer_ledger, 1, "install the newer version again"),
    ("newer job", leave_newer_job, 1, "it has a job of the kind 'teleport'"),
    (
        "a folder in the place of the lock",
        lambda caller: (caller.data_dir / "lock").mkdir(),
        1,
        "lock: Is a directory",
    ),
    (
        "a link in the place of the lock",
        lambda caller: (caller.data_dir / "lock").symlink_to("elsewhere"),
        1,
        "It must not be a link",
    ),
    (
        "a file in the place of the folder",
        put_file_in_the_place_of_the_folder,
        1,
        "set paths.data_dir",
    ),
]


# Once it starts as on a host, so that nothing but its own imports is there.
_FRESH = {"unknown key", "newer ledger"}


@pytest.mark.parametrize(
    ("plant", "status", "words"),
    [
        pytest.param(
            *more,
            id=name,
            marks=[pytest.mark.fresh_programs] if name in _FRESH else [],
        )
        for name, *more in FAULTS
    ],
)
def test_a_start_that_fails(
    caller: Caller, plant: Plant, status: int, words: str
) -> None:
    """The log has one line at the highest level, which names the way out."""
    plant(caller)

    done = run(caller, stderr=subprocess.STDOUT)

    line = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == status, done.stdout
    assert (line["event"], line["level"]) == ("daemon.failed", "critical")
    assert words in line["error"]
    assert "exception" not in line
    # Nothing else but log lines.
    assert all(json.loads(text)["event"] for text in done.stdout.splitlines())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
def test_a_file_that_is_closed() -> None:
    """What the user of the service may not read or write is said with the command."""
    with open_way.folder() as folder:
        caller = Caller(folder)
        settings = Path(caller.options[1])
        settings.chmod(0o600)

        unreadable = run_as_other(caller)
        settings.chmod(0o644)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        closed = run_as_other(caller)

    line = json.loads(unreadable.stdout.splitlines()[-1])
    assert (line["event"], unreadable.returncode) == ("daemon.failed", 78)
    assert f"chgrp dokku {settings} && chmod 0640 {settings}" in line["error"]
    line = json.loads(closed.stdout.splitlines()[-1])
    assert (line["event"], closed.returncode) == ("daemon.failed", 1)
    assert f"sudo chown -R {OTHER}: {caller.data_dir}" in line["error"]


def test_a_lock_that_is_held(caller: Caller) -> None:
    """A second service ends, and names the process that is in its way."""
    assert caller.lock.acquire(spool.DAEMON)

    done = run(caller, stderr=subprocess.STDOUT)

    caller.lock.release()
    line = json.loads(done.stdout.splitlines()[-1])
    assert (line["event"], done.returncode) == ("daemon.failed", 1)
    assert f"process {os.getpid()} already uses {caller.data_dir}" in line["error"]


def test_a_log_in_another_file(caller: Caller) -> None:
    """A person who reads stderr gets one plain line, and the log its event."""
    write_settings(caller, "[daemon]\nworkers = 0")

    done = run(caller)

    assert json.loads(done.stdout)["event"] == "daemon.failed"
    assert done.stderr.startswith("dokku-registryd: The configuration is invalid: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_terminal(caller: Caller) -> None:
    """On a terminal there is the plain line only."""
    write_settings(caller, "[daemon]\nworkers = 0")
    master, terminal = pty.openpty()

    done = run(caller, stdout=terminal, stderr=terminal)

    os.close(terminal)
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert done.returncode == 78
    assert shown.startswith("dokku-registryd: The configuration is invalid: ")
    assert len(shown.splitlines()) == 1


def test_a_mistake_in_the_command_line(caller: Caller) -> None:
    """A unit that was edited wrongly stays down, so its log says why."""
    done = run(caller, "--nonsense", stderr=subprocess.STDOUT)

    line = json.loads(done.stdout)
    assert (line["event"], done.returncode) == ("daemon.failed", 2)
    assert line["error"].startswith("unrecognized arguments: --nonsense")


def test_a_defect(caller: Caller, tmp_path: Path) -> None:
    """An unexpected exception is one line with its traceback, and no text without."""
    (tmp_path / "sitecustomize.py").write_text(
        "from dokku_registryd.adapters.host import heap\n"
        "def fail(): raise KeyError('planted')\n"
        "heap.limit_free_memory = fail\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "dokku_registryd", *caller.options, "run"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )

    line = json.loads(done.stdout)
    assert (line["event"], done.returncode) == ("daemon.failed", 1)
    assert line["error"].startswith("a bug in dokku-registryd (KeyError)")
    assert "planted" in line["exception"]


def test_a_package_that_is_not_complete(caller: Caller, tmp_path: Path) -> None:
    """A library that is missing is named in the log, by a program without a logger."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['docker'] = None"
    )
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    found = [
        subprocess.run(
            [sys.executable, "-m", "dokku_registryd", *caller.options, *words],
            env=environ,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        for words in (["run"], ["heal"])
    ]

    service, verb = found
    line = json.loads(service.stdout)
    assert (line["event"], line["level"]) == ("daemon.failed", "critical")
    assert "Install the package again" in line["error"]
    assert (service.returncode, service.stderr) == (1, "")
    assert verb.stderr.startswith("dokku-registryd: the installation is not complete")
    assert (verb.returncode, verb.stdout) == (1, "")
