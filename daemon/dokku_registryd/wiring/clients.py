"""Builds the client for registries, and says which proxies count."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from dokku_registryd import config
from dokku_registryd.adapters.registry import client
from dokku_registryd.core.image import images
from dokku_registryd.core.registry import proxies


def build_registry(
    settings: config.Settings,
    facts: Callable[[], images.EngineFacts],
    environ: Mapping[str, str] | None = None,
) -> client.RegistryClient:
    """Build the client for registries.

    Args:
        settings: The settings in force.
        facts: Says what the Engine is set up for.
        environ: The variables of the service; those of this process if it is None.
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
    )


def said_proxies(
    settings: config.Settings, environ: Mapping[str, str]
) -> tuple[proxies.Source, ...]:
    """Return who says which proxies are used, before the Engine does."""
    table = settings.registry
    return (
        proxies.from_settings(table.proxy, table.no_proxy),
        proxies.from_environment(environ),
    )
