"""Logins and Docker's `config.json`, as values. Secrets stay wrapped in `logins`."""
