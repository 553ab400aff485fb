"""What Engine 29 does otherwise, through the whole adapter and the docker package."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.engine.docker_engine import DockerEngine
from dokku_registryd.core.engine import events
from dokku_registryd.core.registry import hosts
from support.scripted_engine import ScriptedEngine

_FACTS: Final = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "vectors" / "engine-29.jsonl")
    .read_text()
    .splitlines()
]
NAME: Final = "r.test/org/web:1"


def facts(about: str) -> pytest.MarkDecorator:
    """Return the decorator for a test of each fact of one kind."""
    found = [fact for fact in _FACTS if fact["about"] == about]
    return pytest.mark.parametrize("fact", found, ids=range(1, len(found) + 1))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ScriptedEngine]:
    """Give Engine 29.0."""
    path = tmp_path / "docker.sock"
    with ScriptedEngine(path, served="1.52", oldest="1.44") as running:
        running.answers["GET /_ping"] = "OK"
        yield running


@pytest.fixture
def adapter(engine: ScriptedEngine) -> Iterator[DockerEngine]:
    """Give the adapter."""
    with contextlib.closing(DockerEngine(base_url=engine.socket)) as opened:
        yield opened


@facts("api")
def test_a_version_that_both_know(
    engine: ScriptedEngine, adapter: DockerEngine, fact: dict[str, str]
) -> None:
    """The newest tested version is spoken, if the Engine serves it."""
    engine.served, engine.oldest = fact["served"], fact["oldest"]

    adapter.ping()

    assert engine.asked == ["GET /_ping", f"GET /v{fact['spoken']}/_ping"]


def test_a_proxy_that_drops_the_header(
    engine: ScriptedEngine, adapter: DockerEngine
) -> None:
    """The version is asked for in the way that costs the Engine more."""
    engine.has_header = False

    adapter.ping()

    assert engine.asked == ["GET /_ping", "GET /version", "GET /v1.51/_ping"]


def test_a_proxy_that_forbids_the_ping(
    engine: ScriptedEngine, adapter: DockerEngine
) -> None:
    """The same is done, and what is asked then works."""
    engine.refusals["GET /_ping"] = (403, "forbidden by the proxy")

    assert adapter.image("web:1") is None

    asked = ["GET /_ping", "GET /version", "GET /v1.51/images/web:1/json"]
    assert engine.asked == asked


@pytest.mark.parametrize(
    ("before", "after", "spoken"),
    [
        (("1.41", "1.12"), ("1.52", "1.44"), "1.51"),
        (("1.52", "1.44"), ("1.43", "1.24"), "1.43"),
    ],
    ids=["newer", "older"],
)
def test_an_engine_that_was_replaced(
    engine: ScriptedEngine,
    adapter: DockerEngine,
    before: tuple[str, str],
    after: tuple[str, str],
    spoken: str,
) -> None:
    """After a refusal the next attempt asks for the version again."""
    engine.served, engine.oldest = before
    adapter.ping()
    engine.served, engine.oldest = after

    with pytest.raises(errors.TransientError, match="client version"):
        adapter.ping()
    adapter.ping()

    assert engine.asked[-2:] == ["GET /_ping", f"GET /v{spoken}/_ping"]


@facts("event")
def test_events(
    engine: ScriptedEngine, adapter: DockerEngine, fact: dict[str, Any]
) -> None:
    """An event needs only its type and action to request a sweep."""
    engine.answers["GET /events"] = [fact["line"]]

    with contextlib.closing(adapter.events()) as stream:
        (raw,) = stream

    event = events.parse(raw)
    assert event is not None
    assert (event.wakes_sweep, event.actor_id) == (
        fact["wakes"],
        fact["line"]["Actor"]["ID"],
    )


@facts("push")
def test_pushes(
    engine: ScriptedEngine, adapter: DockerEngine, fact: dict[str, Any]
) -> None:
    """A refusal is known by its detail alone, and a success by its digest."""
    engine.answers["POST /images/r.test/org/web/push"] = fact["lines"]

    def push() -> str:
        return adapter.push(NAME, auth=None, on_progress=lambda _text: None)

    if "digest" in fact:
        assert push() == fact["digest"]
    else:
        with pytest.raises(getattr(errors, fact["raises"])) as caught:
            push()
        assert type(caught.value).__name__ == fact["raises"]


@facts("pull")
def test_pulls(
    engine: ScriptedEngine, adapter: DockerEngine, fact: dict[str, Any]
) -> None:
    """The same holds for a pull, which then finds the image here, or is refused."""
    if "refusal" in fact:
        said = fact["refusal"]
        engine.refusals["POST /images/create"] = said["status"], said["message"]
    else:
        engine.answers["POST /images/create"] = fact["lines"]

    if "digest" in fact:
        found = {"Id": fact["digest"], "RepoTags": [NAME]}
        engine.answers[f"GET /images/{NAME}/json"] = found
        assert adapter.pull(NAME, auth=None).image_id == fact["digest"]
    else:
        with pytest.raises(getattr(errors, fact["raises"])) as caught:
            adapter.pull(NAME, auth=None)
        assert type(caught.value).__name__ == fact["raises"]


@facts("info")
def test_facts_about_itself(
    engine: ScriptedEngine, adapter: DockerEngine, fact: dict[str, Any]
) -> None:
    """Its own list decides about TLS, for addresses of this host too."""
    engine.answers["GET /info"] = fact["info"]

    told = adapter.facts()

    assert told.image_store == fact["store"]
    judged = {
        host: hosts.judge(
            host, told.insecure_registries, lambda _name: ["192.0.2.1"]
        ).is_insecure
        for host in fact["insecure"]
    }
    assert judged == fact["insecure"]
