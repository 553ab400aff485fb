"""The program file that `install` writes, run by a real shell on interpreters of tests.

The fast path must start nothing but the program. What `python3 -m venv` made for one
Python is useless for another, as after an upgrade of the distribution.
"""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from dokku_registryd.core.install import paths

_PYTHON = """#!/bin/sh
echo "$*" >>"{log}"
case $* in *import*) exit {status} ;; esac
echo "started: $*"
"""
REPAIR = "python3 -m venv --upgrade"


class Place:
    """A virtual environment without a Python, and the program file that runs it."""

    def __init__(self, folder: Path) -> None:
        self.venv = folder / "it's here"
        self.system = folder / "usr" / "python3.11"
        self.python = self.venv / "bin" / "python3"
        self.package = self.venv / "dokku_registryd"
        self.log = folder / "started"
        for made in (self.python.parent, self.system.parent, self.package):
            made.mkdir(parents=True)
        (self.package / "__main__.py").touch()
        self.have_python(self.system)
        self.python.symlink_to(self.system)
        self.program = folder / "dokku-registryd"
        text = paths.Paths(
            python=str(self.python),
            interpreter=str(self.system),
            package=str(self.package),
            venv=str(self.venv),
        ).program_text()
        self.program.write_text(text)
        self.program.chmod(0o755)

    def have_python(self, path: Path, *, has_package: bool = True) -> None:
        """Make an interpreter that notes its calls."""
        status = 0 if has_package else 1
        path.write_text(_PYTHON.format(log=self.log, status=status))
        path.chmod(0o755)

    def upgrade(self, *, has_package: bool) -> None:
        """Let the system have another Python, which the environment's link leads to."""
        newer = self.system.with_name("python3.13")
        self.have_python(newer, has_package=has_package)
        self.system.unlink()
        self.python.unlink()
        self.python.symlink_to(newer)

    def call(self, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Call the program file."""
        return subprocess.run(
            [self.program, *words],
            env={"PATH": os.environ["PATH"], **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        """The arguments of each start of an interpreter."""
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give an installation that is as `install` has left it."""
    return Place(tmp_path)


def test_nothing_is_started_before_the_program(place: Place) -> None:
    """The usual call is one process, which gets all words as they are."""
    done = place.call("push", "a b", "")

    assert done.stdout == "started: -I -m dokku_registryd push a b \n"
    assert place.calls == ["-I -m dokku_registryd push a b "]


def test_another_python_that_has_the_package(place: Place) -> None:
    """After the repair the program works before `install` has run again."""
    place.upgrade(has_package=True)

    done = place.call("status")

    assert done.stdout == "started: -I -m dokku_registryd status\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_a_python_without_the_package(place: Place) -> None:
    """An environment for another Python is named, with the commands that repair it."""
    place.upgrade(has_package=False)

    done = place.call("status")

    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr == (
        f" !     Cannot start dokku-registryd: {place.python} is gone, or the package"
        f" is not installed for its version. Run: sudo {REPAIR} {place.venv}, and"
        f" install the package again with {place.venv}/bin/pip. Then run: sudo"
        " dokku-registryd install\n"
    )


def test_an_environment_of_the_plugin() -> None:
    """What `dokku plugin:install` has made is made again by it, and not by hand."""
    venv = "/opt/dokku-registryd/versions/0.1.0-python3.11-0123456789ab"

    text = paths.Paths(python=f"{venv}/bin/python", venv=venv).program_text()

    assert "a new environment with: sudo dokku plugin:install" in text
    assert REPAIR not in text


def test_a_python_that_is_gone(place: Place) -> None:
    """Without any interpreter it is said in the same way, and not by the shell."""
    place.system.unlink()

    done = place.call("status")

    assert done.returncode == 127
    assert done.stderr.startswith(" !     Cannot start dokku-registryd: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_package_that_is_gone(place: Place) -> None:
    """The interpreter is as before, but pip has removed the package."""
    (place.package / "__main__.py").unlink()
    place.have_python(place.system, has_package=False)

    assert REPAIR in place.call("status").stderr


@pytest.mark.parametrize(("journal", "prefix"), [("8:1234", "<2>"), ("", "")])
def test_a_service_that_cannot_start(place: Place, journal: str, prefix: str) -> None:
    """It is one line of the log, with the priority for journald."""
    place.upgrade(has_package=False)

    done = place.call("run", **({"JOURNAL_STREAM": journal} if journal else {}))

    assert (done.returncode, done.stderr) == (127, "")
    assert done.stdout.startswith(f"{prefix}{{")
    line = json.loads(done.stdout.removeprefix(prefix))
    assert (line["event"], line["level"]) == ("daemon.failed", "critical")
    assert f"{REPAIR} {place.venv}" in line["error"]
    assert line["timestamp"].endswith("Z")


def test_a_service_on_a_terminal(place: Place) -> None:
    """A person who starts it by hand reads a sentence."""
    place.upgrade(has_package=False)
    master, terminal = pty.openpty()

    done = subprocess.run(
        [place.program, "run"],
        stdout=terminal,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )

    os.close(master)
    os.close(terminal)
    assert done.stderr.startswith(b" !     Cannot start dokku-registryd: ")


def test_a_package_without_an_environment() -> None:
    """Where the package lies elsewhere, no environment is named."""
    text = paths.Paths(python="/usr/bin/python3").program_text()

    assert "venv" not in text
    assert "Install the package again. Then run: sudo dokku-registryd install" in text
