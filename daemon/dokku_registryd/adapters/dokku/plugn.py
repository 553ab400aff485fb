r"""Calls triggers of other Dokku plugins, with a secret or with news.

plugn 0.17.1 writes the environment to a file that bash then reads (go-basher 5.1.8,
buildEnvfile). Every value is written as `$'...'`, with quotes escaped but not
backslashes: the password `x\'; reboot #` would reboot the host.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from dokku_registryd.core.auth.logins import Secret

# Printable ASCII without the backslash. A byte beyond ASCII could absorb the backslash
# that plugn puts before a quote: in Shift JIS or Big5 the two are one character.
_SAFE: Final = re.compile(r"[ -\[\]-~]*")
_EVENTS: Final = "20_events"  # logs every trigger, so it is ignored
_MAX_SAID: Final = 64 << 10  # bytes of a failing plugin's output that are kept
_CHUNK_BYTES: Final = 4096


class Plugn:
    """The enabled plugins of this host.

    Args:
        plugins: The folder with `enabled`.
        environ: The environment of plugins.
    """

    def __init__(self, plugins: Path, environ: Mapping[str, str]) -> None:
        self._plugins = plugins
        self._environ = environ

    def answers(self, trigger: str) -> bool:
        """Return whether any plugin implements a trigger."""
        return any(
            path.parent.name != _EVENTS and path.is_file() and os.access(path, os.X_OK)
            for path in self._plugins.glob(f"enabled/*/{trigger}")
        )

    def call(self, trigger: str, *arguments: str, **secrets: Secret) -> tuple[int, str]:
        """Run a trigger, with its output shown as it comes.

        Args:
            trigger: Its name.
            arguments: Its arguments; plugn quotes them properly.
            secrets: Further variables; each must be `is_safe`.

        Returns:
            The exit status, and the output on stderr.

        Raises:
            OSError: plugn cannot be started.
        """
        environment = {"PLUGIN_PATH": str(self._plugins), **self._environ}
        for name, secret in secrets.items():
            if not is_safe(secret):
                raise ValueError(f"plugn would execute {name}")
            environment[name] = secret.reveal()
        sys.stdout.flush()
        said = bytearray()
        with subprocess.Popen(
            ["plugn", "trigger", trigger, *arguments],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
        ) as process:
            stream = process.stderr
            while stream and (piece := os.read(stream.fileno(), _CHUNK_BYTES)):
                sys.stderr.write(piece.decode(errors="replace"))
                sys.stderr.flush()
                said = (said + piece)[-_MAX_SAID:]
            status = process.wait()
        return status, said.decode(errors="replace")

    def tell(self, trigger: str, arguments: Sequence[str], *, seconds: float) -> str:
        """Fire a trigger for which no user waits: its output is dropped.

        Args:
            trigger: Its name.
            arguments: Its arguments; plugn quotes them properly.
            seconds: The time limit; then it is killed with all that it has started.

        Returns:
            Why it failed, or an empty text.
        """
        try:
            process = subprocess.Popen(
                ["plugn", "trigger", trigger, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PLUGIN_PATH": str(self._plugins), **self._environ},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            return f"plugn cannot be started ({error.strerror})"
        with process:
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                return f"it did not end within {seconds:g} s"
        return f"it exited with status {status}" if status else ""


def is_safe(secret: Secret) -> bool:
    """Return whether plugn passes a value unchanged and without executing it."""
    return bool(_SAFE.fullmatch(secret.reveal()))
