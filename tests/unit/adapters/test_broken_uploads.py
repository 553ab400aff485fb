"""Uploads that break, and registries behind a proxy with a limit for requests."""

import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import structlog

from dokku_registryd import errors
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.engine import relay_protocol
from dokku_registryd.core.image import images, reference
from support import authority, memory_registry
from support.memory_registry import Answer, MemoryRegistry
from support.streams import streamed

PATH: Final = "org/web"
FACTS: Final = images.EngineFacts(version="20.10.24", image_store="classic")
SMALL: Final = os.urandom(3 << 20)
BIG: Final = os.urandom(20 << 20)
MIB: Final = 1 << 20
PIECE: Final = relay_protocol.WINDOW_BYTES


@functools.cache
def digest_of(body: bytes) -> str:
    """Return a digest; that of a large body is asked for often."""
    return "sha256:" + hashlib.sha256(body).hexdigest()


def cut(body: bytes) -> Iterator[bytes]:
    """Yield a body as it comes from an Engine."""
    for start in range(0, len(body), 50_000):
        yield body[start : start + 50_000]


class Bench:
    """A client and a registry."""

    def __init__(self, folder: Path, server: MemoryRegistry) -> None:
        self.server = server
        self.waits: list[float] = []
        self.client = RegistryClient(
            facts=lambda: FACTS, certs_dir=folder, sleep=self.waits.append
        )
        self.image = reference.ImageReference(domain=server.host, path=PATH, tag="1")

    def put(self, body: bytes) -> None:
        """Upload a body that is here."""
        self.client.put_blob(self.image, digest_of(body), body, auth=None)

    def stream(self, body: bytes, *, has_window: bool = True) -> None:
        """Upload a body that comes once."""
        source = streamed(cut(body), has_window=has_window)
        place = self.client.stream_blob(self.image, source, auth=None)
        self.client.close_blob(self.image, place, digest_of(body), auth=None)

    def has(self, body: bytes) -> bool:
        """Tell whether the registry has a body."""
        return self.server.blobs.get((PATH, digest_of(body))) == body

    @property
    def requests(self) -> list[str]:
        """The methods of all requests of uploads, in order."""
        return [line.split()[0] for line in self.server.lines("/blobs/uploads/")]

    @property
    def ranges(self) -> list[str]:
        """The ranges of all pieces."""
        ranges = (asked.headers.get("content-range") for asked in self.server.asked)
        return [found for found in ranges if found]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Give a client and a registry."""
    with MemoryRegistry() as server:
        made = Bench(tmp_path, server)
        yield made
        made.client.close()


# -- requests that are too large


def test_a_body_that_is_too_large_goes_in_pieces(bench: Bench) -> None:
    """After 413 it is sent in pieces that have a range and a length."""
    bench.server.most_bytes = MIB

    bench.put(SMALL)

    assert bench.has(SMALL)
    assert bench.requests == ["POST", "PUT", "POST", "PATCH", "PATCH", "PATCH", "PUT"]
    assert bench.ranges == [f"{n * MIB}-{(n + 1) * MIB - 1}" for n in range(3)]


def test_the_limit_is_remembered(bench: Bench) -> None:
    """The next blob is not sent in vain; a small one goes in one request."""
    bench.server.most_bytes = MIB
    bench.put(SMALL)
    before = len(bench.requests)

    bench.put(SMALL[:-1])
    bench.put(b"small")

    assert bench.has(SMALL[:-1])
    assert bench.requests[before:] == ["POST", *["PATCH"] * 3, "PUT", "POST", "PUT"]


def test_a_stream_that_is_too_large_begins_again(bench: Bench) -> None:
    """Its first bytes are gone, so the Engine has to send it once more."""
    bench.server.most_bytes = PIECE

    with (
        structlog.testing.capture_logs() as logged,
        pytest.raises(errors.SendAgainError, match="in pieces") as caught,
    ):
        bench.stream(BIG)
    bench.stream(BIG)

    assert isinstance(caught.value.reason, errors.TransientError)
    assert bench.has(BIG)
    ends = [*range(PIECE, len(BIG), PIECE), len(BIG)]
    starts = [0, *ends[:-1]]
    wanted = [f"{a}-{b - 1}" for a, b in zip(starts, ends, strict=True)]
    assert bench.ranges == wanted
    assert [(line["event"], line["piece_bytes"]) for line in logged] == [
        ("upload.limited", PIECE)
    ]


def test_a_proxy_that_does_not_wait_for_the_body(bench: Bench) -> None:
    """Its refusal counts, although the connection ends while bytes are sent."""
    bench.server.most_bytes, bench.server.is_hasty = MIB, True

    bench.put(SMALL)
    bench.stream(BIG)

    assert bench.has(SMALL)
    assert bench.has(BIG)
    assert len(bench.ranges) == (len(SMALL) + len(BIG)) // MIB


def test_such_a_proxy_with_tls(tmp_path: Path) -> None:
    """The same holds where the end of the connection is also that of TLS."""
    known = authority.Authority(tmp_path / "ca")
    with MemoryRegistry(tls=known.context("127.0.0.1")) as server:
        bench = Bench(tmp_path, server)
        server.most_bytes, server.is_hasty = MIB, True

        bench.put(SMALL)
        bench.stream(BIG)

        assert bench.has(SMALL)
        assert bench.has(BIG)
        assert len(bench.ranges) == (len(SMALL) + len(BIG)) // MIB
        assert bench.waits == []  # Nothing counted as a break.
        bench.client.close()


def test_pieces_become_smaller_once(bench: Bench) -> None:
    """A proxy like nginx as shipped takes 1 MB: then pieces of 8 MiB are refused."""
    bench.server.most_bytes = MIB
    with pytest.raises(errors.SendAgainError):
        bench.stream(BIG)

    bench.stream(BIG)

    assert bench.has(BIG)
    assert bench.ranges[:2] == [f"0-{PIECE - 1}", f"0-{MIB - 1}"]
    assert len(bench.ranges) == 1 + len(BIG) // MIB


def test_pieces_that_are_refused_too(bench: Bench) -> None:
    """Then the proxy's limit is the reason, and what to do is said."""
    bench.server.most_bytes = MIB // 2

    with pytest.raises(errors.InvalidRequestError, match="client_max_body_size"):
        bench.put(SMALL)
    with pytest.raises(errors.InvalidRequestError, match="client_max_body_size"):
        bench.stream(BIG)

    assert bench.server.blobs == {}


