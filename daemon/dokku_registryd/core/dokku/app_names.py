"""Valid app names, which are also used in paths."""

# Dokku: common.go, isValidAppName and the older rule that allowed underscores. Without
# regular expressions, which a report would import only for this.
_FIRST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_ANY = _FIRST | frozenset("._-")

MAX_APP_NAME_LENGTH = 255  # bytes that a file name may have


def is_app_name(text: str) -> bool:
    """Return whether a text can be the name of a Dokku app.

    Such a name is safe as one part of a path: no slash, no leading dot, no
    control character, ASCII only.
    """
    return (
        0 < len(text) <= MAX_APP_NAME_LENGTH
        and text[0] in _FIRST
        and _ANY.issuperset(text)
    )
