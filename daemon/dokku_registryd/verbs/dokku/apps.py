"""Apps and properties as Dokku's subcommands see them.

An app is a folder below `$DOKKU_ROOT`. Plugins that restrict users (`user-auth-app`)
may hide it; an app that is hidden does not exist (Dokku 0.38.27, common.go).
"""
# Not pathlib, which takes as long to load as Python to start.
# ruff: noqa: PTH110, PTH112, PTH208

import importlib
import os
from collections.abc import Sequence

from dokku_registryd.adapters.dokku import property_texts
from dokku_registryd.core.dokku import app_names, computed
from dokku_registryd.verbs.dokku import call as dokku_call

_FILTER = "user-auth-app"
# Dokku's own plugin that logs all triggers; it decides nothing.
_EVENTS = "20_events"
_NAME_RULE = (
    "App name must begin with lowercase alphanumeric character, and may only contain"
    " lowercase alphanumerics, dots, and hyphens"
)


def verify(call: dokku_call.Call, app: str) -> None:
    """Require an app that exists and that this user may use.

    Raises:
        DokkuError: In Dokku's words.
    """
    if not app:
        raise dokku_call.DokkuError("Please specify an app to run the command on")
    if not app_names.is_app_name(app):
        raise dokku_call.DokkuError(_NAME_RULE)
    if not (_is_app(call, app) and _permitted(call, [app])):
        raise dokku_call.DokkuError(
            f"App {app} does not exist", status=dokku_call.NO_SUCH_APP
        )


def existing(call: dokku_call.Call) -> list[str]:
    """Return the apps that this user may see, sorted."""
    try:
        with os.scandir(call.dokku_root) as entries:
            apps = [
                entry.name
                for entry in entries
                if app_names.is_app_name(entry.name) and _is_folder(entry)
            ]
    except OSError:
        return []
    return _permitted(call, sorted(apps))


def reader(call: dokku_call.Call) -> computed.Reader:
    """Return a reader of properties that warns once about each unreadable one."""
    known: dict[tuple[str, str], dict[str, str | None]] = {}

    def read(plugin: str, app: str, name: str) -> str:
        place = (plugin, app)
        if place not in known:
            root = f"{call.lib_root}/config/{plugin}"
            known[place] = property_texts.read(root, app)
        text = known[place].get(name, "")
        if text is None:
            call.warn(f"Unable to read {plugin} property {app}.{name}")
            known[place][name] = text = ""
        return text

    return read


def _is_app(call: dokku_call.Call, app: str) -> bool:
    return os.path.isdir(f"{call.dokku_root}/{app}")


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    # The listing has the type, which avoids a `stat` for each of thousands of apps.
    return entry.is_dir(follow_symlinks=False) or os.path.isdir(entry.path)


def _permitted(call: dokku_call.Call, apps: Sequence[str]) -> list[str]:
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


def _has_filter(call: dokku_call.Call) -> bool:
    default = f"{call.lib_root}/plugins/enabled"
    enabled = call.environ.get("PLUGIN_ENABLED_PATH") or default
    try:
        plugins = os.listdir(enabled)
    except OSError:
        return False
    return any(
        os.path.exists(f"{enabled}/{plugin}/{_FILTER}")
        for plugin in plugins
        if plugin != _EVENTS
    )
