"""Whether a release would come back, judged by what its registry says."""

from dataclasses import replace

import pytest

from dokku_registryd.core.image.parts import Kind, Part
from dokku_registryd.core.release import check_turns, completeness, drills
from dokku_registryd.core.release.completeness import Look, Number
from dokku_registryd.core.release.drills import Answer, Parts, Verdict

DIGEST = f"sha256:{'1' * 64}"
NOW = 1_700_000_000.0
LAYER = Part(Kind.LAYER, f"sha256:{'2' * 64}")
RECORD = completeness.shown(
    "1.1.1", DIGEST, parts=2, now=NOW, tree=(f"manifest {DIGEST}", str(LAYER))
)
ASKED = Answer(
    app="web",
    verdict=Verdict.UNKNOWN,
    reference="r.example/org/web:3",
    digest=DIGEST,
    number=Number.KEPT,
)


@pytest.mark.parametrize(
    ("record", "after", "expected"),
    [
        pytest.param(None, 0.0, False, id="never-checked"),
        pytest.param(RECORD, 3600.0, True, id="an-hour-ago"),
        pytest.param(RECORD, 3 * 86400.0, False, id="three-days-ago"),
        pytest.param(RECORD, -3600.0, False, id="in-the-future"),
        pytest.param(replace(RECORD, lacking=1), 1.0, False, id="incomplete"),
        pytest.param(replace(RECORD, unread="limited"), 1.0, False, id="not-read"),
        pytest.param(replace(RECORD, digest="sha256:0"), 1.0, False, id="another"),
    ],
)
def test_an_earlier_check(
    record: completeness.Record | None,
    after: float,
    expected: bool,
) -> None:
    """A complete check answers for a day, as it does for the service."""
    assert drills.is_fresh(record, DIGEST, NOW + after) is expected


def test_everything_is_there() -> None:
    """A release whose parts are all there would come back."""
    found = drills.looked(ASKED, Look(digest=DIGEST, parts=2), "", NOW)

    assert (found.verdict, found.parts, found.reason) == (
        Verdict.YES,
        Parts.COMPLETE,
        "",
    )


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (Number.GONE, "dokku registryd:push web"),
        (Number.MOVED, "dokku ps:rebuild web"),
    ],
)
def test_a_number_that_is_gone_or_moved(number: Number, cure: str) -> None:
    """A pull goes by the digest, so it would come back; the number is said."""
    asked = drills.counted(ASKED, number, is_proved=True)

    found = drills.looked(asked, Look(digest=DIGEST, parts=2), "", NOW)

    assert (found.verdict, found.cure) == (Verdict.YES, cure)
    assert found.reason.startswith("it is ")


def test_a_missing_part() -> None:
    """What the registry lacks is named, with the command that sends it again."""
    look = Look(digest=DIGEST, parts=2, missing=(LAYER,), unread="a timeout")

    found = drills.looked(ASKED, look, "a timeout", NOW)

    assert (found.verdict, found.parts) == (Verdict.NO, Parts.INCOMPLETE)
    assert str(LAYER) in found.reason
    assert found.cure == "dokku registryd:push web"


def test_parts_that_cannot_be_read() -> None:
    """What could not be asked is neither there nor gone."""
    look = Look(digest=DIGEST, parts=2, unread=completeness.LIMITED)

    found = drills.looked(ASKED, look, "too many requests", NOW)

    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, "too many requests")


@pytest.mark.parametrize("number", [Number.GONE, Number.MOVED])
def test_nothing_under_the_number_and_no_digest(number: Number) -> None:
    """Without a recorded digest the number is all that a pull could use."""
    found = drills.counted(ASKED, number, is_proved=False)

    assert found.verdict is Verdict.NO


def test_a_budget_by_registry() -> None:
    """Each registry has its own; what the service has asked for counts."""
    most = check_turns.REQUESTS_PER_HOUR
    used = replace(RECORD, checked_at=NOW - 60, requests=most - 1)
    budget = drills.Budget([("a.example", used)], NOW)

    assert budget.take("b.example", RECORD, DIGEST)
    assert not budget.take("a.example", RECORD, DIGEST)


def test_a_registry_that_counts_pulls() -> None:
    """Reads of manifests have a limit of their own where they are counted."""
    budget = drills.Budget((), NOW)
    most = check_turns.READS["docker.io"] // check_turns.USUAL_READS

    taken = [budget.take("docker.io", None, DIGEST) for _ in range(most + 1)]

    assert taken == [True] * most + [False]
    # A release whose parts are known needs no read.
    assert budget.take("docker.io", RECORD, DIGEST)
