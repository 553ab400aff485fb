"""The registry client against answers that registries should not give, but do."""

import base64
import email.utils
import hashlib
import html
import json
import ssl
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.registry import messages, tag_pages
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry import protocol
from support import authority as authorities
from support import memory_registry, seeding
from support.memory_registry import Answer, MemoryRegistry
from support.tunnel import TunnelProxy
from support.waiting import until

PASSWORD = "planted-password-4711"
IDENTITY = "planted-identity-4712"
QUOTED = 'planted "quoted" <password>'
_BASE64 = base64.b64encode(f"ci:{PASSWORD}".encode()).decode()
_LINK = f'<https://other.example/{PASSWORD}>; rel="next"'
PATH = "org/web"
FACTS = images.EngineFacts(version="20.10.24", image_store="classic")
LAST_ANSWER = Answer(body=b"{}", headers={"Connection": "close"})
_HANGING = 20


@dataclass
class Client:
    """The adapter, with what the Engine says in our hands."""

    certs_dir: Path
    facts: images.EngineFacts = FACTS
    now: float = 1_700_000_000.0
    monotonic: Callable[[], float] = time.monotonic
    opened: list[RegistryClient] = field(default_factory=list)

    def open(self, total: float = 20, read: float = 10) -> RegistryClient:
        """Open one more adapter."""
        registry = RegistryClient(
            facts=lambda: self.facts,
            certs_dir=self.certs_dir,
            connect_timeout=5,
            read_timeout=read,
            total_timeout=total,
            monotonic=self.monotonic,
            now=lambda: self.now,
        )
        self.opened.append(registry)
        return registry


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Give a maker of adapters that are closed at the end."""
    made = Client(tmp_path / "certs.d")
    yield made
    for registry in made.opened:
        registry.close()


@pytest.fixture
def server() -> Iterator[MemoryRegistry]:
    """Give a registry that asks for no login."""
    with MemoryRegistry() as running:
        yield running


@pytest.fixture
def bearer() -> Iterator[MemoryRegistry]:
    """Give a registry that sends its clients to a token server."""
    with MemoryRegistry("bearer", users={"ci": PASSWORD}) as running:
        yield running


def image(server: MemoryRegistry, tag: str = "1") -> reference.ImageReference:
    """Return a reference in a registry."""
    return reference.ImageReference(domain=server.host, path=PATH, tag=tag)


def login(server: MemoryRegistry) -> AuthConfig:
    """Return the login that the registries take."""
    return AuthConfig(domain=server.host, username="ci", password=Secret(PASSWORD))


def stored(server: MemoryRegistry, tag: str = "1") -> images.Manifest:
    """Store a manifest behind the client's back."""
    manifest = seeding.build_manifest("stored")
    server.put(PATH, tag, manifest.body, manifest.media_type)
    return manifest


MANIFEST = seeding.build_manifest("new")


# -- which error a refusal is


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (memory_registry.error(400, "MANIFEST_INVALID"), errors.InvalidRequestError),
        (memory_registry.error(400, "NAME_INVALID"), errors.InvalidRequestError),
        (memory_registry.error(403, "DENIED", "no"), errors.AccessDeniedError),
        (memory_registry.error(404, "NAME_UNKNOWN"), errors.ImageNotFoundError),
        (
            memory_registry.error(404, "MANIFEST_BLOB_UNKNOWN"),
            errors.ImageNotFoundError,
        ),
        (
            memory_registry.error(400, "MANIFEST_BLOB_UNKNOWN"),
            errors.ImageNotFoundError,
        ),
        (memory_registry.error(405, "UNSUPPORTED"), errors.InvalidRequestError),
        (memory_registry.error(408, "UNKNOWN"), errors.RegistryUnavailableError),
        (memory_registry.error(413, "SIZE_INVALID"), errors.InvalidRequestError),
        (memory_registry.error(402, "DENIED", "pay"), errors.QuotaExceededError),
        (
            memory_registry.error(
                403, "DENIED", "will exceed the configured upper limit"
            ),
            errors.QuotaExceededError,
        ),
        (
            memory_registry.error(403, "DENIED", "The system is in read only mode."),
            errors.RegistryUnavailableError,
        ),
        (
            memory_registry.error(405, "DENIED", "System is currently read-only."),
            errors.RegistryUnavailableError,
        ),
        (
            Answer(status=405, body=b"Method not allowed\n"),
            errors.RegistryUnavailableError,
        ),
        (
            memory_registry.error(403, "DENIED", "Artifact Registry API is disabled."),
            errors.AccessDeniedError,
        ),
        (Answer(status=407), errors.InvalidRequestError),
        (Answer(status=413, body=b"<html>"), errors.InvalidRequestError),
        (memory_registry.error(429, "TOOMANYREQUESTS"), errors.RateLimitedError),
        (memory_registry.error(500, "UNKNOWN"), errors.RegistryUnavailableError),
        (Answer(status=502, body=b"<html>"), errors.RegistryUnavailableError),
        (memory_registry.error(503, "UNAVAILABLE"), errors.RegistryBusyError),
        (Answer(status=302, headers={"Location": "/x"}), errors.InvalidRequestError),
        (Answer(way="reset"), errors.RegistryUnavailableError),
    ],
)
def test_each_refusal_of_a_put_has_its_error(
    client: Client,
    server: MemoryRegistry,
    answer: Answer,
    expected: type[errors.RegistrydError],
) -> None:
    """What a registry answers to a put decides about retries."""
    server.rule("PUT", answer)

    with pytest.raises(errors.RegistrydError) as caught:
        client.open().put_manifest(image(server), MANIFEST, auth=None)

    assert type(caught.value) is expected
    assert f"{server.host}/{PATH}:1" in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        memory_registry.error(409, "CONFLICT"),
        memory_registry.error(400, "TAG_INVALID", "The image tag '1' already exists"),
        memory_registry.error(
            412, "PRECONDITION", "Failed: 'web:1' configured as immutable."
        ),
        memory_registry.error(
            405, "UNSUPPORTED", "The operation is disallowed on this registry"
        ),
        memory_registry.error(403, "DENIED", "Tag is immutable"),
        Answer(
            status=400,
            body=b'{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"blob upload'
            b' invalid","detail":"Repository does not allow updating assets: x"}]}',
        ),
        Answer(
            status=400,
            body=b'{"__type":"ImageTagAlreadyExistsException","message":"no"}',
        ),
    ],
    ids=["plain", "ecr", "harbor", "azure", "hub", "nexus", "aws"],
)
def test_an_immutable_tag_is_known_in_every_dialect(
    client: Client, server: MemoryRegistry, answer: Answer
) -> None:
    """Each registry words it in its own way."""
    server.rule("PUT", answer)

    with pytest.raises(errors.TagImmutableError):
        client.open().put_manifest(image(server), MANIFEST, auth=None)


def test_a_method_that_reads_has_no_read_only_mode(
    client: Client, server: MemoryRegistry
) -> None:
    """Only a write can meet it: a refused question must not delay a release."""
    server.rule("GET", Answer(status=405, body=b"Method not allowed\n"))

    with pytest.raises(errors.InvalidRequestError):
        client.open().manifest(image(server), auth=None)


def test_the_same_words_at_a_get_are_no_immutable_tag(
    client: Client, server: MemoryRegistry
) -> None:
    """Only a put can meet an immutable tag."""
    server.rule("GET", memory_registry.error(403, "DENIED", "Tag is immutable"))

    with pytest.raises(errors.AccessDeniedError):
        client.open().manifest(image(server), auth=None)


