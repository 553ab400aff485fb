"""What is said of a ledger whose schema is another version's."""

from dokku_registryd.adapters.ledger.schema import MIGRATIONS


def older(path: str, version: int) -> str:
    """Return why an older file is neither read nor written as it is."""
    return (
        f"{path} is as an older dokku-registryd left it (schema {version}, this one has"
        f" {len(MIGRATIONS)}). To bring it up to date, and the service with it:"
        " sudo dokku-registryd install"
    )


def newer(path: str, version: int) -> str:
    """Return why a file from a newer version is left alone."""
    return (
        f"{path} was written by a newer dokku-registryd (schema {version}, this one"
        f" knows {len(MIGRATIONS)}): install that again. docs/install.md says how to go"
        " back all the same"
    )
