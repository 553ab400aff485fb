"""Liveness and readiness: facts in, reasons out."""

from dataclasses import replace

import pytest

from dokku_registryd.core.status import health
from dokku_registryd.core.status.health import Facts, Liveness, Reason

WELL = Liveness(silent_seconds=1.0, limit_seconds=30.0)


def test_a_service_that_is_well() -> None:
    """A service whose parts are all well is alive and ready."""
    assert list(health.liveness_failures(WELL)) == []
    assert health.why_unready(Facts(liveness=WELL)) == ()


@pytest.mark.parametrize(
    ("liveness", "reason"),
    [
        (replace(WELL, silent_seconds=30.0), ""),
        (replace(WELL, silent_seconds=None), ""),
        (
            replace(WELL, silent_seconds=45.4),
            "the main loop has been blocked for 45 s",
        ),
        (
            replace(WELL, thread_failure="the thread worker-1 has died"),
            "the thread worker-1 has died",
        ),
    ],
    ids=["at the limit", "no loop", "silent", "dead thread"],
)
def test_a_service_that_is_dead(liveness: Liveness, reason: str) -> None:
    """A loop that hangs and a thread that died call for a restart."""
    expected = [reason] if reason else []

    assert list(health.liveness_failures(liveness)) == expected
    assert health.why_unready(Facts(liveness=liveness)) == tuple(
        Reason(health.MAIN_LOOP, text) for text in expected
    )


@pytest.mark.parametrize(
    ("change", "check", "text"),
    [
        ({"is_starting": True}, health.SERVICE, "the service is starting"),
        ({"is_stopping": True}, health.SERVICE, "the service is stopping"),
        (
            {"is_connected": False},
            health.ENGINE,
            "the Docker Engine does not answer: see systemctl status docker",
        ),
        (
            {"is_connected": False, "engine_refusal": "user dokku may not use it"},
            health.ENGINE,
            "user dokku may not use it",
        ),
        ({"has_swept": False}, health.SWEEP, "the first sweep is not finished yet"),
        (
            {"ledger_error": "database or disk is full"},
            health.LEDGER,
            "the ledger cannot be used: database or disk is full",
        ),
        (
            {"spool_error": "Read-only file system"},
            health.SPOOL,
            "the spool cannot be written: Read-only file system",
        ),
        (
            {"folder_error": "new: Permission denied"},
            health.SPOOL,
            "the data folder cannot be used: new: Permission denied",
        ),
        (
            {"spool_error": "Permission denied", "folder_error": "the same"},
            health.SPOOL,
            "the spool cannot be written: Permission denied",
        ),
        (
            {"plugin_errors": ("the plugin is disabled",)},
            health.PLUGIN,
            "the plugin is disabled",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_service_that_is_not_ready(
    change: dict[str, object], check: str, text: str
) -> None:
    """Each part that is not well is one reason."""
    facts = replace(Facts(liveness=WELL), **change)  # type: ignore[arg-type]

    assert health.why_unready(facts) == (Reason(check, text),)
    assert check in health.CHECKS


def test_all_reasons_at_once() -> None:
    """Every reason is returned, in the order of the checks; a stop is not a start."""
    facts = Facts(
        liveness=replace(WELL, thread_failure="a thread died"),
        is_starting=True,
        is_stopping=True,
        is_connected=False,
        has_swept=False,
        ledger_error="locked",
        spool_error="full",
        plugin_errors=("disabled",),
    )

    reasons = health.why_unready(facts)

    assert [reason.check for reason in reasons] == list(health.CHECKS)
    assert reasons[1].text == "the service is stopping"
