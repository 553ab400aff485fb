"""Settings: every key, its default, its bounds, and where a value came from.

Flags win over the environment, the environment over the TOML file, the file over
the defaults. `load` is given all of them and reads nothing else. It reports every
mistake at once, by key and source, and never repeats a value that was entered.
`core.dokku.policy` computes the settings that a property of one app overrides.
"""

from dokku_registryd.config.loading import (
    allowed,
    config_file,
    describe,
    fields,
    load,
    secret_keys,
    unknown_variables,
    variable,
)
from dokku_registryd.config.reloading import NEEDS_RESTART, Reload, merge
from dokku_registryd.config.schema import (
    DEFAULT_FILE,
    MODE_VARIABLE,
    Paths,
    Settings,
)

__all__ = [
    "DEFAULT_FILE",
    "MODE_VARIABLE",
    "NEEDS_RESTART",
    "Paths",
    "Reload",
    "Settings",
    "allowed",
    "config_file",
    "describe",
    "fields",
    "load",
    "merge",
    "secret_keys",
    "unknown_variables",
    "variable",
]
