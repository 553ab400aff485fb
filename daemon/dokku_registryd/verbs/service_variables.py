"""The settings in the service's file of variables, for a command that a person calls.

systemd gives the service the variables of this file, and hooks export them. Without
them a command would look at another data folder than the service, once that was moved.
"""
# Not pathlib, which takes as long to load as Python to start.
# ruff: noqa: PTH123

import importlib
from collections.abc import MutableMapping

FILE = "/etc/default/dokku-registryd"
"""The unit's EnvironmentFile."""
VARIABLE = "DOKKU_REGISTRYD_DEFAULTS"
"""Names another file instead."""
_PREFIX = "DOKKU_REGISTRYD_"
_FILE_OF_SETTINGS = f"{_PREFIX}CONFIG"


def add_to(environ: MutableMapping[str, str]) -> None:
    """Add the settings of the file that the environment does not have.

    Only settings: a variable such as LD_PRELOAD is for the service, which is not root.
    A file that this user cannot read is left out; `doctor` says so.
    """
    try:
        with open(environ.get(VARIABLE, FILE), errors="replace") as file:
            text = file.read()
    except OSError:
        return
    module = importlib.import_module("dokku_registryd.core.install.environment_files")
    for name, value in module.parse(text).values.items():
        if _is_setting(name):
            environ.setdefault(name, value)


def _is_setting(name: str) -> bool:
    # As `config.variable` names them; its import takes longer than `status`.
    return name == _FILE_OF_SETTINGS or (name.startswith(_PREFIX) and "__" in name)
