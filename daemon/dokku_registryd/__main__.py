"""Lets `python -m dokku_registryd` do what the console script does."""

from dokku_registryd import cli

raise SystemExit(cli.main())
