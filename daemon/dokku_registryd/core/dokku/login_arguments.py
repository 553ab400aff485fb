"""What `registry:login` and `registry:logout` were asked to do.

Dokku's own plugin counts positional arguments: one too few, and an app is taken for a
registry that then gets a user name or password that was meant for another. Here the
names are looked at too: whether there is such an app, and whether a text can be a
registry at all, since only a host with a dot or a port can stand in an image's name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dokku_registryd.core.auth.logins import Secret

_HUB: Final = frozenset({"hub.docker.com", "docker.com"})
_NO_PASSWORD: Final = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login as it was asked for. What is missing is empty."""

    app: str = ""
    """Empty for the global auth config."""
    server: str = ""
    username: str = ""
    password: Secret = _NO_PASSWORD
    is_deprecated: bool = False
    """A global login that does not say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout:
    """A logout as it was asked for. What is missing is empty."""

    app: str = ""
    server: str = ""


def parse_login(
    positional: list[str],
    *,
    is_global: bool,
    from_stdin: bool,
    is_app: Callable[[str], bool],
) -> Login:
    """Return what `[APP] SERVER USERNAME [PASSWORD]` stands for."""
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
    """Return what `[APP] SERVER` stands for."""
    first, second = [*positional, "", ""][:2]
    if is_global or (len(positional) == 1 and not _means_app(first, second, is_app)):
        return Logout(server=_server(first))
    return Logout(app=first, server=_server(second))


def is_host(text: str) -> bool:
    """Tell whether a text can be the registry in an image's name."""
    return "." in text or ":" in text or text == "localhost"


def _means_app(first: str, second: str, is_app: Callable[[str], bool]) -> bool:
    """Tell whether the first argument is an app, though it could be a registry.

    Apps are often called like a host, one that serves a registry too. Then a registry
    behind it decides.
    """
    if is_app(first):
        return not is_host(first) or not second or is_host(second)
    return not is_host(first)


def _server(text: str) -> str:
    return "docker.io" if text in _HUB else text
