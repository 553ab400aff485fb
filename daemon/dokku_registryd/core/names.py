"""Which texts may be app names, and so parts of a path."""

import re

# Dokku: common.go, isValidAppName and the older rule that allowed underscores.
_APP_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")

MAX_APP_NAME_LENGTH = 255  # bytes that a file name may have


def is_app_name(text: str) -> bool:
    """Tell whether a text can be the name of a Dokku app.

    Such a name is safe as one component of a path: no slash, no leading dot, no
    control character, ASCII only.
    """
    return len(text) <= MAX_APP_NAME_LENGTH and bool(_APP_NAME.fullmatch(text))
