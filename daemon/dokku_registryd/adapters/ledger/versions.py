"""What another version of this program has written: its schema, and its values."""

from dokku_registryd import errors
from dokku_registryd.adapters.ledger.schema import MIGRATIONS

TYPE_CHECKING = False  # as in `typing`; `status` starts sooner without it
if TYPE_CHECKING:
    from enum import StrEnum
    from typing import TypeVar

    _Known = TypeVar("_Known", bound=StrEnum)

_MARKS = {ord("-"): None, ord("_"): None}
NEWER = "was written by a newer dokku-registryd"


def older(path: str, version: int) -> str:
    """Return why an older file is neither read nor written."""
    return (
        f"{path} was written by an older dokku-registryd (schema {version}, this one"
        f" has {len(MIGRATIONS)}). Update it and the service with: sudo"
        " dokku-registryd install"
    )


def newer(path: str, version: int) -> str:
    """Return why a file of a newer version is not used."""
    return (
        f"{path} {NEWER} (schema {version}, this one"
        f" has {len(MIGRATIONS)}): install the newer version again. For a downgrade see"
        " docs/install.md"
    )


def known(names: "type[_Known]", value: str, what: str) -> "_Known":
    """Return the name that a column has.

    Args:
        names: All that this version knows; later ones add some without a new schema.
        value: The column.
        what: What it is, for the error.

    Raises:
        LedgerError: It looks like a name: a newer version knows more of them.
        ValueError: It looks like none, so it is damage.
    """
    try:
        return names(value)
    except ValueError:
        # Another type than text is damage too.
        if not isinstance(value, str) or not value.isascii():
            raise
        if not value.translate(_MARKS).isalpha():
            raise
        raise errors.LedgerError(
            f"the ledger {NEWER}: it has {what} {value!r}, which this one does not"
            " know. Install the newer version again. For a downgrade see"
            " docs/install.md"
        ) from None


def empty(path: str) -> str:
    """Return that a file has no ledger yet."""
    return f"{path} has no ledger yet: the service that starts creates it"
