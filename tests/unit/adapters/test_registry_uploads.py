"""Uploads to registries that say where to go on, or refuse, as real ones have done."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images, reference
from support import memory_registry
from support.memory_registry import Answer, MemoryRegistry
from support.streams import streamed

PASSWORD = "planted-password-4713"
PATH = "org/web"
FACTS = images.EngineFacts(version="20.10.24", image_store="classic")
BODY = b"layer" * 50_000
DIGEST = "sha256:" + hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryClient]:
    """Give the adapter."""
    made = RegistryClient(facts=lambda: FACTS, certs_dir=tmp_path)
    yield made
    made.close()


@pytest.fixture
def bearer() -> Iterator[MemoryRegistry]:
    """Give a registry that sends its clients to a token server."""
    with MemoryRegistry("bearer", users={"ci": PASSWORD}) as running:
        yield running


@pytest.fixture
def elsewhere() -> Iterator[MemoryRegistry]:
    """Give the host that takes the bytes for a registry, and asks for no login."""
    with MemoryRegistry() as running:
        yield running


def image(server: MemoryRegistry) -> reference.ImageReference:
    """Return a reference in a registry."""
    return reference.ImageReference(domain=server.host, path=PATH, tag="1")


def login(server: MemoryRegistry) -> AuthConfig:
    """Return the login that the registries take."""
    return AuthConfig(domain=server.host, username="ci", password=Secret(PASSWORD))


def test_one_token_serves_the_whole_upload(
    registry: RegistryClient, bearer: MemoryRegistry
) -> None:
    """The look-up asks for leave to push, so what follows needs no second token."""
    auth = login(bearer)

    registry.blob_size(image(bearer), DIGEST, auth=auth)
    registry.put_blob(image(bearer), DIGEST, BODY, auth=auth)

    (token,) = bearer.lines("/token")
    assert "pull%2Cpush" in token
    assert bearer.blobs[PATH, DIGEST] == BODY


def test_a_whole_body_has_a_length(
    registry: RegistryClient, bearer: MemoryRegistry
) -> None:
    """A body in one piece has a length and no Content-Range (openai/tart #179)."""
    registry.put_blob(image(bearer), DIGEST, BODY, auth=login(bearer))

    (sent,) = (asked for asked in bearer.asked if asked.line.startswith("PUT"))
    assert sent.headers["content-length"] == str(len(BODY))
    assert "content-range" not in sent.headers


def test_the_last_location_counts(
    registry: RegistryClient, bearer: MemoryRegistry
) -> None:
    """An upload is closed where the answer to its bytes says, with that query."""
    auth = login(bearer)

    place = registry.stream_blob(image(bearer), streamed([BODY]), auth=auth)
    registry.close_blob(image(bearer), place, DIGEST, auth=auth)

    (closed,) = bearer.lines("PUT ")
    assert "?state=PATCH&digest=sha256%3A" in closed
    assert bearer.blobs[PATH, DIGEST] == BODY


def test_another_host_gets_neither_login_nor_header(
    registry: RegistryClient, bearer: MemoryRegistry, elsewhere: MemoryRegistry
) -> None:
    """Bytes go where the registry says, and its login stays with the registry."""
    bearer.upload_host = elsewhere.url
    elsewhere.uploads["elsewhere/here"] = b""
    location = f"{elsewhere.url}/v2/{PATH}/elsewhere/here"
    begun = Answer(status=202, headers={"Location": location})
    bearer.rule("POST /v2/", begun)
    auth = login(bearer)
    registry.blob_size(image(bearer), DIGEST, auth=auth)

    registry.put_blob(image(bearer), DIGEST, BODY, auth=auth)

    assert elsewhere.blobs[PATH, DIGEST] == BODY
    assert all("authorization" not in asked.headers for asked in elsewhere.asked)
    assert bearer.lines("PUT ") == []


def test_another_host_that_refuses_is_named_without_its_words(
    registry: RegistryClient, bearer: MemoryRegistry, elsewhere: MemoryRegistry
) -> None:
    """A storage host repeats signed addresses in its answers; its status is enough."""
    location = f"{elsewhere.url}/bucket/here?X-Signature=abc123"
    bearer.rule("POST /v2/", Answer(status=202, headers={"Location": location}))
    said = b"<Error><Resource>/bucket/here?X-Signature=abc123</Resource></Error>"
    elsewhere.rule("/bucket/", Answer(status=403, body=said))
    auth = login(bearer)
    registry.blob_size(image(bearer), DIGEST, auth=auth)

    with pytest.raises(errors.AccessDeniedError) as caught:
        registry.put_blob(image(bearer), DIGEST, BODY, auth=auth)

    text = str(caught.value)
    assert f"{elsewhere.host} answers 403" in text
    assert "ask the registry's operator" in text
    assert "bucket" not in text
    assert "abc123" not in text


@pytest.mark.parametrize(
    "location",
    ["", "ftp://r.example/upload", "file:///etc/passwd", "http://[broken/upload"],
)
def test_a_place_that_is_none(
    registry: RegistryClient, elsewhere: MemoryRegistry, location: str
) -> None:
    """A registry that names no address ends the upload, and is named."""
    headers = {"Location": location} if location else {}
    elsewhere.rule("POST ", Answer(status=202, headers=headers))

    with pytest.raises(errors.PermanentError, match="which is not followed"):
        registry.put_blob(image(elsewhere), DIGEST, BODY, auth=None)

    assert elsewhere.lines("PUT ") == []


def test_an_unknown_session_starts_again(
    registry: RegistryClient, elsewhere: MemoryRegistry
) -> None:
    """A registry of several machines may know an upload on one of them only."""
    unknown = memory_registry.error(404, "BLOB_UPLOAD_UNKNOWN")
    elsewhere.rule("PUT ", unknown, times=2)

    registry.put_blob(image(elsewhere), DIGEST, BODY, auth=None)

    assert len(elsewhere.lines("POST ")) == 3
    assert elsewhere.blobs[PATH, DIGEST] == BODY


def test_sessions_end(registry: RegistryClient, elsewhere: MemoryRegistry) -> None:
    """After the third session what the registry says is what counts."""
    elsewhere.rule("PUT ", memory_registry.error(404, "BLOB_UPLOAD_UNKNOWN"))

    with pytest.raises(errors.ImageNotFoundError, match="BLOB_UPLOAD_UNKNOWN"):
        registry.put_blob(image(elsewhere), DIGEST, BODY, auth=None)

    assert len(elsewhere.lines("POST ")) == 3


def test_pieces_are_never_sent_twice(
    registry: RegistryClient, bearer: MemoryRegistry
) -> None:
    """A login that is refused while pieces are sent is final: they are gone."""
    auth = login(bearer)
    registry.blob_size(image(bearer), DIGEST, auth=auth)
    bearer.rule("PATCH ", memory_registry.error(401, "UNAUTHORIZED"))

    with pytest.raises(errors.AuthenticationError):
        registry.stream_blob(image(bearer), streamed([BODY]), auth=auth)

    assert len(bearer.lines("PATCH ")) == 1


@pytest.mark.parametrize("status", [404, 405])
def test_a_look_that_tells_nothing(
    registry: RegistryClient, elsewhere: MemoryRegistry, status: int
) -> None:
    """A registry that does not answer HEAD for a blob counts as one that lacks it."""
    elsewhere.blobs[PATH, DIGEST] = BODY
    elsewhere.rule("HEAD ", Answer(status=status))

    assert registry.blob_size(image(elsewhere), DIGEST, auth=None) is None


def test_a_registry_that_reads_nothing_is_given_up(tmp_path: Path) -> None:
    """An upload that stands still ends, though it is neither connect nor read."""
    silent = socket.create_server(("127.0.0.1", 0))
    host = "{}:{}".format(*silent.getsockname())
    begun = (
        b"HTTP/1.1 202 Accepted\r\nLocation: /v2/org/web/blobs/uploads/a\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    taken: list[socket.socket] = []

    def take() -> None:
        while True:
            connection, _ = silent.accept()
            taken.append(connection)
            first = connection.recv(65536)
            if first.startswith(b"\x16"):
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.close()
                continue
            connection.sendall(begun)
            return

    server = threading.Thread(target=take)
    server.start()
    registry = RegistryClient(
        facts=lambda: FACTS,
        certs_dir=tmp_path,
        read_timeout=0.1,
        upload_timeouts=(0.5, 60),
        sleep=lambda _seconds: None,
    )
    target = reference.ImageReference(domain=host, path=PATH, tag="1")
    endless = iter(lambda: b"x" * 65536, None)

    with pytest.raises(errors.RegistryUnavailableError, match="in time"):
        registry.stream_blob(target, streamed(endless), auth=None)

    server.join()
    registry.close()
    for connection in (*taken, silent):
        connection.close()
