"""Verbs about releases and images."""
