"""The first line of `status`: facts in, one sentence out."""

import pytest

from dokku_registryd.core.status import unchecked, verdicts
from dokku_registryd.core.status.unchecked import LOGINS, OFF, PENDING, REGISTRIES


@pytest.mark.parametrize(
    ("is_ready", "reasons", "counts", "line"),
    [
        (True, [], {}, "all is well"),
        (True, [], {"failed": 0, "lost": 0}, "all is well"),
        (True, [], {"failed": 1}, "ready, but 1 release has failed"),
        (
            True,
            [],
            {"lost": 2, "failed": 3, "rejected": 1},
            (
                "ready, but 3 releases have failed, 2 names are lost and 1 trigger"
                " file was rejected"
            ),
        ),
        (False, ["the disk is full"], {}, "not ready: the disk is full"),
        (
            False,
            ["the Engine is away", "the disk is full"],
            {"missing": 1, "paused": 1},
            (
                "not ready: the Engine is away; the disk is full. Also 1 name is"
                " missing and 1 registry is paused"
            ),
        ),
        (None, ["the service does not say"], {}, "unknown: the service does not say"),
    ],
)
def test_verdicts(
    is_ready: bool | None, reasons: list[str], counts: dict[str, float], line: str
) -> None:
    """All is well only if the service is ready and nothing needs the operator."""
    worries = verdicts.concerns(counts)

    said = verdicts.verdict(is_ready=is_ready, reasons=reasons, worries=worries)

    assert said == line


@pytest.mark.parametrize(
    ("is_ready", "counts", "line"),
    [
        (True, {}, "all is well so far; not checked yet: logins"),
        (True, {"lost": 1}, "ready, but 1 name is lost; not checked yet: logins"),
        (False, {}, "not ready"),
        (None, {}, "unknown"),
    ],
)
def test_what_was_not_looked_at(
    is_ready: bool | None, counts: dict[str, float], line: str
) -> None:
    """Nothing is called well that was not checked."""
    said = verdicts.verdict(
        is_ready=is_ready,
        reasons=[],
        worries=verdicts.concerns(counts),
        unseen=unchecked.tell([(LOGINS, PENDING)]),
    )

    assert said == line


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], ""),
        (
            [(LOGINS, PENDING), (REGISTRIES, PENDING)],
            "not checked yet: logins and registries",
        ),
        (
            [(LOGINS, OFF), (REGISTRIES, PENDING)],
            (
                "never checked: logins (registry.login_check_seconds is 0); not checked"
                " yet: registries"
            ),
        ),
        ([(LOGINS, unchecked.UNANSWERED)], "without an answer: logins"),
        (
            [(LOGINS, unchecked.DEAD)],
            (
                "no longer checked, since a bug ended the thread (see the log,"
                " restart): logins"
            ),
        ),
        ([("proofs", "later")], "not checked (later): proofs"),
    ],
)
def test_unchecked(entries: list[tuple[str, str]], said: str) -> None:
    """What was not checked is named with the reason, also by a newer service."""
    assert unchecked.tell(entries) == said
