"""Removes the logins that one attempt has used from all of its messages.

Code that passes a foreign text on removes the secrets that it knows. All messages of an
attempt pass here once more, on their way to reply, ledger and log: this module knows
each login that the attempt has used.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from dokku_registryd import errors, ports
from dokku_registryd.core.auth import logins
from dokku_registryd.core.hook import replies
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.text import foreign_text

Failure = TypeVar("Failure", bound=errors.RegistrydError)


class Discretion:
    """The secrets of one attempt."""

    def __init__(self) -> None:
        self._spelled: list[str] = []
        self._lock = threading.Lock()

    def over(self, context: ports.Context) -> ports.Context:
        """Return a context that notes each login, and removes it from replies."""
        return replace(
            context,
            credentials=_Noted(context.credentials, self),
            replies=_Discreet(context.replies, self),
        )

    def note(self, secrets: Iterable[logins.Secret]) -> None:
        """Hide these values from now on."""
        spelled = foreign_text.long_spellings(secrets)
        with self._lock:
            known = self._spelled
            self._spelled = [*known, *(one for one in spelled if one not in known)]

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        return foreign_text.mask(text, self._spelled)

    def outcome(self, outcome: outcomes.Outcome) -> outcomes.Outcome:
        """Return an outcome without secrets."""
        return replace(
            outcome, detail=self.text(outcome.detail), error=self.text(outcome.error)
        )

    def error(self, error: Failure) -> Failure:
        """Remove secrets from an error."""
        error.args = (self.text(str(error)),)
        return error


class _Noted:
    """Implements `ports.Credentials`."""

    def __init__(self, credentials: ports.Credentials, discretion: Discretion) -> None:
        self._credentials = credentials
        self._discretion = discretion

    def resolve(self, app: str, domain: str) -> logins.AuthConfig | None:
        found = self._credentials.resolve(app, domain)
        if found is not None:
            self._discretion.note(found.secrets)
        return found

    def forget(self, directory: str) -> list[str]:
        return self._credentials.forget(directory)


class _Discreet:
    """Implements `ports.Replies`."""

    def __init__(self, known: ports.Replies, discretion: Discretion) -> None:
        self._replies = known
        self._discretion = discretion

    def write(self, job_id: str, kind: replies.Line, text: str) -> None:
        self._replies.write(job_id, kind, self._discretion.text(text))

    def remove(self, job_id: str) -> None:
        self._replies.remove(job_id)

    def remove_older(self, than: float, *, but: Callable[[str], bool]) -> int:
        return self._replies.remove_older(than, but=but)
