"""The relay with foreign clients, and with an Engine that disconnects."""

import base64
import contextlib
import hashlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from dokku_registryd import errors, ports
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.adapters.relay import uploads as relay_uploads
from dokku_registryd.adapters.relay.passages import MOST_UPLOADS, Passage
from dokku_registryd.adapters.relay.relay import Relay
from dokku_registryd.adapters.relay.server import MOST_CONNECTIONS
from dokku_registryd.core.auth import logins
from dokku_registryd.core.engine import relay_protocol
from dokku_registryd.core.image import images, reference
from fakes_registry import FakeRegistry
from support.memory_registry import MemoryRegistry
from support.waiting import until

IMAGE = reference.parse("r.example/org/web:7")
KIND = "application/vnd.docker.distribution.manifest.v2+json"
SMALL = b"small layer"
MIDDLE = 1 << 20
BIG = b"0123456789abcdef" * ((relay_protocol.MOST_OF_BLOB >> 4) + 1)


def digest_of(content: bytes) -> str:
    """Return a digest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Knocker:
    """A client of the relay with a login."""

    def __init__(self, relay: Relay, login: logins.AuthConfig | None) -> None:
        self.connection = http.client.HTTPConnection(relay.host, timeout=120)
        self.headers: dict[str, str] = {}
        if login is not None:
            pair = f"{login.username}:{login.password.reveal()}".encode()
            encoded = base64.b64encode(pair).decode()
            self.headers = {"Authorization": f"Basic {encoded}"}

    def ask(
        self, method: str, target: str, body: Any = None, **headers: str
    ) -> http.client.HTTPResponse:
        """Return the answer, read to its end."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        # Who refuses a body need not read it all, and says so all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.request(
                method, target, body=body, headers=self.headers | named
            )
        response = self.connection.getresponse()
        self.said = response.read()
        return response

    def status(self, method: str, target: str, body: Any = None, **named: str) -> int:
        """Return the status of the answer."""
        return self.ask(method, target, body, **named).status


def accept(login: logins.AuthConfig) -> None:
    """Be an Engine that does not come."""
    raise errors.TransientError("connection refused")


@pytest.fixture
def relay() -> Iterator[Relay]:
    """Give a relay that listens."""
    made = Relay(0)
    made.why_not(accept)
    yield made
    made.close()
    until(lambda: made.kept_bytes == 0, what="layers to be kept no more")


@pytest.fixture
def registry() -> FakeRegistry:
    """Give the registry behind the relay."""
    return FakeRegistry()


@pytest.fixture
def passage(relay: Relay, registry: FakeRegistry) -> Iterator[Passage]:
    """Give an open way for one push."""
    with relay.open(IMAGE, registry, lambda operation: operation(None)) as opened:
        yield opened


@contextmanager
def knocking(relay: Relay, login: logins.AuthConfig | None = None) -> Iterator[Knocker]:
    """Yield a client of the relay."""
    knocker = Knocker(relay, login)
    yield knocker
    knocker.connection.close()


@pytest.fixture
def engine(relay: Relay, passage: Passage) -> Iterator[Knocker]:
    """Yield a client with the push's own login."""
    with knocking(relay, passage.login) as knocker:
        yield knocker


def uploads(passage: Passage) -> str:
    """Return where uploads of a push begin."""
    return f"/v2/{passage.name}/blobs/uploads/"


# -- who gets in


def test_no_client_gets_in_without_a_login(relay: Relay, passage: Passage) -> None:
    """A client without a login is told the required kind, and nothing more."""
    with knocking(relay) as stranger:
        answer = stranger.ask("GET", "/v2/")
        refused = stranger.status("POST", uploads(passage))

    assert answer.status == refused == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="dokku-registryd"'
    assert not passage.is_reached


