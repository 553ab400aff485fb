"""Builds the relay and tells it what the settings say."""

from collections.abc import Callable

from dokku_registryd import config
from dokku_registryd.adapters.relay import relay


def build_relay(
    settings: config.Settings, *, on_change: Callable[[str], None]
) -> relay.Relay:
    """Build the relay; it listens on first use."""
    built = relay.Relay(settings.engine.relay_port, on_change=on_change)
    instruct(built, settings)
    return built


def instruct(built: relay.Relay, settings: config.Settings) -> None:
    """Apply the settings to a relay."""
    table = settings.engine
    refusal = ""
    if table.push_path == "engine":
        refusal = relay.SWITCHED_OFF
    elif table.socket.startswith("tcp://"):
        refusal = f"it is reached by {table.socket}, so loopback is another one there"
    built.instruct(refusal=refusal, is_required=table.push_path == "relay")
