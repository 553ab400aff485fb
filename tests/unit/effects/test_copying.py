"""Copies of images from one repository to another, and what may go wrong with one."""

import json
from collections.abc import Callable

import pytest

from dokku_registryd import errors
from dokku_registryd.core.auth.logins import AuthConfig, Secret
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry import backoff
from dokku_registryd.effects.registry import copying
from fakes_relay import remember
from support import seeding
from worlds import Host

SOURCE = "r.example/org/web"
NEAR = "r.example/org/shop"
FAR = "backup.example/org/web"


def image_of(content: str, *layers: bytes) -> images.Manifest:
    """Return the manifest of an image with these layers."""
    config = json.dumps({"author": content}).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": seeding.OCI,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": remember(config),
            "size": len(config),
        },
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": remember(layer),
                "size": len(layer),
            }
            for layer in layers
        ],
    }
    return images.Manifest(
        media_type=seeding.OCI, body=json.dumps(document, indent=3).encode()
    )


def index_of(*children: images.Manifest) -> images.Manifest:
    """Return an index of images, whose last one is an attestation."""
    entries = [
        {"mediaType": child.media_type, "digest": child.digest, "size": len(child.body)}
        for child in children
    ]
    kind = "vnd.docker.reference.type"
    entries[-1]["annotations"] = {kind: "attestation-manifest"}
    document = {"schemaVersion": 2, "mediaType": seeding.INDEX, "manifests": entries}
    return images.Manifest(
        media_type=seeding.INDEX, body=json.dumps(document, indent=1).encode()
    )


IMAGE = image_of("one", b"first layer", b"second layer")
BLOBS = 3
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


def copy(
    host: Host,
    target: str,
    manifest: images.Manifest = IMAGE,
    *,
    parallel: int = 1,
    give_way: Callable[[], None] = lambda: None,
) -> copying.Copied:
    """Copy an image from the app's repository to another one."""
    source, other = (reference.parse(f"{name}:1") for name in (SOURCE, target))
    return copying.copy(
        manifest.digest,
        copying.place_of(
            source, "web", host.context, backoff.Direction.PULL, check=give_way
        ),
        copying.place_of(
            other, "web", host.context, backoff.Direction.PUSH, check=give_way
        ),
        host.context,
        parallel=parallel,
        give_way=give_way,
    )


def blobs(host: Host, repository: str) -> dict[str, bytes]:
    """Return the blobs of a repository."""
    return {
        digest: body
        for (owner, digest), body in host.registry.blobs.items()
        if owner == repository
    }


def calls(host: Host, *methods: str) -> list[tuple[str, str]]:
    """Return the calls of some methods, in order."""
    return [call for call in host.registry.calls if call[0] in methods]


@pytest.fixture
def seeded(host: Host) -> Host:
    """Give a host whose registry has the image."""
    host.registry.store(f"{SOURCE}:1", IMAGE)
    return host


@pytest.mark.parametrize("parallel", [1, 3])
def test_to_another_registry(seeded: Host, parallel: int) -> None:
    """All blobs and the unchanged manifest arrive, with no tag and no Engine."""
    copied = copy(seeded, FAR, parallel=parallel)

    assert blobs(seeded, FAR) == blobs(seeded, SOURCE)
    assert seeded.registry.content[FAR] == {IMAGE}
    assert seeded.tags(FAR) == {}
    assert (copied.blobs, copied.mounted) == (BLOBS, 0)
    assert copied.sent_bytes == sum(map(len, blobs(seeded, FAR).values()))
    assert seeded.engine.asked == []


def test_within_one_registry(seeded: Host) -> None:
    """Blobs are mounted, so no byte is sent."""
    copied = copy(seeded, NEAR)

    assert blobs(seeded, NEAR) == blobs(seeded, SOURCE)
    assert (copied.blobs, copied.mounted, copied.sent_bytes) == (BLOBS, BLOBS, 0)
    assert calls(seeded, "open_blob", "send_blob", "blob_size") == []


def test_a_mount_that_begins_an_upload(seeded: Host) -> None:
    """A registry that does not mount gets the bytes in the upload that it began."""
    seeded.registry.mounts = False

    copied = copy(seeded, NEAR)

    assert blobs(seeded, NEAR) == blobs(seeded, SOURCE)
    assert (copied.blobs, copied.mounted) == (BLOBS, 0)


def test_a_mount_that_is_refused(seeded: Host) -> None:
    """It is tried once, and the blobs are sent."""
    refusal = errors.AccessDeniedError("denied", status=403)
    seeded.registry.fail("mount_blob", refusal)

    copied = copy(seeded, NEAR)

    assert blobs(seeded, NEAR) == blobs(seeded, SOURCE)
    assert copied.mounted == 0
    assert len(calls(seeded, "mount_blob")) == 1


def test_another_login_does_not_mount(seeded: Host) -> None:
    """The login of the target may not read the source, so nothing is mounted."""
    login = AuthConfig(domain="r.example", username="ci", password=Secret("planted"))
    seeded.credentials.logins["web", "r.example"] = login
    source, other = (reference.parse(f"{name}:1") for name in (SOURCE, NEAR))

    copying.copy(
        IMAGE.digest,
        copying.place_of(
            source, "web", seeded.context, backoff.Direction.PULL, check=int
        ),
        copying.place_of(
            other, "shop", seeded.context, backoff.Direction.PUSH, check=int
        ),
        seeded.context,
    )

    assert blobs(seeded, NEAR) == blobs(seeded, SOURCE)
    assert calls(seeded, "mount_blob") == []


