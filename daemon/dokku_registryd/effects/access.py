"""An app's way into one registry, with one fresh login before a refusal counts."""

from collections.abc import Callable
from typing import TypeVar

from dokku_registryd import errors, ports
from dokku_registryd.core import logins

Answer = TypeVar("Answer")


class Access:
    """Calls a registry or the Engine with one app's login for one domain.

    The login is resolved when it is needed and once more after a refusal: tokens of
    some registries live for hours only, and an operator may just have logged in.
    """

    def __init__(self, world: ports.World, *, app: str, domain: str) -> None:
        self._world = world
        self._app = app
        self._domain = domain
        self._auth: logins.AuthConfig | None = None
        self._is_resolved = False

    def call(self, operation: Callable[[logins.AuthConfig | None], Answer]) -> Answer:
        """Run an operation with the login, anew if the login is refused.

        Raises:
            AuthenticationError: A login that was resolved this moment is refused too.
        """
        if not self._is_resolved:
            self._resolve()
        try:
            return operation(self._auth)
        except errors.AuthenticationError:
            self._resolve()
            return operation(self._auth)

    def _resolve(self) -> None:
        self._auth = self._world.credentials.resolve(self._app, self._domain)
        self._is_resolved = True
