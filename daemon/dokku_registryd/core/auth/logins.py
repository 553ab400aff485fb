"""A login to one registry, and the wrapper that keeps its secret out of print.

`Secret` exists because `repr`, f-strings, tracebacks and loggers all print values
without asking. Only `reveal()` gives the text, so a search for it lists every place
where a secret leaves our hands.
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
        """Return the text. Call it only where the secret is handed over."""
        return self._text

    def __bool__(self) -> bool:
        """Tell whether there is anything to hide."""
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        """Compare by text."""
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        """Hash by text."""
        return hash(self._text)

    def __repr__(self) -> str:
        """Print asterisks, whatever the length of the text."""
        return "Secret('***')"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse to be pickled or copied into a file."""
        raise TypeError("a Secret cannot be serialised")


_NO_SECRET: Final = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """What one registry accepts from one app.

    Either `username` and `password`, or `identity_token` (an OAuth2 refresh token,
    which a credential helper gives with the user name `<token>`).
    """

    domain: str
    username: str = ""
    password: Secret = _NO_SECRET
    identity_token: Secret = _NO_SECRET
    owner: str = field(default="", compare=False)
    """The app whose file holds it, empty for the global one: who shares its limits."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must never be shown: alone, and as Basic sends it (RFC 7617)."""
        pair = f"{self.username}:{self.password.reveal()}" if self.password else ""
        encoded = base64.b64encode(pair.encode(errors="replace")).decode()
        return self.password, self.identity_token, Secret(encoded)