def test_an_index_comes_with_all_that_it_names(seeded: Host) -> None:
    """Images for all platforms and attestations are put before the index."""
    children = [image_of("amd64", b"a"), image_of("arm64", b"b"), image_of("proof")]
    index = index_of(*children)
    for manifest in (*children, index):
        seeded.registry.store(f"{SOURCE}:2", manifest)

    copy(seeded, FAR, index)

    assert seeded.registry.content[FAR] == {*children, index}
    assert blobs(seeded, FAR).keys() >= {remember(b"a"), remember(b"b")}
    put = [name.partition("@")[2] for _, name in calls(seeded, "put_manifest")]
    assert put == [manifest.digest for manifest in (*children, index)]


def test_a_sparse_index(seeded: Host) -> None:
    """What the source does not have is left out."""
    here, gone = image_of("amd64", b"a"), image_of("arm64", b"b")
    index = index_of(gone, here)
    for manifest in (here, index):
        seeded.registry.store(f"{SOURCE}:2", manifest)

    copy(seeded, FAR, index)

    assert seeded.registry.content[FAR] == {here, index}


def test_a_second_copy_asks_once(seeded: Host) -> None:
    """What the target has is not copied again."""
    copy(seeded, FAR)
    seeded.registry.calls.clear()

    copied = copy(seeded, FAR)

    assert copied == copying.Copied(digest=IMAGE.digest)
    assert seeded.registry.calls == [("digest", f"{FAR}@{IMAGE.digest}")]


def test_a_copy_that_died_goes_on(seeded: Host) -> None:
    """After a death at any step the next copy sends only what lacks."""
    steps = left = 0

    class DiedError(Exception):
        pass

    def die() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise DiedError

    while True:
        left = steps
        try:
            copy(seeded, FAR, give_way=die)
            break
        except DiedError:
            steps += 1
            sent = blobs(seeded, FAR)
            is_there = IMAGE in seeded.registry.content.get(FAR, set())
            assert not is_there or len(sent) == BLOBS
    assert steps > BLOBS
    assert blobs(seeded, FAR) == blobs(seeded, SOURCE)


def test_a_source_with_other_bytes(seeded: Host) -> None:
    """Content with another digest never arrives."""
    digest = remember(b"first layer")
    seeded.registry.blobs[SOURCE, digest] = b"other layer"

    with pytest.raises(errors.DigestMismatchError, match="changes the content"):
        copy(seeded, FAR)

    assert digest not in blobs(seeded, FAR)
    assert seeded.registry.content.get(FAR) is None


def test_a_source_with_too_few_bytes(seeded: Host) -> None:
    """A blob that ends early is asked for again, and is then an error."""
    digest = remember(b"first layer")
    seeded.registry.blobs[SOURCE, digest] = b"first"

    with pytest.raises(errors.RegistryUnavailableError, match="only 5 of 11 bytes"):
        copy(seeded, FAR)


def test_a_source_that_breaks(seeded: Host) -> None:
    """A download that breaks goes on; the upload does not notice."""
    broken = errors.RegistryUnavailableError("r.example disconnects")
    seeded.registry.fail("open_blob", broken, broken)

    copy(seeded, FAR)

    assert blobs(seeded, FAR) == blobs(seeded, SOURCE)


@pytest.mark.parametrize(
    "error",
    [
        errors.RateLimitedError("429", retry_after=60.0),
        errors.AccessDeniedError("denied", status=403),
        errors.RegistryBusyError("503", retry_after=60.0),
    ],
)
def test_a_source_that_refuses(seeded: Host, error: errors.RegistrydError) -> None:
    """The refusal of the source is not taken for one of the target."""
    seeded.registry.fail("open_blob", error)

    with pytest.raises(type(error)):
        copy(seeded, FAR)

    paused = [pause.domain for pause in seeded.ledger.paused_registries()]
    assert set(paused) <= {"r.example"}


def test_a_target_that_is_away(seeded: Host) -> None:
    """Nothing is read from the source for it."""
    seeded.registry.down.add("backup.example")

    with pytest.raises(errors.RegistryUnavailableError):
        copy(seeded, FAR)

    assert [name for _, name in seeded.registry.calls] == [f"{FAR}@{IMAGE.digest}"]


def test_a_source_that_lacks_it(seeded: Host) -> None:
    """An image that the registry has lost is named."""
    other = image_of("other")

    with pytest.raises(errors.ImageNotFoundError, match="no longer has it"):
        copy(seeded, FAR, other)


def test_a_manifest_that_is_none(seeded: Host) -> None:
    """A malformed manifest is refused before anything is sent."""
    broken = images.Manifest(media_type=seeding.OCI, body=b'{"config": 3}')
    seeded.registry.content[SOURCE].add(broken)

    with pytest.raises(errors.PermanentError, match="names no config"):
        copy(seeded, FAR, broken)

    assert calls(seeded, "send_blob", "put_manifest") == []


def test_layers_that_are_elsewhere(seeded: Host) -> None:
    """A layer that its publisher serves is not copied, as it is not pushed."""
    config = b"{}"
    document = {
        "schemaVersion": 2,
        "config": {"digest": remember(config), "size": 2},
        "layers": [
            {
                "mediaType": FOREIGN,
                "digest": f"sha256:{'f' * 64}",
                "size": 1 << 40,
                "urls": ["https://elsewhere.example/layer"],
            }
        ],
    }
    foreign = images.Manifest(
        media_type=seeding.SCHEMA2, body=json.dumps(document).encode()
    )
    seeded.registry.store(f"{SOURCE}:3", foreign)

    copied = copy(seeded, FAR, foreign)

    assert copied.blobs == 1
    assert foreign in seeded.registry.content[FAR]
