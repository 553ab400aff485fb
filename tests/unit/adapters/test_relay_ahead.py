"""What a push asks and begins before the Engine does: a guess that decides nothing."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from dokku_registryd import errors, ports
from dokku_registryd.adapters.relay.questions import Guess, Memory, Questions
from dokku_registryd.adapters.relay.relay import Relay
from dokku_registryd.adapters.relay.spares import Spare
from dokku_registryd.core.auth.logins import AuthConfig
from dokku_registryd.core.image import images, reference
from fakes_registry import FakeRegistry
from support.waiting import until

Answer = TypeVar("Answer")

IMAGE = reference.parse("r.example/org/web:7")
LAYERS = tuple(f"sha256:{number:064x}" for number in range(3))
OWN, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
MANIFEST = images.Manifest(media_type="application/json", body=b"{}")


class Begun:
    """Implements `ports.BegunUpload`."""

    def __init__(self) -> None:
        self.is_begun = threading.Event()
        self.is_cancelled = False

    def begin(self) -> ports.BegunUpload:
        """Begin."""
        self.is_begun.set()
        return self

    def cancel(self) -> None:
        """Note it, and fail as a registry that cannot."""
        self.is_cancelled = True
        raise errors.PermanentError("405")


def direct(operation: Callable[[AuthConfig | None], Answer]) -> Answer:
    """Call with no login."""
    return operation(None)


@pytest.fixture
def relay() -> Iterator[Relay]:
    """Give a relay that listens."""

    def refuse(_auth: object) -> None:
        raise errors.TransientError("connection refused")

    made = Relay(0)
    made.why_not(refuse)
    yield made
    made.close()


@pytest.fixture
def registry() -> FakeRegistry:
    """Give the registry behind the relay."""
    return FakeRegistry()


def push(relay: Relay, registry: FakeRegistry, *wanted: str, image_id: str) -> None:
    """Be an Engine that asks for some blobs, and is done."""
    with relay.open(IMAGE, registry, direct, image_id=image_id) as passage:
        for digest in wanted:
            passage.size_of(digest)
        passage.put(passage.tag, MANIFEST)


# -- the guess


def test_the_first_push_guesses_nothing() -> None:
    """Nothing is known of a repository; another one's layers are not asked for."""
    memory = Memory()
    memory.keep("r.example/org/api", LAYERS, OWN)

    assert memory.guess(IMAGE.repository, OWN) == Guess()
    assert memory.guess("r.example/org/api", OTHER) == Guess(LAYERS, is_new=True)


def test_a_configuration_is_guessed_by_its_image() -> None:
    """A classic store asks for the image's ID; the last one's is of no use."""
    memory = Memory()
    memory.keep(IMAGE.repository, (*LAYERS, OWN), OWN)

    assert memory.guess(IMAGE.repository, OTHER).digests == (*LAYERS, OTHER)
    assert memory.guess(IMAGE.repository, "").digests == LAYERS
    assert not memory.guess(IMAGE.repository, OWN).is_new


def test_memory_is_bounded() -> None:
    """A host with many apps and an image with many layers stay small."""
    memory = Memory()
    many = [f"sha256:{number:064x}" for number in range(200)]
    for number in range(1100):
        memory.keep(f"r.example/{number}", many, OWN)

    guesses = [memory.guess(f"r.example/{number}", "") for number in range(1100)]

    assert guesses[:76] == [Guess()] * 76
    assert [len(guess.digests) for guess in guesses[76:]] == [64] * 1024


# -- questions


def test_each_blob_is_asked_for_once() -> None:
    """The Engine's question joins one that is under way, and finds its answer."""
    asked: list[str] = []
    may_answer = threading.Event()

    def ask(digest: str) -> int | None:
        asked.append(digest)
        assert may_answer.wait(120)
        return 7

    questions = Questions(ask)
    questions.ask_ahead(LAYERS)
    until(lambda: len(asked) == len(LAYERS), what="three questions")
    threading.Timer(0.05, may_answer.set).start()

    sizes = [questions.size_of(digest) for digest in LAYERS]
    questions.close()

    assert sizes == [7, 7, 7]
    assert sorted(asked) == list(LAYERS)
    assert questions.found() == set(LAYERS)
    assert questions.wanted() == LAYERS


def test_an_upload_knows_better_than_an_old_question() -> None:
    """A blob that was sent while its question was under way is there."""
    asked, may_answer = threading.Event(), threading.Event()

    def ask(_digest: str) -> int | None:
        asked.set()
        assert may_answer.wait(120)
        return None

    questions = Questions(ask)
    questions.ask_ahead([OWN])
    assert asked.wait(120)
    questions.note(OWN, 42)
    may_answer.set()

    assert questions.size_of(OWN) == 42
    assert questions.found() == {OWN}


def test_an_error_is_the_engine_s_only_if_it_asks() -> None:
    """A guess that fails is forgotten; the Engine's own question is asked again."""
    ended = threading.Event()

    def ask(_digest: str) -> int | None:
        if not ended.is_set():
            ended.set()
            raise errors.RegistryUnavailableError("away")
        return 5

    questions = Questions(ask)
    questions.ask_ahead([OWN])
    assert ended.wait(120)

    def look() -> int | None:
        with contextlib.suppress(errors.RegistryUnavailableError):
            return questions.size_of(OWN)
        return None  # It met the failed one.

    assert until(look, what="a second answer") == 5


