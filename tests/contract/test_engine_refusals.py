"""What the Engines pass on of a registry's refusal at the end of a push."""

import contextlib
from collections.abc import Iterator

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.engine.docker_engine import DockerEngine
from support.engines import CONTAINERD, EngineServer
from support.every_engine import on_every_engine
from support.scripted_registry import Answer, ScriptedRegistry

pytestmark = pytest.mark.engine

IMMUTABLE = (
    "The image tag '1' already exists in the 'org/web' repository and cannot be"
    " overwritten because the repository is immutable"
)
REFUSALS = {
    "denied": (
        Answer(status=403, code="DENIED", message="access to the resource is denied"),
        errors.AccessDeniedError,
    ),
    "no repository": (
        Answer(status=404, code="NAME_UNKNOWN", message="name not known to registry"),
        errors.ImageNotFoundError,
    ),
    "too many requests": (
        Answer(status=429, code="TOOMANYREQUESTS", message="too many requests"),
        errors.RateLimitedError,
    ),
    "body-limit": (
        Answer(status=413, code="UNKNOWN", message="request entity too large"),
        errors.InvalidRequestError,
    ),
    "fault": (
        Answer(status=500, code="UNKNOWN", message="unknown error"),
        errors.RegistryUnavailableError,
    ),
    "unavailable": (
        Answer(status=503, code="UNAVAILABLE", message="service unavailable"),
        errors.RegistryBusyError,
    ),
}


@pytest.fixture
def adapter(engine: EngineServer) -> Iterator[DockerEngine]:
    """Give the adapter."""
    with contextlib.closing(DockerEngine(base_url=engine.socket)) as adapter:
        yield adapter


def refuse(adapter: DockerEngine, engine: EngineServer, answer: Answer) -> Exception:
    """Push to a registry that refuses the manifest, and return the error."""
    with ScriptedRegistry(answer) as registry:
        name = f"{registry.host}/org/web:1"
        engine.import_image(name, {"content": b"refused"})
        with pytest.raises(errors.RegistrydError) as caught:
            adapter.push(name, auth=None, on_progress=lambda _: None)
        return caught.value


@on_every_engine
@pytest.mark.parametrize(("answer", "kind"), REFUSALS.values(), ids=REFUSALS)
def test_refused_manifests(
    adapter: DockerEngine,
    engine: EngineServer,
    answer: Answer,
    kind: type[errors.RegistrydError],
) -> None:
    """A refusal at the end of a push has the same meaning on every Engine."""
    refusal = refuse(adapter, engine, answer)

    assert type(refusal) is kind


@on_every_engine
def test_immutable_tags(adapter: DockerEngine, engine: EngineServer) -> None:
    """All but the first containerd store pass on that a tag may not move."""
    # It drops the registry's words, and leaves a 400.
    drops_words = engine.kind == CONTAINERD
    kind = errors.InvalidRequestError if drops_words else errors.TagImmutableError
    answer = Answer(status=400, code="TAG_INVALID", message=IMMUTABLE)

    refusal = refuse(adapter, engine, answer)

    assert type(refusal) is kind