def test_a_login_is_good_for_one_repository(
    relay: Relay, registry: FakeRegistry, passage: Passage
) -> None:
    """The login of a push opens neither another push nor another repository."""
    other = reference.parse("r.example/org/api:1")
    with (
        relay.open(other, registry, lambda operation: operation(None)) as second,
        knocking(relay, passage.login) as knocker,
    ):
        status = knocker.status("POST", uploads(second))
        nowhere = knocker.status("POST", "/v2/org/web/blobs/uploads/")
        base = knocker.status("GET", "/v2/")

    assert (status, nowhere, base) == (403, 403, 200)
    assert passage.login.password != second.login.password
    assert len(passage.login.password.reveal()) >= 32


def test_a_login_ends_with_its_push(relay: Relay, registry: FakeRegistry) -> None:
    """What is open is cut, and who comes again is a stranger."""
    with relay.open(IMAGE, registry, lambda operation: operation(None)) as passage:
        knocker = Knocker(relay, passage.login)
        assert knocker.status("GET", "/v2/") == 200

    with pytest.raises((http.client.HTTPException, OSError)):
        knocker.ask("GET", "/v2/")
    knocker.connection.close()
    with knocking(relay, passage.login) as late:
        assert late.status("GET", "/v2/") == 401


def test_who_speaks_tls_is_answered_in_clear(relay: Relay) -> None:
    """Image stores try TLS first, and go on without it only after such an answer."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
    host, _, port = relay.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=120) as client:
        client.sendall(hello)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := client.recv(4096):
            answer += piece

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize(
    ("method", "place", "expected"),
    [
        ("GET", "/v2/_catalog", 404),
        ("GET", "/v1/_ping", 404),
        ("GET", "/", 404),
        ("GET", "/v2/{name}/tags/list", 404),
        ("DELETE", "/v2/{name}/manifests/1", 405),
        ("GET", "/v2/{name}/blobs/sha256:" + "a" * 64, 405),
        ("GET", "/v2/{name}/blobs/uploads/", 405),
        ("GET", "/v2/{name}/manifests/1", 404),
        ("HEAD", "/v2/{name}/manifests/1", 404),
        ("HEAD", "/v2/{name}/blobs/sha256:" + "a" * 64, 404),
        ("PATCH", "/v2/{name}/blobs/uploads/" + "0" * 32, 404),
        ("POST", "/v2/", 405),
    ],
)
def test_there_is_nothing_else(
    engine: Knocker, passage: Passage, method: str, place: str, expected: int
) -> None:
    """What image stores do not need is not there, with a login either."""
    assert engine.status(method, place.format(name=passage.name)) == expected
    assert passage.failure is None


def test_a_crowd_is_turned_away(relay: Relay, passage: Passage) -> None:
    """So many connections at once are served, and no more; room comes back."""
    host, _, port = relay.host.partition(":")
    crowd = [
        socket.create_connection((host, int(port)), timeout=120)
        for _ in range(MOST_CONNECTIONS)
    ]
    with socket.create_connection((host, int(port)), timeout=120) as late:
        assert late.recv(1) == b""
    for one in crowd:
        one.close()

    def is_let_in() -> bool:
        with knocking(relay, passage.login) as knocker:
            try:
                return knocker.status("GET", "/v2/") == 200
            except (http.client.HTTPException, OSError):
                return False

    until(is_let_in, what="room in the relay")


# -- layers


def begin(engine: Knocker, passage: Passage) -> str:
    """Begin an upload, and return where it goes on."""
    answer = engine.ask("POST", uploads(passage))
    assert answer.status == 202
    return answer.headers["Location"]


@pytest.mark.parametrize("content", [b"", SMALL, BIG], ids=["empty", "small", "big"])
def test_a_layer_as_the_classic_store_sends_it(
    engine: Knocker, passage: Passage, registry: FakeRegistry, content: bytes
) -> None:
    """It comes in chunks, and its digest afterwards."""
    place = begin(engine, passage)

    patched = engine.ask("PATCH", place, iter([content] if content else []))
    closed = engine.ask(
        "PUT", f"{patched.headers['Location']}?digest={digest_of(content)}"
    )

    assert (patched.status, closed.status) == (202, 201)
    assert patched.headers["Range"] == f"0-{max(0, len(content) - 1)}"
    assert registry.blobs[IMAGE.repository, digest_of(content)] == content


@pytest.mark.parametrize("content", [SMALL, BIG], ids=["small", "big"])
def test_a_layer_as_containerd_sends_it(
    engine: Knocker, passage: Passage, registry: FakeRegistry, content: bytes
) -> None:
    """It comes in one body, with its digest in the address."""
    place = begin(engine, passage)

    closed = engine.ask("PUT", f"{place}?digest={digest_of(content)}", content)
    seen = engine.ask("HEAD", f"/v2/{passage.name}/blobs/{digest_of(content)}")

    assert (closed.status, seen.status) == (201, 200)
    assert seen.headers["Content-Length"] == str(len(content))
    assert registry.blobs[IMAGE.repository, digest_of(content)] == content


def test_a_blob_is_asked_for_once(
    engine: Knocker, passage: Passage, registry: FakeRegistry
) -> None:
    """The registry is asked for a layer once per push, with any answer."""
    target = f"/v2/{passage.name}/blobs/{digest_of(SMALL)}"

    first, second = engine.status("HEAD", target), engine.status("HEAD", target)

    assert (first, second) == (404, 404)
    assert registry.calls == [("blob_size", IMAGE.repository)]


def test_a_look_that_is_refused_decides_nothing(
    engine: Knocker, passage: Passage, registry: FakeRegistry
) -> None:
    """A login that may push and not read has its layers sent."""
    registry.fail("blob_size", errors.AccessDeniedError("you may not look"))
    target = f"/v2/{passage.name}/blobs/{digest_of(SMALL)}"

    assert engine.status("HEAD", target) == 404
    assert passage.failure is None


def test_nothing_is_mounted_by_the_engine(
    engine: Knocker, passage: Passage, registry: FakeRegistry
) -> None:
    """What is there already counts as mounted, and the rest has to be sent."""
    there = digest_of(SMALL)
    registry.blobs[IMAGE.repository, there] = SMALL
    absent = digest_of(b"absent")

    found = engine.status("POST", f"{uploads(passage)}?mount={there}&from=a/b")
    lacking = engine.status("POST", f"{uploads(passage)}?mount={absent}&from=a/b")

    assert (found, lacking) == (201, 202)
    assert {method for method, _ in registry.calls} == {"blob_size"}


def test_bytes_that_have_another_digest_go_nowhere(
    engine: Knocker, passage: Passage, registry: FakeRegistry
) -> None:
    """What the Engine sends is counted before the registry sees it."""
    place = begin(engine, passage)

    status = engine.status("PUT", f"{place}?digest={digest_of(b'other')}", SMALL)

    assert status == 400
    assert registry.calls == []
    assert engine.status("PUT", f"{place}?digest={digest_of(SMALL)}", SMALL) == 404


def test_a_gap_is_refused(engine: Knocker, passage: Passage) -> None:
    """A part that does not begin where the last one ended is not taken."""
    place = begin(engine, passage)

    assert engine.status("PATCH", place, SMALL, Content_Range="0-10") == 202
    assert engine.status("PATCH", place, SMALL, Content_Range="50-60") == 416
    assert passage.failure is None


def test_an_upload_that_is_taken_back(
    engine: Knocker, passage: Passage, relay: Relay
) -> None:
    """What is cancelled is forgotten, with all that was kept of it."""
    place = begin(engine, passage)
    engine.ask("PATCH", place, SMALL)
    kept = relay.kept_bytes

    assert engine.status("DELETE", place) == 204
    assert (kept, relay.kept_bytes) == (len(SMALL), 0)
    assert engine.status("PUT", f"{place}?digest={digest_of(SMALL)}") == 404


def test_uploads_are_bounded(engine: Knocker, passage: Passage) -> None:
    """An Engine that begins uploads without end is stopped."""
    for _ in range(MOST_UPLOADS):
        begin(engine, passage)

    assert engine.status("POST", uploads(passage)) == 503


def test_memory_is_bounded(
    engine: Knocker, passage: Passage, relay: Relay, registry: FakeRegistry
) -> None:
    """What a push keeps at once has a limit; what is beyond it is passed on at once."""
    content = b"x" * (relay_protocol.MOST_OF_BLOB - 1)
    places = [begin(engine, passage) for _ in range(4)]

    for place in places:
        assert engine.status("PATCH", place, content) == 202
    kept = relay.kept_bytes
    for place in places:
        target = f"{place}?digest={digest_of(content)}"
        assert engine.status("PUT", target) == 201

    assert kept <= relay_protocol.MOST_OF_PUSH
    assert len([1 for method, _ in registry.calls if method == "stream_blob"]) == 3
    assert relay.kept_bytes == 0


def test_all_pushes_share_a_limit() -> None:
    """However many pushes there are, they keep so much together."""
    shelf = relay_uploads.Shelf()
    size = relay_protocol.MOST_OF_BLOB
    taken = [shelf.take(push, size, of_blob=0) for push in range(20)]
    lent = [shelf.lend(push, lambda: None, wait=False) for push in range(20)]
    # One is kept for a push that cannot go on without it.
    assert sum(lent) == relay_protocol.MOST_WINDOWS - 1
    lent.append(shelf.lend("in pieces", lambda: None, wait=True))

    assert sum(lent) == relay_protocol.MOST_WINDOWS
    assert (sum(taken) + sum(lent)) * size == relay_protocol.MOST_OF_ALL
    assert shelf.size == relay_protocol.MOST_OF_ALL


def test_a_push_has_one_window() -> None:
    """Another layer of the push waits for it, if it cannot be sent without."""
    shelf = relay_uploads.Shelf()
    waited: list[int] = []
    assert shelf.lend("push", lambda: None, wait=False)
    assert not shelf.lend("push", lambda: None, wait=False)

    def give_up() -> None:
        waited.append(shelf.size)
        raise errors.RegistryUnavailableError("the push is over")

    with pytest.raises(errors.RegistryUnavailableError, match="is over"):
        shelf.lend("push", give_up, wait=True)
    second = threading.Thread(
        target=lambda: shelf.lend("push", lambda: None, wait=True)
    )
    second.start()
    shelf.take_back("push")
    second.join()

    assert waited == [shelf.size] == [relay_protocol.WINDOW_BYTES]


@pytest.mark.parametrize("content", [SMALL, BIG], ids=["kept", "passed-on"])
def test_an_engine_that_breaks_off(
    relay: Relay, passage: Passage, registry: FakeRegistry, content: bytes
) -> None:
    """A partial layer is forgotten, and is not a failure of the registry."""
    with knocking(relay, passage.login) as knocker:
        place = begin(knocker, passage)
        sock = knocker.connection.sock
        head = f"PUT {place}?digest={digest_of(content)} HTTP/1.1\r\nHost: relay\r\n"
        named = "".join(f"{key}: {value}\r\n" for key, value in knocker.headers.items())
        length = f"Content-Length: {len(content) + 1}\r\n\r\n"
        sock.sendall((head + named + length).encode() + content)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""

    until(lambda: relay.kept_bytes == 0, what="the upload to be forgotten")
    assert registry.blobs == {}
    assert passage.failure is None


def test_chunks_that_are_none(relay: Relay, passage: Passage) -> None:
    """A body whose chunks cannot be read ends its connection and nothing else."""
    with knocking(relay, passage.login) as knocker:
        place = begin(knocker, passage)
        knocker.connection.putrequest("PATCH", place)
        knocker.connection.putheader("Transfer-Encoding", "chunked")
        for key, value in knocker.headers.items():
            knocker.connection.putheader(key, value)
        knocker.connection.endheaders(b"-5\r\nabc\r\n")
        with pytest.raises((http.client.HTTPException, OSError)):
            knocker.connection.getresponse()

    assert passage.failure is None


def test_the_first_refusal_counts(
    engine: Knocker, relay: Relay, passage: Passage, registry: FakeRegistry
) -> None:
    """What the registry refuses ends the push, and is known at first hand."""
    reason = errors.AccessDeniedError("you may not push")
    registry.fail("put_blob", reason, errors.PermanentError("second"))
    place = begin(engine, passage)

    refused = engine.status("PUT", f"{place}?digest={digest_of(SMALL)}", SMALL)
    said = json.loads(engine.said)
    after = engine.status("HEAD", f"/v2/{passage.name}/blobs/{digest_of(SMALL)}")

    assert (refused, after) == (403, 403)
    assert said["errors"][0]["code"] == "DENIED"
    assert passage.failure is reason
    assert [method for method, _ in registry.calls] == ["put_blob"]


def test_a_login_that_is_renewed_sends_a_kept_layer_again(
    relay: Relay, registry: FakeRegistry
) -> None:
    """What is kept can be sent a second time; what was passed on cannot."""
    registry.fail("put_blob", errors.AuthenticationError("expired"))

    def twice(operation: Any) -> Any:
        try:
            return operation(None)
        except errors.AuthenticationError:
            return operation(None)

    with (
        relay.open(IMAGE, registry, twice) as passage,
        knocking(relay, passage.login) as knocker,
    ):
        place = begin(knocker, passage)
        kept = knocker.status("PUT", f"{place}?digest={digest_of(SMALL)}", SMALL)

    assert kept == 201
    assert registry.blobs[IMAGE.repository, digest_of(SMALL)] == SMALL


def test_a_defect_ends_the_push_and_is_told(
    relay: Relay, registry: FakeRegistry
) -> None:
    """An unexpected exception is reported: the push ends with it, and it is logged."""

    def broken(operation: Any) -> Any:
        raise KeyError("planted-secret")

    with (
        relay.open(IMAGE, registry, broken) as passage,
        knocking(relay, passage.login) as knocker,
        structlog.testing.capture_logs() as logged,
    ):
        with pytest.raises((http.client.HTTPException, OSError)):
            knocker.ask("HEAD", f"/v2/{passage.name}/blobs/{digest_of(SMALL)}")
        failure = passage.failure

    assert isinstance(failure, errors.DefectError)
    assert "planted-secret" not in str(failure)
    assert [line["event"] for line in logged][:1] == ["job.crashed"]


def test_a_host_without_threads_is_not_a_bug(
    relay: Relay, registry: FakeRegistry
) -> None:
    """What the host lacks for a moment is told as such, and tried again."""

    def broken(operation: Any) -> Any:
        raise RuntimeError("can't start new thread")

    with (
        relay.open(IMAGE, registry, broken) as passage,
        knocking(relay, passage.login) as knocker,
    ):
        with pytest.raises((http.client.HTTPException, OSError)):
            knocker.ask("HEAD", f"/v2/{passage.name}/blobs/{digest_of(SMALL)}")
        failure = passage.failure

    assert isinstance(failure, errors.ExhaustedError)


def test_bytes_that_move_are_felt(
    engine: Knocker, passage: Passage, relay: Relay
) -> None:
    """An observer of a push sees bytes arrive and leave."""
    place = begin(engine, passage)
    pulses = [passage.liveness()]

    engine.ask("PATCH", place, SMALL)
    pulses.append(passage.liveness())
    engine.ask("PUT", f"{place}?digest={digest_of(SMALL)}")
    pulses.append(passage.liveness())

    assert pulses == sorted(set(pulses))


@pytest.fixture
def limiting() -> Iterator[MemoryRegistry]:
    """Give a registry that takes pieces of a size only."""
    with MemoryRegistry() as server:
        server.most_bytes = relay_protocol.WINDOW_BYTES
        stated = str(relay_protocol.WINDOW_BYTES)
        server.upload_headers["OCI-Chunk-Max-Length"] = stated
        yield server


@pytest.fixture
def client(tmp_path: Path) -> Iterator[RegistryClient]:
    """Give the real client of registries."""
    facts = images.EngineFacts(version="20.10.24", image_store="classic")
    made = RegistryClient(facts=lambda: facts, certs_dir=tmp_path)
    yield made
    made.close()


def test_layers_wait_for_the_window_of_their_push(
    relay: Relay, limiting: MemoryRegistry, client: RegistryClient
) -> None:
    """Layers that are sent in pieces arrive one after another, within the limit."""
    contents = [bytes([number]) + BIG for number in range(4)]
    image = reference.parse(f"{limiting.host}/org/web:7")
    kept: list[int] = []
    with relay.open(image, client, lambda operation: operation(None)) as passage:

        def send(content: bytes) -> int:
            with knocking(relay, passage.login) as knocker:
                place = begin(knocker, passage)
                pieces = (content[:MIDDLE], content[MIDDLE:])
                sent = knocker.status("PATCH", place, iter(pieces))
                kept.append(relay.kept_bytes)
                ended = knocker.status("PUT", f"{place}?digest={digest_of(content)}")
                return max(sent, ended)

        with ThreadPoolExecutor(len(contents)) as engine:
            assert list(engine.map(send, contents)) == [202] * len(contents)

    assert max(kept) <= relay_protocol.MOST_OF_PUSH
    assert {limiting.blobs["org/web", digest_of(one)] for one in contents} == {
        *contents
    }


def test_a_push_that_ends_waits_for_no_window(
    relay: Relay, limiting: MemoryRegistry, client: RegistryClient
) -> None:
    """A layer that waits while its push ends is forgotten."""
    image = reference.parse(f"{limiting.host}/org/web:7")
    waits = threading.Event()

    def call(operation: Any) -> Any:
        waits.set()
        return operation(None)

    with relay.open(image, client, call) as passage:
        relay_uploads.Shelf.lend(relay._shelf, passage, lambda: None, wait=False)
        knocker = Knocker(relay, passage.login)
        place = begin(knocker, passage)
        sender = threading.Thread(target=lambda: tried(knocker, place))
        sender.start()
        assert waits.wait(120)

    sender.join()
    knocker.connection.close()
    relay._shelf.take_back(passage)
    until(lambda: relay.kept_bytes == 0, what="the layer to be forgotten")
    assert limiting.blobs == {}


def tried(knocker: Knocker, place: str) -> None:
    """Send a layer until the connection ends."""
    with contextlib.suppress(http.client.HTTPException, OSError):
        knocker.ask("PATCH", place, BIG)


def test_a_layer_that_the_registry_refuses_at_its_end(
    engine: Knocker, passage: Passage, registry: FakeRegistry
) -> None:
    """Its bytes are gone here, so the Engine has to send it again."""
    reason = errors.InvalidRequestError("DIGEST_INVALID", status=400)
    registry.fail("close_blob", reason)
    place = begin(engine, passage)

    status = engine.status("PUT", f"{place}?digest={digest_of(BIG)}", BIG)

    assert status == 403
    assert isinstance(passage.failure, errors.SendAgainError)
    assert passage.failure.reason is reason


def test_a_login_that_is_renewed_in_a_long_layer(
    relay: Relay, registry: FakeRegistry
) -> None:
    """A layer that was too large to keep begins again, if a part of it was sent."""

    def twice(operation: Any) -> Any:
        try:
            return operation(None)
        except errors.AuthenticationError:
            return operation(None)

    class Forgetful(FakeRegistry):
        def stream_blob(
            self, image: Any, source: ports.BlobSource, *, auth: Any
        ) -> str:
            if source.position and not source.rewind(0):
                raise errors.SendAgainError(errors.RegistryUnavailableError("gone"))
            for _ in source.read():
                pass
            raise errors.AuthenticationError("expired")

    with (
        relay.open(IMAGE, Forgetful(), twice) as passage,
        knocking(relay, passage.login) as knocker,
    ):
        place = begin(knocker, passage)
        assert knocker.status("PATCH", place, BIG) == 403
        assert isinstance(passage.failure, errors.SendAgainError)


# -- manifests


def test_the_number_waits(
    engine: Knocker, passage: Passage, registry: FakeRegistry
) -> None:
    """The manifest under the push's own name is kept, and the registry lacks it."""
    body = b'{"schemaVersion": 2}'
    target = f"/v2/{passage.name}/manifests/{passage.tag}"

    answer = engine.ask("PUT", target, body, Content_Type=KIND)

    assert answer.status == 201
    assert answer.headers["Docker-Content-Digest"] == digest_of(body)
    assert passage.manifest is not None
    assert (passage.manifest.body, passage.manifest.media_type) == (body, KIND)
    assert not registry.manifests
    assert not registry.content


