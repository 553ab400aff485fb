"""The commit of a branch in the Git repository that Dokku has of an app.

`ps:rebuild` builds what the file `$DOKKU_ROOT/APP/refs/heads/BRANCH` says (Dokku
0.38.27, git/functions, `git_build`). Dokku reads no packed refs there, and neither do
we: where it finds no commit, it builds nothing.
"""

from pathlib import Path
from typing import Final

from dokku_registryd.adapters.files import atomic, dirs
from dokku_registryd.core.release import origins

_LIMIT: Final = 128  # bytes; a commit has 40 or 64 digits
_DOTS: Final = frozenset({"", ".", ".."})


def commit_of(repository: Path, branch: str, *, at: float) -> str:
    """Return the commit that a branch had at a time.

    Args:
        repository: `$DOKKU_ROOT/APP`.
        branch: The branch; Git makes folders of the parts of its name.
        at: Seconds since the epoch.

    Returns:
        The commit; empty if the branch has none or has been written since.

    Raises:
        OSError: It cannot be read.
    """
    *folders, name = branch.split("/")
    if not origins.is_branch(branch) or not _DOTS.isdisjoint([*folders, name]):
        return ""
    place = (repository.name, "refs", "heads", *folders)
    with dirs.opened(repository.parent, *place) as folder:
        status, raw = atomic.read_known(folder, name, limit=_LIMIT)
    commit = raw.decode(errors="replace").strip()
    return commit if status.st_mtime <= at and origins.is_commit(commit) else ""
