"""Builds what reads Dokku's properties, and what Dokku runs."""

from pathlib import Path

from dokku_registryd import config
from dokku_registryd.adapters.dokku import property_files


def build_properties(settings: config.Settings) -> property_files.PropertyFiles:
    """Build the reader of properties and of deployed releases."""
    return property_files.PropertyFiles(
        config_root=settings.config_root,
        dokku_root=Path(settings.paths.dokku_root),
        deployed_root=settings.deployed_dir,
    )
