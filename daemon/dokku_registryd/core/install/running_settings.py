"""The settings that the running service keeps until its restart, as one line of text.

It is part of the lock file (`builds`), so it ends with the service that wrote it::

    settings {"daemon.workers": 8, "engine.socket": "unix:///var/run/docker.sock"}
"""

import json
from collections.abc import Mapping
from typing import Final

from dokku_registryd.core.text import json_documents

_WORD: Final = "settings "


def render(values: Mapping[str, object]) -> str:
    """Return the line for values by `table.key`."""
    return f"{_WORD}{json.dumps(values, sort_keys=True)}\n"


def parse(text: str) -> dict[str, object]:
    """Return the values in a lock file's text; empty if it has none, or not all."""
    for line in text.split("\n"):
        if line.startswith(_WORD):
            try:
                found = json_documents.load(line.removeprefix(_WORD).encode())
            except ValueError:
                return {}  # an incomplete line
            return found if isinstance(found, dict) else {}
    return {}


def differences(
    running: Mapping[str, object], written: Mapping[str, object]
) -> list[str]:
    """Return a sentence for each value that a restart would change; no period."""
    return [
        f"{key}: the running service uses {_shown(running[key])}, not"
        f" {_shown(written[key])}, until it is restarted: systemctl restart"
        " dokku-registryd"
        for key in sorted(running.keys() & written.keys())
        if running[key] != written[key]
    ]


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
