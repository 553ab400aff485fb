"""The path of pushes, as the service last determined it: one line in a file.

Stored as text, so that `status` can show it without further imports.
"""

FILE_NAME = "push-way"
RELAY = "relay"
MOST_BYTES = 2000


def render(reason: str) -> str:
    """Return the content of the file: why the relay is not used, empty if it is."""
    text = " ".join(reason.split())
    return f"engine: {text}\n" if text else f"{RELAY}\n"


def parse(text: str) -> str | None:
    """Return why the relay is not used, empty if it is used; None if unknown."""
    line = text.strip()
    if line == RELAY:
        return ""
    way, _, reason = line.partition(": ")
    return reason if way == "engine" and reason else None


def describe(reason: str) -> str:
    """Return a sentence for the path of pushes."""
    if reason:
        return f"the Engine pushes directly: {reason}"
    return "the Engine pushes through the relay of the service"


def describe_last(reason: str) -> str:
    """Return a sentence for the path of pushes while the service is stopped."""
    last = "from the Engine directly" if reason else "through the relay"
    return f"unknown while the service is stopped; the last ones went {last}"
