"""What `ports.Registry` promises, of the fake, of memory and of real registries.

The fake stands in for a registry in most tests, so it must answer as they do.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dokku_registryd import errors, ports
from dokku_registryd.adapters.registry.client import RegistryClient
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry import referrers
from dokku_registryd.core.release import repository_needs
from fakes_registry import FakeRegistry
from support import seeding
from support.memory_registry import MemoryRegistry
from support.registries import IDENTITY_TOKEN, RegistryServer
from support.streams import streamed

PASSWORD = "registry-test-password"
ABSENT = "sha256:" + "0" * 64


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A registry under test, with a login that it takes."""

    registry: ports.Registry
    domain: str
    auth: AuthConfig
    prepare: Callable[[str, str], None]
    """Uploads to a repository what the manifest of a content refers to."""
    identity: AuthConfig | None = None
    takes_tags: bool = False
    """Whether it takes several tags in one request."""
    lists_referrers: bool = False
    """Whether it has the referrers API."""

    def image(self, tag: str = "1") -> reference.ImageReference:
        """Return a tag of an unused repository."""
        return reference.parse(f"{self.domain}/contract/{uuid.uuid4().hex[:12]}:{tag}")

    def manifest(
        self, image: reference.ImageReference, content: str = "one"
    ) -> images.Manifest:
        """Return a manifest that may be put into the repository of `image`."""
        self.prepare(image.path, content)
        return seeding.build_manifest(content)

    def store(
        self, image: reference.ImageReference, content: str = "one"
    ) -> images.Manifest:
        """Put an image under a tag."""
        manifest = self.manifest(image, content)
        self.registry.put_manifest(image, manifest, auth=self.auth)
        return manifest


def login(domain: str, password: str = PASSWORD) -> AuthConfig:
    """Return the login that the registries of the tests take."""
    return AuthConfig(domain=domain, username="ci", password=Secret(password))


def facts() -> images.EngineFacts:
    """Return what an Engine without settings says."""
    return images.EngineFacts(version="20.10.24", image_store="classic")


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RegistryClient]:
    """Give the adapter."""
    registry = RegistryClient(facts=facts, certs_dir=tmp_path, read_timeout=10)
    yield registry
    registry.close()


def on_fake() -> Bench:
    """Build a bench on the fake."""
    domain = "registry.example:5000"
    return Bench(
        registry=FakeRegistry(logins={domain: login(domain)}, takes_tags=True),
        domain=domain,
        auth=login(domain),
        prepare=lambda _path, _content: None,
        takes_tags=True,
        lists_referrers=True,
    )


def on_memory(server: MemoryRegistry, registry: RegistryClient) -> Bench:
    """Build a bench on the registry in memory."""
    return Bench(
        registry=registry,
        domain=server.host,
        auth=login(server.host),
        prepare=lambda _path, _content: None,
        takes_tags=server.most_tags > 0,
        lists_referrers=server.lists_referrers,
    )


def on_server(server: RegistryServer, registry: RegistryClient) -> Bench:
    """Build a bench on a real registry."""
    token = AuthConfig(domain=server.host, identity_token=Secret(IDENTITY_TOKEN))
    return Bench(
        registry=registry,
        domain=server.host,
        auth=login(server.host),
        prepare=lambda path, content: seeding.upload_config(server, path, content),
        identity=token if server.tokens else None,
    )


@pytest.fixture(
    params=["fake", "memory-basic", "memory-bearer", "htpasswd", "token"],
)
def bench(request: pytest.FixtureRequest, real: RegistryClient) -> Iterator[Bench]:
    """Give each registry in turn."""
    match request.param.split("-"):
        case ["fake"]:
            yield on_fake()
        case ["memory", way]:
            with MemoryRegistry(way, users={"ci": PASSWORD}) as memory:
                # One of them, as real registries of today ignore the parameter.
                memory.most_tags = 10 if way == "bearer" else 0
                memory.lists_referrers = way == "bearer"
                yield on_memory(memory, real)
        case [way]:
            server: RegistryServer = request.getfixturevalue(f"{way}_registry")
            yield on_server(server, real)


def test_the_time(bench: Bench) -> None:
    """The date of an answer tells how far our clock is from the registry's."""
    bench.registry.digest(bench.image(), auth=bench.auth)

    ahead = bench.registry.clock_ahead(bench.domain)

    assert ahead is not None
    assert abs(ahead) < repository_needs.CLOCK_SECONDS