def test_an_expired_token_of_ecr_asks_for_a_login(
    client: Client, server: MemoryRegistry
) -> None:
    """ECR says 403 when a fresh token would do."""
    text = "Your authorization token has expired. Reauthenticate and try again."
    server.rule("GET", memory_registry.error(403, "DENIED", text))

    with pytest.raises(errors.AuthenticationError):
        client.open().manifest(image(server), auth=None)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0),
        (email.utils.formatdate(1_600_000_000.0, usegmt=True), 0.0),
        ("soon", None),
        ("", None),
        ("1600000000", 0.0),
        ("9" * 400, 3600.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_handed_on(
    client: Client,
    server: MemoryRegistry,
    status: int,
    header: str,
    seconds: float | None,
) -> None:
    """Seconds and HTTP dates both count; nonsense counts as nothing."""
    server.rule("GET", Answer(status=status, headers={"Retry-After": header}))

    with pytest.raises(errors.TransientError) as caught:
        client.open().manifest(image(server), auth=None)

    assert caught.value.retry_after == seconds


def test_a_limit_tells_what_it_limits(client: Client, server: MemoryRegistry) -> None:
    """A refused read may be a limit on pulls; a refused write is none."""
    server.rule("/manifests/", Answer(status=429))
    registry = client.open()

    with pytest.raises(errors.RateLimitedError) as reading:
        registry.digest(image(server), auth=None)
    with pytest.raises(errors.RateLimitedError) as writing:
        registry.put_manifest(image(server), MANIFEST, auth=None)

    assert (reading.value.is_of_reading, writing.value.is_of_reading) == (True, False)


@pytest.mark.parametrize("day", [-1, 0, 1, 3650], ids="the day {}".format)
def test_a_date_counts_by_the_clock_that_wrote_it(day: int) -> None:
    """A registry whose clock is wrong is waited for as long as it means."""
    theirs = 1_700_000_000.0 + day * 86_400
    headers = {
        "date": email.utils.formatdate(theirs, usegmt=True),
        "retry-after": email.utils.formatdate(theirs + 90, usegmt=True),
    }

    assert messages.retry_after(headers, 1_700_000_000.0) == 90.0


@pytest.mark.parametrize(("ahead", "seconds"), [(-9, 0.0), (42, 42.0), (9999, 3600.0)])
def test_a_time_in_place_of_a_span(ahead: int, seconds: float) -> None:
    """Docker's own documentation had it so; it is not a wait of fifty years."""
    headers = {"retry-after": f"{1_700_000_000 + ahead}"}

    assert messages.retry_after(headers, 1_700_000_000.0) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(90, 90.0), (86_400, 3600.0)])
def test_a_date_without_another(ahead: int, seconds: float) -> None:
    """Where an answer has no date our clock counts, and no wait is beyond measure."""
    date = email.utils.formatdate(1_700_000_000.0 + ahead, usegmt=True)

    asked = messages.retry_after({"retry-after": date}, 1_700_000_000.0)

    assert asked == seconds


def test_a_dead_registry_is_unavailable(client: Client) -> None:
    """A refused connection is transient and says so in words."""
    with MemoryRegistry() as gone:
        target = image(gone)

    with pytest.raises(errors.RegistryUnavailableError, match="refused"):
        client.open().digest(target, auth=None)


def test_an_unknown_name_is_unavailable(client: Client) -> None:
    """Name servers fail for a while, so the first such answer is transient."""
    target = reference.parse("registry.invalid/org/web:1")

    # A host without name servers cannot tell that there is no such name.
    said = "is a name that does not exist|resolved"
    with pytest.raises(errors.RegistryUnavailableError, match=said):
        client.open().digest(target, auth=None)


@pytest.mark.parametrize(
    "domain",
    ["", "a b", "host/path", "user@host", "host:port", "a\r\nb", "-x", "h?x", "h#x"],
)
def test_a_strange_domain_is_not_asked(client: Client, domain: str) -> None:
    """A text that is not a host never becomes part of an address."""
    with pytest.raises(errors.InvalidRequestError, match="not a host"):
        client.open().ping(domain, auth=None)


# -- limits


@pytest.mark.parametrize("way", ["hang", "drip", "drip-headers"])
def test_a_slow_server_is_left(
    client: Client, server: MemoryRegistry, way: str
) -> None:
    """A request ends at its deadline, even if a byte comes now and then."""
    answer = Answer(body=b" ")
    server.rule("GET", replace(answer, way=way))  # type: ignore[arg-type]

    with pytest.raises(errors.RegistryUnavailableError, match=r"longer than 0\.5 s"):
        client.open(total=0.5).manifest(image(server), auth=None)


def test_silence_ends_at_the_read_timeout(
    client: Client, server: MemoryRegistry
) -> None:
    """A registry that says nothing is given up before the deadline."""
    server.rule("GET", Answer(way="hang"))

    with pytest.raises(errors.RegistryUnavailableError, match="in time"):
        client.open(read=0.3).manifest(image(server), auth=None)


@pytest.mark.parametrize("status", [200, 500])
def test_an_endless_body_stops(
    client: Client, server: MemoryRegistry, status: int
) -> None:
    """Reading stops at the limit, and an error's status still counts."""
    server.rule("GET", Answer(status=status, body=b"x" * 65536, way="endless"))
    expected = (
        errors.RegistryUnavailableError if status == 500 else (errors.PermanentError)
    )

    with pytest.raises(expected) as caught:
        client.open().manifest(image(server), auth=None)

    assert len(str(caught.value)) < 700


def test_a_cut_body_is_unavailable(client: Client, server: MemoryRegistry) -> None:
    """Half an answer is none."""
    server.rule("GET", Answer(body=MANIFEST.body, way="cut"))

    with pytest.raises(errors.RegistryUnavailableError, match="disconnects"):
        client.open().manifest(image(server), auth=None)


def test_a_compressed_answer_is_refused(client: Client, server: MemoryRegistry) -> None:
    """Nothing is unpacked, so nothing can explode."""
    headers = {"Content-Encoding": "gzip"}
    server.rule("GET", Answer(body=b"\x1f\x8b" + b"0" * 99, headers=headers))

    with pytest.raises(errors.PermanentError, match="compressed"):
        client.open().manifest(image(server), auth=None)


# -- manifests and digests


def test_a_wrong_content_is_not_taken(client: Client, server: MemoryRegistry) -> None:
    """Bytes that do not have the digest asked for are refused."""
    digest = stored(server).digest
    server.manifests[PATH, digest] = (MANIFEST.media_type, MANIFEST.body)

    with pytest.raises(errors.DigestMismatchError, match=digest):
        client.open().manifest(image(server).with_digest(digest), auth=None)


def test_a_header_that_lies_is_found_out(
    client: Client, server: MemoryRegistry
) -> None:
    """The digest in the header and that of the bytes must agree."""
    headers = {
        "Docker-Content-Digest": "sha256:" + "0" * 64,
        "Content-Type": MANIFEST.media_type,
    }
    server.rule("GET", Answer(body=MANIFEST.body, headers=headers))

    with pytest.raises(errors.DigestMismatchError):
        client.open().manifest(image(server), auth=None)


def test_a_limit_on_pulls_leaves_head_its_word(
    client: Client, server: MemoryRegistry
) -> None:
    """Docker Hub counts a GET as a pull; what HEAD does not find is not there then."""
    stored(server, "2")
    server.rule(f"GET /v2/{PATH}/manifests/", memory_registry.error(429, "LIMITED"))
    registry = client.open()

    assert registry.digest(image(server, "1"), auth=None) is None
    assert registry.digest(image(server, "2"), auth=None) is not None


