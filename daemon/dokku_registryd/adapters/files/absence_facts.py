"""The missing apps of the last sweep, for commands that only show them."""
# Not pathlib, which takes as long to load as Python to start.
# ruff: noqa: PTH123

from dokku_registryd.core.dokku import absence_text

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than this reads
if TYPE_CHECKING:
    from typing import Any

_NOTHING = {"device": 0, "looked_at": 0.0, "cause": "none", "detail": "", "apps": []}


def read(data_dir: str) -> "dict[str, Any]":
    """Return the facts of `core.dokku.absence_text`, empty without a file."""
    try:
        with open(f"{data_dir}/{absence_text.FILE_NAME}", "rb") as file:
            text = file.read().decode(errors="replace")
    except OSError:
        return dict(_NOTHING)
    return absence_text.parse(text) or dict(_NOTHING)
