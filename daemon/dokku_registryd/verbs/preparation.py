"""Shared by the verbs: settings, the user to run as, the ledger, tables."""

import argparse
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dokku_registryd import errors
from dokku_registryd.adapters.ledger import ledger
from dokku_registryd.core.dokku import app_names
from dokku_registryd.verbs import closed_folder, identity, output

if TYPE_CHECKING:
    from dokku_registryd import config


def enter(
    arguments: argparse.Namespace, out: output.Output | None = None
) -> "config.Settings":
    """Load the settings and become the user that owns the data folder.

    Args:
        arguments: The command line.
        out: Reports an owner without a user name; None reports nothing.

    Raises:
        ConfigurationError: The settings are invalid.
        ClosedFolderError: The data folder is closed to this user.
    """
    # Its import takes longer than `status`, which needs no settings.
    loader = importlib.import_module("dokku_registryd.config")
    settings: config.Settings = loader.load(
        file=arguments.config,
        overrides=arguments.overrides,
        environ=arguments.environ,
    )
    arguments.data_dir = str(settings.data_dir)
    arguments.settings = settings
    complaint = identity.become_owner(settings.data_dir, arguments.environ)
    if complaint and out is not None:
        out.error(complaint)
    closed_folder.require_access(settings.data_dir)
    return settings


def check_app(arguments: argparse.Namespace, app: str) -> None:
    """Require an app of this host.

    Raises:
        RegistrydError: With Dokku's message.
    """
    root = Path(arguments.settings.paths.dokku_root)
    if not app_names.is_app_name(app) or not (root / app).is_dir():
        raise errors.RegistrydError(f"App {app} does not exist")


def read_ledger(settings: "config.Settings") -> ledger.SqliteLedger | None:
    """Open the ledger for reading; return None if it does not exist."""
    return open_ledger(settings.ledger_file)


def open_ledger(path: Path) -> ledger.SqliteLedger | None:
    """Open a ledger for reading; return None if it does not exist."""
    return ledger.open_to_read(path)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text in columns."""

    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def lines(self) -> list[str]:
        """Return the lines of the table without trailing blanks."""
        table = [self.heads, *self.rows]
        widths = [max(len(row[at]) for row in table) for at in range(len(self.heads))]
        return [
            "  ".join(
                cell.ljust(width) for cell, width in zip(row, widths, strict=True)
            ).rstrip()
            for row in table
        ]