def test_a_limit_on_pulls_decides_nothing_that_head_refuses(
    client: Client, server: MemoryRegistry
) -> None:
    """A HEAD without a usable answer leaves the question open."""
    server.rule("HEAD /v2/", Answer(status=405))
    server.rule("GET /v2/", memory_registry.error(429, "LIMITED"))

    with pytest.raises(errors.RateLimitedError):
        client.open().digest(image(server), auth=None)


@pytest.mark.parametrize("status", [200, 202])
def test_a_page_in_place_of_a_put(
    client: Client, server: MemoryRegistry, status: int
) -> None:
    """A success without a digest, as of a sign-in page, stores nothing."""
    page = Answer(status=status, body=b"<html>", headers={"Content-Type": "text/html"})
    server.rule("PUT /v2/", page)

    with pytest.raises(errors.PermanentError, match="stored nothing") as caught:
        client.open().put_manifest(image(server), MANIFEST, auth=None)

    assert caught.value.status == 0


def test_a_put_is_taken_without_its_digest(
    client: Client, server: MemoryRegistry
) -> None:
    """201 says it too."""
    server.rule("PUT /v2/", Answer(status=201))

    put = client.open().put_manifest(image(server), MANIFEST, auth=None)

    assert put == MANIFEST.digest


@pytest.mark.parametrize(
    "answer",
    [
        Answer(),
        Answer(headers={"Docker-Content-Digest": "?"}),
        *(Answer(status=status) for status in (400, 403, 404, 405, 406, 412, 501)),
    ],
    ids=lambda answer: f"{answer.status}",
)
def test_head_proves_no_absence(
    client: Client, server: MemoryRegistry, answer: Answer
) -> None:
    """A HEAD that tells nothing, denies or refuses is followed by a GET."""
    manifest = stored(server)
    server.rule("HEAD", answer)

    assert client.open().digest(image(server), auth=None) == manifest.digest


def test_a_refusal_comes_with_its_words(client: Client, server: MemoryRegistry) -> None:
    """HEAD has no body, so what it refuses is asked again by GET."""
    text = "Your authorization token has expired. Reauthenticate and try again."
    server.rule("/manifests/", memory_registry.error(403, "DENIED", text))

    with pytest.raises(errors.AuthenticationError, match="token has expired"):
        client.open().digest(image(server), auth=None)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_busy_registry_is_asked_once(
    client: Client, server: MemoryRegistry, status: int
) -> None:
    """A status that another attempt may not get does not cause another request."""
    server.rule("/manifests/", Answer(status=status))

    with pytest.raises(errors.TransientError):
        client.open().digest(image(server), auth=None)

    assert server.lines("/manifests/") == [f"HEAD /v2/{PATH}/manifests/1"]


def test_a_page_of_something_else_is_not_a_manifest(
    client: Client, server: MemoryRegistry
) -> None:
    """HTML with status 200 is refused, not stored."""
    headers = {"Content-Type": "text/html"}
    server.rule("GET", Answer(body=b"<html>", headers=headers))

    with pytest.raises(errors.PermanentError, match="not a manifest"):
        client.open().manifest(image(server), auth=None)


def test_a_manifest_of_another_kind_is_not_a_page(
    client: Client, server: MemoryRegistry
) -> None:
    """Schema 1 and artifacts have the tag; a page tells nothing of it."""
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    # Its digest is that of its bytes without the signatures.
    headers = {"Content-Type": kind, "Docker-Content-Digest": "sha256:" + "1" * 64}
    server.rule("/manifests/1", Answer(body=b'{"schemaVersion":1}', headers=headers))
    server.rule("/manifests/2", Answer(body=b"<html>", headers={"Content-Type": "a/b"}))
    registry = client.open()

    with pytest.raises(errors.ForeignManifestError):
        registry.manifest(image(server), auth=None)
    with pytest.raises(errors.PermanentError, match="but a/b") as caught:
        registry.manifest(image(server, "2"), auth=None)

    assert caught.value.status == 200


@pytest.mark.parametrize("status", [404, 405])
def test_a_host_without_a_registry(
    client: Client, server: MemoryRegistry, status: int
) -> None:
    """A user who logs in there is told that, and not to push anything."""
    server.rule("/v2/", Answer(status=status))

    with pytest.raises(errors.PermanentError, match="There is no registry at"):
        client.open().ping(server.host, auth=None)


@pytest.mark.parametrize("is_signing_in", [False, True])
def test_a_web_site_without_a_registry(
    client: Client, server: MemoryRegistry, is_signing_in: bool
) -> None:
    """It takes any login, so its page does not prove one."""
    page = {"Content-Type": "text/html; charset=utf-8"}
    if is_signing_in:
        server.rule("GET /v2/", Answer(status=302, headers={"Location": "/sign_in"}))
    server.rule("GET /", Answer(body=b"\n<!doctype html>", headers=page))

    with pytest.raises(errors.PermanentError, match="a web page answers") as caught:
        client.open().ping(server.host, auth=login(server))

    assert "There is no registry at this address" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (b"true", {}),
        (b"<html>", {"Docker-Distribution-Api-Version": "registry/2.0"}),
        (b"", {}),
    ],
)
def test_a_registry_that_calls_its_answer_a_page(
    client: Client, server: MemoryRegistry, body: bytes, more: dict[str, str]
) -> None:
    """Quay's is the word `true`, as text/html."""
    headers = {"Content-Type": "text/html"} | more
    server.rule("GET /v2/", Answer(body=body, headers=headers))

    client.open().ping(server.host, auth=login(server))


def test_a_dead_token_that_is_called_malformed(
    client: Client, bearer: MemoryRegistry
) -> None:
    """ECR Public answers 400 to it, so that a new one is requested."""
    manifest = stored(bearer)
    registry = client.open()
    mine = login(bearer)
    assert registry.manifest(image(bearer), auth=mine) == manifest
    headers = {"Docker-Distribution-Api-Version": "registry/2.0"}
    bearer.rule("/manifests/", Answer(status=400, headers=headers), times=1)

    assert registry.manifest(image(bearer), auth=mine) == manifest

    assert len(bearer.lines("/token")) == 2


def test_the_body_tells_its_type_if_the_header_does_not(
    client: Client, server: MemoryRegistry
) -> None:
    """A registry that serves files as octet streams is understood."""
    headers = {"Content-Type": "application/octet-stream"}
    server.rule("GET", Answer(body=MANIFEST.body, headers=headers))

    assert client.open().manifest(image(server), auth=None) == MANIFEST


def test_all_four_kinds_are_asked_for(client: Client, server: MemoryRegistry) -> None:
    """Accept names both manifests and both indexes, and compression is declined."""
    client.open().manifest(image(server), auth=None)

    headers = server.asked[-1].headers
    for kind in (seeding.SCHEMA2, seeding.LIST, seeding.OCI, seeding.INDEX):
        assert kind in headers["accept"]
    assert headers["accept-encoding"] == "identity"


# -- tags