def test_a_part_goes_on_by_its_digest(
    engine: Knocker, passage: Passage, registry: FakeRegistry
) -> None:
    """A part of an index is named by its digest, and so has no number to wait for."""
    body = b'{"schemaVersion": 2}'
    target = f"/v2/{passage.name}/manifests/{digest_of(body)}"

    status = engine.status("PUT", target, body, Content_Type=KIND)

    assert status == 201
    assert passage.manifest is None
    assert [one.digest for one in registry.content[IMAGE.repository]] == [
        digest_of(body)
    ]


def test_what_was_under_the_name_before_is_a_part(
    engine: Knocker, passage: Passage, registry: FakeRegistry
) -> None:
    """Engine 26.1 puts the parts of an index under its name, and the index last."""
    target = f"/v2/{passage.name}/manifests/{passage.tag}"
    bodies = [b'{"part": 1}', b'{"part": 2}', b'{"index": 3}', b'{"index": 3}']

    for body in bodies:
        assert engine.status("PUT", target, body, Content_Type=KIND) == 201

    assert passage.manifest is not None
    assert passage.manifest.body == bodies[-1]
    stored = {one.digest for one in registry.content[IMAGE.repository]}
    assert stored == {digest_of(bodies[0]), digest_of(bodies[1])}
    assert not registry.manifests


