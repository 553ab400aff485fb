"""Which texts may be app names, and so parts of a path."""

# Dokku: common.go, isValidAppName and the older rule that allowed underscores. Told
# without regular expressions, which a report would load for this alone.
_FIRST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_ANY = _FIRST | frozenset("._-")

MAX_APP_NAME_LENGTH = 255  # bytes that a file name may have


def is_app_name(text: str) -> bool:
    """Tell whether a text can be the name of a Dokku app.

    Such a name is safe as one component of a path: no slash, no leading dot, no
    control character, ASCII only.
    """
    return (
        0 < len(text) <= MAX_APP_NAME_LENGTH
        and text[0] in _FIRST
        and _ANY.issuperset(text)
    )
