"""`make demo` as a person starts it: it tells its story and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import leftovers
from support.apart import Apart

pytestmark = pytest.mark.engine

_TESTS = Path(__file__).parents[1]
_SECONDS = 120
_SCENES = [
    "1  A release goes to the registry",
    "2  The next release: one layer is new",
    "3  docker rmi takes the deployed name away",
    "4  docker image prune --all takes every image away",
    "5  A release while the registry is down",
    "6  apps:destroy takes the logins along",
    "7  A bad release, and back in seconds",
    "8  What was tested is promoted, byte for byte",
    "9  The Engine's data is thrown away: a host from its backup",
]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Apart]:
    """Give the network of a machine on which a Docker runs."""
    with Apart(tmp_path / "network") as network:
        network.add_bridge("docker0")
        yield network


def _start_demo(machine: Apart) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*machine.network_prefix, sys.executable, "-m", "demo"],
        env={**os.environ, "PYTHONPATH": str(_TESTS)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _folder_in(output: str) -> Path:
    match = re.search(r"/tmp/registryd-demo-\w+", output)
    assert match, output
    return Path(match[0])


def _assert_nothing_is_left(folder: Path) -> None:
    assert not folder.exists()
    assert list(leftovers._processes(folder)) == []
    assert leftovers._mounts(folder) == []


def test_the_demo_tells_its_scenes(machine: Apart) -> None:
    """Every scene is played, in order, in few plain lines; it changes nothing else."""
    before = machine.interfaces()

    with _start_demo(machine) as demo:
        output, errors = demo.communicate(timeout=_SECONDS)

    assert (demo.returncode, errors) == (0, "")
    lines = output.splitlines()
    assert [line for line in lines if re.match(r"\d  \S", line)] == _SCENES
    assert len(lines) <= 49
    assert "\033" not in output
    _assert_nothing_is_left(_folder_in(output))
    assert machine.interfaces() == before


def test_an_interrupted_demo_leaves_nothing(machine: Apart) -> None:
    """Ctrl-C in the middle of a scene stops and removes everything."""
    with _start_demo(machine) as demo:
        assert demo.stdout is not None
        seen = ""
        while _SCENES[1] not in seen:
            line = demo.stdout.readline()
            assert line, seen
            seen += line
        demo.send_signal(signal.SIGINT)
        output, errors = demo.communicate(timeout=_SECONDS)

    assert (demo.returncode, errors) == (130, "")
    assert output.endswith("Interrupted; everything is stopped and removed.\n")
    _assert_nothing_is_left(_folder_in(seen))