@pytest.mark.parametrize("key", ["7", "latest", "sha256:" + "b" * 64])
def test_no_other_name_is_taken(
    engine: Knocker, passage: Passage, registry: FakeRegistry, key: str
) -> None:
    """Neither the real number nor another tag nor a wrong digest gets anywhere."""
    target = f"/v2/{passage.name}/manifests/{key}"

    assert engine.status("PUT", target, b"{}", Content_Type=KIND) == 400
    assert passage.manifest is None
    assert registry.calls == []


def test_what_a_push_has_shown(
    engine: Knocker, passage: Passage, registry: FakeRegistry
) -> None:
    """It knows what the registry has: blobs seen or sent, and manifests sent."""
    seen, gone, part = digest_of(b"seen"), digest_of(b"gone"), b'{"part": 1}'
    registry.blobs[IMAGE.repository, seen] = b"seen"
    for digest in (seen, gone):
        engine.ask("HEAD", f"/v2/{passage.name}/blobs/{digest}")
    place = begin(engine, passage)
    engine.ask("PUT", f"{place}?digest={digest_of(SMALL)}", SMALL)
    target = f"/v2/{passage.name}/manifests"
    engine.status("PUT", f"{target}/{digest_of(part)}", part, Content_Type=KIND)
    engine.status("PUT", f"{target}/{passage.tag}", b'{"root": 1}', Content_Type=KIND)

    shown = passage.evidence()

    assert shown.digests == {seen, digest_of(SMALL), digest_of(part)}
    assert [one.body for one in shown.manifests] == [part]


