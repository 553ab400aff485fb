"""Several tags in one request: what is asked for, and what was accepted."""

import pytest

from dokku_registryd.core.registry import several_tags


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", set()),
        ("1.2", {"1.2"}),
        # Two lines, joined as HTTP says: "1.2.3, 1.2" and "latest".
        ("1.2.3, 1.2, latest", {"1.2.3", "1.2", "latest"}),
        ("1.2.3,1.2 ,\tlatest,", {"1.2.3", "1.2", "latest"}),
        ("foreign, 1.2", {"1.2"}),
        ("LATEST", set()),
        ("x" * 100_000 + ",latest", set()),
    ],
    # The order of a set differs between processes, and so would names of tests.
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value)[:20],
)
def test_what_was_accepted(header: str, accepted: set[str]) -> None:
    """Only requested tags count, and only as they were written."""
    assert several_tags.accepted(header, ["1.2.3", "1.2", "latest"]) == accepted


def test_the_query() -> None:
    """Each tag is a parameter of its own; nothing of a tag becomes another one."""
    assert several_tags.query(["1.2", "a_b-c"]) == "tag=1.2&tag=a_b-c"
    assert several_tags.query(["a&tag=b"]) == "tag=a%26tag%3Db"


@pytest.mark.parametrize("count", [0, 1, 10, 11, 25])
def test_groups(count: int) -> None:
    """No request has more tags than each registry should accept, and none is lost."""
    tags = [str(number) for number in range(count)]

    groups = several_tags.groups(tags)

    assert [tag for group in groups for tag in group] == tags
    assert all(0 < len(group) <= several_tags.MOST for group in groups)
