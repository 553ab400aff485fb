"""The configuration of an app, as `config:set` stores it.

Dokku 0.38 writes `$DOKKU_LIB_ROOT/config/APP/ENV` in the format of godotenv, a line
`NAME="value"` for each variable (plugins/config/environment.go); older versions write
`export NAME='value'` to `$DOKKU_ROOT/APP/ENV`. It holds secrets, so nothing but a
revision is taken from it.
"""

import re
from typing import Final

FILE: Final = "ENV"
VARIABLE: Final = "GIT_REV"
"""The variable with the commit, unless the app's property names another one."""
GIT: Final = "git"
PROPERTY: Final = "rev-env-var"
"""The property of Dokku's Git plugin that names the variable."""
_COMMIT: Final = re.compile(r"([\"']?)([0-9a-f]{7,64})\1")


def commit_in(text: str, name: str) -> str:
    """Return the commit that a variable has; empty for any other value.

    Args:
        text: The content of the file.
        name: The variable.
    """
    found = ""
    for line in text.splitlines():
        key, _, value = line.removeprefix("export ").partition("=")
        if key == name:
            commit = _COMMIT.fullmatch(value.rstrip())
            found = commit[2] if commit else ""
    return found
