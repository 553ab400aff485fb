"""Releases as the ledger keeps them: numbers, states, and how long rows stay."""
