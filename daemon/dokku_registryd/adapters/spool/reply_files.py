"""Replies as files: the daemon appends, the waiting hook follows.

Writing a reply never fails a job: the ledger has the outcome, and a hook whose reply
has no end asks the ledger.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from dokku_registryd.adapters.files import atomic
from dokku_registryd.core.hook import replies


class ReplyFiles:
    """Implements `ports.Replies` in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, job_id: str, kind: replies.Line, text: str) -> None:
        """Append one line."""
        line = replies.render(kind, text).encode()
        with contextlib.suppress(OSError):
            try:
                atomic.append(self._folder / job_id, line)
            except FileNotFoundError:  # The folder is created on first use.
                atomic.make_folder(self._folder)
                atomic.append(self._folder / job_id, line)

    def remove(self, job_id: str) -> None:
        """Remove a reply that was read to its end; not synced."""
        with contextlib.suppress(OSError):
            atomic.remove(self._folder / job_id, is_strict=True, is_synced=False)

    def remove_older(self, than: float, *, but: Callable[[str], bool]) -> int:
        """Remove replies last written before `than` (epoch seconds); return the count.

        No hook waits for such a reply, unless `but` returns true for its job.
        """
        removed = 0
        with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                is_old = entry.stat(follow_symlinks=False).st_mtime < than
                if is_old and not but(entry.name):
                    self.remove(entry.name)
                    removed += 1
        return removed

    def follow(self, job_id: str, *, printed: int = 0) -> "Follower":
        """Open a reply for reading; it may not exist yet.

        Args:
            job_id: The job.
            printed: The number of lines that were read before.
        """
        return Follower(self._folder / job_id, printed=printed)


class Follower:
    """Reads a growing reply."""

    def __init__(self, path: Path, *, printed: int = 0) -> None:
        self._path = path
        self._position = 0
        self._printed = printed
        self._given = printed

    @property
    def count(self) -> int:
        """The number of lines read, including those before."""
        return max(self._given, self._given - self._printed)

    def lines(self) -> Iterator[tuple[replies.Line, str]]:
        """Yield the complete lines that were added since the last call."""
        try:
            with os.fdopen(atomic.open_tail(self._path), "rb") as file:
                if os.fstat(file.fileno()).st_size < self._position:
                    self._position = 0  # It is another file: the old one was removed.
                file.seek(self._position)
                raw = file.read()
        except OSError:
            return  # There is no reply yet, or the file is not ours.
        complete = raw[: raw.rfind(b"\n") + 1]
        self._position += len(complete)
        for line in complete.decode("utf-8", errors="replace").split("\n")[:-1]:
            parsed = replies.parse(line)
            is_new, self._printed = self._printed <= 0, self._printed - 1
            # An end is read only once: it is here if the file is a new one.
            if parsed is not None and (is_new or parsed[0] is replies.Line.EXIT):
                yield parsed