def test_large_parts_of_an_index_are_not_kept(
    engine: Knocker, passage: Passage
) -> None:
    """Manifests beyond a megabyte are sent on, and leave the rest to a later check."""
    bodies = [
        b'{"filler": "%s"}' % (b"x" * (700 << 10)),
        b'{"n": "%s"}' % (b"x" * 500000),
    ]
    for body in bodies:
        target = f"/v2/{passage.name}/manifests/{digest_of(body)}"
        assert engine.status("PUT", target, body, Content_Type=KIND) == 201

    shown = passage.evidence()

    assert shown.digests == {digest_of(body) for body in bodies}
    assert [one.body for one in shown.manifests] == bodies[:1]


def test_a_manifest_has_a_size(engine: Knocker, passage: Passage) -> None:
    """What is longer than any manifest is not kept."""
    target = f"/v2/{passage.name}/manifests/{passage.tag}"

    status = engine.status("PUT", target, iter([b"x" * (1 << 20)] * 5))

    assert status == 413
    assert passage.manifest is None


# -- the relay itself


def test_names_are_shown_as_people_know_them(passage: Passage) -> None:
    """A text of the Engine's names the real registry."""
    text = f"The push refers to repository [{passage.repository}] {passage.tag}: done"

    assert passage.shown(text) == (
        "The push refers to repository [r.example/org/web] 7: done"
    )


