"""Verbs about the service itself: run it, ask it, examine it."""
