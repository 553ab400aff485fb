"""Messages about a ledger with the schema of another version."""

from dokku_registryd.adapters.ledger.schema import MIGRATIONS

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
