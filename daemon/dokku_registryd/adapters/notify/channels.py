"""The ways to the operator: a program, and Apprise URLs.

Each returns why a message was not delivered. The reason never contains an address.
"""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from dokku_registryd.adapters.notify import programs
from dokku_registryd.adapters.notify.apprise_url import Exit
from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.notify.messages import Message

LIMIT_SECONDS: Final = 30.0
"""How long one delivery may take, so that a minute is enough for all."""
NOT_INSTALLED: Final = (
    "the package apprise is not installed: install dokku-registryd[notify]"
)
_PACKAGE: Final = "dokku_registryd.adapters.notify"
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,20}(?=://)")
_STATUS: Final = re.compile(rb"[1-5][0-9]{2}")


class CommandChannel:
    """A program that gets messages as JSON on its standard input.

    Args:
        argv: Its path and its arguments.
        environ: The environment of the service.
        seconds: Its time limit.
    """

    name: Final = "notify.command"

    def __init__(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        *,
        seconds: float = LIMIT_SECONDS,
    ) -> None:
        self._argv = tuple(argv)
        self._environ = programs.minimal_environ(environ)
        self._seconds = seconds

    def send(self, message: Message) -> str:
        """Deliver a message; return why it was not delivered, or an empty text."""
        given = json.dumps(message.as_json()).encode()
        try:
            ended = programs.run(
                self._argv, given, seconds=self._seconds, environ=self._environ
            )
        except OSError as error:
            return f"{self._argv[0]} cannot be started ({error.strerror})"
        if ended.status is None:
            return f"{self._argv[0]} did not end within {self._seconds:g} s"
        if ended.status:
            return f"{self._argv[0]} exited with status {ended.status}"
        return ""

    def check(self) -> str:
        """Return why the program cannot be started, or an empty text."""
        if os.access(self._argv[0], os.X_OK) and not Path(self._argv[0]).is_dir():
            return ""
        return f"{self._argv[0]} is not a program that this user can start"


class UrlChannel:
    """An Apprise URL.

    Args:
        number: Its place in the settings, from 1.
        url: The URL.
        environ: The environment of the service.
        seconds: The time limit of a delivery.
    """

    def __init__(
        self,
        number: int,
        url: Secret,
        environ: Mapping[str, str],
        *,
        seconds: float = LIMIT_SECONDS,
    ) -> None:
        scheme = _SCHEME.match(url.reveal())
        self.name: Final = f"notify.urls {number} ({scheme[0] if scheme else '?'})"
        self._url = url
        self._environ = programs.minimal_environ(environ)
        self._seconds = seconds

    def send(self, message: Message) -> str:
        """Deliver a message; return why it was not delivered, or an empty text."""
        return self._run(
            title=message.title,
            body=message.text,
            type="failure" if message.is_bad else "success",
        )

    def check(self) -> str:
        """Return why Apprise cannot use the URL, or an empty text; send nothing."""
        return self._run()

    def _run(self, **fields: str) -> str:
        given = {"url": self._url.reveal(), **fields}
        ended = _call("apprise_url", given, self._environ, self._seconds)
        match ended.status:
            case Exit.SENT:
                return ""
            case Exit.NOT_INSTALLED:
                return NOT_INSTALLED
            case Exit.NOT_UNDERSTOOD:
                return "Apprise does not understand it"
        return _failed("it was not delivered", ended, self._seconds)


class Heartbeat:
    """An address whose monitor expects to be asked.

    Args:
        url: The address.
        environ: The environment of the service.
        seconds: The time limit.
    """

    def __init__(
        self, url: Secret, environ: Mapping[str, str], *, seconds: float = LIMIT_SECONDS
    ) -> None:
        self._url = url
        self._environ = programs.minimal_environ(environ)
        self._seconds = seconds

    def beat(self) -> str:
        """Ask once; return why there was no good answer, or an empty text."""
        given = {"url": self._url.reveal()}
        ended = _call("heartbeat_url", given, self._environ, self._seconds)
        if ended.status == 0:
            return ""
        return _failed("there was no good answer", ended, self._seconds)


def _call(
    module: str, given: Mapping[str, str], environ: Mapping[str, str], seconds: float
) -> programs.Ended:
    """Run a module of this folder as a process."""
    try:
        return programs.run(
            # Isolated: no variable and no current folder changes what is imported.
            [sys.executable, "-I", "-m", f"{_PACKAGE}.{module}"],
            json.dumps(given).encode(),
            seconds=seconds,
            environ=environ,
            reads_output=True,
        )
    except OSError:
        return programs.Ended(status=-1)


def _failed(what: str, ended: programs.Ended, seconds: float) -> str:
    if ended.status is None:
        return f"{what} within {seconds:g} s"
    if ended.status < 0:
        return f"{what} (its process could not be started, or was killed)"
    status = _STATUS.fullmatch(ended.output)
    return f"{what} (HTTP status {status[0].decode()})" if status else what
