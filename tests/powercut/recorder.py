"""Records what the daemon, hooks and commands of a host do to its disk.

While a recording runs, each program of the host is started under `strace`. Before and
after it the disk is looked at: what the calls lead to has to be what is there, or a
call would have been missed.
"""

import contextlib
import shlex
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from powercut import calls, changes, tree
from powercut.promises import Promise
from support.service import PROGRAM
from support.waiting import until
from torture.host import TortureHost
from torture.misdeeds import Put

_EXECUTABLE: Final = 0o755
# What is traced traces its children too. The clock of the host stays out of it, since
# it opens a file each time that it is read.
_TRACED: Final = """\
#!/bin/sh
if [ -e {mark} ] && [ -z "$POWERCUT_TRACED" ]; then
  unset LD_PRELOAD FAKETIME_TIMESTAMP_FILE
  POWERCUT_TRACED=1
  export POWERCUT_TRACED
  exec {strace} --output={folder}/trace.$$ {program} "$@"
fi
exec {program} "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When something was asked or answered, and what is expected from then on.

    Attributes:
        at: Nanoseconds since the epoch.
        promises: What was promised, by what it is about; it replaces what was promised
            of the same before.
        is_answer: Whether all hooks that were called until then have ended.
        scene: The state of the host, for a restart from here.
    """

    at: int
    promises: dict[str, Promise]
    is_answer: bool
    scene: object


@dataclass(kw_only=True)
class Recording:
    """What happened while programs of a host were traced.

    Attributes:
        history: What they did to the disk.
        moments: What was expected when.
        puts: What the registry took, and when.
        kept: Roots on which nothing is lost.
        loose: Files that are not read after a cut.
    """

    history: changes.History
    moments: list[Moment]
    puts: list[tuple[int, Put]]
    kept: list[str]
    loose: list[str]


class Recorder:
    """Traces the programs of one host.

    Args:
        host: The host; its daemon is stopped and started by `recording`.
    """

    def __init__(self, host: TortureHost) -> None:
        self.host = host
        self._folder = host.root / "traces"
        self._mark = host.root / "is-traced"
        self._moments: list[Moment] = []
        self._puts = Puts(host.proxy.puts)
        host.proxy.puts = self._puts
        strace = find_strace()
        for path, program in self._programs():
            text = _TRACED.format(
                mark=shlex.quote(str(self._mark)),
                strace=shlex.join([strace, *calls.OPTIONS]),
                folder=shlex.quote(str(self._folder)),
                program=shlex.quote(str(program)),
            )
            path.write_text(text)
            path.chmod(_EXECUTABLE)

    @property
    def roots(self) -> list[Path]:
        """Folders whose contents may be lost."""
        site = self.host.site.host
        login = site.dokku_root / ".docker"
        login.mkdir(exist_ok=True)
        return [site.config_root, site.data_dir, login]

    @property
    def kept(self) -> list[Path]:
        """Files that never change by a cut: they represent other hosts."""
        return [self.host.keychain.folder, self.host.site.service.log_file]

    @property
    def loose(self) -> list[Path]:
        """Files that are not read after a cut: replies to hooks, the lock, the log."""
        names = ("replies", "lock", "hook.log")
        return [self.host.site.host.data_dir / name for name in names]

    def note(
        self,
        promises: Mapping[str, Promise],
        *,
        is_answer: bool = False,
        scene: object = None,
    ) -> None:
        """Note what is expected from now on."""
        moment = Moment(
            at=time.time_ns(),
            promises={**promises},
            is_answer=is_answer,
            scene=scene,
        )
        self._moments.append(moment)

    @contextlib.contextmanager
    def recording(self) -> Iterator[Callable[[], Recording]]:
        """Trace all changes in the context; yield a function that returns them."""
        service = self.host.site.service
        service.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._moments = []
        done: list[Recording] = []
        roots = [*self.roots, *self.kept]
        base = tree.look(roots)
        self._puts.times = [(0, put) for put in self._puts]
        self._mark.touch()
        try:
            service.start()
            yield lambda: done[0]
        finally:
            service.stop()
            self._mark.unlink()
        until(self._are_ended, what="the ends of all traces")
        traces = sorted(self._folder.iterdir())
        found = calls.read(traces, [str(root).encode() for root in roots])
        history = changes.follow(base, found)
        check(history, tree.look(roots))
        done.append(
            Recording(
                history=history,
                moments=self._moments,
                puts=self._puts.times,
                kept=[str(path) for path in self.kept],
                loose=[str(path) for path in self.loose],
            )
        )

    def _programs(self) -> Iterator[tuple[Path, Path]]:
        """Yield each program that is started, and its target."""
        yield self.host.orders.program, PROGRAM
        site = self.host.site.host
        for path in (site.bin / "plugn", site.root / "dokku"):
            behind = path.with_name(f"{path.name}.plain")
            path.rename(behind)
            yield path, behind

    def _are_ended(self) -> bool:
        """Tell whether no tracer writes any more."""
        mark = f"--output={self._folder}/".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (process / "cmdline").read_bytes():
                    return False
        return True


class Puts(list[Put]):
    """What a registry took, with the times at which that was noted."""

    def __init__(self, puts: Iterable[Put]) -> None:
        super().__init__(puts)
        self.times = [(0, put) for put in self]

    def append(self, put: Put) -> None:
        """Note one more."""
        super().append(put)
        self.times.append((time.time_ns(), put))


def find_strace() -> str:
    """Return the path of `strace`.

    Raises:
        LookupError: There is none.
    """
    found = shutil.which("strace")
    if found is None:
        raise LookupError("there is no strace: run make engines, which unpacks it")
    return found


def check(history: changes.History, there: tree.Tree) -> None:
    """See that the calls lead to what is there.

    Raises:
        AssertionError: They do not.
    """
    expected, found = history.end.files(), there.files()
    wrong = sorted(
        path
        for path in expected.keys() | found.keys()
        if path not in expected or path not in found or expected[path] != found[path]
    )
    assert not wrong, f"the recorded calls do not lead to {wrong}"
