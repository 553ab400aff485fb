"""Liveness and readiness of the service: returns reasons for a set of facts.

`/livez` is for a supervisor: it fails only if a restart may help. `/readyz` is for a
monitor: it also fails while the Engine or the disk has a fault, and each reason says
what to check.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAIN_LOOP: Final = "main_loop"
SERVICE: Final = "service"
ENGINE: Final = "engine"
SWEEP: Final = "sweep"
LEDGER: Final = "ledger"
SPOOL: Final = "spool"
PLUGIN: Final = "plugin"
CHECKS: Final = (MAIN_LOOP, SERVICE, ENGINE, SWEEP, LEDGER, SPOOL, PLUGIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """Facts about the process itself."""

    silent_seconds: float | None
    """Seconds since the main loop turned; None before its first turn and while it
    drains."""
    limit_seconds: float
    """The watchdog's limit."""
    thread_failure: str = ""
    """The thread that died or hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts that readiness depends on."""

    liveness: Liveness
    is_starting: bool = False
    is_stopping: bool = False
    is_connected: bool = True
    """Whether the Engine answers and its events are read."""
    engine_refusal: str = ""
    """Why the service may not use the Engine's socket, with the way out."""
    has_swept: bool = True
    """Whether one sweep has finished."""
    ledger_error: str = ""
    """Why the ledger cannot be read or written."""
    spool_error: str = ""
    """Why the spool cannot be written."""
    folder_error: str = ""
    """Why a file of the data folder could not be read or written."""
    plugin_errors: tuple[str, ...] = ()
    """Why Dokku's calls do not reach this program."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the service is not ready."""

    check: str
    """One of `CHECKS`."""
    text: str
    """One line for the operator."""


def liveness_failures(liveness: Liveness) -> Iterator[str]:
    """Yield the reasons for a restart; none if the service is alive."""
    silent = liveness.silent_seconds
    if silent is not None and silent > liveness.limit_seconds:
        yield f"the main loop has been blocked for {silent:.0f} s"
    if liveness.thread_failure:
        yield liveness.thread_failure


def why_unready(facts: Facts) -> tuple[Reason, ...]:
    """Return the reasons why triggers are not processed."""
    return tuple(_reasons(facts))


def _reasons(facts: Facts) -> Iterator[Reason]:
    for text in liveness_failures(facts.liveness):
        yield Reason(MAIN_LOOP, text)
    if facts.is_stopping:
        yield Reason(SERVICE, "the service is stopping")
    elif facts.is_starting:
        yield Reason(SERVICE, "the service is starting")
    if not facts.is_connected:
        yield Reason(
            ENGINE,
            facts.engine_refusal
            or "the Docker Engine does not answer: see systemctl status docker",
        )
    if not facts.has_swept:
        yield Reason(SWEEP, "the first sweep is not finished yet")
    if facts.ledger_error:
        yield Reason(LEDGER, f"the ledger cannot be used: {facts.ledger_error}")
    if facts.spool_error:
        yield Reason(SPOOL, f"the spool cannot be written: {facts.spool_error}")
    elif facts.folder_error:
        yield Reason(SPOOL, f"the data folder cannot be used: {facts.folder_error}")
    for text in facts.plugin_errors:
        yield Reason(PLUGIN, text)
