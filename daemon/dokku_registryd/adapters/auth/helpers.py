"""Credential helpers: programs that store logins for Docker.

Source: https://github.com/docker/docker-credential-helpers#development. The verb is the
only argument, the input is on stdin, the JSON output on stdout, and an exit status
other than 0 is a failure with its message on stdout. The output may contain a secret,
so it is not used in messages.
"""

import contextlib
import fnmatch
import json
import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dokku_registryd.adapters.host import children
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.text import json_documents

MAX_OUTPUT_BYTES: Final = 1 << 20
IDENTITY_TOKEN_USER: Final = "<token>"  # noqa: S105 - a user name
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_CHUNK_BYTES: Final = 64 << 10
_NOT_FOUND: Final = b"credentials not found in native keychain"
# Helpers of cloud providers get logins on their own, and store and erase none.
_KEEPS_NOTHING: Final = re.compile(
    rb"not implemented|unimplemented|not supported|unsupported", re.IGNORECASE
)


class HelperError(Exception):
    """A helper cannot be started, fails, hangs or returns invalid output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    status: int
    output: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialHelpers:
    """Runs helpers, one process each, with a minimal environment and a timeout.

    Args:
        path: The folders, separated by colons, to search for programs.
        timeout: The timeout of one run in seconds.
        home: HOME of the helpers, where they find their own settings.
        environ: Further variables for them; see `chosen`.
    """

    path: str
    timeout: float
    home: str
    environ: Mapping[str, str] = field(default_factory=dict)
    monotonic: Callable[[], float] = time.monotonic

    def get(self, helper: str, server: str) -> AuthConfig | None:
        """Return the login that a helper stores for a server; None if it has none.

        Raises:
            HelperError: The helper does not return a valid answer.
        """
        ended = self._run(helper, "get", server.encode())
        if ended.status != 0:
            if _NOT_FOUND in ended.output:
                return None
            raise HelperError(_failed(helper, "get", ended.status))
        username, secret = _parse(helper, ended.output)
        if not username or not secret:
            return None  # Docker does not use a login without a user either.
        is_token = username == IDENTITY_TOKEN_USER
        return AuthConfig(
            domain=server,
            username="" if is_token else username,
            password=Secret("") if is_token else secret,
            identity_token=secret if is_token else Secret(""),
        )

    def store(self, helper: str, server: str, auth: AuthConfig) -> None:
        """Let a helper store a login.

        Raises:
            HelperError: The helper refuses it.
        """
        is_token = bool(auth.identity_token)
        secret = auth.identity_token if is_token else auth.password
        content = {
            "ServerURL": server,
            "Username": IDENTITY_TOKEN_USER if is_token else auth.username,
            "Secret": secret.reveal(),
        }
        ended = self._run(helper, "store", json.dumps(content).encode())
        if ended.status != 0 and _KEEPS_NOTHING.search(ended.output):
            raise HelperError(
                f"docker-credential-{helper} stores no logins. It gets them from its"
                " provider, so registry:login is not needed there"
            )
        if ended.status != 0:
            raise HelperError(_failed(helper, "store", ended.status))

    def erase(self, helper: str, server: str) -> bool:
        """Let a helper erase a server's login; return False if it had none.

        Raises:
            HelperError: The helper fails for another reason.
        """
        ended = self._run(helper, "erase", server.encode())
        if ended.status == 0:
            return True
        if _NOT_FOUND in ended.output or _KEEPS_NOTHING.search(ended.output):
            return False
        raise HelperError(_failed(helper, "erase", ended.status))

    def _run(self, helper: str, verb: str, given: bytes) -> _Ended:
        program = self._find(helper)
        own = {"PATH": self.path, "HOME": self.home, "LANG": "C"}
        environment = {**self.environ, **own}
        with children.as_file(given) as stdin:
            try:
                process = subprocess.Popen(
                    [program, verb],
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                raise HelperError(
                    f"{program} cannot be started ({error.strerror})"
                ) from error
        with process, contextlib.ExitStack() as on_failure:
            on_failure.callback(children.kill_group, process.pid)
            output = self._read(process, f"docker-credential-{helper} {verb}")
            status = process.wait()
            on_failure.pop_all()
        return _Ended(status=status, output=output)

    def _find(self, helper: str) -> str:
        if not _NAME.fullmatch(helper):
            raise HelperError(f"{helper[:100]!r} is not a name of a credential helper")
        folders = [text for text in self.path.split(":") if Path(text).is_absolute()]
        name = f"docker-credential-{helper}"
        program = shutil.which(name, path=":".join(folders))
        if program is None:
            raise HelperError(
                f"{name} is not installed in {self.path}: install it, or set"
                " paths.helper_path"
            )
        return program

    def _read(self, process: subprocess.Popen[bytes], name: str) -> bytes:
        """Read until the helper exits; processes that it started may continue."""
        if process.stdout is None:
            raise HelperError(f"{name} has no output")
        stream = process.stdout.fileno()
        end = self.monotonic() + self.timeout
        output = bytearray()
        with _ending_of(process.pid) as ended:
            waiting = {stream, ended}
            while (left := end - self.monotonic()) > 0:
                ready = _wait(waiting, left)
                piece = os.read(stream, _CHUNK_BYTES) if stream in ready else b""
                output += piece
                if len(output) > MAX_OUTPUT_BYTES:
                    raise HelperError(f"{name} prints too much output for a login")
                if ended in ready and not piece:
                    return bytes(output)
                if stream in ready and not piece:
                    waiting = {ended}  # It has closed its output, but still runs.
        raise HelperError(f"{name} did not end within {self.timeout:g} s")


def chosen(environ: Mapping[str, str], patterns: Iterable[str]) -> dict[str, str]:
    """Return the variables for helpers.

    Args:
        environ: All variables.
        patterns: Names, or prefixes followed by a star; the case is ignored, since
            proxies are written both ways.
    """
    wanted = [pattern.lower() for pattern in patterns]
    return {
        name: value
        for name, value in environ.items()
        if any(fnmatch.fnmatchcase(name.lower(), pattern) for pattern in wanted)
    }


def _wait(descriptors: set[int], seconds: float) -> set[int]:
    poll = select.poll()  # select() cannot wait for descriptors above 1023
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(seconds * 1000)}


@contextlib.contextmanager
def _ending_of(pid: int) -> Iterator[int]:
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _parse(helper: str, output: bytes) -> tuple[str, Secret]:
    try:
        answer = json_documents.load(output)
        content = {name.lower(): value for name, value in answer.items()}
        username, secret = content["username"], content["secret"]
    except (json_documents.MalformedJsonError, KeyError, AttributeError):
        # Without the cause, which contains the output.
        raise HelperError(f"docker-credential-{helper} get returned no login") from None
    if not isinstance(username, str) or not isinstance(secret, str):
        raise HelperError(f"docker-credential-{helper} get returned no login")
    return username, Secret(secret)


def _failed(helper: str, verb: str, status: int) -> str:
    return (
        f"docker-credential-{helper} {verb} exited with status {status}; run it by hand"
        " as the daemon's user to see why"
    )
