"""Apps and properties as Dokku's subcommands see them.

An app is a folder below `$DOKKU_ROOT`. Plugins that restrict users (`user-auth-app`)
may hide it; an app that is hidden does not exist (Dokku 0.38.27, common.go).
"""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path

from dokku_registryd.adapters import property_files
from dokku_registryd.commands import dokku
from dokku_registryd.core import names, properties

_FILTER = "user-auth-app"
# Dokku's own plugin that logs all triggers; it decides nothing.
_EVENTS = "20_events"
_NAME_RULE = (
    "App name must begin with lowercase alphanumeric character, and may only contain"
    " lowercase alphanumerics, dots, and hyphens"
)


def verify(call: dokku.Call, app: str) -> None:
    """Refuse what is no app, or none of this user's.

    Raises:
        DokkuError: In Dokku's words.
    """
    if not app:
        raise dokku.DokkuError("Please specify an app to run the command on")
    if not names.is_app_name(app):
        raise dokku.DokkuError(_NAME_RULE)
    if not (_is_app(call, app) and _permitted(call, [app])):
        raise dokku.DokkuError(f"App {app} does not exist", status=dokku.NO_SUCH_APP)


def existing(call: dokku.Call) -> list[str]:
    """Return the apps that this user may see, sorted."""
    try:
        folders = sorted(Path(call.dokku_root).iterdir())
    except OSError:
        return []
    apps = [path.name for path in folders if names.is_app_name(path.name)]
    return _permitted(call, [app for app in apps if _is_app(call, app)])


def property_store(call: dokku.Call) -> property_files.PropertyFiles:
    """Return the property files of this host."""
    return property_files.PropertyFiles(
        config_root=Path(call.lib_root, "config"),
        dokku_root=Path(call.dokku_root),
        deployed_root=data_dir(call) / "deployed",
    )


def data_dir(call: dokku.Call) -> Path:
    """Return our data folder, by the rule of `hooks/functions`."""
    named = call.environ.get("DOKKU_REGISTRYD_PATHS__DATA_DIR")
    return Path(named or f"{call.lib_root}/data/registryd")


def reader(call: dokku.Call) -> properties.Reader:
    """Return a way to read properties, each once, that says what it cannot read."""
    store = property_store(call)
    known: dict[tuple[str, str, str], str] = {}

    def read(plugin: str, app: str, name: str) -> str:
        key = (plugin, app, name)
        if key not in known:
            known[key] = store.get(*key)
            path = Path(call.lib_root, "config", *key)
            if not known[key] and not _is_readable(path):
                call.warn(f"Unable to read {plugin} property {app}.{name}")
        return known[key]

    return read


def _is_app(call: dokku.Call, app: str) -> bool:
    return Path(call.dokku_root, app).is_dir()


def _is_readable(path: Path) -> bool:
    """Tell whether a property is unset, or set to nothing."""
    if not os.path.lexists(path):
        return True
    return path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)


def _permitted(call: dokku.Call, apps: Sequence[str]) -> list[str]:
    if not (apps and _has_filter(call)):
        return list(apps)
    user = call.environ.get("SSH_USER") or call.environ.get("USER", "")
    name = call.environ.get("SSH_NAME") or call.environ.get("NAME") or "default"
    # Its import costs more than the rest of a report, and few hosts have a filter.
    subprocess = importlib.import_module("subprocess")
    try:
        done = subprocess.run(
            ["plugn", "trigger", _FILTER, user, name, *apps],
            env=call.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError:
        return []
    wanted = set(apps)
    return [line for line in os.fsdecode(done.stdout).split("\n") if line in wanted]


def _has_filter(call: dokku.Call) -> bool:
    default = f"{call.lib_root}/plugins/enabled"
    enabled = Path(call.environ.get("PLUGIN_ENABLED_PATH") or default)
    return any(path.parent.name != _EVENTS for path in enabled.glob(f"*/{_FILTER}"))
