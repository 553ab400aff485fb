"""What registries say of their limits."""

import pytest

from dokku_registryd.core.registry import allowances
from dokku_registryd.core.registry.allowances import Allowance


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (
            {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600"},
            Allowance(76, 100),
        ),
        (
            {"ratelimit-limit": "2000", "ratelimit-remaining": " 1999 "},
            Allowance(1999, 2000),
        ),
        ({"ratelimit-remaining": "3"}, Allowance(3)),
        ({"ratelimit-remaining": "0, 5"}, Allowance(0)),
        ({"ratelimit-limit": "100"}, None),
        ({"ratelimit-remaining": "many", "ratelimit-limit": "5"}, None),
        ({"ratelimit-remaining": "-1"}, None),
        ({"ratelimit-remaining": "9" * 40}, None),
        ({}, None),
    ],
)
def test_headers(headers: dict[str, str], found: Allowance | None) -> None:
    """Docker Hub adds a window; anything but a number states nothing."""
    assert allowances.parse(headers) == found


@pytest.mark.parametrize(
    ("left", "limit", "is_scarce"),
    [
        (100, 100, False),
        (51, 100, False),
        (50, 100, True),
        (0, 100, True),
        (51, None, False),
        (50, None, True),
    ],
)
def test_a_reserve_is_left(left: int, limit: int | None, is_scarce: bool) -> None:
    """Half of a limit is for heals and deploys."""
    assert Allowance(left, limit).is_scarce is is_scarce
