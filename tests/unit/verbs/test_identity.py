"""With any caller a verb runs as the owner of the data folder."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dokku_registryd.verbs import identity
from support import fork_server
from support.calling import Caller

NOBODY = 65534


@pytest.mark.parametrize("place", ["no/such", "no", ".", "/no/such"])
def test_a_folder_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The nearest parent decides, that of a relative path too."""
    monkeypatch.chdir(tmp_path)
    user = os.geteuid()

    identity.become_owner(place, {})

    assert os.geteuid() == user


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
@pytest.mark.parametrize("place", ["data", "data/registryd", "no/such"])
def test_root_becomes_the_owner(tmp_path: Path, place: str) -> None:
    """Root gives up what it is for the user whose folder it works in."""
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", NOBODY, NOBODY)
    os.chown(tmp_path, 1, 1)
    code = (
        "import os, sys; from dokku_registryd.verbs import identity\n"
        "identity.become_owner(sys.argv[1], {})\n"
        "print(os.getuid(), os.geteuid(), os.getgid())"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, f"{tmp_path}/{place}"],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )

    owner = NOBODY if place.startswith("data") else 1
    assert done.stdout == f"{owner} {owner} {owner}\n"


STRANGER = 54_321


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
@pytest.mark.parametrize(
    ("verb", "status"),
    [
        ("status", 0),
        ("health", 1),
        # These two read most modules, as that user.
        pytest.param("doctor", 1, marks=pytest.mark.fresh_programs),
        ("releases", 0),
        pytest.param("heal --dry-run", 69, marks=pytest.mark.fresh_programs),
        ("check", 0),
    ],
)
def test_an_owner_without_a_name(verb: str, status: int) -> None:
    """Verbs answer as far as they can, and say the way out; there is no traceback."""
    # Others may not look into the folders of tests.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        caller = Caller(Path(folder))
        for path in (caller.data_dir, *caller.data_dir.rglob("*")):
            os.chown(path, STRANGER, STRANGER)

        done = fork_server.call(
            fork_server.PROGRAM,
            [*verb.split(), *caller.options],
            env=fork_server.plain_environ(),
            cwd=Path(folder),
            timeout=300,
        )

    assert (done.returncode, "Traceback" in done.stderr) == (status, False)
    if verb != "health":
        assert f"belongs to user {STRANGER}" in done.stdout + done.stderr