def test_a_push_that_ends_asks_no_more() -> None:
    """What waits for its turn is dropped with the push."""
    may_answer = threading.Event()
    asked: list[str] = []
    others = set(_threads("ahead"))

    def ask(digest: str) -> int | None:
        asked.append(digest)
        assert may_answer.wait(120)
        return None

    questions = Questions(ask)
    questions.ask_ahead([f"sha256:{number:064x}" for number in range(20)])
    until(lambda: len(asked) == 8, what="as many questions as connections")
    questions.close()
    questions.close()
    may_answer.set()
    until(lambda: not {*_threads("ahead")} - others, what="the threads to end")

    assert len(asked) == 8


def test_the_second_push_asks_before_the_engine(
    relay: Relay, registry: FakeRegistry
) -> None:
    """What the first one was asked for, and its upload, begin with the second one."""
    push(relay, registry, *LAYERS, OWN, image_id=OWN)
    before = len(registry.calls)

    with relay.open(IMAGE, registry, direct, image_id=OTHER):
        until(lambda: len(registry.calls) == before + 5, what="questions in advance")
        asked = sorted(method for method, _ in registry.calls[before:])

    assert asked == ["begin_blob", *["blob_size"] * 4]


def test_the_same_image_begins_no_upload(relay: Relay, registry: FakeRegistry) -> None:
    """An image that was pushed last has nothing new."""
    push(relay, registry, *LAYERS, image_id=OWN)
    push(relay, registry, *LAYERS, image_id=OWN)

    assert {method for method, _ in registry.calls} == {"blob_size"}


def test_a_host_without_a_thread_to_spare_asks_nothing_ahead(
    relay: Relay, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The push goes on: what it needs is asked for in its turn."""
    push(relay, registry, *LAYERS, image_id=OWN)
    before = len(registry.calls)

    with monkeypatch.context() as patched:

        def refuse(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        patched.setattr(threading.Thread, "start", refuse)
        push(relay, registry, OWN, image_id=OTHER)

    assert registry.calls[before:] == [("blob_size", IMAGE.repository)]


def test_a_push_that_failed_is_no_guide(relay: Relay, registry: FakeRegistry) -> None:
    """Without a manifest it is unknown what an image consists of."""
    with relay.open(IMAGE, registry, direct, image_id=OWN) as passage:
        passage.size_of(OWN)
    before = len(registry.calls)

    push(relay, registry, image_id=OWN)

    assert len(registry.calls) == before


# -- the upload


def test_a_spare_is_used_once() -> None:
    """The first upload takes it; the next one begins by itself."""
    begun = Begun()
    spare = Spare(lambda: begun)
    spare.prepare()

    assert (spare.take(), spare.take()) == (begun, None)
    spare.drop()
    assert not begun.is_cancelled


def test_a_spare_that_is_not_used_is_dropped() -> None:
    """The registry is told; that it cannot do it is ignored."""
    begun = Begun()
    spare = Spare(begun.begin)
    spare.prepare()
    assert begun.is_begun.wait(120)
    spare.drop()
    spare.drop()

    until(lambda: begun.is_cancelled, what="its end")
    assert spare.take() is None


def test_a_spare_grows_old() -> None:
    """A registry forgets uploads: one from a minute ago is not relied upon."""
    now = [0.0]
    begun = Begun()
    spare = Spare(begun.begin, lambda: now[0])
    spare.prepare()
    assert begun.is_begun.wait(120)
    now[0] = 61.0

    assert spare.take() is None
    spare.drop()
    until(lambda: begun.is_cancelled, what="its end")


def test_a_spare_that_cannot_begin_is_none() -> None:
    """The upload that needs it hears the reason itself."""

    def refuse() -> ports.BegunUpload:
        raise errors.AccessDeniedError("you may not push")

    spare = Spare(refuse)
    assert spare.take() is None
    spare.prepare()
    assert spare.take() is None


def test_an_upload_that_was_begun_and_is_refused_begins_again(
    relay: Relay, registry: FakeRegistry
) -> None:
    """A refusal may be due to the session: it ends no push that would succeed."""
    push(relay, registry, *LAYERS, image_id=OWN)
    registry.fail("put_blob", errors.AccessDeniedError("signature expired"))
    body = b"configuration"
    digest = images.Manifest(media_type="", body=body).digest

    with relay.open(IMAGE, registry, direct, image_id=OTHER) as passage:
        upload_id = passage.begin()
        assert upload_id is not None
        upload = passage.upload(upload_id)
        assert upload is not None
        passage.receive(upload, [body])
        passage.finish(upload_id, digest)
        evidence = passage.evidence()

    assert registry.blobs[IMAGE.repository, digest] == body
    assert [name for name, _ in registry.calls].count("put_blob") == 2
    assert digest in evidence.digests


def _threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]
