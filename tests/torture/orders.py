"""Tells watched programs where to die, and reads what they did before."""

import itertools
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Final

_WATCHED: Final = Path(__file__).with_name("program.py")
_NUMBERS: Final = itertools.count(1)
_EXECUTABLE: Final = 0o755
# The kernel counts inotify by user and user namespace: so no other process is limited.
_PROGRAM: Final = """\
#!/bin/sh
export PYTHONPATH={packages}"$PYTHONPATH"
[ -e {limit} ] || exec {words} "$@"
exec unshare --user --map-root-user /bin/sh -c '
echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"' sh {words} "$@"
"""


class Orders:
    """The folder that watched programs look into.

    Args:
        folder: A missing or empty folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._order = folder / "order"
        self._obeyed = folder / "order.obeyed"
        self._trace = folder / "trace"
        self._trace.touch()
        self.program = folder / "dokku-registryd"
        self._without_inotify = folder / "without-inotify"
        self.use()

    def use(self, packages: Path | None = None) -> None:
        """Let programs that start from now on have their modules from a folder.

        Args:
            packages: The folder; the code under test as it is if None.
        """
        beside = self.program.with_name("program.new")
        beside.write_text(
            _PROGRAM.format(
                words=shlex.join([sys.executable, str(_WATCHED)]),
                limit=shlex.quote(str(self._without_inotify)),
                packages=shlex.quote(f"{packages}:" if packages else ""),
            )
        )
        beside.chmod(_EXECUTABLE)
        beside.rename(self.program)  # No process may find half of it.

    @property
    def environ(self) -> dict[str, str]:
        """What watched programs need to know."""
        return {
            "TORTURE_ORDERS": str(self._folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            # Where the code under test is another than the one that is installed.
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }

    @property
    def is_obeyed(self) -> bool:
        """Whether a process has died by the present order."""
        return self._obeyed.exists()

    def kill(self, role: str, *, count: int, name: str = "") -> None:
        """Let the next process of a role die.

        Args:
            role: `daemon`, `hook` or `command`.
            count: At which step, counted from now on.
            name: Count only steps of this name; all if empty.
        """
        self._obeyed.unlink(missing_ok=True)
        order = {"id": next(_NUMBERS), "role": role, "name": name, "count": count}
        beside = self._folder / "order.new"
        beside.write_text(json.dumps(order))
        beside.rename(self._order)

    def withdraw(self) -> None:
        """Let all processes live."""
        self._order.unlink(missing_ok=True)
        self._obeyed.unlink(missing_ok=True)

    def limit_inotify(self, *, is_limited: bool) -> None:
        """Let programs that start from now on watch no folder, or again."""
        if is_limited:
            self._without_inotify.touch()
        else:
            self._without_inotify.unlink(missing_ok=True)

    def size(self) -> int:
        """Return how long the trace is by now, for `since`."""
        return self._trace.stat().st_size

    def since(self, position: int = 0) -> list[str]:
        """Return the steps that were noted after a position of the trace."""
        with self._trace.open("rb") as file:
            file.seek(position)
            return file.read().decode(errors="replace").splitlines()

    def names(self, role: str) -> list[str]:
        """Return the names of all steps that a role has made so far."""
        parts = (line.split(" ", 3) for line in self.since())
        found = {words[3] for words in parts if len(words) > 3 and words[0] == role}
        return sorted(found - {"DIES"})
