"""The first line of `status`: facts in, one sentence out."""

import pytest

from dokku_registryd.core.status import verdicts


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