@pytest.mark.parametrize("is_absolute", [False, True])
def test_pages_are_followed(
    client: Client, server: MemoryRegistry, is_absolute: bool
) -> None:
    """All pages together are the tags, whether Links are relative or absolute."""
    for number in range(7):
        stored(server, str(number))
    server.page_length = 3
    server.link_host = server.url if is_absolute else ""

    found = client.open().tags(image(server), auth=None)

    assert found == [str(number) for number in range(7)]
    assert len(server.lines("tags/list")) == 3


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:1",
        "//registry.invalid",
        "https://{host}",
        "http://[",
        "ftp://x",
    ],
)
def test_a_link_to_another_host_is_refused(
    client: Client, server: MemoryRegistry, target: str
) -> None:
    """The next page must come from the same scheme, host and port."""
    stored(server, "1")
    stored(server, "2")
    server.page_length = 1
    server.link_host = target.format(host=server.host)

    with pytest.raises(errors.PermanentError, match="next page"):
        client.open().tags(image(server), auth=None)


def test_a_circle_of_pages_ends(client: Client, server: MemoryRegistry) -> None:
    """A Link that leads back to itself is followed a few times at most."""
    headers = {"Link": f'</v2/{PATH}/tags/list?n=1>; rel="next"'}
    server.rule("tags/list", Answer(body=b'{"tags":["a"]}', headers=headers))

    with pytest.raises(errors.PermanentError, match="pages"):
        client.open().tags(image(server), auth=None)

    assert len(server.asked) < 5


def pages(server: MemoryRegistry, body: bytes) -> None:
    """Give a list of tags that has no end."""
    for number in range(tag_pages.MAX_PAGES):
        link = f'</v2/{PATH}/tags/list?n={number}>; rel="next"'
        server.rule("tags/list", Answer(body=body, headers={"Link": link}), times=1)


@pytest.mark.parametrize(
    ("body", "most"),
    [
        (json.dumps({"tags": [f"{n:x}" for n in range(30_000)]}).encode(), 5),
        (json.dumps({"tags": ["x"], "padding": " " * (3 << 20)}).encode(), 7),
        (b'{"tags": [' + b"[]," * (1 << 20) + b'"1"]}', 2),
    ],
    ids=["tags", "bytes", "values"],
)
def test_all_pages_together_are_bounded(
    client: Client, server: MemoryRegistry, body: bytes, most: int
) -> None:
    """However small a page is, a list ends at 16 MiB or 100,000 tags."""
    pages(server, body)

    with pytest.raises(errors.PermanentError, match=r"tags or|longer than"):
        client.open().tags(image(server), auth=None)

    assert len(server.asked) <= most


def test_all_pages_together_have_the_time_of_one_request(
    client: Client, server: MemoryRegistry
) -> None:
    """A registry that gives page after page does not hold a worker."""
    clock = [1000.0]

    def monotonic() -> float:
        clock[0] += 1
        return clock[0]

    client.monotonic = monotonic
    pages(server, b'{"tags": ["1"]}')

    with pytest.raises(errors.RegistryUnavailableError, match="longer than 20 s"):
        client.open().tags(image(server), auth=None)

    assert 2 < len(server.asked) < 12


def test_names_that_no_tag_has_are_left_out(
    client: Client, server: MemoryRegistry
) -> None:
    """A tag has 128 characters at most."""
    tags = ["a" * 129, "b" * 128, 7, None]
    server.rule("tags/list", Answer(body=json.dumps({"tags": tags}).encode()))

    assert client.open().tags(image(server), auth=None) == ["b" * 128]


@pytest.mark.parametrize("body", [b'{"tags":null}', b'{"name":"org/web"}'])
def test_no_tags_are_an_empty_list(
    client: Client, server: MemoryRegistry, body: bytes
) -> None:
    """`null`, which registries answer after the last tag was removed, is not a tag."""
    server.rule("tags/list", Answer(body=body))

    assert client.open().tags(image(server), auth=None) == []


NO_PAGES = [
    Answer(body=b"{}"),
    Answer(body=b"[]"),
    Answer(body=b'{"tags":{"1":"x"}}'),
    Answer(body=b'{"tags":["4",'),
    Answer(body=b"<html>log in</html>", headers={"Content-Type": "text/html"}),
]


@pytest.mark.parametrize("answer", NO_PAGES)
def test_an_answer_that_is_no_list(
    client: Client, server: MemoryRegistry, answer: Answer
) -> None:
    """The page of a proxy, or a cut answer, does not mean that there is no tag."""
    server.rule("tags/list", answer)

    with pytest.raises(errors.RegistryUnavailableError, match="without a list of tags"):
        client.open().tags(image(server), auth=None)


@pytest.mark.parametrize("answer", [*NO_PAGES, Answer(status=404)])
def test_a_page_that_is_missing(
    client: Client, server: MemoryRegistry, answer: Answer
) -> None:
    """Half a list would let a prune remove the image of a tag on another page."""
    link = f'</v2/{PATH}/tags/list?n=1&last=3>; rel="next"'
    first = Answer(body=b'{"tags":["1","2","3"]}', headers={"Link": link})
    server.rule("tags/list", first, times=1)
    server.rule("tags/list", answer)

    with pytest.raises(errors.RegistryUnavailableError, match="without a list of tags"):
        client.open().tags(image(server), auth=None)


@pytest.mark.parametrize("body", [b"{}", b"ok", b'{"manifests":[{"dig', b"[]"])
def test_an_answer_that_is_no_list_of_referrers(
    client: Client, server: MemoryRegistry, body: bytes
) -> None:
    """Records that cannot be read are not taken for none."""
    server.rule("/referrers/", Answer(body=body))

    with pytest.raises(errors.RegistryUnavailableError, match="without a list"):
        client.open().referrers(
            image(server).with_digest(MANIFEST.digest), "application/x", auth=None
        )


# -- a login that a registry names

PLANTED = "planted-4711-secret"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (
            "tags",
            Answer(body=b"{}", headers={"Link": "<http://me:{pw}@x/v2/>;rel=next"}),
        ),
        ("tags", Answer(status=302, headers={"Location": "http://{pw}.invalid/"})),
        ("tags", Answer(status=302, headers={"Location": "http://{pw}-.x_/"})),
        ("manifest", Answer(body=b"{}", headers={"Content-Type": "{pw}"})),
        ("manifest", Answer(status=302, headers={"Location": "http://me:{pw}@x:1/"})),
        (
            "ping",
            Answer(
                status=401,
                headers={"WWW-Authenticate": 'Bearer realm="http://{pw}.invalid/"'},
            ),
        ),
    ],
)
def test_a_login_that_a_registry_names(
    client: Client, server: MemoryRegistry, asked: str, answer: Answer
) -> None:
    """No error shows it, wherever the registry has put it."""
    headers = {
        name: value.format(pw=PLANTED) if "{pw}" in value else value
        for name, value in answer.headers.items()
    }
    if asked == "tags" and answer.body:
        answer = replace(answer, body=b'{"tags":["1"]}')
    server.rule("", replace(answer, headers=headers))
    auth = AuthConfig(domain=server.host, username="me", password=Secret(PLANTED))
    target = server.host if asked == "ping" else image(server)

    with pytest.raises(errors.RegistrydError) as caught:
        getattr(client.open(), asked)(target, auth=auth)

    assert PLANTED not in str(caught.value)


# -- redirects


def test_a_redirect_takes_no_login_along(client: Client) -> None:
    """Another host that keeps the manifests gets no Authorization."""
    with (
        MemoryRegistry("basic", users={"ci": PASSWORD}) as first,
        MemoryRegistry() as second,
    ):
        stored(first)
        manifest = stored(second)
        location = f"{second.url}/v2/{PATH}/manifests/1?signature={IDENTITY}"
        registry = client.open()
        registry.ping(first.host, auth=login(first))
        first.rule("GET /v2/org", Answer(status=307, headers={"Location": location}))

        found = registry.manifest(image(first), auth=login(first))

        assert found == manifest
        assert "authorization" in first.asked[-1].headers
        assert "authorization" not in second.asked[-1].headers


