"""Pushes every Dokku release to its registry, and restores missing images."""

__version__ = "0.1.0"

PROGRAM = "dokku-registryd"