def test_a_good_login_is_taken(bench: Bench) -> None:
    """A ping with the right password returns."""
    bench.registry.ping(bench.domain, auth=bench.auth)


def test_it_is_asked_whether_it_answers(bench: Bench) -> None:
    """A registry answers without a login, even if it would refuse that."""
    bench.registry.reach(bench.domain)


def test_a_wrong_password_is_refused(bench: Bench) -> None:
    """A ping with a wrong password is an authentication error that hides it."""
    wrong = login(bench.domain, "not-the-password")

    with pytest.raises(errors.AuthenticationError) as caught:
        bench.registry.ping(bench.domain, auth=wrong)

    assert "not-the-password" not in str(caught.value)


def test_no_access_without_a_login(bench: Bench) -> None:
    """Reading anonymously where a login is needed is refused, and not as absence."""
    with pytest.raises((errors.AuthenticationError, errors.AccessDeniedError)):
        bench.registry.digest(bench.image(), auth=None)


def test_an_unknown_repository_has_nothing(bench: Bench) -> None:
    """Of a repository that was never pushed to there is no digest and no tag."""
    image = bench.image()

    assert bench.registry.digest(image, auth=bench.auth) is None
    assert bench.registry.manifest(image, auth=bench.auth) is None
    assert bench.registry.tags(image, auth=bench.auth) == []


def test_bytes_come_back_untouched(bench: Bench) -> None:
    """A manifest is given back byte for byte, by tag and by digest."""
    image = bench.image()
    manifest = bench.store(image)

    by_tag = bench.registry.manifest(image, auth=bench.auth)
    by_digest = bench.registry.manifest(
        image.with_digest(manifest.digest), auth=bench.auth
    )

    assert by_tag == by_digest == manifest


def test_put_states_the_digest(bench: Bench) -> None:
    """What a put returns, what a tag answers and what the bytes hash to agree."""
    image = bench.image()
    manifest = bench.manifest(image)

    stated = bench.registry.put_manifest(image, manifest, auth=bench.auth)

    assert stated == manifest.digest
    assert bench.registry.digest(image, auth=bench.auth) == manifest.digest


@pytest.mark.parametrize("kind", [seeding.OCI, seeding.LIST, seeding.INDEX])
def test_each_kind_keeps_its_media_type(bench: Bench, kind: str) -> None:
    """OCI manifests and both kinds of index keep type, bytes and digest."""
    image = bench.image()
    part = bench.store(image.with_tag("part"))
    manifest = seeding.build_manifest("one", kind, part)

    bench.registry.put_manifest(image, manifest, auth=bench.auth)

    assert bench.registry.manifest(image, auth=bench.auth) == manifest
    assert bench.registry.digest(image, auth=bench.auth) == manifest.digest


def test_a_tag_moves(bench: Bench) -> None:
    """A second put moves the tag, and the first manifest stays under its digest."""
    image = bench.image("latest")
    first = bench.store(image, "first")
    second = bench.store(image, "second")

    assert bench.registry.digest(image, auth=bench.auth) == second.digest
    assert (
        bench.registry.manifest(image.with_digest(first.digest), auth=bench.auth)
        == first
    )


def test_one_manifest_gets_many_tags(bench: Bench) -> None:
    """Naming known content under more tags needs nothing but its manifest."""
    image = bench.image("1")
    manifest = bench.store(image)

    for tag in ("latest", "v2", "production"):
        bench.registry.put_manifest(image.with_tag(tag), manifest, auth=bench.auth)

    found = bench.registry.tags(image, auth=bench.auth)
    assert sorted(found) == ["1", "latest", "production", "v2"]


def test_several_tags_at_once(bench: Bench) -> None:
    """What is accepted has moved, and what is not accepted has not."""
    image = bench.image("1")
    manifest = bench.store(image)
    tags = ("latest", "v2", "production")

    accepted = bench.registry.put_tags(image, manifest, tags, auth=bench.auth)

    assert accepted == (set(tags) if bench.takes_tags else set())
    assert set(bench.registry.tags(image, auth=bench.auth)) == {"1", *accepted}
    for tag in accepted:
        named = image.with_tag(tag)
        assert bench.registry.manifest(named, auth=bench.auth) == manifest