def test_a_redirect_to_the_same_host_keeps_the_login(client: Client) -> None:
    """Within one host a redirect is an address like any other."""
    with MemoryRegistry("basic", users={"ci": PASSWORD}) as only:
        manifest = stored(only)
        location = {"Location": f"/v2/{PATH}/manifests/{manifest.digest}"}
        only.rule("manifests/1", Answer(status=302, headers=location))

        found = client.open().manifest(image(only), auth=login(only))

    assert found == manifest


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_another_host_cannot_ask_for_the_login(
    client: Client, kind: memory_registry.Login
) -> None:
    """A 401 from where a redirect led to is a refusal, not a challenge."""
    with (
        MemoryRegistry() as first,
        MemoryRegistry(kind, users={"ci": PASSWORD}) as second,
    ):
        location = f"{second.url}/v2/{PATH}/manifests/1"
        first.rule("GET", Answer(status=307, headers={"Location": location}))

        with pytest.raises(errors.AuthenticationError):
            client.open().manifest(image(first), auth=login(first))

        asked = [*first.asked, *second.asked]
        assert all("authorization" not in one.headers for one in asked)
        assert second.lines("/token") == []


@pytest.mark.parametrize(
    "target",
    ["ftp://x/", "http://[", "http://user@127.0.0.1/", "http://../x", "http://a:b/"],
)
def test_a_redirect_to_nowhere_is_refused(
    client: Client, server: MemoryRegistry, target: str
) -> None:
    """An address that is none, or holds a user name, is not followed."""
    server.rule("GET", Answer(status=307, headers={"Location": target}))

    with pytest.raises(errors.PermanentError):
        client.open().manifest(image(server), auth=None)

    assert len(server.asked) == 1


def test_redirects_end(client: Client, server: MemoryRegistry) -> None:
    """A circle of redirects is left after a few rounds."""
    headers = {"Location": f"/v2/{PATH}/manifests/1?next={IDENTITY}"}
    server.rule("GET", Answer(status=302, headers=headers))

    with pytest.raises(errors.PermanentError, match="redirects") as caught:
        client.open().manifest(image(server), auth=None)

    assert len(server.asked) < 10
    assert IDENTITY not in str(caught.value)


# -- logins


def test_a_token_is_used_again_until_it_expires(
    client: Client, bearer: MemoryRegistry
) -> None:
    """One token serves all reads of a repository, and a new one follows it in time."""
    stored(bearer)
    clock = [1000.0]
    client.monotonic = lambda: clock[0]
    registry = client.open()
    for _ in range(3):
        registry.digest(image(bearer), auth=login(bearer))
    early = len(bearer.lines("/token"))
    clock[0] += 295  # of 300 seconds, less the margin

    registry.digest(image(bearer), auth=login(bearer))

    assert (early, len(bearer.lines("/token"))) == (1, 2)


def test_a_push_asks_for_that_first(client: Client, bearer: MemoryRegistry) -> None:
    """One token serves look-ups and push: Quay makes a repository at that."""
    registry = client.open()
    mine, target = login(bearer), image(bearer)

    assert registry.digest(target, auth=mine, for_push=True) is None
    assert registry.manifest(target, auth=mine, for_push=True) is None
    assert registry.tags(target, auth=mine, for_push=True) == []
    registry.put_manifest(target, MANIFEST, auth=mine)

    (asked,) = bearer.lines("/token")
    assert f"scope=repository%3A{quote(PATH, safe='')}%3Apull%2Cpush" in asked


def test_a_read_asks_for_no_more(client: Client, bearer: MemoryRegistry) -> None:
    """A heal or an adoption works with a login that may only pull."""
    client.open().digest(image(bearer), auth=login(bearer))

    (asked,) = bearer.lines("/token")
    assert asked.endswith("%3Apull&account=ci")


def test_a_token_without_expiry_lasts_a_minute(
    client: Client, bearer: MemoryRegistry
) -> None:
    """A reply without expires_in means 60 seconds, as the specification has it."""
    bearer.token_reply = {"issued_at": "2000-01-01T00:00:00Z"}
    clock = [1000.0]
    client.monotonic = lambda: clock[0]
    registry = client.open()
    counts = []

    for step in (0, 45, 10):
        clock[0] += step
        registry.digest(image(bearer), auth=login(bearer))
        counts.append(len(bearer.lines("/token")))

    assert counts == [1, 1, 2]


def test_no_token_is_kept_for_longer_than_a_day(
    client: Client, bearer: MemoryRegistry
) -> None:
    """A token server may state any time; after a day it is asked again."""
    bearer.token_reply = {"expires_in": 1e300}
    clock = [1000.0]
    client.monotonic = lambda: clock[0]
    registry = client.open()
    counts = []

    for step in (0, 80_000, 10_000):
        clock[0] += step
        registry.digest(image(bearer), auth=login(bearer))
        counts.append(len(bearer.lines("/token")))

    assert counts == [1, 1, 2]


@pytest.mark.parametrize("expires_in", ["9" * 401, "1e999", "[" * 100_000])
def test_a_token_reply_beyond_all_measure(
    client: Client, bearer: MemoryRegistry, expires_in: str
) -> None:
    """A reply that no program can use is not a token, and worth another attempt."""
    body = f'{{"token": "t", "expires_in": {expires_in}}}'.encode()
    bearer.rule("/token", Answer(body=body))

    with pytest.raises(errors.RegistryUnavailableError, match="without a token"):
        client.open().digest(image(bearer), auth=login(bearer))


def test_a_token_that_is_refused_is_renewed_once(
    client: Client, bearer: MemoryRegistry
) -> None:
    """A token that the registry forgot early costs one more, and no error."""
    stored(bearer)
    registry = client.open()
    registry.digest(image(bearer), auth=login(bearer))
    bearer.tokens.clear()

    assert registry.digest(image(bearer), auth=login(bearer)) is not None

    assert len(bearer.lines("/token")) == 2


def test_a_registry_that_takes_no_token_is_not_asked_for_ever(
    client: Client, bearer: MemoryRegistry
) -> None:
    """A fresh token that is refused too is an authentication error."""
    headers = {"WWW-Authenticate": f'Bearer realm="{bearer.url}/token"'}
    bearer.rule("/v2/", Answer(status=401, headers=headers))

    with pytest.raises(errors.AuthenticationError, match="registry:login"):
        client.open().manifest(image(bearer), auth=login(bearer))

    assert len(bearer.lines("/token")) == 1
    assert len(bearer.lines("GET /v2/")) == 2


def test_a_token_with_less_scope_is_not_a_wrong_password(
    client: Client, bearer: MemoryRegistry
) -> None:
    """With `insufficient_scope` the login is good, but not allowed."""
    value = f'Bearer realm="{bearer.url}/token",error="insufficient_scope"'
    headers = {"WWW-Authenticate": value}
    bearer.rule("/v2/", Answer(status=401, headers=headers))

    with pytest.raises(errors.AccessDeniedError):
        client.open().digest(image(bearer), auth=login(bearer))


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_both_names_of_the_token_are_known(
    client: Client, bearer: MemoryRegistry, name: str
) -> None:
    """Azure's reply has access_token only."""
    bearer.token_field = name

    client.open().ping(bearer.host, auth=login(bearer))


