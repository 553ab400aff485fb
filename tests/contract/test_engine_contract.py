"""What every Engine does: the one in memory, and the real ones of both image stores."""

import threading
from collections.abc import Callable, Iterator

import pytest

from dokku_registryd import errors, ports
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.engine import events
from dokku_registryd.core.image.images import LocalContainer
from support.engine_benches import APP_LABEL, Bench, FakeBench, RealBench
from support.engines import KINDS, EngineKind, EngineServer
from support.waiting import until


@pytest.fixture(
    params=[
        pytest.param(None, id="fake"),
        *(pytest.param(kind, id=kind.name, marks=pytest.mark.engine) for kind in KINDS),
    ]
)
def bench(
    request: pytest.FixtureRequest, start_engine: Callable[[EngineKind], EngineServer]
) -> Iterator[Bench]:
    """Give each Engine in turn, running and empty."""
    if request.param is None:
        yield FakeBench()
        return
    server = start_engine(request.param)
    server.ensure()
    server.wipe()
    real = RealBench(server, request.getfixturevalue("htpasswd_registry"))
    yield real
    real.adapter.close()
    server.ensure()
    server.wipe()


@pytest.fixture
def remote(bench: Bench, request: pytest.FixtureRequest) -> str:
    """Give a repository in the registry that no other test uses."""
    name = request.node.name.partition("[")[0].replace("_", "-")
    return f"{bench.host}/org/{name}"


def push(bench: Bench, reference: str) -> str:
    """Push with the registry's login."""
    return bench.engine.push(reference, auth=bench.login, on_progress=lambda _: None)


def names_of(engine: ports.Engine, image_id: str) -> set[str]:
    """Return the names of an image, if it is here."""
    image = engine.image(image_id)
    return set(image.references) if image else set()


class Listener:
    """Reads an event stream in a thread, as the daemon does."""

    def __init__(self, engine: ports.Engine) -> None:
        self.heard: set[tuple[str, str]] = set()
        self.stream = engine.events()
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def _listen(self) -> None:
        for raw in self.stream:
            event = events.parse(raw)
            assert event is not None
            self.heard.add((event.type, event.action))

    def has_ended(self) -> bool:
        """Tell whether the stream is over."""
        return not self.thread.is_alive()

    def close(self) -> None:
        """End the stream from this thread."""
        self.stream.close()
        self.thread.join(120)
        assert self.has_ended()


def test_it_answers(bench: Bench) -> None:
    """A running Engine answers a ping and says what it is."""
    bench.engine.ping()

    facts = bench.engine.facts()

    assert facts.version
    assert facts.image_store in {"classic", "containerd"}
    assert facts.root_dir.startswith("/")


def test_images_are_listed_once(bench: Bench) -> None:
    """An image with two names is one entry with both, and its labels."""
    image_id = bench.make_image("org/web:1", b"one", app="web")
    bench.engine.tag(image_id, "registry.test:5000/org/web:1")

    (listed,) = bench.engine.images()

    assert listed.image_id == image_id
    assert set(listed.references) == {"org/web:1", "registry.test:5000/org/web:1"}
    assert dict(listed.labels) == {APP_LABEL: "web"}


def test_images_are_found_by_any_name(bench: Bench) -> None:
    """An image is found by its names, typed short or in full, and by its ID."""
    image_id = bench.make_image("web:latest", b"one")
    names = ["web", "web:latest", "docker.io/library/web:latest", image_id]

    found = [bench.engine.image(name) for name in names]

    assert {image.image_id for image in found if image} == {image_id}
    assert None not in found


def test_an_absent_image_is_none(bench: Bench) -> None:
    """Asking for an image that is not here is not an error."""
    names = ["org/none:1", f"sha256:{'0' * 64}", f"org/none@sha256:{'0' * 64}"]

    assert [bench.engine.image(name) for name in names] == [None] * 3


def test_tag_moves_a_name(bench: Bench) -> None:
    """A name that exists goes over to the image it is given to."""
    old = bench.make_image("org/web:latest", b"old")
    bench.engine.tag(old, "org/web:1")
    new = bench.make_image("org/web:2", b"new")

    bench.engine.tag(new, "org/web:latest")

    assert names_of(bench.engine, old) == {"org/web:1"}
    assert names_of(bench.engine, new) == {"org/web:2", "org/web:latest"}


def test_an_image_that_lost_its_name(bench: Bench) -> None:
    """What has no name any more is found by its app, where the Engine keeps it."""
    bench.make_image("dokku/api:latest", b"other", app="api")
    made = [
        bench.make_image("dokku/web:latest", content, app="web")
        for content in (b"first", b"second", b"third")
    ]

    listed = bench.engine.images_of("web")

    found = {image.image_id: image.references for image in listed}
    named = {made[2]: ("dokku/web:latest",)}
    # Containerd's store of Engine 26.1 keeps nothing that has no name.
    assert found in (named, named | {made[0]: (), made[1]: ()})


