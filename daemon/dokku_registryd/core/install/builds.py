"""The running program: its version and the fingerprint of its files.

The process that owns the spool writes them to the lock file, below the line with its
process ID::

    daemon 1234
    reads build deploy deployer job revision source waiter
    version 0.1.0
    fingerprint 5f0c0e2a1b9d4c77
    settings {"daemon.workers": 8}

So a reader need not ask a process that may hang. `reads` lists the optional keys of
trigger files that this program understands; hooks omit the others
(`adapters/spool/spool.py`), and `settings` has those that it keeps until a restart
(`running_settings`). Older programs write a lock file without these lines.
"""

TYPE_CHECKING = False  # as in `typing`; `status` starts sooner without it
if TYPE_CHECKING:
    from collections.abc import Callable

CURE = "sudo dokku-registryd install"


class Build:
    """Version and fingerprint of one program.

    Args:
        version: As printed by `--version`; empty if unknown.
        fingerprint: Of its files; empty if unknown.
    """

    __slots__ = ("fingerprint", "version")

    def __init__(self, version: str = "", fingerprint: str = "") -> None:
        self.version = version
        self.fingerprint = fingerprint


def render(build: Build) -> str:
    """Return the lines of the lock file for a program."""
    return f"version {build.version}\nfingerprint {build.fingerprint}\n"


def parse(text: str) -> Build:
    """Return the program that a lock file describes; ignore other lines."""
    pairs = (line.partition(" ") for line in text.split("\n"))
    told = {key: value.strip() for key, _, value in pairs}
    return Build(told.get("version", ""), told.get("fingerprint", ""))


def difference(running: Build, version: str, fingerprint: "Callable[[], str]") -> str:
    """Return how the running program differs from the installed one; empty if equal.

    Args:
        running: The running program.
        version: The installed version.
        fingerprint: Returns the installed fingerprint; called if versions are equal.
    """
    if not running.version:
        return f"runs an older version than the installed {version}"
    if running.version != version:
        return f"runs {running.version}, but {version} is installed"
    if running.fingerprint != fingerprint():
        return f"runs {version} with other files than the installed ones"
    return ""
