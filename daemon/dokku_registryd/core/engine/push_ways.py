"""Which way pushes go, as the service last found it out: one line in a file.

Kept as text, so that `status` can show it without loading anything.
"""

FILE_NAME = "push-way"
RELAY = "relay"
MOST_BYTES = 2000


def render(reason: str) -> str:
    """Return the content of the file: why the relay is not used, empty if it is."""
    text = " ".join(reason.split())
    return f"engine: {text}\n" if text else f"{RELAY}\n"


def parse(text: str) -> str | None:
    """Return why the relay is not used, empty if it is; None if nobody knows."""
    line = text.strip()
    if line == RELAY:
        return ""
    way, _, reason = line.partition(": ")
    return reason if way == "engine" and reason else None


def describe(reason: str) -> str:
    """Return it in words."""
    if reason:
        return f"the Engine pushes by itself, since {reason}"
    return "the Engine hands images over to the service, which pushes them"
