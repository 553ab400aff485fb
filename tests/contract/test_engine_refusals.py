"""What the Engines pass on of a registry's refusal at the end of a push."""

import base64
import contextlib
from collections.abc import Iterator

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.engine.docker_engine import DockerEngine
from support import engine_api
from support.engines import EngineServer
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
    "not authorized": (
        Answer(
            status=401,
            code="UNAUTHORIZED",
            message="access to the requested resource is not authorized",
        ),
        errors.AuthenticationError,
    ),
    "not allowed": (
        Answer(
            status=403,
            code="DENIED",
            message="client with IP '203.0.113.7' is not allowed access.",
        ),
        errors.AccessDeniedError,
    ),
    "manifest": (
        Answer(status=400, code="MANIFEST_INVALID", message="manifest invalid"),
        errors.InvalidRequestError,
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


def said_by(engine: EngineServer, answer: Answer) -> str:
    """Return what an Engine says itself when a registry refuses the manifest."""
    with ScriptedRegistry(answer) as registry:
        repository = f"{registry.host}/org/web"
        engine.import_image(f"{repository}:1", {"content": b"refused"})
        said = engine_api.request(
            engine.path,
            "POST",
            f"/images/{repository}/push?tag=1",
            headers={"X-Registry-Auth": base64.b64encode(b"{}").decode()},
        )
    return said.decode()


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
    """That a tag may not move is known where the Engine passes it on."""
    answer = Answer(status=400, code="TAG_INVALID", message=IMMUTABLE)
    # The first containerd store drops the registry's words, and leaves a 400.
    is_told = "immutable" in said_by(engine, answer)
    kind = errors.TagImmutableError if is_told else errors.InvalidRequestError

    refusal = refuse(adapter, engine, answer)

    assert type(refusal) is kind
