"""The text in which a sweep keeps what it did not see, for the next sweep and `status`.

One line a fact, closed by `end`, so that a text which the disk took in part is told
apart. `status` reads it too, and starts at once, so this imports nothing.
"""

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than this reads
if TYPE_CHECKING:
    from typing import Any

FILE_NAME = "absence"
SOME_MISSING = "these apps have properties or a recorded release, and no folder"
_HEADER = "dokku-registryd absence/1"
_FOOTER = "end"
PROPOSED_SECONDS = 3 * 86_400
"""An app that was missing for so long is proposed for `forget`."""


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
    """Read facts; empty where the text is not whole or not of this form."""
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
