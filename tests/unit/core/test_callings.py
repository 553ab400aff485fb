"""Names of apps change hands; orders count for the app that had the name then."""

import pytest

from dokku_registryd.core.job.callings import Calling, Order, callings
from dokku_registryd.core.job.kinds import Kind


def rename(sequence: int, app: str, other: str) -> Order:
    """Return a rename that was carried out."""
    return Order(
        sequence=sequence, kind=Kind.RENAMED, app=app, other=other, is_done=True
    )


@pytest.mark.parametrize(
    ("renames", "expected"),
    [
        pytest.param([], [("web", 5, None)], id="never"),
        pytest.param(
            [rename(7, "green", "web")],
            [("web", 7, None), ("green", 5, 7)],
            id="another-had-the-name",
        ),
        pytest.param(
            [rename(7, "web", "shop"), rename(9, "shop", "web")],
            [("web", 9, None), ("shop", 7, 9), ("web", 5, 7)],
            id="there-and-back",
        ),
        pytest.param([rename(7, "web", "old")], [("web", 5, None)], id="away"),
        pytest.param([rename(4, "green", "web")], [("web", 5, None)], id="before"),
    ],
)
def test_names_of_an_app(
    renames: list[Order], expected: list[tuple[str, int, int | None]]
) -> None:
    """Each name counts for the time in which the app had it."""
    found = callings("web", renames, since=5)

    assert [(one.app, one.after, one.before) for one in found] == expected


def test_what_a_name_covers() -> None:
    """The renames at both ends are no orders against the app itself."""
    calling = Calling(app="web", after=7, before=10)
    orders = [
        Order(sequence=sequence, kind=Kind.LOCAL, app=app)
        for sequence, app in ((7, "web"), (8, "web"), (9, "api"), (10, "web"))
    ]

    assert [calling.covers(order) for order in orders] == [False, True, False, False]
