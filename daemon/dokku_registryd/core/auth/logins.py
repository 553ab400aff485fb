"""A login to one registry, and the wrapper that keeps its secret out of output.

`repr`, f-strings, tracebacks and loggers all print values, so `Secret` prints only
asterisks. Only `reveal()` returns the text, so a search for it lists every place where
a secret is used.
"""

import base64
from dataclasses import dataclass, field
from typing import Final


class Secret:
    """A text that prints as asterisks."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: Final = text

    def reveal(self) -> str:
        """Return the text. Call it only where the secret is used."""
        return self._text

    def __bool__(self) -> bool:
        """Return whether the secret is not empty."""
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        """Compare by text."""
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        """Hash by text."""
        return hash(self._text)

    def __repr__(self) -> str:
        """Print asterisks, independent of the length of the text."""
        return "Secret('***')"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse to be pickled or copied into a file."""
        raise TypeError("a Secret cannot be serialised")


_NO_SECRET: Final = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """A login of one app to one registry.

    Either `username` and `password`, or `identity_token` (an OAuth2 refresh token,
    which a credential helper gives with the user name `<token>`).
    """

    domain: str
    username: str = ""
    password: Secret = _NO_SECRET
    identity_token: Secret = _NO_SECRET
    owner: str = field(default="", compare=False)
    """The app whose file has it, empty for the global one; they share its limits."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The texts to hide: alone, and in the form of Basic (RFC 7617)."""
        pair = f"{self.username}:{self.password.reveal()}" if self.password else ""
        encoded = base64.b64encode(pair.encode(errors="replace")).decode()
        return self.password, self.identity_token, Secret(encoded)
