"""The logins of apps."""

from collections.abc import Callable
from typing import Protocol

from dokku_registryd.core.auth import logins

LogIn = Callable[[logins.AuthConfig], None]
"""Lets the Engine log in to a registry; raises the reason if it cannot."""


class Credentials(Protocol):
    """Logins of apps, from auth configs and credential helpers."""

    def resolve(self, app: str, domain: str) -> logins.AuthConfig | None:
        """Return the app's login for a registry, without a cache; None for anonymous.

        The app's own auth config comes first, then the global one. An empty `app` uses
        only the global one.

        Raises:
            AuthenticationError: A credential helper failed or timed out.
        """

    def forget(self, directory: str) -> list[str]:
        """Erase the logins of a detached auth config directory from their helpers.

        A login that the global file or another app still uses is kept. The folder
        itself is kept; the caller removes it afterwards.

        Returns:
            The domains that were erased.
        """
