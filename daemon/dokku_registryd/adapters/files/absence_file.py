"""The file that records the missing apps of a sweep (`core.dokku.absence_text`)."""

import os
from pathlib import Path

from dokku_registryd import errors
from dokku_registryd.adapters.files import atomic
from dokku_registryd.core.dokku import absence_text, presence

_LIMIT = 1 << 24  # bytes: a line for each app of a large host


class AbsenceFile:
    """Implements `ports.Absences`. Only sweeps write it, one at a time.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: presence.Memory | None = None
        self._written: presence.Memory | None = None

    def recall(self) -> presence.Memory:
        """Return the recorded facts; empty ones if there is no valid file."""
        if self._known is None:
            self._known = self._written = self._read()
        return self._known

    def keep(self, memory: presence.Memory) -> None:
        """Replace the facts; write them to disk only if they have changed enough.

        Raises:
            TransientError: The disk refuses; this process keeps the facts in memory.
        """
        self._known = memory
        if not memory.is_worth_keeping(self._written or presence.Memory()):
            return
        text = absence_text.render(presence.facts_of(memory))
        try:
            atomic.replace(self._path, text.encode(), is_strict=True)
        except OSError as error:
            raise errors.TransientError(
                f"cannot write {self._path}: {os.strerror(error.errno or 0)}"
            ) from error
        self._written = memory

    def _read(self) -> presence.Memory:
        try:
            raw = atomic.read(self._path, limit=_LIMIT, is_strict=True)
        except OSError:
            # Without it counting starts again, and nothing is removed either way.
            return presence.Memory()
        text = raw.decode("utf-8", errors="replace")
        return presence.memory_of(absence_text.parse(text))
