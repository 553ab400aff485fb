"""A trigger that runs beside the test, for as long as its hook waits."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from support.dokku_host import DokkuHost, Result

_FINISH_SECONDS: Final = 120


class RunningHook:
    """One call of `plugn trigger`, or of `dokku`.

    Args:
        host: Where it is called.
        name: The trigger, or the command of Dokku, which has a colon.
        arguments: Its arguments.
        environ: Variables for this call only.
    """

    def __init__(
        self,
        host: DokkuHost,
        name: str,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            [
                *(
                    [str(host.root / "dokku"), name]
                    if ":" in name
                    else [str(host.bin / "plugn"), "trigger", name]
                ),
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**host.environ, **(environ or {})},
            cwd=host.root,
            text=True,
            start_new_session=True,
        )

    @property
    def is_running(self) -> bool:
        """Whether it still waits."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process, which leads a group of its own."""
        return self._process.pid

    def freeze(self) -> None:
        """Let it do nothing, as on a machine that has no time for it."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.killpg(self._process.pid, signal.SIGCONT)

    def signal(self, number: signal.Signals, *, is_for_all: bool = True) -> None:
        """Send a signal to its whole group, as a terminal does, or to the hook alone.

        Where the hook has not begun yet its caller gets it.
        """
        if is_for_all:
            os.killpg(self._process.pid, number)
        else:
            os.kill(_child_of(self._process.pid) or self._process.pid, number)

    def close_output(self) -> None:
        """Read no more of what it prints, as `head` does when it has seen enough."""
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def finish(self) -> Result:
        """Return how it ended, once it has."""
        stdout, stderr = self._process.communicate(timeout=_FINISH_SECONDS)
        return Result(stdout or "", stderr or "", self._process.returncode)

    def close(self) -> None:
        """End it and all that it has started, if it still runs."""
        if self.is_running:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def _child_of(pid: int) -> int:
    """Return the first child of a process; 0 where it has none."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    return int(children[0]) if children else 0
