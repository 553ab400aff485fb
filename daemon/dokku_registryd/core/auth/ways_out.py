"""The command that replaces a login: whose it is, and as which user.

Dokku has one login of the host (`--global`) and one of each app, and an app may use
either. A new login of the app would hide a global one that stays refused for all
others.
"""

import shlex
from typing import Final

from dokku_registryd.core.auth.logins import AuthConfig

_COMMAND: Final = "dokku registry:login"
_ANYBODY: Final = "USER"
WITHOUT_TERMINAL: Final = "(without a terminal: --password-stdin < TOKEN-FILE)"
"""How that command gets the password if it cannot ask for it."""


def log_in(app: str, domain: str, known: AuthConfig | None) -> str:
    """Return the command that logs in where an app's login comes from.

    Args:
        app: The app.
        domain: The registry.
        known: The login that the app uses; None if it has none, or it is unreadable.
    """
    if known is None:
        return log_in_as_other(app, domain)
    whose = app if known.owner else "--global"
    return f"{_COMMAND} {whose} {domain} {shlex.quote(known.username or _ANYBODY)}"


def log_in_as_other(app: str, domain: str) -> str:
    """Return the command that gives an app a login of its own, as another user."""
    return f"{_COMMAND} {app} {domain} {_ANYBODY}"


def without(text: str) -> str:
    """Return why a login is refused, without the command, which is told apart."""
    if not text.endswith(_COMMAND):
        return text
    said, _, _advice = text.rpartition(". ")
    return said or text


def complete(text: str, app: str, domain: str, known: AuthConfig | None) -> str:
    """Return why a login is refused, with the whole command that replaces it.

    Who asks a registry does not know the app, so its texts end with the command alone.

    Args:
        text: The refusal; another text stays as it is.
        app: As of `log_in`, as the others.
        domain: The registry.
        known: The login.
    """
    if not text.endswith(_COMMAND):
        return text
    return f"{text.removesuffix(_COMMAND)}{log_in(app, domain, known)}"