def test_an_image_tells_when_it_was_made(bench: Bench) -> None:
    """Of two images that were made in the same second the later one is known."""
    first, second = (
        bench.make_image(f"dokku/web:{number}", b"%d" % number) for number in (1, 2)
    )

    earlier, later = bench.engine.image(first), bench.engine.image(second)

    assert earlier is not None
    assert later is not None
    assert earlier.created < later.created


def test_tag_wants_an_image(bench: Bench) -> None:
    """An image that is not here gets no name."""
    with pytest.raises(errors.ImageNotFoundError, match="org/web:1"):
        bench.engine.tag(f"sha256:{'0' * 64}", "org/web:1")


def test_untag_leaves_other_names(bench: Bench) -> None:
    """Taking one of two names leaves the image and the other one."""
    image_id = bench.make_image("org/web:1", b"one")
    bench.engine.tag(image_id, "org/web:2")

    assert bench.engine.untag("org/web:1")

    assert names_of(bench.engine, image_id) == {"org/web:2"}


def test_untag_of_the_last_name(bench: Bench) -> None:
    """With its last name goes the image."""
    image_id = bench.make_image("org/web:1", b"one")

    assert bench.engine.untag("org/web:1")

    assert bench.engine.image(image_id) is None


def test_untag_of_an_absent_name(bench: Bench) -> None:
    """A name that is not there is not taken."""
    assert not bench.engine.untag("org/none:1")


def test_untag_of_a_needed_name(bench: Bench) -> None:
    """The last name of an image that a container uses stays."""
    image_id = bench.make_image("org/web:1", b"one")
    bench.make_container("org/web:1")

    assert not bench.engine.untag("org/web:1")

    assert names_of(bench.engine, image_id) == {"org/web:1"}


def test_untag_of_a_spare_name(bench: Bench) -> None:
    """A container keeps its image, not each of the image's names."""
    image_id = bench.make_image("org/web:1", b"one")
    bench.engine.tag(image_id, "org/web:2")
    bench.make_container("org/web:1")

    assert bench.engine.untag("org/web:2")

    assert names_of(bench.engine, image_id) == {"org/web:1"}


def test_untag_never_deletes_by_id(bench: Bench) -> None:
    """An image ID is refused, since untagging one would delete the image."""
    image_id = bench.make_image("org/web:1", b"one")

    with pytest.raises(errors.InvalidReferenceError):
        bench.engine.untag(image_id)

    assert names_of(bench.engine, image_id) == {"org/web:1"}


def test_containers(bench: Bench) -> None:
    """A container that never ran is listed with its image and its app."""
    image_id = bench.make_image("org/web:1", b"one")
    container_id = bench.make_container("org/web:1", app="web")

    [found] = bench.engine.containers()

    assert found == LocalContainer(
        image_id=image_id,
        image="org/web:1",
        app="web",
        is_running=False,
        container_id=container_id,
        name=found.name,
    )


def test_push_returns_the_registrys_digest(bench: Bench, remote: str) -> None:
    """What a push returns is what the registry knows the tag as."""
    bench.make_image(f"{remote}:1", b"pushed")
    shown: list[str] = []

    digest = bench.engine.push(
        f"{remote}:1", auth=bench.login, on_progress=shown.append
    )

    assert digest == bench.remote_digest(f"{remote}:1")
    assert digest in " ".join(shown)


def test_push_twice(bench: Bench, remote: str) -> None:
    """Pushing what is there already succeeds with the same digest."""
    bench.make_image(f"{remote}:1", b"pushed")

    assert push(bench, f"{remote}:1") == push(bench, f"{remote}:1")


@pytest.mark.parametrize("login", ["wrong password", "anonymous"])
def test_push_without_the_right_login(bench: Bench, remote: str, login: str) -> None:
    """A refusal inside the stream is an error, and nothing is pushed."""
    bench.make_image(f"{remote}:1", b"refused")
    wrong = AuthConfig(domain=bench.host, username="ci", password=Secret("wrong-one"))
    auth = wrong if login == "wrong password" else None

    with pytest.raises(errors.AuthenticationError) as caught:
        bench.engine.push(f"{remote}:1", auth=auth, on_progress=lambda _: None)

    assert bench.remote_digest(f"{remote}:1") is None
    assert "wrong-one" not in str(caught.value)


def test_push_of_an_absent_image(bench: Bench, remote: str) -> None:
    """An image that is not here cannot be pushed."""
    bench.make_image(f"{remote}:1", b"another")

    with pytest.raises(errors.ImageNotFoundError):
        push(bench, f"{remote}:2")


