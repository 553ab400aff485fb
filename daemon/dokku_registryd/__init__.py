"""Pushes every Dokku release to its registry, and brings vanished images back."""

__version__ = "0.1.0"

PROGRAM = "dokku-registryd"
