"""One exchange with a registry, and the labels under which metrics count it.

A registry chooses its own status codes and names further hosts, so labels are bounded:
an exchange with a token server or a storage counts for the registry that named it, and
a status that is not in the registry of HTTP counts for its class.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from dokku_registryd.core.image import reference
from dokku_registryd.core.registry import hosts

NO_ANSWER: Final = "none"
"""The label of an exchange without a usable answer."""
_KNOWN: Final = frozenset(status.value for status in HTTPStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request, and what came back."""

    host: str
    """The host that was asked, with its port if it has one."""
    named_by: str
    """The registry that named the host; empty if the operator did."""
    method: str
    status: int | None
    """None without a usable answer: no connection, a timeout, an invalid body."""
    seconds: float
    """The time from the request to the end of the answer's body."""

    @property
    def registry(self) -> str:
        """The registry as the operator names it, so `docker.io` for Docker Hub."""
        host = self.named_by or self.host
        return reference.DOCKER_HUB if host == hosts.HUB_API else host

    @property
    def outcome(self) -> str:
        """The status as a label: `200`, `4xx` for an unknown one, or `none`."""
        if self.status is None:
            return NO_ANSWER
        is_known = self.status in _KNOWN
        return str(self.status) if is_known else f"{self.status // 100}xx"
