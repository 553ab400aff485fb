"""`registryd:report`: our own properties, and the deployed release of an app."""

import functools
import importlib
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import property_files
from dokku_registryd.core.dokku import other_plugins, policy, report, validation
from dokku_registryd.core.release import releases
from dokku_registryd.verbs.dokku import apps, reporting
from dokku_registryd.verbs.dokku import call as dokku_call

if TYPE_CHECKING:
    from dokku_registryd.adapters.ledger import ledger

_WAITING = frozenset({releases.ReleaseState.RESERVED, releases.ReleaseState.CONFIRMED})


def perform(call: dokku_call.Call) -> int:
    """Print the report."""
    read = apps.reader(call)
    defaults = functools.cache(partial(_defaults, call))

    def computed(app: str, name: str) -> str:
        return policy.own_values(app, read, defaults())[name]

    def rows_of(app: str) -> report.Rows:
        rows: dict[str, Callable[[], str]] = {}
        for name in validation.REGISTRYD:
            is_of_apps = name in validation.REGISTRYD_OF_APPS
            is_of_host = name in validation.REGISTRYD_OF_HOST
            if is_of_apps if app == policy.GLOBAL else is_of_host:
                continue
            rows[f"--registryd-computed-{name}"] = partial(computed, app, name)
            if not is_of_apps:
                rows[f"--registryd-global-{name}"] = partial(
                    read, policy.OURS, policy.GLOBAL, name
                )
            if app != policy.GLOBAL:
                rows[f"--registryd-{name}"] = partial(read, policy.OURS, app, name)
        return rows if app == policy.GLOBAL else rows | _recorded_rows(call, app)

    return reporting.perform(call, policy.OURS, rows_of, has_legacy_keys=False)


def _recorded_rows(call: dokku_call.Call, app: str) -> dict[str, Callable[[], str]]:
    recorded = _Recorded(call, app)
    return {
        "--registryd-deployed-digest": recorded.digest,
        "--registryd-deployed-pushed-at": recorded.pushed_at,
        "--registryd-deployed-reference": recorded.reference,
        "--registryd-push-lag-seconds": recorded.lag,
    }


class _Recorded:
    """The recorded release of one app, read on first use."""

    def __init__(self, call: dokku_call.Call, app: str) -> None:
        self._call = call
        self._app = app

    def reference(self) -> str:
        """Return the deployed reference; empty if there is none."""
        return self._deployed.reference if self._deployed else ""

    def digest(self) -> str:
        """Return the digest of the deployed release; empty if unknown."""
        return self._release.digest if self._release else ""

    def pushed_at(self) -> str:
        """Return when the push was confirmed (ISO 8601, UTC); empty before."""
        if self._release is None or not self._release.pushed_at:
            return ""
        moment = time.gmtime(self._release.pushed_at)
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)

    def lag(self) -> str:
        """Return the age in seconds of the oldest unfinished push; empty if none."""
        started = [row.created_at for row in self._releases if row.state in _WAITING]
        return str(max(0, int(time.time() - min(started)))) if started else ""

    @cached_property
    def _deployed(self) -> releases.DeployedRelease | None:
        try:
            found = _store(self._call).deployed(self._app)
        except errors.UnreadableError as error:
            self._call.warn(str(error))
            return None
        return None if found is not None and found.is_local else found

    @cached_property
    def _release(self) -> releases.Release | None:
        return next(
            (row for row in self._releases if row.deployed == self._deployed), None
        )

    @cached_property
    def _releases(self) -> list[releases.Release]:
        path = _data_dir(self._call) / "ledger.sqlite3"
        if not path.exists():
            return []
        module = importlib.import_module("dokku_registryd.adapters.ledger.ledger")
        try:
            book: ledger.SqliteLedger | None = module.open_to_read(path)
        except errors.RegistrydError as error:
            self._call.warn(str(error))
            return []
        if book is None:
            return []
        try:
            return book.releases(self._app)
        except errors.RegistrydError as error:
            self._call.warn(str(error))
            return []
        finally:
            book.close()


def _defaults(call: dokku_call.Call) -> policy.Defaults:
    # Its import costs more than the rest of a report.
    config = importlib.import_module("dokku_registryd.config")
    settings = config.load(file=None, overrides={}, environ=call.environ)
    defaults: policy.Defaults = settings.defaults
    is_off = call.environ.get(other_plugins.VARIABLE) == "true"
    return replace(defaults, skip_cleanup=is_off)


def _store(call: dokku_call.Call) -> property_files.PropertyFiles:
    return property_files.PropertyFiles(
        config_root=Path(call.lib_root, "config"),
        dokku_root=Path(call.dokku_root),
        deployed_root=_data_dir(call) / "deployed",
    )


def _data_dir(call: dokku_call.Call) -> Path:
    """Return our data folder, by the same rule as `hooks/functions`."""
    named = call.environ.get("DOKKU_REGISTRYD_PATHS__DATA_DIR")
    return Path(named or f"{call.lib_root}/data/registryd")