def test_a_quota_is_no_limit_of_requests(bench: Bench) -> None:
    """A registry that says 413 because it is full is not asked in pieces."""
    full = memory_registry.error(413, "DENIED", "quota exceeded")
    bench.server.rule("PUT ", full)

    with pytest.raises(errors.QuotaExceededError):
        bench.put(SMALL)

    assert bench.requests == ["POST", "PUT"]


def test_a_size_that_is_said_beforehand(bench: Bench) -> None:
    """Cloudflare's serverless registry states the size of a piece."""
    bench.server.most_bytes = 2 * MIB
    bench.server.upload_headers["OCI-Chunk-Max-Length"] = str(2 * MIB)

    bench.put(SMALL)
    bench.stream(BIG)

    assert bench.has(SMALL)
    assert bench.has(BIG)
    assert bench.requests[:4] == ["POST", "PATCH", "PATCH", "PUT"]
    assert all("413" not in str(status) for status in bench.requests)
    assert len(bench.ranges) == 2 + len(BIG) // (2 * MIB)


def test_a_least_size_of_pieces(bench: Bench) -> None:
    """A registry that wants larger pieces than the proxy lets through: that is said."""
    bench.server.most_bytes = 2 * MIB
    bench.server.upload_headers["OCI-Chunk-Min-Length"] = str(5 * MIB)

    with pytest.raises(errors.InvalidRequestError, match="client_max_body_size"):
        bench.put(SMALL)

    assert bench.ranges == []


def test_a_least_size_counts(bench: Bench) -> None:
    """Pieces are at least as large as the registry wants them, except the last one."""
    bench.server.upload_headers["OCI-Chunk-Max-Length"] = str(MIB)
    bench.server.upload_headers["OCI-Chunk-Min-Length"] = str(2 * MIB)

    bench.put(SMALL)

    assert bench.has(SMALL)
    assert bench.ranges == [f"0-{2 * MIB - 1}", f"{2 * MIB}-{3 * MIB - 1}"]


