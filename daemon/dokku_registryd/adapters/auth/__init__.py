"""Logins in auth configs and helpers. From outside: `resolver` and `writer`."""
