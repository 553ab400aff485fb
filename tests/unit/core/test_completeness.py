"""What is known about the parts of a release, and when it is asked again."""

from dataclasses import replace

import pytest

from dokku_registryd.core.image.parts import Kind, Part
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import Look, Number, Record, Standing

DIGEST = f"sha256:{'1' * 64}"
NOW = 1_700_000_000.0
GONE = Part(Kind.LAYER, f"sha256:{'2' * 64}")
COMPLETE = completeness.shown("1.1.1", DIGEST, parts=4, now=NOW)
INCOMPLETE = replace(COMPLETE, missing=(str(GONE),), lacking=1)


def after(before: Record | None, **seen: object) -> Record:
    """Return the record after a look an hour later."""
    look = Look(**{"digest": DIGEST, "parts": 4, **seen})  # type: ignore[arg-type]
    return completeness.after(before, look, job_id="1.1.1", now=NOW + 3600)


def test_nothing_is_known_at_first() -> None:
    """A release without a look is neither complete nor incomplete."""
    assert Record(job_id="1.1.1", digest=DIGEST).standing is Standing.UNCHECKED


@pytest.mark.parametrize("before", [None, COMPLETE, INCOMPLETE])
def test_everything_is_there(before: Record | None) -> None:
    """The release is complete now, regardless of what it was before."""
    found = after(before)

    assert (found.standing, found.complete_at) == (Standing.COMPLETE, NOW + 3600)
    assert (found.missing, found.lacking) == ((), 0)


@pytest.mark.parametrize("before", [None, COMPLETE, INCOMPLETE])
@pytest.mark.parametrize("unread", ["", "r.example does not answer"])
def test_a_part_is_gone(before: Record | None, unread: str) -> None:
    """What is surely gone counts, even if not everything could be read."""
    found = after(before, missing=(GONE,), unread=unread)

    assert found.standing is Standing.INCOMPLETE
    assert (found.missing, found.lacking) == ((str(GONE),), 1)
    assert found.complete_at == (before.complete_at if before else 0)


@pytest.mark.parametrize(
    ("before", "standing"),
    [
        (None, Standing.UNCHECKED),
        (COMPLETE, Standing.COMPLETE),
        (INCOMPLETE, Standing.INCOMPLETE),
    ],
)
def test_what_cannot_be_read_changes_nothing(
    before: Record | None, standing: Standing
) -> None:
    """A registry that does not answer leaves a release what it was."""
    found = after(before, unread="r.example does not answer")

    assert found.standing is standing
    assert found.checked_at == NOW + 3600
    assert found.unread == "r.example does not answer"
    assert found.complete_at == (before.complete_at if before else 0)


def test_an_earlier_digest_does_not_count() -> None:
    """The record of another image says nothing about this one."""
    earlier = replace(COMPLETE, digest=f"sha256:{'9' * 64}")

    found = after(earlier, unread="no answer")

    assert (found.standing, found.digest) == (Standing.UNCHECKED, DIGEST)


def test_only_some_names_are_recorded() -> None:
    """A release that lost hundreds of parts needs no more room than ten names."""
    gone = tuple(Part(Kind.LAYER, f"sha256:{one:064x}") for one in range(300))

    found = after(COMPLETE, missing=gone, unread="r" * 9000)

    assert (len(found.missing), found.lacking) == (completeness.MOST_NAMED, 300)
    assert len(found.unread) < completeness.MOST_OF_REASON + 10


@pytest.mark.parametrize(
    ("missing", "lacking", "text"),
    [
        (("layer a",), 1, "layer a"),
        (("layer a", "layer b", "layer c"), 3, "layer a, layer b, layer c"),
        (("layer a", "layer b", "layer c"), 9, "layer a, layer b, layer c and 6 more"),
    ],
)
def test_a_message_names_some(
    missing: tuple[str, ...], lacking: int, text: str
) -> None:
    """A message names three parts, and how many more there are."""
    assert completeness.describe(missing, lacking) == text


UNREAD = replace(COMPLETE, unread="no answer")
DAY, HOUR = completeness.DAY_SECONDS, completeness.AGAIN_SECONDS


