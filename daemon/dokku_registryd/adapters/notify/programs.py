"""Runs one program with an input, a time limit and a minimal environment.

Messages leave the service by processes of their own: by a program of the operator, or
by a module of this package. So nothing that they do, load or hang in concerns the
service, and a secret is in their input only.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dokku_registryd.adapters.host import children

MAX_OUTPUT_BYTES: Final = 4096
_VARIABLES: Final = frozenset(
    {"http_proxy", "https_proxy", "no_proxy", "ssl_cert_file", "tz"}
)
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended."""

    status: int | None
    """Its exit status; None if it was killed after the time limit."""
    output: bytes = b""
    """The beginning of its output, if that was asked for."""


def run(
    argv: Sequence[str],
    given: bytes,
    *,
    seconds: float,
    environ: Mapping[str, str],
    reads_output: bool = False,
) -> Ended:
    """Run a program to its end.

    Args:
        argv: The program and its arguments; no shell reads them.
        given: Its input.
        seconds: The time limit; then it is killed with all that it has started.
        environ: Its whole environment.
        reads_output: Whether its output is returned; else it is dropped.

    Raises:
        OSError: It cannot be started.
    """
    with children.as_file(given) as stdin, children.as_file(b"") as stdout:
        with subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=stdout if reads_output else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environ,
            cwd="/",
            start_new_session=True,
        ) as process:
            try:
                status: int | None = process.wait(seconds)
            except subprocess.TimeoutExpired:
                children.kill_group(process.pid)
                status = None
        return Ended(status=status, output=os.pread(stdout, MAX_OUTPUT_BYTES, 0))


def minimal_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of such programs: where to search, and how to connect."""
    chosen = {
        name: value for name, value in environ.items() if name.lower() in _VARIABLES
    }
    home = environ.get("HOME") or "/"
    return {**chosen, "PATH": _PATH, "HOME": home, "LANG": "C.UTF-8"}
