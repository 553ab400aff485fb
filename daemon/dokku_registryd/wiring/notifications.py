"""Builds the ways to the operator, and to the monitor that expects a heartbeat."""

from collections.abc import Callable, Mapping

from dokku_registryd import config
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