def test_what_belongs_to_a_manifest(bench: Bench) -> None:
    """An artifact is listed with its subject, by the API or by its client."""
    kind, notes = "application/vnd.example.note.v1", {"org.example.note": "one"}
    image = bench.image("1")
    subject = bench.store(image)
    bench.registry.put_blob(
        image, referrers.EMPTY_DIGEST, referrers.EMPTY, auth=bench.auth
    )
    artifact = referrers.artifact(subject, kind, notes)

    is_listed = bench.registry.put_referrer(image, artifact, auth=bench.auth)

    assert is_listed is bench.lists_referrers
    place = image.with_digest(subject.digest)
    entry = referrers.descriptor_of(artifact, kind, notes)
    listed = bench.registry.referrers(place, kind, auth=bench.auth)
    assert listed == ([entry] if bench.lists_referrers else None)
    stored = image.with_digest(artifact.digest)
    assert bench.registry.manifest(stored, auth=bench.auth) == artifact
    # The tag of the list is one that the registry takes.
    index = referrers.with_entry(None, entry)
    assert index is not None
    tagged = image.with_tag(referrers.tag_of(subject.digest))
    bench.registry.put_manifest(tagged, index, auth=bench.auth)
    assert bench.registry.manifest(tagged, auth=bench.auth) == index


def test_an_unknown_digest_is_absent(bench: Bench) -> None:
    """A digest that the repository lacks is absence, not an error."""
    image = bench.image()
    bench.store(image)

    assert bench.registry.manifest(image.with_digest(ABSENT), auth=bench.auth) is None
    assert bench.registry.digest(image.with_digest(ABSENT), auth=bench.auth) is None


def test_deleting_a_digest_takes_its_tags(bench: Bench) -> None:
    """A deleted digest takes every tag that named it; the rest stays."""
    image = bench.image("1")
    gone = bench.store(image, "gone")
    bench.registry.put_manifest(image.with_tag("also"), gone, auth=bench.auth)
    bench.store(image.with_tag("2"), "kept")

    bench.registry.delete(image.with_digest(gone.digest), auth=bench.auth)

    assert bench.registry.tags(image, auth=bench.auth) == ["2"]
    assert bench.registry.digest(image, auth=bench.auth) is None


def test_deleting_twice_is_harmless(bench: Bench) -> None:
    """Deleting what is gone already is fine."""
    image = bench.image("1")
    gone = bench.store(image, "gone").digest

    bench.registry.delete(image.with_digest(gone), auth=bench.auth)
    bench.registry.delete(image.with_digest(gone), auth=bench.auth)

    assert bench.registry.tags(image, auth=bench.auth) == []


def test_a_tag_cannot_be_deleted(bench: Bench) -> None:
    """A reference without a digest is refused before anything is deleted."""
    image = bench.image("1")
    bench.store(image)

    with pytest.raises(errors.InvalidRequestError, match="digest"):
        bench.registry.delete(image, auth=bench.auth)

    assert bench.registry.tags(image, auth=bench.auth) == ["1"]


def test_a_tag_is_removed_or_the_registry_says_why_not(bench: Bench) -> None:
    """Where it is not removed, it is still there, and by digest it goes."""
    image = bench.image("1")
    stored = bench.store(image, "gone")
    bench.store(image.with_tag("2"), "kept")

    said = bench.registry.remove(image, auth=bench.auth)

    is_there = bench.registry.digest(image, auth=bench.auth) is not None
    assert bool(said) is is_there
    target = image.with_digest(stored.digest)
    assert bench.registry.remove(target, auth=bench.auth) == ""
    assert bench.registry.remove(target, auth=bench.auth) == ""
    assert bench.registry.tags(image, auth=bench.auth) == ["2"]


