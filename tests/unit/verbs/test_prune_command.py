"""`prune`, as far as it goes without an Engine, and what it prints."""

from dataclasses import replace

import pytest

from app_states import release
from dokku_registryd import errors
from dokku_registryd.core.release import prunes
from dokku_registryd.effects.prune_plans import RepositoryPlan
from dokku_registryd.verbs.output import Output
from dokku_registryd.verbs.releases import prune
from support import json_schemas
from support.calling import Caller

PLAN = RepositoryPlan(
    app="web",
    repository="r.example/org/web",
    entries=(
        prunes.Entry(release=release(12), kept_by="web runs it"),
        prunes.Entry(release=release(3)),
    ),
)
BLOCKED = RepositoryPlan(
    app="web",
    repository="r.example/org/web",
    entries=PLAN.entries,
    problem="r.example does not answer",
)


@pytest.mark.parametrize("words", [[], ["--dry-run"], ["--yes"], ["--format", "json"]])
def test_without_an_engine(caller: Caller, words: list[str]) -> None:
    """What containers use is unknown while the Engine does not answer."""
    with pytest.raises(errors.EngineUnavailableError):
        caller.call("prune", *words)

    assert caller.spool.pending() == 0


def test_an_app_that_does_not_exist(caller: Caller) -> None:
    """An unknown app is refused before any registry is asked."""
    with pytest.raises(errors.RegistrydError, match="App shop does not exist"):
        caller.call("prune", "shop", "--yes")


@pytest.mark.parametrize(
    ("plans", "is_one", "lines"),
    [
        ([], False, ["No number to remove."]),
        (
            [PLAN],
            False,
            [
                "r.example/org/web (web)",
                "  NUMBER  ACTION  WHY",
                "  12      keep    web runs it",
                "  3       remove  nothing needs it",
            ],
        ),
        (
            [BLOCKED],
            True,
            [
                "r.example/org/web (web)",
                "  nothing is removed: r.example does not answer",
            ],
        ),
    ],
)
def test_a_plan_as_text(
    plans: list[RepositoryPlan], is_one: bool, lines: list[str]
) -> None:
    """Each number has its reason, under its repository."""
    printed: list[str] = []

    prune._print(
        plans, Output(line=printed.append, error=printed.append), is_one=is_one
    )

    assert printed == lines


@pytest.mark.parametrize(
    ("plans", "app", "line"),
    [
        (
            [PLAN],
            "web",
            "1 number, now and after each deploy: dokku registryd:prune web",
        ),
        (
            [PLAN, PLAN],
            None,
            "2 numbers, now and after each deploy: dokku registryd:prune",
        ),
        ([BLOCKED], "web", ""),
        ([replace(PLAN, is_agreed=True)], "web", ""),
        ([replace(PLAN, entries=PLAN.entries[:1])], "web", ""),
    ],
)
def test_the_way_on(plans: list[RepositoryPlan], app: str | None, line: str) -> None:
    """A dry run names the command that agrees, if something waits for that."""
    printed: list[str] = []

    prune._print_way_on(plans, app, Output(line=printed.append, error=printed.append))

    assert printed == ([f"To remove {line} --yes"] if line else [])


@pytest.mark.parametrize(
    ("app", "said", "end"),
    [
        ("web", "No keep-remote is set for web, so", "set web keep-remote 10,30d"),
        (None, "No keep-remote is set, so", "set --global keep-remote 10,30d"),
    ],
)
def test_how_to_ask(app: str | None, said: str, end: str) -> None:
    """Where nothing says what may go, the property that does is named."""
    told = prune._how_to_ask(app)

    assert told.startswith(f"{said} all numbers stay in the registry. ")
    assert told.endswith(f": dokku registryd:{end}")


@pytest.mark.parametrize(("app", "named"), [("web", "web"), (None, "APP")])
def test_what_consent_means(app: str | None, named: str) -> None:
    """It stands for later deploys too, and the command that ends it is named."""
    told = prune._told_of_consent(app)

    assert told.startswith("From now on the service does this after each deploy.")
    assert told.endswith(f" dokku registryd:set {named} keep-remote all")


def test_a_plan_as_json() -> None:
    """A number that goes has no reason, unless its repository has a problem."""
    documents = [prune._as_json(PLAN), prune._as_json(BLOCKED)]

    json_schemas.check("prune", documents)
    found = [
        [(row["number"], row["action"], row["reason"]) for row in numbers]
        for numbers in (document["numbers"] for document in documents)
        if isinstance(numbers, list)
    ]
    assert found == [
        [(12, "keep", "web runs it"), (3, "remove", "")],
        [
            (12, "keep", "web runs it"),
            (3, "keep", "r.example does not answer"),
        ],
    ]