@pytest.mark.parametrize("stated", ["", "0", "-1", "many", "9" * 40])
def test_a_size_that_is_none(bench: Bench, stated: str) -> None:
    """A header that states no size changes nothing."""
    bench.server.upload_headers["OCI-Chunk-Max-Length"] = stated
    bench.server.upload_headers["OCI-Chunk-Min-Length"] = stated

    bench.put(SMALL)

    assert bench.requests == ["POST", "PUT"]


# -- uploads that break


@pytest.mark.parametrize("has", [0, 1 * MIB])
def test_a_body_that_breaks_is_continued(bench: Bench, has: int) -> None:
    """The registry says how much it has, and gets the rest."""
    bench.server.cut("PUT ", after=MIB, keeps=bool(has))

    bench.put(SMALL)

    assert bench.has(SMALL)
    assert bench.requests == ["POST", "GET", "PATCH", "PUT"]
    assert bench.ranges == [f"{has}-{len(SMALL) - 1}"]


def test_a_stream_that_breaks_is_continued(bench: Bench) -> None:
    """Only what the registry lacks is sent again."""
    bench.server.cut("PATCH ", after=18 * MIB)

    with structlog.testing.capture_logs() as logged:
        bench.stream(BIG)

    assert bench.has(BIG)
    assert bench.ranges == [f"{18 * MIB}-{len(BIG) - 1}"]
    assert [(line["event"], line["offset"]) for line in logged] == [
        ("upload.continued", 18 * MIB)
    ]


