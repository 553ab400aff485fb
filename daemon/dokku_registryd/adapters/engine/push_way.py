"""The file with the path of pushes, for commands that only show it."""
# Not pathlib, which takes as long to load as Python to start.
# ruff: noqa: PTH123

from dokku_registryd.core.engine import push_ways


def read(data_dir: str) -> str | None:
    """Return why the relay is not used, empty if it is used; None if unknown."""
    try:
        with open(f"{data_dir}/{push_ways.FILE_NAME}", "rb") as file:
            text = file.read(push_ways.MOST_BYTES).decode(errors="replace")
    except OSError:
        return None
    return push_ways.parse(text)
