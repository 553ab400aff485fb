"""The commit of a branch in Dokku's repository of an app."""

import os
import subprocess
from pathlib import Path

import pytest

from dokku_registryd.adapters.dokku import git_refs

COMMIT = "3f1c9a7be2" * 4
NOW = 1_700_000_000.0


def _git(folder: Path, *words: str) -> str:
    author = ("-c", "user.name=ana", "-c", "user.email=ana@example.com")
    return subprocess.run(
        ["git", *author, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def _write(repository: Path, branch: str, text: str, *, at: float = NOW) -> None:
    path = repository / "refs" / "heads" / branch
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))


def test_a_repository_of_git(tmp_path: Path) -> None:
    """It is the commit that Git names, of the branch that was asked for."""
    source, repository = tmp_path / "source", tmp_path / "web"
    for folder in (source, repository):
        folder.mkdir()
    _git(repository, "init", "--quiet", "--bare")
    _git(source, "init", "--quiet")
    _git(source, "commit", "--quiet", "--allow-empty", "--message", "one")
    _git(source, "push", "--quiet", "../web", "HEAD:refs/heads/feat/x")
    path = repository / "refs" / "heads" / "feat" / "x"

    found = git_refs.commit_of(repository, "feat/x", at=path.stat().st_mtime)

    assert found == _git(source, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    "text", ["", "ref: refs/heads/main\n", "\xff" * 9, COMMIT * 4, f"{COMMIT}\n0\n"]
)
def test_another_content(tmp_path: Path, text: str) -> None:
    """Only a commit counts."""
    _write(tmp_path / "web", "main", text)

    assert git_refs.commit_of(tmp_path / "web", "main", at=NOW) == ""


def test_a_later_commit(tmp_path: Path) -> None:
    """A branch that was written since says nothing of that time."""
    _write(tmp_path / "web", "main", f"{COMMIT}\n")

    assert git_refs.commit_of(tmp_path / "web", "main", at=NOW) == COMMIT
    assert git_refs.commit_of(tmp_path / "web", "main", at=NOW - 1) == ""


@pytest.mark.parametrize("branch", ["", "..", "a/../main", "/main", "main/", "a b"])
def test_odd_names(tmp_path: Path, branch: str) -> None:
    """No name leads out of the folder of branches."""
    _write(tmp_path / "web", "main", f"{COMMIT}\n")
    _write(tmp_path / "web", "a/b", f"{COMMIT}\n")

    assert git_refs.commit_of(tmp_path / "web", branch, at=NOW) == ""


@pytest.mark.parametrize("branch", ["gone", "link", "folder", "into/main"])
def test_what_cannot_be_read(tmp_path: Path, branch: str) -> None:
    """A missing branch, a link and a folder are errors of the file system."""
    repository = tmp_path / "web"
    _write(repository, "main", f"{COMMIT}\n")
    _write(repository, "folder/x", f"{COMMIT}\n")
    heads = repository / "refs" / "heads"
    (heads / "link").symlink_to("main")
    (heads / "into").symlink_to(".")

    with pytest.raises(OSError, match=r"link|gone|folder|into"):
        git_refs.commit_of(repository, branch, at=NOW)
