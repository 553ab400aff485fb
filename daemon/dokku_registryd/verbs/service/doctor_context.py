"""What checks of `doctor` share: ports, clients, and known answers of registries."""

import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dokku_registryd import errors, ports
from dokku_registryd.adapters.auth import resolver
from dokku_registryd.adapters.registry import client
from dokku_registryd.core.auth.logins import AuthConfig


@dataclass(slots=True, kw_only=True)
class DoctorContext:
    """The ports and clients of the checks, and known answers of registries."""

    context: ports.Context
    registry: client.RegistryClient
    credentials: resolver.AuthConfigs
    is_healing: bool
    """Whether the service runs."""
    config_root: Path
    """Dokku's folder of properties."""
    sharing: Mapping[str, str] = field(default_factory=dict)
    """What is said of each app that shares its repository."""
    _pings: dict[tuple[str, AuthConfig | None], errors.RegistrydError | None] = field(
        default_factory=dict
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ping(
        self, domain: str, login: AuthConfig | None
    ) -> errors.RegistrydError | None:
        """Return why a registry refuses a login; None if it accepts it.

        The answer is cached, so apps that share a login rarely ask twice.
        """
        key = (domain, login)
        with self._lock:
            if key in self._pings:
                return self._pings[key]
        refusal = _refusal(functools.partial(self.registry.ping, domain, auth=login))
        with self._lock:
            self._pings[key] = refusal
        return refusal


def _refusal(question: Callable[[], None]) -> errors.RegistrydError | None:
    try:
        question()
    except errors.RegistrydError as error:
        return error
    return None