@pytest.mark.parametrize(
    ("record", "age", "is_due"),
    [
        (None, 0, True),
        (COMPLETE, 0, False),
        (COMPLETE, DAY * 0.8, False),
        (COMPLETE, DAY * 1.2, True),
        (COMPLETE, -5, True),
        (INCOMPLETE, HOUR * 0.8, False),
        (INCOMPLETE, HOUR * 1.2, True),
        (UNREAD, HOUR * 0.8, False),
        (UNREAD, HOUR * 1.2, True),
        (replace(UNREAD, unread=completeness.LIMITED), DAY * 0.8, False),
        (replace(UNREAD, unread=completeness.LIMITED), DAY * 1.2, True),
        (replace(COMPLETE, digest="sha256:other"), 0, True),
    ],
)
def test_when_a_check_is_due(record: Record | None, age: float, is_due: bool) -> None:
    """Once a day; an hour later if the answer was bad or none; at once if unknown."""
    now = NOW + age

    assert completeness.is_due(record, DIGEST, job_id="1.1.1", now=now) is is_due


def test_the_moments_spread() -> None:
    """Releases that were checked in one moment are not checked in one again."""
    due = {
        seconds
        for seconds in range(int(DAY * 0.9), int(DAY * 1.1), 600)
        for job in range(40)
        if completeness.is_due(COMPLETE, DIGEST, job_id=f"{job}", now=NOW + seconds)
        and not completeness.is_due(
            COMPLETE, DIGEST, job_id=f"{job}", now=NOW + seconds - 600
        )
    }

    assert len(due) > 15


@pytest.mark.parametrize(
    ("number", "standing"),
    [(Number.GONE, Standing.NUMBER_GONE), (Number.MOVED, Standing.NUMBER_MOVED)],
)
def test_a_number_that_is_lost(number: Number, standing: Standing) -> None:
    """It is a state of its own: the release can be pulled, but is not what it was."""
    found = after(COMPLETE, number=number)

    assert (found.standing, found.is_amiss) == (standing, True)
    assert found.complete_at == NOW + 3600
    kept = after(found, unread="no answer")
    assert kept.standing is standing
    assert after(found, number=Number.KEPT).standing is Standing.COMPLETE
    assert after(found, missing=(GONE,)).standing is Standing.INCOMPLETE


def test_a_lost_number_is_asked_for_again() -> None:
    """Another client may put it back."""
    lost = replace(COMPLETE, number=Number.GONE)

    assert completeness.is_due(lost, DIGEST, job_id="1.1.1", now=NOW + HOUR * 1.2)


def test_the_parts_are_remembered() -> None:
    """They need not be read again, until the release has another digest."""
    names = (f"manifest {DIGEST}", str(GONE))

    found = after(None, tree=names)

    assert completeness.tree_of(found, DIGEST) == names
    assert completeness.tree_of(found, "sha256:other") == ()
    assert completeness.tree_of(None, DIGEST) == ()
    assert after(found, missing=(GONE,), tree=names[:1]).tree == names
    assert after(None, tree=names * 200).tree == ()


def test_what_a_check_has_cost() -> None:
    """The record has its questions, also if it could not tell."""
    found = after(COMPLETE, unread="no answer", requests=7, reads=2)

    assert (found.requests, found.reads) == (7, 2)


@pytest.mark.parametrize(
    ("standing", "is_here", "cure"),
    [
        (Standing.INCOMPLETE, True, "Send it again with: the-push web"),
        (Standing.NUMBER_GONE, True, "Send it again with: the-push web"),
        (Standing.INCOMPLETE, False, "rebuild the app with dokku ps:rebuild web"),
        (Standing.NUMBER_GONE, False, "rebuild the app with dokku ps:rebuild web"),
        (Standing.NUMBER_MOVED, True, "under a new number with: dokku ps:rebuild web"),
    ],
)
def test_the_way_out(standing: Standing, is_here: bool, cure: str) -> None:
    """A push needs the image on this host; all else needs a build."""
    said = completeness.cure(standing, "web", is_here=is_here, push="the-push")

    assert said.endswith(cure)


def test_what_is_amiss() -> None:
    """Each state has its own words."""
    gone, moved, lacking = (
        completeness.tell(standing, ["layer a"], 1)
        for standing in (
            Standing.NUMBER_GONE,
            Standing.NUMBER_MOVED,
            Standing.INCOMPLETE,
        )
    )

    assert "its number is gone" in gone
    assert "another client has pushed there" in moved
    assert lacking == "cannot be pulled: its registry lacks layer a"