def test_a_stream_that_breaks_often(bench: Bench) -> None:
    """As long as bytes arrive, there is no limit of breaks."""
    bench.server.cut("PATCH ", after=18 * MIB)
    bench.server.cut("PATCH ", after=MIB // 8, times=12)

    bench.stream(BIG)

    assert bench.has(BIG)
    assert len(bench.ranges) == 1
    assert bench.requests.count("GET") == 13


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_proxy_that_loses_its_registry(bench: Bench, status: int) -> None:
    """An answer of a proxy tells nothing of what the registry has."""
    bench.server.rule("PATCH ", Answer(status=status, body=b"<html>"), times=1)
    bench.server.cut("PATCH ", after=0, times=0)

    bench.stream(SMALL)

    assert bench.has(SMALL)
    assert bench.requests == ["POST", "PATCH", "GET", "PATCH", "PUT"]


def test_a_registry_that_tells_no_offset(bench: Bench) -> None:
    """What it answered with a success counts."""
    bench.server.tells_offsets = False
    bench.server.most_bytes = PIECE
    with pytest.raises(errors.SendAgainError):
        bench.stream(BIG)
    bench.server.cut(f"PATCH /v2/{PATH}/blobs/uploads/", after=MIB, times=0)
    bench.server.rule("?state=PATCH", Answer(way="reset"), times=1)

    bench.stream(BIG)

    assert bench.has(BIG)
    assert bench.ranges.count(f"{PIECE}-{2 * PIECE - 1}") == 2


def test_a_body_whose_offset_is_unknown_begins_again(bench: Bench) -> None:
    """A new upload costs less than a guess."""
    bench.server.tells_offsets = False
    bench.server.cut("PUT ", after=MIB)

    bench.put(SMALL)

    assert bench.has(SMALL)
    assert bench.requests == ["POST", "GET", "POST", "PUT"]


def test_a_stream_whose_first_bytes_are_gone(bench: Bench) -> None:
    """A proxy that kept all bytes to itself leaves the registry with none."""
    bench.server.cut("PATCH ", after=18 * MIB, keeps=False)

    with pytest.raises(errors.SendAgainError) as caught:
        bench.stream(BIG)

    assert isinstance(caught.value.reason, errors.RegistryUnavailableError)
    assert bench.requests == ["POST", "GET"]


def lose(bench: Bench) -> None:
    """Let a registry lose a layer by a break, as behind a proxy that keeps all."""
    bench.server.cut("PATCH ", after=18 * MIB, keeps=False)
    with pytest.raises(errors.SendAgainError):
        bench.stream(BIG)


def test_a_layer_that_was_lost_goes_in_pieces(bench: Bench) -> None:
    """A second break costs one piece, and then one request is enough again."""
    lose(bench)
    bench.server.cut("?state=PATCH", after=MIB, keeps=False)
    before = len(bench.requests)

    bench.stream(BIG)
    bench.stream(BIG[:-1])

    assert bench.has(BIG)
    assert bench.has(BIG[:-1])
    third = f"{PIECE}-{2 * PIECE - 1}"
    assert bench.ranges == [f"0-{PIECE - 1}", third, f"{2 * PIECE}-{len(BIG) - 1}"]
    again = ["POST", "PATCH", "GET", "PATCH", "PATCH", "PUT"]
    assert bench.requests[before:] == [*again, "POST", "PATCH", "PUT"]


@pytest.mark.parametrize("status", [400, 404, 405, 416])
def test_a_registry_that_refuses_pieces(bench: Bench, status: int) -> None:
    """Pieces were a precaution, so it gets one request again."""
    lose(bench)
    refused = memory_registry.error(status, "UNSUPPORTED")
    bench.server.rule("?state=PATCH", refused, times=1)

    with pytest.raises(errors.SendAgainError) as caught:
        bench.stream(BIG)
    lose(bench)
    bench.stream(BIG)

    assert isinstance(caught.value.reason, errors.TransientError)
    assert bench.has(BIG)
    assert bench.ranges == [f"0-{PIECE - 1}", f"{PIECE}-{2 * PIECE - 1}"]


def test_a_registry_that_puts_pieces_together_wrongly(bench: Bench) -> None:
    """It gets one request again, too."""
    lose(bench)
    refused = memory_registry.error(400, "DIGEST_INVALID")
    bench.server.rule("PUT ", refused, times=1)

    with pytest.raises(errors.SendAgainError) as caught:
        bench.stream(BIG)
    bench.stream(BIG)

    assert isinstance(caught.value.reason, errors.TransientError)
    assert bench.has(BIG)
    assert bench.requests[-3:] == ["POST", "PATCH", "PUT"]


def test_a_registry_that_fails_at_pieces(bench: Bench) -> None:
    """Errors of the server that do not end are no reason to insist on pieces."""
    lose(bench)
    bench.server.rule("?state=PATCH", Answer(status=500), times=30)
    with pytest.raises(errors.RegistryUnavailableError):
        bench.stream(BIG)
    bench.server.rules.clear()

    bench.stream(BIG)

    assert bench.has(BIG)
    assert bench.requests[-3:] == ["POST", "PATCH", "PUT"]


def test_a_stream_without_a_window(bench: Bench) -> None:
    """Without memory for it nothing can be repeated, and all else works."""
    bench.stream(BIG, has_window=False)
    assert bench.has(BIG)
    bench.server.cut("PATCH ", after=18 * MIB)

    with pytest.raises(errors.SendAgainError):
        bench.stream(BIG[:-1], has_window=False)


@pytest.mark.parametrize(
    "refused",
    [
        memory_registry.error(416, "RANGE_INVALID"),
        memory_registry.error(404, "BLOB_UPLOAD_UNKNOWN"),
        memory_registry.error(405, "UNSUPPORTED"),
    ],
    ids=["out-of-step", "gone", "unsupported"],
)
def test_a_continued_body_that_is_refused(bench: Bench, refused: Answer) -> None:
    """A registry that lost the upload gets a new one."""
    bench.server.cut("PUT ", after=MIB)
    bench.server.rule("PATCH ", refused, times=1)

    bench.put(SMALL)

    assert bench.has(SMALL)
    assert bench.requests == ["POST", "GET", "PATCH", "POST", "PUT"]


@pytest.mark.parametrize("code", ["BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"])
def test_a_session_that_is_gone(bench: Bench, code: str) -> None:
    """A registry that started again and forgot the upload gets a new one."""
    bench.server.cut("PUT ", after=MIB)
    gone = memory_registry.error(404, code)
    bench.server.rule(f"GET /v2/{PATH}/blobs/uploads/", gone, times=1)

    bench.put(SMALL)

    assert bench.has(SMALL)
    assert bench.requests == ["POST", "GET", "POST", "PUT"]


@pytest.mark.parametrize("stated", ["0-99999999999", "5-7", "none", "bytes 1"])
def test_a_wrong_offset(bench: Bench, stated: str) -> None:
    """More bytes than were sent are no offset, and neither is anything else."""
    bench.server.cut("PUT ", after=MIB)
    told = Answer(status=204, headers={"Range": stated})
    bench.server.rule(f"GET /v2/{PATH}/blobs/uploads/", told)

    bench.put(SMALL)

    assert bench.has(SMALL)
    assert bench.requests == ["POST", "GET", "POST", "PUT"]


def test_a_digest_that_is_refused(bench: Bench) -> None:
    """What was put together wrongly is sent once more, and then it is final."""
    refused = memory_registry.error(400, "DIGEST_INVALID")
    bench.server.rule("PUT ", refused, times=1)
    bench.put(SMALL)
    assert bench.has(SMALL)
    bench.server.rule("PUT ", refused)

    with pytest.raises(errors.InvalidRequestError, match="DIGEST_INVALID"):
        bench.put(SMALL)

    assert bench.requests == ["POST", "PUT"] * 4


def test_an_answer_that_is_lost(bench: Bench) -> None:
    """A blob that is there counts, with or without the answer."""
    bench.server.blobs[PATH, digest_of(SMALL)] = SMALL
    bench.server.rule("PUT ", Answer(way="reset"))

    bench.put(SMALL)

    assert bench.requests == ["POST"] + ["PUT"] * (len(bench.requests) - 1)


def test_an_end_whose_answer_is_lost(bench: Bench) -> None:
    """The end of a stream is asked for again, or found to have happened."""
    bench.server.rule("PUT ", Answer(status=502), times=1)
    bench.stream(SMALL)
    assert bench.has(SMALL)
    before = len(bench.requests)
    bench.server.blobs[PATH, digest_of(BIG)] = BIG
    bench.server.rule("PUT ", Answer(status=502))

    bench.stream(BIG)

    assert bench.requests[before:] == ["POST", "PATCH", "PUT"]


def test_a_registry_that_stays_away(bench: Bench) -> None:
    """After some tries without progress the attempt ends, and another one follows."""
    bench.server.rule("PUT ", Answer(status=502))
    bench.server.rule(f"GET /v2/{PATH}/blobs/uploads/", Answer(status=502))

    with pytest.raises(errors.RegistryUnavailableError) as caught:
        bench.put(SMALL)

    assert not isinstance(caught.value, errors.SendAgainError)
    assert sum(bench.waits) == pytest.approx(15.5)


def test_a_registry_that_asks_for_fewer_requests(bench: Bench) -> None:
    """It is not asked again at once."""
    bench.server.rule("PUT ", memory_registry.error(503, "BUSY", Retry_After="30"))

    with pytest.raises(errors.RegistryBusyError):
        bench.put(SMALL)

    assert bench.requests == ["POST", "PUT"]


# -- registries that mislead


def test_where_a_redirect_leads_gets_nothing(tmp_path: Path) -> None:
    """Another host that answers for an upload's state gets no login and no bytes."""
    users = {"ci": "secret"}
    with MemoryRegistry("basic", users=users) as server, MemoryRegistry() as other:
        bench = Bench(tmp_path, server)
        auth = AuthConfig(domain=server.host, username="ci", password=Secret("secret"))
        server.cut("PUT ", MIB)
        away = Answer(status=307, headers={"Location": f"{other.url}/x"})
        server.rule(f"GET /v2/{PATH}/blobs/uploads/", away)
        headers = {"Location": "/steal", "Range": "0-99"}
        other.rule("GET /x", Answer(status=204, headers=headers))
        other.rule("/steal", Answer(status=202))

        bench.client.put_blob(bench.image, digest_of(SMALL), SMALL, auth=auth)

        assert bench.has(SMALL)
        assert [asked.line for asked in other.asked] == ["GET /x"]
        assert "authorization" not in other.asked[0].headers
        bench.client.close()


def test_states_that_contradict_each_other(bench: Bench) -> None:
    """Machines behind a balancer that do not know each other's uploads end a push."""
    for method in ("PUT ", "PATCH "):
        bench.server.rule(method, Answer(way="reset"))
    for _ in range(100):
        bench.server.rule("GET ", Answer(status=204, headers={"Range": "0-99"}), 1)
        bench.server.rule("GET ", Answer(status=405), 1)

    with pytest.raises(errors.RegistryUnavailableError):
        bench.put(SMALL)

    assert len(bench.requests) < 40


def test_one_stray_413(bench: Bench) -> None:
    """A registry that takes no pieces gets one request again, from the next push on."""
    bench.server.rule("PUT ", memory_registry.error(413, "SIZE_INVALID"), 1)
    bench.server.rule("PATCH ", memory_registry.error(405, "UNSUPPORTED"))
    with pytest.raises(errors.PermanentError):
        bench.put(SMALL)

    bench.put(SMALL)

    assert bench.has(SMALL)


@pytest.mark.parametrize(("method", "status"), [("PATCH", 403), ("PUT", 409)])
def test_a_refusal_to_continue(bench: Bench, method: str, status: int) -> None:
    """After a break any refusal may be about the old session: a new one is tried."""
    bench.server.cut("PUT ", MIB)
    bench.server.rule(f"{method} ", memory_registry.error(status, "DENIED"), 1)

    bench.put(SMALL)

    assert bench.has(SMALL)


def test_all_sent_bytes_are_progress(bench: Bench) -> None:
    """A slow link that takes minutes for a piece counts as progress."""
    bench.server.most_bytes = MIB
    with pytest.raises(errors.SendAgainError):
        bench.stream(BIG)
    sizes: list[int] = []
    source = streamed(cut(BIG), has_window=True, on_sent=sizes.append)

    bench.client.stream_blob(bench.image, source, auth=None)

    assert sum(sizes) >= len(BIG)
    assert max(sizes) <= relay_protocol.PIECE_BYTES


# -- registries that ask for fewer requests


LIMITED: Final = memory_registry.error(429, "TOOMANYREQUESTS", Retry_After="3")
STATE: Final = f"GET /v2/{PATH}/blobs/uploads/"


@pytest.mark.parametrize("status", [429, 503])
def test_a_question_that_is_put_off(bench: Bench, status: int) -> None:
    """After a break the registry may say when it can tell how many bytes it has."""
    bench.server.cut("PATCH ", after=18 * MIB)
    bench.server.rule(STATE, memory_registry.error(status, "BUSY", Retry_After="3"), 2)

    bench.stream(BIG)

    assert bench.has(BIG)
    assert bench.ranges == [f"{18 * MIB}-{len(BIG) - 1}"]
    assert sum(bench.waits) >= 0.5 + 3 + 3  # and the gaps between requests


def test_a_question_about_a_whole_body_that_is_put_off(bench: Bench) -> None:
    """What the registry has of it counts, too."""
    bench.server.cut("PUT ", after=MIB)
    bench.server.rule(STATE, LIMITED, 1)

    bench.put(SMALL)

    assert bench.has(SMALL)
    assert bench.requests == ["POST", "GET", "GET", "PATCH", "PUT"]


@pytest.mark.parametrize(("asked", "questions"), [("3", 5), ("600", 1)])
def test_a_question_that_is_put_off_for_good(
    bench: Bench, asked: str, questions: int
) -> None:
    """A limit that lasts ends the attempt, and the next one waits for it."""
    bench.server.cut("PATCH ", after=18 * MIB)
    limited = memory_registry.error(429, "TOOMANYREQUESTS", Retry_After=asked)
    bench.server.rule(STATE, limited)

    with pytest.raises(errors.RateLimitedError) as caught:
        bench.stream(BIG)

    assert caught.value.retry_after == float(asked)
    assert bench.requests.count("GET") == questions


@pytest.mark.parametrize("method", ["PATCH ", "PUT "])
def test_a_stream_that_is_put_off(bench: Bench, method: str) -> None:
    """Its first bytes are gone here, so it is continued and not given up."""
    bench.server.rule(method, LIMITED, 1)

    bench.stream(SMALL)

    assert bench.has(SMALL)
    assert sum(bench.waits) >= 3


# -- successes that are none


PAGE: Final = Answer(body=b"<html>", headers={"Content-Type": "text/html; charset=x"})


@pytest.mark.parametrize("method", ["POST ", "PUT "])
def test_a_page_is_no_success(bench: Bench, method: str) -> None:
    """A page that a proxy shows with status 200 is not the registry's answer."""
    bench.server.rule(method, PAGE)

    with pytest.raises(errors.RegistryUnavailableError, match="page of a proxy"):
        bench.put(SMALL)

    assert not bench.has(SMALL)


@pytest.mark.parametrize("method", ["PATCH ", "PUT "])
def test_a_page_for_a_moment(bench: Bench, method: str) -> None:
    """The upload is continued after it."""
    bench.server.rule(method, PAGE, 1)

    bench.put(SMALL)
    bench.stream(SMALL[:-1])

    assert bench.has(SMALL)
    assert bench.has(SMALL[:-1])


@pytest.mark.parametrize("status", [200, 202, 204])
def test_another_success(bench: Bench, status: int) -> None:
    """Some registries answer so, and have what was sent."""
    bench.server.end_status = status

    bench.put(SMALL)
    bench.stream(BIG)

    assert bench.has(SMALL)
    assert bench.has(BIG)
    assert bench.requests == ["POST", "PUT", "POST", "PATCH", "PUT"]
    assert len(bench.server.lines(f"HEAD /v2/{PATH}/blobs/")) == 2


@pytest.mark.parametrize("status", [200, 202, 204])
def test_another_success_without_content(bench: Bench, status: int) -> None:
    """It counts as a break if the registry does not have the blob."""
    bench.server.rule("PUT ", Answer(status=status), 1)
    bench.put(SMALL)
    bench.server.rule("PUT ", Answer(status=status), 1)
    bench.stream(BIG)

    assert bench.has(SMALL)
    assert bench.has(BIG)


def test_another_success_of_a_registry_that_cannot_be_read(bench: Bench) -> None:
    """A login that may only push pushes."""
    bench.server.end_status = 204
    for method in ("HEAD", "GET"):
        denied = memory_registry.error(403, "DENIED")
        bench.server.rule(f"{method} /v2/{PATH}/blobs/sha256", denied)

    bench.put(SMALL)

    assert bench.has(SMALL)
    assert bench.requests == ["POST", "PUT"]


def test_an_answer_before_all_bytes(bench: Bench) -> None:
    """A success counts only after the last byte; the rest is sent from where it is."""
    bench.server.cut("PATCH ", after=10 * MIB, answer=Answer(status=202))
    bench.stream(BIG)
    bench.server.cut("PUT ", after=MIB, answer=Answer(status=201))
    bench.put(BIG[:-1])

    assert bench.has(BIG)
    assert bench.has(BIG[:-1])
    assert bench.ranges[0] == f"{10 * MIB}-{10 * MIB + PIECE - 1}"


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "text/html"}, {"Docker-Content-Digest": f"sha256:{'1' * 64}"}],
    ids=["page", "other"],
)
def test_what_proves_no_blob(bench: Bench, headers: dict[str, str]) -> None:
    """A page, or another blob, is not taken for a layer that can be left out."""
    answer = Answer(body=b"<html>", headers=headers)
    bench.server.rule(f"HEAD /v2/{PATH}/blobs/", answer)

    assert bench.client.blob_size(bench.image, digest_of(SMALL), auth=None) is None
    assert not bench.client.has_blob(bench.image, digest_of(SMALL), auth=None)


def test_a_page_does_not_tell_whether_a_blob_is_there(bench: Bench) -> None:
    """It is neither there nor gone."""
    bench.server.rule(f"/v2/{PATH}/blobs/sha256", PAGE)

    with pytest.raises(errors.PermanentError, match="page of a proxy"):
        bench.client.has_blob(bench.image, digest_of(SMALL), auth=None)
