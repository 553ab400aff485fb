"""Registry clients for commands that must work while the Engine does not answer."""

import contextlib
from collections.abc import Iterator

from dokku_registryd import config, errors
from dokku_registryd.adapters.registry import client
from dokku_registryd.core.image import images
from dokku_registryd.wiring import clients, engines

_ENGINE_SECONDS = 5.0  # a user waits at a terminal, and the answer is optional


@contextlib.contextmanager
def opened(settings: config.Settings) -> Iterator[client.RegistryClient]:
    """Yield a registry client."""
    known = engine_facts(settings)
    registry = clients.build_registry(settings, lambda: known)
    try:
        yield registry
    finally:
        registry.close()


def engine_facts(settings: config.Settings) -> images.EngineFacts:
    """Return the Engine's settings, or its defaults if it does not answer.

    Its defaults: TLS for all registries except loopback, and no proxy.
    """
    try:
        return ask_engine(settings)
    except errors.TransientError:
        return images.EngineFacts(version="", image_store="")


def ask_engine(settings: config.Settings) -> images.EngineFacts:
    """Return the Engine's settings, with a short timeout.

    Raises:
        EngineUnavailableError: It does not answer.
    """
    seconds = min(_ENGINE_SECONDS, settings.engine.timeout_seconds)
    table = settings.engine.model_copy(update={"timeout_seconds": seconds})
    engine = engines.build_engine(settings.model_copy(update={"engine": table}))
    try:
        return engine.facts()
    finally:
        engine.close()
