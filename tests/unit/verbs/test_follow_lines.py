"""What `status` says of followed hosts."""

import json
from typing import Any

import pytest

from dokku_registryd.core.status.follow_state import FollowState, Place, Repository
from dokku_registryd.core.status.status_page import Page, render
from dokku_registryd.verbs.service import follow_lines, status_facts

NOW = 1_000_000.0
WEB = "ghcr.io/org/web"


def place(number: int, **more: Any) -> Place:
    """Return what `fra1` runs."""
    return Place(
        **{
            "app": "web",
            "host": "fra1",
            "number": number,
            "digest": f"sha256:{number:064x}",
            "is_here": False,
            "since": NOW - 180,
            **more,
        }
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (FollowState(), []),
        (FollowState(problem="no"), ["Follow:  no"]),
        (
            FollowState(
                repositories=(
                    Repository(name=WEB, places=(place(1, is_here=True, since=0.0),)),
                )
            ),
            ["Follow:  1 release of other hosts here"],
        ),
        (
            FollowState(
                repositories=(
                    Repository(
                        name=WEB,
                        ignored=3,
                        places=(
                            place(41, kept_number=40, reason="no room"),
                            place(7, host="sin1"),
                        ),
                    ),
                    Repository(
                        name="r.example/a",
                        problem="it is away",
                        unread_since=NOW - 7200,
                    ),
                )
            ),
            [
                "Follow:  0 releases of other hosts here, 2 lacking; behind for 2 h",
                "         fra1 runs web 41, 40 is here: no room",
                "         sin1 runs web 7: it is about to be pulled",
                "         r.example/a: it is away",
                f"         {WEB}: 3 more are not followed",
            ],
        ),
    ],
)
def test_lines(state: FollowState, expected: list[str]) -> None:
    """One line says how much is here; the others what is not, and why."""
    page = Page(render([("follow", json.dumps(state.as_document()))]))

    facts = status_facts.collect_follow(page, NOW)

    assert follow_lines.lines(facts) == expected


def test_without_a_service() -> None:
    """Nothing is known, and the state of the service is said elsewhere."""
    assert status_facts.collect_follow(Page(""), NOW) is None
    assert follow_lines.lines(None) == []
