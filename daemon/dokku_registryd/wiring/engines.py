"""Builds the Engine's adapter. It imports docker-py, which takes long."""

from dokku_registryd import config
from dokku_registryd.adapters.engine import docker_engine
from dokku_registryd.core.engine import relay_protocol


def build_engine(settings: config.Settings) -> docker_engine.DockerEngine:
    """Build the Engine's adapter; it connects on first use."""
    return docker_engine.DockerEngine(
        base_url=settings.engine.socket,
        timeout_seconds=settings.engine.timeout_seconds,
        stall_seconds=settings.engine.stall_seconds,
        deadline_seconds=settings.engine.deadline_seconds,
        relay=f"{relay_protocol.HOST}:{settings.engine.relay_port}",
    )
