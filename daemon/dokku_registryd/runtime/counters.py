"""Counters since the process started, for metrics.

Outcomes are counted here; metrics read a copy. One short lock protects all counters, so
neither waits for the other.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from dokku_registryd import errors
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import exchanges, reach
from dokku_registryd.core.status import exposition, metric_families
from dokku_registryd.core.status.metrics import Durations

INTAKE = "intake"
WORK = "work"
FILES = "files"


class Counters:
    """Counters. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._finished: Counter[tuple[Kind, outcomes.Ending]] = Counter()
        self._retried: Counter[Kind] = Counter()
        self._durations: dict[Kind, Durations] = {}
        self._sweeps_done = 0
        self._sweeps_failed = 0
        self._is_engine_silent = False
        self._engine_refusal = ""
        self._last_sweep: exposition.Sweep | None = None
        self._freed = 0
        self._missing: dict[str, int] = {}
        self._lost: dict[str, str] = {}
        self._refusals: dict[str, str] = {}
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._request_seconds: dict[tuple[str, str], float] = {}
        self._registries: set[str] = set()
        self._reached: tuple[reach.Reach, ...] | None = None

    def finished(
        self, job: jobs.Job, ending: outcomes.Ending, *, seconds: float
    ) -> None:
        """Count a finished job and its duration."""
        kind, nothing = job.kind, Durations.none(metric_families.DURATION_BOUNDS)
        is_well = ending in {outcomes.Ending.DONE, outcomes.Ending.SKIPPED}
        with self._lock:
            self._finished[kind, ending] += 1
            self._durations[kind] = self._durations.get(kind, nothing).plus(seconds)
            if kind is Kind.HEAL and is_well:
                self._missing.pop(job.app, None)
                self._lost.pop(job.app, None)

    def retried(self, kind: Kind) -> None:
        """Count a failed attempt that will be retried."""
        with self._lock:
            self._retried[kind] += 1

    def exchanged(self, exchange: exchanges.Exchange) -> None:
        """Count a request to a registry, its answer and its duration."""
        with self._lock:
            registry = self._counted_registry(exchange.registry)
            self._requests[registry, exchange.method, exchange.outcome] += 1
            key = (registry, exchange.method)
            taken = self._request_seconds.get(key, 0.0)
            self._request_seconds[key] = taken + exchange.seconds

    def asked(self, reached: tuple[reach.Reach, ...]) -> None:
        """Store which registries answer."""
        with self._lock:
            self._reached = reached

    @property
    def reached(self) -> tuple[reach.Reach, ...] | None:
        """Which registries answer; None before they were asked."""
        with self._lock:
            return self._reached

    def swept(
        self,
        sweep: exposition.Sweep,
        *,
        missing: Mapping[str, int],
        lost: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Count a sweep, and store its results.

        Args:
            sweep: The results.
            missing: The recoverable references, by app, until a heal restores them.
            lost: One reference that cannot be recovered, by app.
        """
        with self._lock:
            self._sweeps_done += 1
            self._is_engine_silent, self._engine_refusal = False, ""
            self._last_sweep = sweep
            self._freed += sweep.freed
            self._missing = dict(missing)
            self._lost = dict(lost)

    @property
    def lost(self) -> dict[str, str] | None:
        """A reference that cannot be recovered, by app; None before the first sweep."""
        with self._lock:
            return dict(self._lost) if self._last_sweep is not None else None

    def sweep_failed(self, error: Exception) -> None:
        """Count a failed sweep, and store which side failed."""
        with self._lock:
            self._sweeps_failed += 1
            self._is_engine_silent = isinstance(error, errors.EngineUnavailableError)
            is_forbidden = isinstance(error, errors.EngineForbiddenError)
            self._engine_refusal = str(error) if is_forbidden else ""

    @property
    def engine_refusal(self) -> str:
        """Why the last sweep could not use the Engine's socket; empty otherwise.

        A subscription that was open before continues, so it does not show this.
        """
        with self._lock:
            return self._engine_refusal

    @property
    def is_engine_unresponsive(self) -> bool:
        """Whether the Engine did not answer the last sweep.

        A hanging Engine keeps its event stream open, so only this shows it.
        """
        with self._lock:
            return self._is_engine_silent

    def refused(self, whom: str, error: str) -> None:
        """Record that the ledger or a file was refused, until the next success.

        Args:
            whom: The caller of the ledger, `INTAKE` or `WORK`; `FILES` for a file.
            error: The reason.
        """
        with self._lock:
            self._refusals[whom] = error

    def accepted(self, whom: str) -> None:
        """Record that the same was accepted."""
        if self._refusals:
            with self._lock:
                self._refusals.pop(whom, None)

    @property
    def refusal(self) -> str:
        """Why the ledger refused the last write; empty if it did not."""
        with self._lock:
            said = [self._refusals.get(whom, "") for whom in (INTAKE, WORK)]
        return next(filter(None, said), "")

    @property
    def folder_refusal(self) -> str:
        """Why a file of the data folder was refused at last; empty if none was."""
        with self._lock:
            return self._refusals.get(FILES, "")

    def counts(self) -> exposition.Counts:
        """Return a copy of all counters."""
        with self._lock:
            seen, missing = self._last_sweep, sum(self._missing.values())
            return exposition.Counts(
                finished=dict(self._finished),
                retried=dict(self._retried),
                durations=dict(self._durations),
                sweeps_done=self._sweeps_done,
                sweeps_failed=self._sweeps_failed,
                freed=self._freed,
                last_sweep=replace(seen, missing=missing) if seen else None,
                requests=dict(self._requests),
                request_seconds=dict(self._request_seconds),
                reached=self._reached,
            )

    def _counted_registry(self, registry: str) -> str:
        """Return the label of a registry: the first ones have their own."""
        if registry in self._registries:
            return registry
        if len(self._registries) >= metric_families.MOST_REGISTRIES:
            return metric_families.OTHER_REGISTRIES
        self._registries.add(registry)
        return registry
