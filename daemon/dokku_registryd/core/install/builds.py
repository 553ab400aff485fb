"""Which program runs: its version and the fingerprint of its files.

The process that works the spool says it in the lock file, below the line with its
number::

    daemon 1234
    reads build deploy waiter
    version 0.1.0
    fingerprint 5f0c0e2a1b9d4c77

So it can be read without asking a process that may hang. `reads` names the optional
keys of trigger files that this program understands: hooks leave the others out
(`adapters/spool/spool.py`). A lock file without these lines is that of a program from
before there were any.
"""

TYPE_CHECKING = False  # as in `typing`; `status` starts sooner without it
if TYPE_CHECKING:
    from collections.abc import Callable

CURE = "sudo dokku-registryd install"


class Build:
    """One program.

    Args:
        version: As `--version` says it; empty where the program does not tell.
        fingerprint: Of its files; empty where it does not tell.
    """

    __slots__ = ("fingerprint", "version")

    def __init__(self, version: str = "", fingerprint: str = "") -> None:
        self.version = version
        self.fingerprint = fingerprint


def render(build: Build) -> str:
    """Return what the lock file says of a program."""
    return f"version {build.version}\nfingerprint {build.fingerprint}\n"


def parse(text: str) -> Build:
    """Return the program that a lock file tells of; lines of other meaning are fine."""
    pairs = (line.partition(" ") for line in text.split("\n"))
    told = {key: value.strip() for key, _, value in pairs}
    return Build(told.get("version", ""), told.get("fingerprint", ""))


def difference(running: Build, version: str, fingerprint: "Callable[[], str]") -> str:
    """Return in which way another program runs than is installed; empty if none does.

    Args:
        running: The program that runs.
        version: The one that is installed.
        fingerprint: Gives that of its files; it is asked where versions are the same.
    """
    if not running.version:
        return f"runs an older version, installed is {version}"
    if running.version != version:
        return f"runs {running.version}, installed is {version}"
    if running.fingerprint != fingerprint():
        return f"runs {version}, but not the files of it that are installed"
    return ""