def digest_of(content: bytes) -> str:
    """Return the digest of a blob."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def read(bench: Bench, image: reference.ImageReference, digest: str, at: int) -> bytes:
    """Return the bytes of a blob from an offset on."""
    stream = bench.registry.open_blob(image, digest, auth=bench.auth, offset=at)
    try:
        return b"".join(stream.pieces())
    finally:
        stream.close()


@pytest.mark.parametrize("offset", [0, 1, 250_000])
def test_a_blob_is_read_from_an_offset_on(bench: Bench, offset: int) -> None:
    """All of a blob comes back, or what follows its first bytes."""
    image = bench.image()
    content = b"layer" * 100_000
    bench.registry.put_blob(image, digest_of(content), content, auth=bench.auth)

    assert read(bench, image, digest_of(content), offset) == content[offset:]


def test_an_unknown_blob_is_not_found(bench: Bench) -> None:
    """A blob that the repository lacks is an error before the first byte."""
    with pytest.raises(errors.ImageNotFoundError):
        bench.registry.open_blob(bench.image(), ABSENT, auth=bench.auth)


def test_a_blob_is_sent_from_a_source(bench: Bench) -> None:
    """The bytes of a source of a known size become a blob."""
    image = bench.image()
    content = b"layer" * 100_000
    source = streamed([content])

    bench.registry.send_blob(
        image, digest_of(content), source, len(content), auth=bench.auth
    )

    assert read(bench, image, digest_of(content), 0) == content


def test_a_blob_is_mounted(bench: Bench) -> None:
    """A blob of another repository of the registry is there without an upload."""
    source, target = bench.image(), bench.image()
    content = b"layer" * 1000
    bench.registry.put_blob(source, digest_of(content), content, auth=bench.auth)

    begun = bench.registry.mount_blob(
        target, digest_of(content), source.path, auth=bench.auth
    )

    assert begun is None
    assert read(bench, target, digest_of(content), 0) == content


def test_an_upload_follows_a_mount_that_is_none(bench: Bench) -> None:
    """If the other repository lacks the blob, the upload that was begun goes on."""
    image = bench.image()
    content = b"layer" * 1000

    begun = bench.registry.mount_blob(
        image, digest_of(content), bench.image().path, auth=bench.auth
    )
    assert begun is not None
    bench.registry.put_blob(
        image, digest_of(content), content, auth=bench.auth, begun=begun
    )

    assert read(bench, image, digest_of(content), 0) == content


def test_a_blob_is_sent_and_seen(bench: Bench) -> None:
    """A blob that was sent is there with its size, and sending it again is fine."""
    image = bench.image()
    content = b"layer" * 100_000

    before = bench.registry.blob_size(image, digest_of(content), auth=bench.auth)
    bench.registry.put_blob(image, digest_of(content), content, auth=bench.auth)
    bench.registry.put_blob(image, digest_of(content), content, auth=bench.auth)

    after = bench.registry.blob_size(image, digest_of(content), auth=bench.auth)
    assert (before, after) == (None, len(content))


def test_a_blob_is_sent_in_an_upload_that_was_begun(bench: Bench) -> None:
    """It goes into that upload; one that was dropped meanwhile is begun again."""
    image = bench.image()
    first, second = b"one" * 1000, b"two" * 1000

    begun = bench.registry.begin_blob(image, auth=bench.auth)
    bench.registry.put_blob(
        image, digest_of(first), first, auth=bench.auth, begun=begun
    )
    dropped = bench.registry.begin_blob(image, auth=bench.auth)
    dropped.cancel()
    bench.registry.put_blob(
        image, digest_of(second), second, auth=bench.auth, begun=dropped
    )

    sizes = [
        bench.registry.blob_size(image, digest_of(content), auth=bench.auth)
        for content in (first, second)
    ]
    assert sizes == [3000, 3000]


def test_a_blob_is_streamed(bench: Bench) -> None:
    """A blob of unknown size is there once it is closed, and not before."""
    image = bench.image()
    pieces = [bytes([number]) * 70_000 for number in range(20)]
    digest = digest_of(b"".join(pieces))

    place = bench.registry.stream_blob(image, streamed(pieces), auth=bench.auth)
    before = bench.registry.blob_size(image, digest, auth=bench.auth)
    bench.registry.close_blob(image, place, digest, auth=bench.auth)

    after = bench.registry.blob_size(image, digest, auth=bench.auth)
    assert (before, after) == (None, 1_400_000)


def test_a_blob_is_there_or_not(bench: Bench) -> None:
    """What was sent is there, and what was never sent is not."""
    image = bench.image()
    content = b"layer" * 100_000
    digest = digest_of(content)

    before = bench.registry.has_blob(image, digest, auth=bench.auth)
    bench.registry.put_blob(image, digest, content, auth=bench.auth)

    after = bench.registry.has_blob(image, digest, auth=bench.auth)
    assert (before, after) == (False, True)
    other = digest_of(b"something else")
    assert not bench.registry.has_blob(image, other, auth=bench.auth)


def test_a_blob_with_another_digest_is_refused(bench: Bench) -> None:
    """Bytes that do not have the digest that they were sent with are not taken."""
    image = bench.image()
    digest = digest_of(b"what was meant")

    with pytest.raises(errors.InvalidRequestError, match="DIGEST_INVALID"):
        bench.registry.put_blob(image, digest, b"what came", auth=bench.auth)
    place = bench.registry.stream_blob(image, streamed([b"what came"]), auth=bench.auth)
    with pytest.raises(errors.InvalidRequestError, match="DIGEST_INVALID"):
        bench.registry.close_blob(image, place, digest, auth=bench.auth)

    assert bench.registry.blob_size(image, digest, auth=bench.auth) is None


def test_what_ends_the_pieces_ends_the_upload(bench: Bench) -> None:
    """A source of bytes that fails is what the caller hears of, in its own words."""

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise errors.EngineUnavailableError("the source is gone")

    with pytest.raises(errors.EngineUnavailableError, match="the source is gone"):
        bench.registry.stream_blob(bench.image(), streamed(broken()), auth=bench.auth)

    assert bench.registry.tags(bench.image(), auth=bench.auth) == []


def test_no_blob_with_a_wrong_login(bench: Bench) -> None:
    """A login that is refused sends nothing, whole or in pieces."""
    image, wrong = bench.image(), login(bench.domain, "not-the-password")

    with pytest.raises(errors.AuthenticationError):
        bench.registry.put_blob(image, digest_of(b"a"), b"a", auth=wrong)
    with pytest.raises(errors.AuthenticationError):
        bench.registry.stream_blob(image, streamed([b"a"]), auth=wrong)

    size = bench.registry.blob_size(image, digest_of(b"a"), auth=bench.auth)
    assert size is None


def test_an_identity_token_is_a_login(
    real: RegistryClient, token_registry: RegistryServer
) -> None:
    """A refresh token gets a token by the OAuth2 form, as Azure's logins need it."""
    bench = on_server(token_registry, real)
    image = bench.image()
    manifest = bench.store(image)
    identity = bench.identity

    assert identity is not None
    assert bench.registry.digest(image, auth=identity) == manifest.digest
    bench.registry.ping(bench.domain, auth=identity)


