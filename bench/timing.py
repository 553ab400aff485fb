"""Times programs and facts, and keeps the two sides of a comparison in turns."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

_DEV_NULL: Final = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
_FILES: Final = tuple((os.POSIX_SPAWN_DUP2, _DEV_NULL, number) for number in range(3))
_WARM_UP: Final = 2


def program(argv: Sequence[str], environ: Mapping[str, str]) -> float:
    """Return the seconds from the start of a program to its end.

    It is started by `posix_spawn` with everything at /dev/null, which costs less than
    `subprocess` and the same for the started program.
    """
    started = time.perf_counter()
    pid = os.posix_spawn(argv[0], list(argv), dict(environ), file_actions=_FILES)
    _, status = os.waitpid(pid, 0)
    took = time.perf_counter() - started
    assert status == 0, f"{argv} ended with {os.waitstatus_to_exitcode(status)}"
    return took


def call(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turns(
    rounds: int, sides: Sequence[Callable[[], float]], *, warm_up: int = _WARM_UP
) -> list[list[float]]:
    """Measure A B A B ..., every other pair the other way round; A's come first."""
    found: list[list[float]] = [[] for _ in sides]
    for number in range(-warm_up, rounds):
        order = range(len(sides)) if number % 2 == 0 else reversed(range(len(sides)))
        for at in order:
            seconds = sides[at]()
            if number >= 0:
                found[at].append(seconds)
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process so far, threads that ended included."""
    # Linux, clock_getcpuclockid(3): the clock of another process is made of its ID.
    return time.clock_gettime((~pid << 3) | 2)


def memory_bytes(pid: int) -> Iterator[tuple[str, int]]:
    """Give resident and peak memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in {"VmRSS", "VmHWM"}:
            yield name, int(value.split()[0]) << 10
