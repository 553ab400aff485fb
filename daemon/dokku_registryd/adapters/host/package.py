"""The package as files: their fingerprint, and loading all of them at once.

A process continues with the loaded code while an upgrade replaces the files. So the
service loads all modules that it may need before it serves, and reports their
fingerprint.
"""
# Not pathlib, which takes longer to load than `status` looks.
# ruff: noqa: PTH112, PTH113, PTH116, PTH118, PTH120, PTH123, PTH208

import functools
import os

from dokku_registryd import __version__
from dokku_registryd.adapters.spool import peek
from dokku_registryd.core.install import builds

TYPE_CHECKING = False  # as in `typing`
if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
_DIGITS = 16
# Modules that users or hooks start as separate processes.
_STARTED = (
    "dokku_registryd.__main__",
    "dokku_registryd.cli",
    "dokku_registryd.verbs",
)


@functools.cache
def build() -> builds.Build:
    """Return version and fingerprint of these files as they are at the first call."""
    return builds.Build(__version__, fingerprint())


def difference(data_dir: str) -> str:
    """Return how the service's program differs; empty if it does not.

    It is also empty if no service runs, or its program is unknown.
    """
    told = peek.teller(data_dir)
    if not told:
        return ""
    return builds.difference(builds.parse(told), __version__, fingerprint)


def fingerprint() -> str:
    """Return a hash that changes with any module or hook.

    It reads some 500 files, two megabytes in all: about 12 ms.
    """
    import hashlib  # noqa: PLC0415 - takes as long as the reading

    sums = hashlib.sha256()
    for name, path in _files():
        with open(path, "rb", buffering=0) as file:
            content = file.read()
        sums.update(f"{name} {len(content)}\n".encode())
        sums.update(content)
    return sums.hexdigest()[:_DIGITS]


def mark() -> tuple[int, int]:
    """Return a cheap value that changes when the package is installed again."""
    try:
        status = os.stat(os.path.join(_PACKAGE, "__init__.py"))
    except FileNotFoundError:
        return (0, 0)  # An installation is in progress.
    return (status.st_ino, status.st_mtime_ns)


def load_all() -> None:
    """Load every module that a service may need.

    Raises:
        ImportError: The files belong to different versions.
    """
    import importlib  # noqa: PLC0415 - not needed by `status`
    import sys  # noqa: PLC0415

    for name, _ in _modules():
        parts = ["dokku_registryd", *name.removesuffix(".py").split("/")]
        if parts[-1] == "__init__":
            parts.pop()
        module = ".".join(parts)
        if module not in sys.modules and not module.startswith(_STARTED):
            importlib.import_module(module)


def _modules() -> "Iterator[tuple[str, str]]":
    """Yield names below the package and paths, always in the same order."""
    for folder, below, names in os.walk(_PACKAGE):
        below[:] = sorted(
            name for name in below if name not in {"__pycache__", "_share"}
        )
        inside = folder[len(_PACKAGE) + 1 :]
        prefix = f"{inside}/" if inside else ""
        for name in sorted(names):
            if name.endswith(".py"):
                yield f"{prefix}{name}", f"{folder}/{name}"


def _files() -> "Iterator[tuple[str, str]]":
    """Yield names and paths of modules and hooks, always in the same order."""
    yield from _modules()
    # For their location see `shipped_files`.
    packed = os.path.join(_PACKAGE, "_share", "hooks")
    root = os.path.dirname(os.path.dirname(_PACKAGE))
    hooks = packed if os.path.isdir(packed) else os.path.join(root, "hooks")
    for name in sorted(os.listdir(hooks)):
        path = os.path.join(hooks, name)
        if os.path.isfile(path):
            yield f"hooks/{name}", path