def test_a_missing_blob_is_named_as_such(
    real: RegistryClient, htpasswd_registry: RegistryServer
) -> None:
    """A manifest whose config is not in the repository is refused as not found."""
    bench = on_server(htpasswd_registry, real)
    manifest = seeding.build_manifest("never uploaded")

    with pytest.raises(errors.ImageNotFoundError, match="BLOB_UNKNOWN"):
        bench.registry.put_manifest(bench.image(), manifest, auth=bench.auth)


@pytest.mark.parametrize(
    ("kind", "requests"), [("htpasswd", 1), ("token", 1)], ids=["basic", "bearer"]
)
def test_a_known_login_costs_no_extra_request(
    request: pytest.FixtureRequest,
    real: RegistryClient,
    kind: str,
    requests: int,
) -> None:
    """After the first answer to a challenge each operation is one request."""
    server: RegistryServer = request.getfixturevalue(f"{kind}_registry")
    bench = on_server(server, real)
    image = bench.image()
    bench.store(image)
    bench.registry.digest(image, auth=bench.auth)
    before = len(server.requests(image.path))

    bench.registry.digest(image, auth=bench.auth)

    assert len(server.requests(image.path)) == before + requests


def test_a_restarted_registry_is_found_again(
    real: RegistryClient, htpasswd_registry: RegistryServer, tmp_path: Path
) -> None:
    """Connections that a restart cut are replaced without an error."""
    with RegistryServer(
        htpasswd_registry.binary,
        tmp_path / "registry",
        environment=htpasswd_registry._environment,
    ) as server:
        bench = on_server(server, real)
        image = bench.image()
        manifest = bench.store(image)
        server.stop()
        with pytest.raises(errors.RegistryUnavailableError):
            bench.registry.digest(image, auth=bench.auth)
        server.start()

        found = bench.registry.digest(image, auth=bench.auth)
        server.restart()
        again = bench.registry.digest(image, auth=bench.auth)

    assert found == again == manifest.digest
