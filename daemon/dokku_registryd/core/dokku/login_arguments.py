"""The arguments of `registry:login` and `registry:logout`.

Dokku's own plugin only counts positional arguments: if one is missing, it takes an app
for a registry, which then gets a user name or password of another one. Here the names
are checked too: whether the app exists, and whether a text can be a registry at all,
since only a host with a dot or a port can be part of an image's name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dokku_registryd.core.auth.logins import Secret

_HUB: Final = frozenset({"hub.docker.com", "docker.com"})
_NO_PASSWORD: Final = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The arguments of a login. Missing ones are empty."""

    app: str = ""
    """Empty for the global auth config."""
    server: str = ""
    username: str = ""
    password: Secret = _NO_PASSWORD
    is_deprecated: bool = False
    """A global login without the flag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout:
    """The arguments of a logout. Missing ones are empty."""

    app: str = ""
    server: str = ""


def parse_login(
    positional: list[str],
    *,
    is_global: bool,
    from_stdin: bool,
    is_app: Callable[[str], bool],
) -> Login:
    """Parse `[APP] SERVER USERNAME [PASSWORD]`."""
    complete = 2 if from_stdin else 3  # for the global login
    first, second, third, fourth = [*positional, "", "", "", ""][:4]
    is_for_app = not is_global and (
        len(positional) > complete or _means_app(first, second, is_app)
    )
    if is_for_app:
        return Login(
            app=first,
            server=_server(second),
            username=third,
            password=Secret("" if from_stdin else fourth),
        )
    return Login(
        server=_server(first),
        username=second,
        password=Secret("" if from_stdin else third),
        is_deprecated=not is_global and len(positional) > 1,
    )


def parse_logout(
    positional: list[str], *, is_global: bool, is_app: Callable[[str], bool]
) -> Logout:
    """Parse `[APP] SERVER`."""
    first, second = [*positional, "", ""][:2]
    if is_global or (len(positional) == 1 and not _means_app(first, second, is_app)):
        return Logout(server=_server(first))
    return Logout(app=first, server=_server(second))


def is_host(text: str) -> bool:
    """Return whether a text can be the registry in an image's name."""
    return "." in text or ":" in text or text == "localhost"


def _means_app(first: str, second: str, is_app: Callable[[str], bool]) -> bool:
    """Return whether the first argument is an app, although it could be a registry.

    Apps are often named like a host, even one that serves a registry. Then a registry
    after it decides.
    """
    if is_app(first):
        return not is_host(first) or not second or is_host(second)
    return not is_host(first)


def _server(text: str) -> str:
    return "docker.io" if text in _HUB else text
