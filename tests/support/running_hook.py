"""A trigger that runs beside the test, for as long as its hook waits."""

import os
import signal
import subprocess
from collections.abc import Mapping
from typing import Final

from support.dokku_host import DokkuHost, Result

_FINISH_SECONDS: Final = 60


class RunningHook:
    """One call of `plugn trigger`.

    Args:
        host: Where it is called.
        name: The trigger.
        arguments: The trigger's arguments.
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
            [str(host.bin / "plugn"), "trigger", name, *arguments],
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

    def finish(self) -> Result:
        """Return how it ended, once it has."""
        stdout, stderr = self._process.communicate(timeout=_FINISH_SECONDS)
        return Result(stdout, stderr, self._process.returncode)

    def close(self) -> None:
        """End it and all that it has started, if it still runs."""
        if self.is_running:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
