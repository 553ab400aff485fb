"""Whether the systemd unit lets the service write to a folder (systemd.exec(5))."""

from typing import Final

PROPERTIES: Final = ("ProtectSystem", "ReadWritePaths")


def forbids(shown: str, folder: str) -> bool:
    """Return whether a unit makes a folder read-only for its service.

    Args:
        shown: The output of `systemctl show` for `PROPERTIES`.
        folder: An absolute path.
    """
    pairs = (line.partition("=") for line in shown.splitlines())
    values = {name: value for name, _, value in pairs}
    if values.get("ProtectSystem") != "strict":
        return False
    opened = [path.lstrip("-+") for path in values.get("ReadWritePaths", "").split()]
    return not any(
        folder == path or folder.startswith(f"{path.rstrip('/')}/") for path in opened
    )
