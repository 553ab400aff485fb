"""Locks of folders, which another command may keep forever."""

import contextlib
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.auth import folders
from dokku_registryd.adapters.files import folder_lock


def test_a_login_that_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next login ends with an error that names the folder, and can be repeated."""
    monkeypatch.setattr(folder_lock, "MOST_SECONDS", 0.0)
    with contextlib.ExitStack() as stopped, folders.opened(tmp_path) as mine:
        stopped.enter_context(folders.opened(tmp_path)).lock()

        with pytest.raises(errors.TransientError, match=f"fuser -v {tmp_path}"):
            mine.lock()

        stopped.close()
        mine.lock()
