"""Entry point of `python -m dokku_registryd`."""

from dokku_registryd import cli

cli.run()
