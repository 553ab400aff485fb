"""Verbs that only our hooks call."""
