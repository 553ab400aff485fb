"""Settings of hosts that live fast: little is waited for long."""

from typing import Final

from support.site import Site

DEADLINE: Final = "20s"
"""The property `push-deadline` of all apps."""
_SETTINGS: Final = {
    "engine__timeout_seconds": 5,
    "engine__stall_seconds": 6,
    "engine__deadline_seconds": 60,
    "registry__read_timeout_seconds": 3,
    "registry__total_timeout_seconds": 6,
    "daemon__sweep_interval_seconds": 5,
    "daemon__rescan_interval_seconds": 2,
}


def hurry(site: Site) -> None:
    """Let a host that is to be tortured live fast, from its daemon's next start on."""
    site.host.set_property("--global", "push-deadline", DEADLINE, plugin="registryd")
    site.service.configure(**_SETTINGS)
