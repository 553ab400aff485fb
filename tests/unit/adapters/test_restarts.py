"""Having Dokku deploy: what it is called with, and how its end counts."""

import os
import re
from pathlib import Path

import pytest

from dokku_registryd.adapters.dokku import restarts

_DOKKU = """#!/bin/sh
echo "$@" "build=$DOKKU_BUILD_ID app=$DOKKU_APP_NAME log=$DOKKU_REDIRECT_OUTPUT" \\
  "$(readlink "/proc/self/fd/$LOCK")"
exit {status}
"""


def environ(folder: Path, status: int) -> dict[str, str]:
    """Return an environment with a `dokku` that ends with a status."""
    program = folder / "dokku"
    program.write_text(_DOKKU.format(status=status))
    program.chmod(0o755)
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "DOKKU_APP_NAME": "web",
        "DOKKU_REDIRECT_OUTPUT": "true",
        "DOKKU_BUILD_ID": "of the caller",
    }


@pytest.mark.parametrize("status", [0, 7])
@pytest.mark.parametrize("is_quiet", [False, True])
def test_a_restart(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    *,
    status: int,
    is_quiet: bool,
) -> None:
    """Dokku gets our deploy and the lock, and nothing of the command that calls us."""
    known = environ(tmp_path, status)
    monkeypatch.setenv("PATH", known["PATH"])
    lock = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    known["LOCK"] = str(lock)

    found = restarts.restart("web", "mine", known, lock=lock, is_quiet=is_quiet)

    os.close(lock)
    shown = capfd.readouterr()
    text = f"ps:restart web build=mine app= log= {tmp_path / 'lock'}\n"
    assert (shown.out, shown.err) == (("", text) if is_quiet else (text, ""))
    assert found == status


def test_no_dokku(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller is told that there is none."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(FileNotFoundError):
        restarts.restart("web", "mine", {"PATH": str(tmp_path)}, lock=2)


def test_builds() -> None:
    """Each deploy has a name of its own, in Dokku's form, and later ones sort later."""
    found = [restarts.new_build() for _ in range(50)]

    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"[0-9a-z]{14}", build) for build in found)
    stamps = [build[:8] for build in found]
    assert stamps == sorted(stamps)