def test_push_without_a_listener(bench: Bench) -> None:
    """A registry that does not answer is a transient failure."""
    with bench.dead_registry() as host:
        bench.make_image(f"{host}/org/web:1", b"one")

        with pytest.raises(errors.RegistryUnavailableError):
            push(bench, f"{host}/org/web:1")


def test_pull_by_digest(bench: Bench, remote: str) -> None:
    """What was pushed and lost comes back by its digest, the same image."""
    image_id = bench.make_image(f"{remote}:1", b"comes back")
    digest = push(bench, f"{remote}:1")
    bench.engine.untag(f"{remote}:1")
    assert bench.engine.image(image_id) is None

    image = bench.engine.pull(f"{remote}@{digest}", auth=bench.login)

    assert image.image_id == image_id
    assert image.repo_digests == (f"{remote}@{digest}",)
    assert bench.engine.images() == []


def test_pulled_digest_takes_a_name(bench: Bench, remote: str) -> None:
    """An image that came by its digest has no name until it gets one."""
    image_id = bench.make_image(f"{remote}:1", b"renamed")
    digest = push(bench, f"{remote}:1")
    bench.engine.untag(f"{remote}:1")
    image = bench.engine.pull(f"{remote}@{digest}", auth=bench.login)

    bench.engine.tag(image.image_id, f"{remote}:1")

    assert names_of(bench.engine, image_id) == {f"{remote}:1"}


def test_pull_by_tag(bench: Bench, remote: str) -> None:
    """A pulled tag is a name of what came."""
    image_id = bench.make_image(f"{remote}:1", b"by tag")
    push(bench, f"{remote}:1")
    bench.engine.untag(f"{remote}:1")

    image = bench.engine.pull(f"{remote}:1", auth=bench.login)

    assert (image.image_id, image.references) == (image_id, (f"{remote}:1",))


def test_a_moved_tag_is_pulled_by_digest(bench: Bench, remote: str) -> None:
    """A digest brings the image it meant, wherever the tag points since."""
    old = bench.make_image(f"{remote}:1", b"old")
    digest = push(bench, f"{remote}:1")
    bench.engine.untag(f"{remote}:1")
    bench.make_image(f"{remote}:1", b"new")
    push(bench, f"{remote}:1")

    assert bench.engine.pull(f"{remote}@{digest}", auth=bench.login).image_id == old


def test_pull_moves_a_local_name(bench: Bench, remote: str) -> None:
    """Pulling a tag replaces what had that name here."""
    image_id = bench.make_image(f"{remote}:1", b"theirs")
    push(bench, f"{remote}:1")
    bench.engine.untag(f"{remote}:1")
    bench.make_image(f"{remote}:1", b"ours")

    assert bench.engine.pull(f"{remote}:1", auth=bench.login).image_id == image_id


@pytest.mark.parametrize(
    "suffix", [":77", f"@sha256:{'0' * 64}"], ids=["tag", "digest"]
)
def test_pull_of_what_is_not_there(bench: Bench, remote: str, suffix: str) -> None:
    """A manifest that the registry does not have cannot be pulled."""
    bench.make_image(f"{remote}:1", b"another")
    push(bench, f"{remote}:1")

    with pytest.raises(errors.ImageNotFoundError):
        bench.engine.pull(f"{remote}{suffix}", auth=bench.login)


def test_pull_without_a_login(bench: Bench, remote: str) -> None:
    """Anonymous access opens no private repository."""
    bench.make_image(f"{remote}:1", b"private")
    push(bench, f"{remote}:1")

    with pytest.raises(errors.AuthenticationError):
        bench.engine.pull(f"{remote}:1", auth=None)


def test_events_arrive(bench: Bench) -> None:
    """Names that come and go, and containers that go, are heard of."""
    listener = Listener(bench.engine)

    image_id = bench.make_image("org/web:1", b"one")
    bench.engine.tag(image_id, "org/web:2")
    bench.remove_container(bench.make_container("org/web:1"))
    bench.engine.untag("org/web:2")
    bench.engine.untag("org/web:1")

    wanted = {("image", "tag"), ("image", "untag"), ("image", "delete")}
    wanted.add(("container", "destroy"))
    until(lambda: wanted <= listener.heard, what=f"events {wanted}")
    listener.close()


def test_a_stream_can_be_closed_twice(bench: Bench) -> None:
    """A stream ends when another thread closes it, once or twice."""
    listener = Listener(bench.engine)

    listener.close()
    listener.close()


def test_a_restart_ends_the_stream(bench: Bench) -> None:
    """An Engine that restarts ends the stream without an error, and answers again."""
    listener = Listener(bench.engine)
    image_id = bench.make_image("org/web:1", b"one")

    bench.restart()

    until(listener.has_ended, what="the end of the stream")
    bench.engine.ping()
    assert names_of(bench.engine, image_id) == {"org/web:1"}
    listener.close()
