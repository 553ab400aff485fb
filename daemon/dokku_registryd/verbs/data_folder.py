"""The data folder, determined without the library that validates settings.

That library takes a tenth of a second to load, and operators and monitors ask for the
status often. It is not needed if no setting except the path of the data is set.
Otherwise `config` loads the settings and reports mistakes.

The settings file may contain secrets, so it may be closed to a user whom the status
socket admits. If the usual data folder is closed to that user too, it is the folder:
then nothing is read from it, and only the socket and systemd are asked.
"""
# Not pathlib, which takes as long to load as Python to start.
# ruff: noqa: PTH123

import importlib
from collections.abc import Mapping

from dokku_registryd.adapters.spool import peek

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than this looks
if TYPE_CHECKING:
    import argparse
    from pathlib import Path

_FILE = "/etc/dokku-registryd/config.toml"
_PREFIX = "DOKKU_REGISTRYD_"
_FILE_VARIABLE = f"{_PREFIX}CONFIG"
_NO_SETTINGS = frozenset(
    {_FILE_VARIABLE, f"{_PREFIX}BIN", f"{_PREFIX}DEFAULTS"}  # as in `config`
)
_LIB_ROOT, _DATA_DIR = "paths.dokku_lib_root", "paths.data_dir"


def find(arguments: "argparse.Namespace") -> "Path":
    """Return the data folder as a path; otherwise as `locate` does."""
    path: Path = importlib.import_module("pathlib").Path(locate(arguments))
    return path


def locate(arguments: "argparse.Namespace") -> str:
    """Return the data folder.

    Raises:
        ConfigurationError: The settings are invalid.
    """
    found = _glance(arguments)
    if found is not None:
        # As a path would be shown.
        return "/" + "/".join(
            part for part in found.split("/") if part not in {"", "."}
        )
    config = importlib.import_module("dokku_registryd.config")
    settings = config.load(
        file=arguments.config,
        overrides=arguments.overrides,
        environ=arguments.environ,
    )
    return str(settings.data_dir)


def _glance(arguments: "argparse.Namespace") -> str | None:
    named = arguments.config or arguments.environ.get(_FILE_VARIABLE)
    given: dict[str, object] = {}
    is_closed = False
    try:
        given = _from_file(named or _FILE)
    except (FileNotFoundError, PermissionError) as error:
        if named:
            return None
        is_closed = isinstance(error, PermissionError)
    except (OSError, ValueError):
        return None
    given |= {**_from_environment(arguments.environ), **arguments.overrides}
    if not given.keys() <= {_LIB_ROOT, _DATA_DIR}:
        return None
    lib_root = given.get(_LIB_ROOT, "/var/lib/dokku")
    found = given.get(_DATA_DIR) or f"{lib_root}/data/registryd"
    is_plain = _is_path(lib_root) and _is_path(found)
    # Closed settings may name another folder than one that is open.
    is_known = not is_closed or peek.is_closed(str(found))
    return str(found) if is_plain and is_known else None


def _from_file(file: str) -> dict[str, object]:
    with open(file, "rb") as opened:
        text = opened.read().decode()
    if all(line.lstrip()[:1] in {"", "#"} for line in text.splitlines()):
        return {}  # As installed; the parser takes longer than this check.
    tables = importlib.import_module("tomllib").loads(text)
    return {
        f"{table}.{name}": value
        for table, content in tables.items()
        for name, value in (
            content.items() if isinstance(content, dict) else [("", content)]
        )
    }


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(_PREFIX).lower().replace("__", "."): value
        for name, value in environ.items()
        if name.startswith(_PREFIX) and name not in _NO_SETTINGS
    }


def _is_path(text: object) -> bool:
    return isinstance(text, str) and text.startswith("/") and text.isprintable()
