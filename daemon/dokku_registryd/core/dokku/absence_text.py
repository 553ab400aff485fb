"""The file in which a sweep records missing apps, for the next sweep and `status`.

One line for each fact; the last line is `end`, so a partly written file is detected.
`status` reads it too and must start fast, so this module imports nothing.
"""

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than this reads
if TYPE_CHECKING:
    from typing import Any

FILE_NAME = "absence"
SOME_MISSING = "these apps have properties or a recorded release, but no folder"
_HEADER = "dokku-registryd absence/1"
_FOOTER = "end"
PROPOSED_SECONDS = 3 * 86_400
"""After this time `forget` is proposed for a missing app."""


def render(facts: "dict[str, Any]") -> str:
    """Write facts in the form that `parse` reads."""
    lines = [_HEADER]
    lines += [f"{key}={facts[key]}" for key in ("device", "looked_at", "cause")]
    lines.append(f"detail={_flat(facts['detail'])}")
    lines += [
        f"app={row['app']} {row['since']} {row['counted']} {_flat(row['reason'])}"
        for row in facts["apps"]
    ]
    return "\n".join([*lines, _FOOTER, ""])


def parse(text: str) -> "dict[str, Any]":
    """Return the facts; empty if the text is incomplete or has another format."""
    lines = text.split("\n")
    if lines[0] != _HEADER or lines[-2:] != [_FOOTER, ""]:
        return {}
    facts: dict[str, Any] = {"apps": []}
    try:
        for line in lines[1:-2]:
            key, _, value = line.partition("=")
            if key == "app":
                facts["apps"].append(_row(value))
            else:
                facts[key] = value
        facts["device"] = int(facts["device"])
        facts["looked_at"] = float(facts["looked_at"])
    except (KeyError, ValueError):
        return {}
    return facts if {"cause", "detail"} <= facts.keys() else {}


def _row(text: str) -> "dict[str, Any]":
    app, since, counted, reason = text.split(" ", 3)
    return {
        "app": app,
        "since": float(since),
        "counted": float(counted),
        "reason": reason,
    }


def _flat(text: str) -> str:
    return " ".join(text.split())
