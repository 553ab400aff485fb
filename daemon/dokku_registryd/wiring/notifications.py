"""Builds the ways to the operator, to a monitor, and to other plugins."""

from collections.abc import Callable, Mapping
from pathlib import Path

from dokku_registryd import config
from dokku_registryd.adapters.dokku import plugn
from dokku_registryd.adapters.notify import channels
from dokku_registryd.core.auth.logins import Secret


def build_channels(
    settings: config.Settings, environ: Mapping[str, str]
) -> list[channels.CommandChannel | channels.UrlChannel]:
    """Build the ways that the settings name."""
    table = settings.notify
    found: list[channels.CommandChannel | channels.UrlChannel] = []
    if table.command:
        found.append(channels.CommandChannel(table.command, environ))
    found += [
        channels.UrlChannel(number, Secret(url.get_secret_value()), environ)
        for number, url in enumerate(table.urls, start=1)
    ]
    return found


def build_heartbeat(
    settings: config.Settings, environ: Mapping[str, str]
) -> Callable[[], str] | None:
    """Build what asks the address of the heartbeat; None if there is none."""
    url = Secret(settings.notify.heartbeat_url.get_secret_value())
    return channels.Heartbeat(url, environ).beat if url else None


def build_plugins(settings: config.Settings, environ: Mapping[str, str]) -> plugn.Plugn:
    """Build the way to other plugins, with the variables that Dokku gives them."""
    lib_root = settings.paths.dokku_lib_root
    plugins = environ.get("PLUGIN_PATH") or f"{lib_root}/plugins"
    core = environ.get("PLUGIN_CORE_PATH") or f"{lib_root}/core-plugins"
    given = {
        name: environ[name] for name in ("PATH", "HOME", "LANG") if name in environ
    }
    return plugn.Plugn(
        Path(plugins),
        {
            **given,
            "DOKKU_ROOT": settings.paths.dokku_root,
            "DOKKU_LIB_ROOT": lib_root,
            "PLUGIN_PATH": plugins,
            "PLUGIN_AVAILABLE_PATH": f"{plugins}/available",
            "PLUGIN_ENABLED_PATH": f"{plugins}/enabled",
            "PLUGIN_CORE_PATH": core,
            "PLUGIN_CORE_AVAILABLE_PATH": f"{core}/available",
            "PLUGIN_CORE_ENABLED_PATH": f"{core}/enabled",
        },
    )