def test_no_two_pushes_have_one_name(relay: Relay, registry: FakeRegistry) -> None:
    """Removing a name of an earlier push affects no later push."""
    with relay.open(IMAGE, registry, lambda operation: operation(None)) as first:
        assert relay.is_open(first.reference)
        with relay.open(IMAGE, registry, lambda operation: operation(None)) as second:
            names = {first.reference, second.reference}

    assert len(names) == 2
    assert first.repository == second.repository
    assert not any(map(relay.is_open, names))


def test_why_it_is_not_used(registry: FakeRegistry) -> None:
    """A reason that is given holds; a failure is looked at again after a while."""
    now = [0.0]
    asked: list[str] = []

    def refuse(login: logins.AuthConfig) -> None:
        asked.append(login.domain)
        raise errors.TransientError("connection refused")

    relay = Relay(0, refusal="it is switched off", monotonic=lambda: now[0])
    assert relay.why_not(refuse) == "it is switched off"
    relay.instruct()
    first, second = relay.why_not(refuse), relay.why_not(refuse)
    now[0] += 3600
    third = relay.why_not(refuse)
    relay.close()

    assert first == second == third
    assert "does not reach" in first
    assert len(asked) == 2


def test_an_engine_that_logs_in_is_remembered(relay: Relay) -> None:
    """The Engine is asked once whether it reaches us, and again after a lost push."""
    asked: list[int] = []
    relay.lost()

    def log_in(login: logins.AuthConfig) -> None:
        with knocking(relay, login) as knocker:
            asked.append(knocker.status("GET", "/v2/"))

    assert [relay.why_not(log_in) for _ in range(3)] == ["", "", ""]
    relay.lost()
    assert relay.why_not(log_in) == ""
    assert asked == [200, 200]


def test_an_engine_that_does_not_answer_is_not_a_reason(relay: Relay) -> None:
    """An Engine that is away says nothing of how it will push."""
    relay.lost()

    def away(_login: logins.AuthConfig) -> None:
        raise errors.EngineUnavailableError("the Engine is away")

    with pytest.raises(errors.EngineUnavailableError):
        relay.why_not(away)


def test_a_relay_that_is_closed(registry: FakeRegistry) -> None:
    """After the end of the service nothing is let through any more."""
    relay = Relay(0)
    relay.why_not(accept)
    with relay.open(IMAGE, registry, lambda operation: operation(None)) as passage:
        relay.close()
        with knocking(relay, passage.login) as late, pytest.raises(ConnectionError):
            late.ask("GET", "/v2/")

    with (
        pytest.raises(errors.RegistryUnavailableError),
        relay.open(IMAGE, registry, lambda operation: operation(None)),
    ):
        pass
