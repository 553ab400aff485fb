"""Hides the login of a request in the error that the request ends with.

A registry that has the login may name it as a host, a media type or a digest, and our
texts show these. Bodies are cleaned where they are read (`messages.refusal`).
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from dokku_registryd import errors
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.text import foreign_text

Client = TypeVar("Client", bound=type)


def hides_logins(client: Client) -> Client:
    """Have all methods of a class with the argument `auth` hide it in their errors."""
    for name, member in list(vars(client).items()):
        if (
            inspect.isfunction(member)
            and "auth" in inspect.signature(member).parameters
        ):
            setattr(client, name, _hiding(member))
    return client


def _hiding(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except errors.RegistrydError as error:
            _mask(error, named.get("auth"))
            raise

    return call


def _mask(error: errors.RegistrydError, auth: AuthConfig | None) -> None:
    if auth is None:
        return
    spelled = foreign_text.long_spellings(auth.secrets)
    error.args = (foreign_text.mask(str(error), spelled),)
    if isinstance(error, errors.SendAgainError):
        _mask(error.reason, auth)