@pytest.mark.parametrize("is_offered", [True, False])
def test_the_scope_is_ours_where_the_challenge_has_none(
    client: Client, bearer: MemoryRegistry, is_offered: bool
) -> None:
    """Reading asks for pull and putting for pull and push."""
    bearer.challenge_scope = is_offered
    registry = client.open()

    registry.digest(image(bearer), auth=login(bearer))
    registry.put_manifest(image(bearer), MANIFEST, auth=login(bearer))

    scopes = [scope for given in bearer.tokens.values() for scope in given]
    assert scopes == [f"repository:{PATH}:pull", f"repository:{PATH}:pull,push"]


def test_a_challenge_cannot_ask_for_another_repository(
    client: Client, bearer: MemoryRegistry
) -> None:
    """A scope that is not about the repository in hand is left aside."""
    value = f'Bearer realm="{bearer.url}/token",service="memory"'
    value += ',scope="repository:another/one:pull,push"'
    answer = Answer(status=401, headers={"WWW-Authenticate": value})
    bearer.rule("/v2/", answer, times=1)

    client.open().digest(image(bearer), auth=login(bearer))

    assert list(bearer.tokens.values()) == [[f"repository:{PATH}:pull"]]


def test_an_identity_token_goes_into_a_form(
    client: Client, bearer: MemoryRegistry
) -> None:
    """A refresh token is posted, never put into an address or a header."""
    bearer.identity_tokens.add(IDENTITY)
    auth = AuthConfig(domain=bearer.host, identity_token=Secret(IDENTITY))

    client.open().ping(bearer.host, auth=auth)

    asked = next(asked for asked in bearer.asked if "/token" in asked.line)
    assert asked.line == "POST /token"
    assert b"grant_type=refresh_token" in asked.body
    assert b"service=memory" in asked.body
    assert b"client_id=dokku-registryd" in asked.body
    assert IDENTITY not in str([*asked.headers.values()])


def test_an_anonymous_client_gets_a_token_too(
    client: Client, bearer: MemoryRegistry
) -> None:
    """Public images need a token that is asked for without a login."""
    with pytest.raises(errors.AuthenticationError):
        client.open().digest(image(bearer), auth=None)

    assert "authorization" not in bearer.asked[1].headers


def test_threads_share_one_token(client: Client, bearer: MemoryRegistry) -> None:
    """Tags that move side by side ask for one token, not for one each."""
    registry = client.open()
    gate = threading.Barrier(8)

    def put(number: int) -> str:
        gate.wait(120)
        return registry.put_manifest(
            image(bearer, str(number)), MANIFEST, auth=login(bearer)
        )

    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(put, range(8)))

    assert digests == {MANIFEST.digest}
    assert len(bearer.lines("/token")) == 1


def test_a_token_server_that_hangs_delays_no_other(
    client: Client, bearer: MemoryRegistry
) -> None:
    """A thread waits only for its own token server, however many others hang."""
    with (
        ThreadPoolExecutor(_HANGING) as pool,
        MemoryRegistry("bearer", users={"ci": PASSWORD}) as slow,
    ):
        slow.rule("/token", Answer(way="hang"))
        registry = client.open(total=300, read=300)

        def ask(host: MemoryRegistry, number: int) -> str | None:
            name = replace(image(host), path=f"org/app{number}")
            return registry.digest(name, auth=login(host))

        hanging = [pool.submit(ask, slow, number) for number in range(_HANGING)]
        until(lambda: len(slow.lines("/token")) == _HANGING, timeout=60)

        assert [ask(bearer, number) for number in range(_HANGING)] == [None] * _HANGING

        assert not any(one.done() for one in hanging)


@pytest.mark.parametrize(
    ("url", "is_own"),
    [
        ("https://r.example/v2/x", True),
        ("https://r.example:443/v2/x", True),
        ("http://r.example:80/v2/x", True),
        ("https://r.example:8443/v2/x", False),
        ("https://cdn.example/v2/x", False),
    ],
)
def test_whose_answer_it_is(url: str, is_own: bool) -> None:
    """The usual port of a scheme may be written down, as proxies do in Location."""
    reply = protocol.Reply(status=401, headers={}, body=b"", url=url)

    assert messages.is_from("r.example", reply) is is_own


@pytest.mark.parametrize(
    ("header", "advice"),
    [("", "registry:login"), ("Negotiate", "other than Basic and Bearer")],
)
def test_a_refusal_without_a_usable_challenge(
    client: Client, bearer: MemoryRegistry, header: str, advice: str
) -> None:
    """A 401 that names no way to log in says what helps, and decides no look-up."""
    headers = {"WWW-Authenticate": header} if header else {}
    bearer.rule("/v2/", Answer(status=401, headers=headers))

    with pytest.raises(errors.AuthenticationError, match=advice) as caught:
        client.open().manifest(image(bearer), auth=login(bearer))

    assert caught.value.status == 401


def test_logins_do_not_mix(client: Client, bearer: MemoryRegistry) -> None:
    """A token of one login is never used for another."""
    registry = client.open()
    registry.digest(image(bearer), auth=login(bearer))
    wrong = replace(login(bearer), password=Secret("wrong"))

    with pytest.raises(errors.AuthenticationError):
        registry.digest(image(bearer), auth=wrong)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=401), errors.AuthenticationError),
        (Answer(status=403), errors.AuthenticationError),
        (Answer(status=404), errors.InvalidRequestError),
        (Answer(status=405, body=b"method not allowed"), errors.InvalidRequestError),
        (Answer(status=429), errors.RateLimitedError),
        (Answer(status=500), errors.RegistryUnavailableError),
        (Answer(body=b"<html>"), errors.RegistryUnavailableError),
        (Answer(body=b'{"token":""}'), errors.RegistryUnavailableError),
        (Answer(body=b'{"token":"a\\r\\nX: y"}'), errors.RegistryUnavailableError),
        (Answer(body=b" " * 65536, way="endless"), errors.PermanentError),
        (
            Answer(status=302, headers={"Location": "//other.invalid/token"}),
            errors.AccessDeniedError,
        ),
    ],
)
def test_each_answer_of_a_token_server_has_its_error(
    client: Client,
    bearer: MemoryRegistry,
    answer: Answer,
    expected: type[errors.RegistrydError],
) -> None:
    """A token server can fail in as many ways as a registry."""
    bearer.rule("/token", answer)

    with pytest.raises(errors.RegistrydError) as caught:
        client.open().ping(bearer.host, auth=login(bearer))

    assert type(caught.value) is expected
    assert "push the image" not in str(caught.value)
    assert len(bearer.lines("/token")) == 1


def test_a_refusal_without_a_challenge_has_its_reason(
    client: Client, server: MemoryRegistry
) -> None:
    """A proxy may drop the header; what the registry says is told, without a login."""
    said = f"project nosuch not found for {PASSWORD}"
    server.rule("/v2/", memory_registry.error(401, "UNAUTHORIZED", said))

    with pytest.raises(errors.AuthenticationError) as caught:
        client.open().manifest(image(server), auth=login(server))

    assert "answers 401 (project nosuch not found for ***). Log in" in str(caught.value)


@pytest.mark.parametrize(
    ("title", "told"),
    [("401 Authorization Required", "(Authorization Required)"), ("401", "without a")],
)
def test_a_refusal_by_a_page_has_its_title(
    client: Client, server: MemoryRegistry, title: str, told: str
) -> None:
    """The page of a proxy, such as nginx's, is not told with its markup."""
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body></body></html>"
    server.rule("/v2/", Answer(status=401, body=page.encode()))

    with pytest.raises(errors.AuthenticationError) as caught:
        client.open().manifest(image(server), auth=login(server))

    assert f"the registry answers 401 {told}" in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Negotiate",
        'Digest realm="x"',
        'Bearer service="x"',
        'Bearer realm="ftp://x"',
    ],
)
def test_a_strange_challenge_gets_no_login(
    client: Client, server: MemoryRegistry, header: str
) -> None:
    """What is neither Basic nor Bearer with an address is not answered."""
    headers = {"WWW-Authenticate": header} if header else {}
    server.rule("/v2/", Answer(status=401, headers=headers))

    with pytest.raises((errors.AuthenticationError, errors.AccessDeniedError)):
        client.open().ping(server.host, auth=login(server))

    assert len(server.asked) == 1


