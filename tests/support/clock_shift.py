"""Another wall time for some processes; what counts seconds goes on as it is.

The library that shifts the clock also takes part in `pthread_cond_timedwait`: it reads
its file each time, and counts deadlines of the monotonic clock from a shifted one. So
threads of Python wait for the interpreter, thousands of times a second, and where the
clock is ahead none of them waits at all. A real clock that jumps does nothing to them,
so processes get a copy of the library in which that function has another name.
"""

import functools
import os
import shutil
import time
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Final, Self

from support import engines, fork_server, leftovers, scratch

_NAME: Final = "libfaketimeMT.so.1"
_PYTHON: Final = Path(__file__).with_name("shifted")
_STILL: Final = "+0"
_NAMES: Final = 2
_WAIT: Final = b"\0pthread_cond_timedwait\0"
_UNUSED: Final = b"\0pthread_cond_timedwai_\0"
JUMPS: Final = {
    "a day ahead": 86_400.0,
    "a day back": -86_400.0,
    "ten years ahead": 10 * 365 * 86_400.0,
    "back to 1970": None,
}
"""Seconds by which the clock is wrong; None where that depends on what it is."""


class Clock:
    """The wall time of processes that run with its variables.

    Args:
        file: Where the shift is kept; its folder exists.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set_right()
        fork_server.share(self.environ)

    def __enter__(self) -> Self:
        """Nothing runs by it yet."""
        return self

    def __exit__(self, *_reason: object) -> None:
        """Remove what the library leaves behind of processes that were killed."""
        leftovers.forget_clocks()

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs to go by this clock."""
        return environ() | {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "PYTHONPATH": f"{_PYTHON}:{os.environ.get('PYTHONPATH', '')}",
        }

    def jump(self, name: str) -> None:
        """Be wrong from now on."""
        seconds = JUMPS[name]
        # Some days after the beginning, so that a day back of it is a time as well.
        shift = 5 * 86_400 - time.time() if seconds is None else seconds
        self._set(f"{shift:+.0f}")

    def set_right(self) -> None:
        """Be right again."""
        self._set(_STILL)

    def _set(self, text: str) -> None:
        beside = self._file.with_name(f"{self._file.name}.new")
        beside.write_text(text)
        beside.rename(self._file)  # No process may read half of it.


def environ(shift: str = "") -> dict[str, str]:
    """Return the variables that preload the library, and shift by a fixed span."""
    found = {
        "LD_PRELOAD": str(engines.find_library("clock-shifter", _NAME)),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Files keep the times that they were written at, as they do when a clock jumps.
        "NO_FAKE_STAT": "1",
    }
    return {**found, "FAKETIME": shift} if shift else found


@functools.cache
def _library() -> Path:
    """Return the copy of this process; it is gone when the process is."""
    content = engines.find_library("clock-shifter", _NAME).read_bytes()
    # By the first name it is exported, by the second one the real one is looked up.
    if content.count(_WAIT) != _NAMES:
        raise LookupError(f"{_NAME} is another library than the one that is known here")
    folder = scratch.make("clock")
    Finalize(None, shutil.rmtree, (folder,), exitpriority=0)
    library = folder / _NAME
    library.write_bytes(content.replace(_WAIT, _UNUSED, 1))
    return library
