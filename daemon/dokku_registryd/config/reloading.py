"""Which changed settings a running service takes over, and which need a restart.

A setting that needs a restart keeps its value as a whole until then: half of the
program must not use another data folder than the other half.
"""

from dataclasses import dataclass
from typing import Final

from dokku_registryd.config.loading import describe
from dokku_registryd.config.schema import Settings

NEEDS_RESTART: Final = frozenset(
    {
        "paths.dokku_root",
        "paths.dokku_lib_root",
        "paths.data_dir",
        "engine.socket",
        "engine.timeout_seconds",
        "engine.stall_seconds",
        "engine.deadline_seconds",
        "engine.relay_port",
        "daemon.workers",
        "daemon.host_name",
        "status.socket",
        "status.group",
        "status.port",
    }
)
"""By `table.key`; all others apply to every attempt that starts after a reload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """The result of reading settings again."""

    settings: Settings
    """The settings that the service uses from now on."""
    changed: tuple[str, ...]
    """The settings that have another value from now on, by `table.key`."""
    needs_restart: tuple[str, ...]
    """The settings whose new value is ignored until a restart."""


def merge(running: Settings, written: Settings) -> Reload:
    """Return what a running service makes of its settings as they are written now."""
    before, after = dict(describe(running)), dict(describe(written))
    different = [key for key in after if after[key] != before[key]]
    kept: dict[str, dict[str, object]] = {}
    for key in NEEDS_RESTART:
        table, _, name = key.partition(".")
        kept.setdefault(table, {})[name] = getattr(getattr(running, table), name)
    tables = {
        table: getattr(written, table).model_copy(update=values)
        for table, values in kept.items()
    }
    return Reload(
        settings=written.model_copy(update=tables),
        changed=tuple(key for key in different if key not in NEEDS_RESTART),
        needs_restart=tuple(key for key in different if key in NEEDS_RESTART),
    )