# -- secrets


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize("where", ["PUT", "/token"])
def test_no_secret_is_ever_repeated(
    client: Client, bearer: MemoryRegistry, status: int, where: str
) -> None:
    """A registry that repeats what it was sent does not get it into a message."""
    auth = replace(login(bearer), identity_token=Secret(IDENTITY))
    bearer.identity_tokens.add(IDENTITY)
    registry = client.open()
    registry.put_manifest(image(bearer), MANIFEST, auth=auth)
    token = next(iter(bearer.tokens))
    if where == "/token":
        bearer.tokens.clear()
    said = f"{PASSWORD} {IDENTITY} {token} https://u.example/x?_state={IDENTITY}\x1b[1m"
    answer = memory_registry.error(status, "DENIED", said)
    bearer.rule(where, answer)

    with pytest.raises(errors.RegistrydError) as caught:
        registry.put_manifest(image(bearer), MANIFEST, auth=auth)

    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    for secret in (PASSWORD, IDENTITY, token, "_state", "\x1b"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("answer", "errand"),
    [
        (Answer(status=302, headers={"Location": f"ftp://x/{PASSWORD}"}), "manifest"),
        (
            Answer(
                status=401,
                headers={"WWW-Authenticate": f'Bearer realm="ftp://x/{PASSWORD}"'},
            ),
            "manifest",
        ),
        (Answer(body=b'{"tags": []}', headers={"Link": _LINK}), "tags"),
        (Answer(status=500, body=html.escape(QUOTED).encode()), "manifest"),
        (
            Answer(status=500, body=json.dumps({"message": _BASE64}).encode()),
            "manifest",
        ),
    ],
    ids=["location", "realm", "link", "html", "base64"],
)
def test_no_part_of_an_answer_repeats_a_login(
    client: Client, server: MemoryRegistry, answer: Answer, errand: str
) -> None:
    """Wherever a password stands in an answer, it is in no message."""
    server.rule("GET", answer)
    auth = AuthConfig(
        domain=server.host,
        username="ci",
        password=Secret(QUOTED if b"&" in answer.body else PASSWORD),
    )

    with pytest.raises(errors.RegistrydError) as caught:
        getattr(client.open(), errand)(image(server), auth=auth)

    shown = "".join(traceback.format_exception(caught.value))
    assert "***" in shown
    assert PASSWORD not in shown
    assert _BASE64[4:-4] not in shown
    assert html.escape(QUOTED) not in shown


def test_a_token_server_cannot_have_a_login_shown(
    client: Client, bearer: MemoryRegistry
) -> None:
    """It gets the password, and may put it into an address that is not followed."""
    target = f"//other.invalid/{PASSWORD}"
    bearer.rule("/token", Answer(status=302, headers={"Location": target}))

    with pytest.raises(errors.AccessDeniedError, match=r"\*\*\*") as caught:
        client.open().ping(bearer.host, auth=login(bearer))

    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_a_long_error_is_cut(client: Client, server: MemoryRegistry) -> None:
    """A page of HTML does not fill the log."""
    server.rule("GET", Answer(status=500, body=b"<p>" + b"x" * 50_000))

    with pytest.raises(errors.RegistryUnavailableError) as caught:
        client.open().manifest(image(server), auth=None)

    assert len(str(caught.value)) < 700


# -- TLS, proxies, insecure registries


@dataclass(frozen=True)
class Authority:
    """A CA and what it has signed."""

    folder: Path

    def context(self, name: str) -> ssl.SSLContext:
        """Return the settings of a server with a certificate for a name."""
        self._sign(name, f"subjectAltName=DNS:{name}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(
            self.folder / f"{name}.cert", self.folder / f"{name}.key"
        )
        return context

    def client(self) -> tuple[Path, Path]:
        """Return a client's certificate and key."""
        self._sign("client", "extendedKeyUsage=clientAuth")
        return self.folder / "client.cert", self.folder / "client.key"

    @property
    def certificate(self) -> Path:
        """The CA's own certificate."""
        return self.folder / "ca.crt"

    def make(self) -> None:
        """Make the CA."""
        key, certificate = str(self.folder / "ca.key"), str(self.certificate)
        _openssl("req", "-x509", *_NEW_KEY, "-keyout", key, "-out", certificate)

    def _sign(self, name: str, extension: str) -> None:
        base = self.folder / name
        _openssl(
            *("req", "-x509", *_NEW_KEY, "-keyout", f"{base}.key"),
            *("-CA", str(self.certificate), "-CAkey", str(self.folder / "ca.key")),
            *("-addext", extension, "-addext", "basicConstraints=critical,CA:FALSE"),
            *("-out", f"{base}.cert"),
        )


_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
_NEW_KEY += ["-days", "2", "-subj", "/CN=registryd tests"]
NAME = "registry.invalid"
NOWHERE = "127.0.0.1:9"  # an address is not looked up


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Give a CA that no system trusts."""
    made = Authority(tmp_path_factory.mktemp("ca"))
    made.make()
    return made


@pytest.fixture
def secure(authority: Authority) -> Iterator[MemoryRegistry]:
    """Give a registry that speaks TLS under a name of its own."""
    with MemoryRegistry(tls=authority.context(NAME)) as running:
        yield running


@pytest.fixture
def proxy(secure: MemoryRegistry, client: Client) -> Iterator[TunnelProxy]:
    """Give a proxy, known from the Engine, that leads to the secure registry."""
    with TunnelProxy(secure.port) as running:
        client.facts = replace(FACTS, proxies=(("https", running.url),))
        yield running
        for registry in client.opened:
            registry.close()


def test_an_unknown_ca_is_refused_with_the_way_out(
    client: Client, proxy: TunnelProxy, secure: MemoryRegistry
) -> None:
    """The message names the folder that the CA's certificate belongs into."""
    with pytest.raises(errors.PermanentError, match=r"ca\.crt") as caught:
        client.open().ping(NAME, auth=login(secure))

    assert str(client.certs_dir / NAME) in str(caught.value)
    assert secure.asked == []


@pytest.mark.parametrize(
    ("name", "is_expired", "hint"),
    [
        (NAME, True, "Renew it, or correct the clock of this host"),
        ("other.invalid", False, "Use one of its names"),
    ],
)
def test_what_cures_a_certificate(
    client: Client, tmp_path: Path, name: str, hint: str, *, is_expired: bool
) -> None:
    """A certificate of a known CA that is old, or another's, needs no CA."""
    known = authorities.Authority(tmp_path / "ca")
    folder = client.certs_dir / NAME
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(known.certificate.read_bytes())
    context = known.context(name, is_expired=is_expired)
    with MemoryRegistry(tls=context) as registry, TunnelProxy(registry.port) as tunnel:
        client.facts = replace(FACTS, proxies=(("https", tunnel.url),))
        opened = client.open()

        with pytest.raises(errors.PermanentError) as caught:
            opened.ping(NAME, auth=None)

        opened.close()
    assert hint in str(caught.value)
    assert "ca.crt" not in str(caught.value)


