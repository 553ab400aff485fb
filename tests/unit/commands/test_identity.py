"""Whoever calls a verb, it runs as the owner of the data folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.commands import identity

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
        "import os, sys; from dokku_registryd.commands import identity\n"
        "identity.become_owner(sys.argv[1], {})\n"
        "print(os.getuid(), os.geteuid(), os.getgid())"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, f"{tmp_path}/{place}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    owner = NOBODY if place.startswith("data") else 1
    assert done.stdout == f"{owner} {owner} {owner}\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_an_owner_without_a_name(tmp_path: Path) -> None:
    """A folder of a user that this host does not know is refused with the way out."""
    os.chown(tmp_path, 4_000_000, 4_000_000)

    with pytest.raises(errors.ConfigurationError) as caught:
        identity.become_owner(tmp_path, {})

    assert str(caught.value).startswith(f"{tmp_path} belongs to user 4000000, who is")
    assert "chown -R" in str(caught.value)
