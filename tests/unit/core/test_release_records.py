"""What a release record says, and what is believed of one."""

from dataclasses import replace

import pytest

from app_states import release
from dokku_registryd.core.release import release_records
from dokku_registryd.core.release.origins import Origin
from dokku_registryd.core.release.release_records import Put, ReleaseRecord

LIVE = replace(release(41), live_at=1_700_000_000.0)
NOTES = release_records.annotations_of(LIVE, Origin(revision="3f1c"), "one.example")
RECORD = ReleaseRecord(
    host="one.example",
    app="web",
    number=41,
    created_at=1_700_000_000.0,
    revision="3f1c",
    digest="sha256:d41",
)


def test_what_is_written_is_what_is_read() -> None:
    """Host, app, number, time and revision come back."""
    assert NOTES["org.opencontainers.image.created"] == "2023-11-14T22:13:20Z"
    assert release_records.parse(NOTES, "sha256:d41") == RECORD


def test_a_release_that_is_not_live_yet() -> None:
    """Its time is that of its push, the same at each attempt."""
    pushed = replace(LIVE, live_at=0.0, pushed_at=1_600_000_000.0)

    notes = release_records.annotations_of(pushed, Origin(), "one.example")

    assert notes["org.opencontainers.image.created"].startswith("2020-09-13T")
    assert "org.opencontainers.image.revision" not in notes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("com.dokku.registryd.host", ""),
        ("com.dokku.app-name", "../web"),
        ("org.opencontainers.image.version", "latest"),
        ("org.opencontainers.image.version", "0"),
        ("org.opencontainers.image.created", "yesterday"),
        ("org.opencontainers.image.created", "2023-14-14T22:13:20Z"),
    ],
)
def test_foreign_notes(name: str, value: str) -> None:
    """A record that lacks what it is for is left out."""
    assert release_records.parse({**NOTES, name: value}, "sha256:d41") is None


def test_foreign_texts_are_cleaned() -> None:
    """Control characters and long texts do not reach a terminal."""
    notes = {**NOTES, "com.dokku.registryd.host": "one\x1b[2J" + "x" * 5000}

    found = release_records.parse(notes, "sha256:d41")

    assert found is not None
    assert "\x1b" not in found.host
    assert len(found.host) < 300


def test_the_latest_of_each_host() -> None:
    """Of each app on each host the record with the latest time counts."""
    older = replace(RECORD, number=40, created_at=RECORD.created_at - 60)
    other = replace(RECORD, host="two.example", number=39)

    assert release_records.latest([older, RECORD, other]) == [RECORD, other]


@pytest.mark.parametrize(
    ("digest", "after", "expected"),
    [
        ("sha256:r", 1e9, False),
        ("", 60.0, False),
        ("", release_records.AGAIN_SECONDS, True),
        ("", -60.0, True),
    ],
)
def test_when_it_is_tried_again(digest: str, after: float, expected: bool) -> None:
    """A record that is there is never put again, a refused one after a day."""
    put = Put(job_id="1.1.1", digest=digest, at=1000.0)

    assert put.is_due(1000.0 + after) is expected
