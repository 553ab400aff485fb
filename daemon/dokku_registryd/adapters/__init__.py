"""Adapters to the outside: one library or format each; errors are translated here."""
