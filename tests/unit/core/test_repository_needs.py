"""Which numbers stay because of what else is in their repository."""

import pytest

from app_states import release
from dokku_registryd.core.release import prunes, repository_needs

ROWS = tuple(release(number) for number in (5, 4, 3, 2, 1))
NOTHING = "nothing needs it"
ENTRIES = [
    prunes.Entry(release=row, kept_by="web runs it" if row.number == 5 else "")
    for row in ROWS
]


def told(entries: list[prunes.Entry]) -> dict[int, str]:
    """Return why each number stays, or that nothing needs it."""
    return {entry.release.number: entry.kept_by or NOTHING for entry in entries}


SEEN = {str(row.number): row.digest for row in ROWS}


@pytest.mark.parametrize(
    ("tags", "children", "stays"),
    [
        ({}, {}, {}),
        ({"stable": "sha256:d3"}, {}, {3: "the tag stable has its image"}),
        # Another client has moved the number 4 to the image of number 2.
        (
            {"4": "sha256:d2"},
            {},
            {4: "another image has its number", 2: "the tag 4 has its image"},
        ),
        (
            {"all": "sha256:index"},
            {"sha256:index": frozenset({"sha256:d1"})},
            {1: "it is a part of the tag all"},
        ),
        # What stays because of a tag keeps its own parts too.
        (
            {"v1": "sha256:d4"},
            {"sha256:d4": frozenset({"sha256:d3"})},
            {4: "the tag v1 has its image", 3: "it is a part of the tag v1"},
        ),
    ],
)
def test_what_else_a_repository_has(
    tags: dict[str, str], children: dict[str, frozenset[str]], stays: dict[int, str]
) -> None:
    """Tags of others are never touched, nor what they lead to."""
    look = repository_needs.Look(tags=SEEN | tags, children=children)

    found = told(repository_needs.settle(ENTRIES, look))

    expected = dict.fromkeys((4, 3, 2, 1), NOTHING) | stays
    assert found == {5: "web runs it"} | expected


def test_children_that_only_one_index_names() -> None:
    """A manifest goes with its index unless a tag or another index needs it."""
    look = repository_needs.Look(
        tags={"1": "sha256:a", "2": "sha256:b", "old": "sha256:x"},
        children={
            "sha256:a": frozenset({"sha256:x", "sha256:y", "sha256:z"}),
            "sha256:b": frozenset({"sha256:y"}),
        },
    )

    assert repository_needs.spare_children("sha256:a", look, ()) == ["sha256:z"]
    assert repository_needs.spare_children("sha256:a", look, ("sha256:b",)) == [
        "sha256:y",
        "sha256:z",
    ]


def test_what_another_host_runs() -> None:
    """The latest release record of another host keeps its image."""
    look = repository_needs.Look(tags=SEEN, elsewhere=frozenset({"sha256:d2"}))

    found = told(repository_needs.settle(ENTRIES, look))

    assert (found[2], found[3]) == ("another host runs its image", NOTHING)
