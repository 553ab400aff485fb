"""How a deploy ended, by what is known of it and by the containers of its app."""

import pytest

from dokku_registryd.core.dokku import deploys
from dokku_registryd.core.image.images import LocalContainer

IMAGE = f"sha256:{'1' * 64}"


@pytest.mark.parametrize(
    ("name", "kind", "is_script", "expected"),
    [
        ("web.web.1", "deploy", False, True),
        ("web.web.1", "", False, True),
        ("web.my-worker_2.12", "", False, True),
        ("web.web.1.upcoming-1234", "deploy", False, False),
        ("web.web.1.upcoming-1234", "", False, False),
        ("web.web.1.1764448000", "deploy", False, False),
        ("web.web.1.1764448000", "", False, False),
        ("web.web.1", "run", False, False),
        ("web.run.1234", "run", False, False),
        ("brave_turing", "deploy", True, False),
        ("brave_turing", "", True, False),
        ("brave_turing", "", False, False),
        ("web.old.web.1", "", False, False),
        ("web.1", "", False, False),
        ("api.web.1", "", False, False),
        ("", "", False, False),
    ],
)
def test_what_counts_as_running(
    name: str, kind: str, is_script: bool, expected: bool
) -> None:
    """Only processes of an app that Dokku has started tell that its deploy is live."""
    container = LocalContainer(
        image_id=IMAGE,
        image="dokku/web:latest",
        app="web",
        is_running=True,
        container_id="one",
        name=name,
        kind=kind,
        is_script=is_script,
    )

    assert deploys.runs([container], "web", IMAGE, recorded=frozenset()) is expected
    assert deploys.runs([container], "web", IMAGE, recorded=frozenset({"one"}))


@pytest.mark.parametrize(
    ("build", "way"),
    [
        ("9f2c", "or end it with: dokku builds:cancel web"),
        ("pid-12-345", "or interrupt the command that deploys it"),
        ("", "or interrupt the command that deploys it"),
    ],
)
def test_the_way_past_a_deploy(build: str, way: str) -> None:
    """Dokku ends those that it records; of others only the command is there."""
    said = f"Try again when that has ended, {way}"

    assert deploys.way_past("web", build) == said
    if build:
        assert deploys.way_past_lock("web", build) == said


def test_the_way_past_a_lock() -> None:
    """A lock without a deploy that runs is left over, as far as Dokku tells."""
    unlock = "dokku apps:unlock web"

    left = deploys.way_past_lock("web", "")
    unknown = deploys.way_past_lock("web", None)

    assert "Dokku has no record of a deploy that runs" in left
    assert left.endswith(f"run: {unlock}")
    assert unknown.endswith(f"if nothing deploys it, run: {unlock}")
