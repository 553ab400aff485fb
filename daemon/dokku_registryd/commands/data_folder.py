"""Where our data lies, told without the library that checks settings.

That library takes a tenth of a second to load, and people and monitors ask for the
status often. So only the three places are looked at that can move the data folder, in
the order of `config`. Whatever is unusual there is left to `config`, which has the
words for it. A mistake in some other setting keeps nobody from seeing the status.
"""

import argparse
import importlib
from pathlib import Path

_FILE = "/etc/dokku-registryd/config.toml"
_FILE_VARIABLE = "DOKKU_REGISTRYD_CONFIG"
_PREFIX = "DOKKU_REGISTRYD_PATHS__"
_LIB_ROOT = "/var/lib/dokku"


def find(arguments: argparse.Namespace) -> Path:
    """Return the data folder.

    Raises:
        ConfigurationError: The settings are wrong.
    """
    found = _glance(arguments)
    if found is not None:
        return Path(found)
    config = importlib.import_module("dokku_registryd.config")
    settings = config.load(
        file=arguments.config,
        overrides=arguments.overrides,
        environ=arguments.environ,
    )
    return Path(settings.data_dir)


def _glance(arguments: argparse.Namespace) -> str | None:
    named = arguments.config or arguments.environ.get(_FILE_VARIABLE)
    try:
        table = _paths(Path(named or _FILE))
    except FileNotFoundError:
        if named:
            return None
        table = {}
    except (OSError, ValueError):
        return None
    for name in ("dokku_lib_root", "data_dir"):
        variable = f"{_PREFIX}{name.upper()}"
        if variable in arguments.environ:
            table[name] = arguments.environ[variable]
        if f"paths.{name}" in arguments.overrides:
            table[name] = arguments.overrides[f"paths.{name}"]
    lib_root = table.get("dokku_lib_root", _LIB_ROOT)
    found = table.get("data_dir") or f"{lib_root}/data/registryd"
    is_plain = all(_is_path(text) for text in (lib_root, found))
    return str(found) if is_plain else None


def _paths(file: Path) -> dict[str, object]:
    text = file.read_bytes().decode()
    if all(line.lstrip()[:1] in {"", "#"} for line in text.splitlines()):
        return {}  # As it was installed; the parser costs more than the look.
    table = importlib.import_module("tomllib").loads(text).get("paths", {})
    if not isinstance(table, dict):
        raise ValueError("paths is no table")  # noqa: TRY004 - config has the words
    return table


def _is_path(text: object) -> bool:
    return isinstance(text, str) and text.startswith("/") and text.isprintable()