def test_the_engines_ca_counts_and_its_proxy_is_used(
    client: Client, proxy: TunnelProxy, secure: MemoryRegistry, authority: Authority
) -> None:
    """A CA in certs.d and the proxy of the Engine are enough to reach a registry."""
    folder = client.certs_dir / NAME
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(authority.certificate.read_bytes())

    client.open().ping(NAME, auth=None)

    assert proxy.targets == [f"{NAME}:443"]
    assert secure.lines() == ["GET /v2/"]


def test_a_client_certificate_is_shown(client: Client, authority: Authority) -> None:
    """A pair in certs.d opens a registry that asks for one."""
    context = authority.context(NAME)
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    folder = client.certs_dir / NAME
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(authority.certificate.read_bytes())
    for path in authority.client():
        (folder / path.name).write_bytes(path.read_bytes())
    with MemoryRegistry(tls=context) as server, TunnelProxy(server.port) as way:
        client.facts = replace(FACTS, proxies=(("https", way.url),))
        registry = client.open()

        registry.ping(NAME, auth=None)

        registry.close()
        assert server.lines() == ["GET /v2/"]


@pytest.mark.parametrize("names", [["x.cert"], ["x.key"], ["x.cert", "x.key"]])
def test_certificates_that_cannot_be_used_are_named(
    client: Client, names: list[str]
) -> None:
    """Half a pair, or one that is not a certificate, is an error with its path."""
    folder = client.certs_dir / NOWHERE
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("nothing")

    with pytest.raises(errors.PermanentError, match=r"certs\.d"):
        client.open().ping(NOWHERE, auth=None)


def test_a_listed_registry_is_not_verified(
    client: Client, proxy: TunnelProxy, secure: MemoryRegistry
) -> None:
    """What the Engine's operator declared insecure is reached as the Engine would."""
    client.facts = replace(client.facts, insecure_registries=(NAME,))

    client.open().ping(NAME, auth=None)

    assert secure.lines() == ["GET /v2/"]


def test_loopback_speaks_tls_if_it_can(client: Client, secure: MemoryRegistry) -> None:
    """An insecure registry is tried with TLS first, and what worked is remembered."""
    registry = client.open()

    registry.ping(secure.host, auth=None)
    registry.ping(secure.host, auth=None)

    assert secure.lines() == ["GET /v2/", "GET /v2/"]


def test_a_registry_that_gets_a_certificate(
    client: Client, authority: Authority
) -> None:
    """What an insecure registry spoke before is forgotten when it answers otherwise."""
    registry = client.open()
    with MemoryRegistry() as plain:
        plain.rule("/v2/", LAST_ANSWER)
        registry.ping(plain.host, auth=None)
        port = plain.port

    with MemoryRegistry(tls=authority.context(NAME), port=port) as secure:
        assert registry.manifest(image(secure), auth=None) is None

        assert len(secure.lines("/manifests/")) == 1
        registry.close()


def test_a_registry_that_loses_its_certificate(
    client: Client, authority: Authority
) -> None:
    """The other way round the first request after it succeeds, too."""
    registry = client.open()
    with MemoryRegistry(tls=authority.context(NAME)) as secure:
        secure.rule("/v2/", LAST_ANSWER)
        registry.ping(secure.host, auth=None)
        port = secure.port

    with MemoryRegistry(port=port) as plain:
        assert registry.manifest(image(plain), auth=None) is None

        assert len(plain.lines("/manifests/")) == 1
        registry.close()


def test_a_plain_registry_that_refuses_as_tls_servers_do(client: Client) -> None:
    """A refusal in their words stays what it is, if the server has no TLS."""
    registry = client.open()
    with MemoryRegistry() as plain:
        registry.ping(plain.host, auth=None)
        plain.rule("/manifests/", Answer(status=400, body=b"no such thing"))

        with pytest.raises(errors.InvalidRequestError, match="answers 400"):
            registry.digest(image(plain), auth=None)

        registry.close()


def test_plain_http_is_for_insecure_registries_only(client: Client) -> None:
    """A registry without TLS that is not listed is refused, and learns nothing."""
    with MemoryRegistry("basic") as plain, TunnelProxy(plain.port) as way:
        client.facts = replace(FACTS, proxies=(("https", way.url),))
        registry = client.open()

        with pytest.raises(errors.RegistrydError):
            registry.ping(NAME, auth=login(plain))

        registry.close()
        assert plain.asked == []


@pytest.mark.parametrize(
    "realm",
    [
        "http://tokens.invalid/token",
        "https://127.0.0.1/token",
        "https://10.0.0.1/token",
        "https://169.254.169.254/latest",
        "https://[::1]/token",
        "https://localhost/token",
        "https://user:pw@tokens.invalid/token",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_login_goes_to_no_dubious_realm(
    client: Client,
    proxy: TunnelProxy,
    secure: MemoryRegistry,
    authority: Authority,
    realm: str,
) -> None:
    """A registry with TLS cannot send a login out in clear or into the host's net."""
    folder = client.certs_dir / NAME
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(authority.certificate.read_bytes())
    value = f'Bearer realm="{realm}",service="memory"'
    secure.rule("/v2/", Answer(status=401, headers={"WWW-Authenticate": value}))

    with pytest.raises(errors.AccessDeniedError, match="token server"):
        client.open().ping(NAME, auth=login(secure))

    assert proxy.targets == [f"{NAME}:443"]
    assert len(secure.asked) == 1


def test_cookies_do_not_travel(client: Client, server: MemoryRegistry) -> None:
    """What one app's request left behind is not sent with another's."""
    server.rule("/v2/", Answer(body=b"{}", headers={"Set-Cookie": "a=b; Path=/"}))
    registry = client.open()

    registry.ping(server.host, auth=None)
    registry.ping(server.host, auth=None)

    assert "cookie" not in server.asked[-1].headers


def test_the_environment_is_not_asked(
    client: Client,
    server: MemoryRegistry,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Neither proxies from the environment nor ~/.netrc have any effect."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ci password leaked\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    client.open().ping(server.host, auth=None)

    assert "authorization" not in server.asked[-1].headers


def test_sha512_digests_are_verified_too(
    client: Client, server: MemoryRegistry
) -> None:
    """A digest of another algorithm is checked by that algorithm."""
    digest = "sha512:" + hashlib.sha512(MANIFEST.body).hexdigest()
    server.manifests[PATH, digest] = (MANIFEST.media_type, MANIFEST.body)
    other = "sha512:" + "0" * 128
    server.manifests[PATH, other] = (MANIFEST.media_type, MANIFEST.body)
    registry = client.open()
    plain = Answer(body=MANIFEST.body, headers={"Content-Type": MANIFEST.media_type})
    server.rule("sha512", plain)

    assert registry.manifest(image(server).with_digest(digest), auth=None) == MANIFEST
    with pytest.raises(errors.DigestMismatchError):
        registry.manifest(image(server).with_digest(other), auth=None)


def test_manifests_are_json_that_we_never_rewrite(
    client: Client, server: MemoryRegistry
) -> None:
    """What is put is byte for byte what arrived, although JSON would allow more."""
    body = json.dumps({"schemaVersion": 2, "b": 1, "a": [1, 2]}, indent=7).encode()
    odd = images.Manifest(media_type=seeding.OCI, body=body + b"\n\n")

    stated = client.open().put_manifest(image(server), odd, auth=None)

    assert server.asked[-1].body == odd.body
    assert server.asked[-1].headers["content-type"] == seeding.OCI
    assert stated == odd.digest
