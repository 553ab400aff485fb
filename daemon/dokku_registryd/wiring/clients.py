"""Builds the client for registries, and says which proxies count."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from dokku_registryd import config
from dokku_registryd.adapters.registry import client
from dokku_registryd.core.image import images
from dokku_registryd.core.registry import exchanges, proxies


def build_registry(
    settings: config.Settings,
    facts: Callable[[], images.EngineFacts],
    environ: Mapping[str, str] | None = None,
    note: Callable[[exchanges.Exchange], object] = lambda _exchange: None,
) -> client.RegistryClient:
    """Build the client for registries.

    Args:
        settings: The settings in effect.
        facts: Returns the Engine's settings.
        environ: The variables of the service; None for those of this process.
        note: Called after each exchange with a registry.
    """
    return client.RegistryClient(
        facts=facts,
        certs_dir=Path(settings.paths.certs_dir),
        connect_timeout=settings.registry.connect_timeout_seconds,
        read_timeout=settings.registry.read_timeout_seconds,
        total_timeout=settings.registry.total_timeout_seconds,
        upload_timeouts=(
            settings.engine.stall_seconds,
            settings.engine.deadline_seconds,
        ),
        said=said_proxies(settings, os.environ if environ is None else environ),
        inner_hosts=frozenset(settings.registry.inner_hosts),
        note=note,
    )


def said_proxies(
    settings: config.Settings, environ: Mapping[str, str]
) -> tuple[proxies.Source, ...]:
    """Return the sources of proxies that come before the Engine."""
    table = settings.registry
    return (
        proxies.from_settings(table.proxy, table.no_proxy),
        proxies.from_environment(environ),
    )
