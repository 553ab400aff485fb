"""What a look at an image in its registry finds, and what it asks for."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dokku_registryd import errors
from dokku_registryd.core.image import images, reference
from dokku_registryd.core.registry import allowances, backoff, pacing
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import Look, Number
from dokku_registryd.effects.registry import parts_look, registry_session
from worlds import REPOSITORY, Host

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
LAYER = f"sha256:{'1' * 64}"
CONFIG = f"sha256:{'c' * 64}"
IMAGE = images.Manifest(
    media_type=OCI_IMAGE,
    body=json.dumps(
        {"config": {"digest": CONFIG}, "layers": [{"digest": LAYER}]}
    ).encode(),
)
INDEX = images.Manifest(
    media_type=OCI_INDEX,
    body=json.dumps(
        {"manifests": [{"mediaType": OCI_IMAGE, "digest": IMAGE.digest}]}
    ).encode(),
)


def look(host: Host, digest: str = INDEX.digest, **more: Any) -> tuple[Look, str]:
    """Look for an image in the app's repository."""
    image = reference.parse(f"{REPOSITORY}:1")
    session = registry_session.RegistrySession(
        host.context,
        app="web",
        domain=image.domain,
        direction=backoff.Direction.PULL,
        check=registry_session.to_the_end,
    )
    reader = parts_look.reader_of(image, session, host.context)
    return parts_look.look(image, digest, reader, host.clock.monotonic, **more)


@pytest.fixture
def stored(host: Host) -> Host:
    """Give a host whose registry has an index of one image."""
    host.registry.store(f"{REPOSITORY}@{IMAGE.digest}", IMAGE)
    host.registry.store(f"{REPOSITORY}:1", INDEX)
    host.registry.calls.clear()
    return host


def test_a_look_at_a_whole_image(stored: Host) -> None:
    """Each manifest is read and each blob asked for, once."""
    found, reason = look(stored)

    assert found == Look(digest=INDEX.digest, parts=4)
    assert (found.is_complete, reason) == (True, "")
    assert [method for method, _ in stored.registry.calls] == [
        "manifest",
        "manifest",
        "has_blob",
        "has_blob",
    ]


def lose_blob(host: Host) -> None:
    """Let the registry lose a layer."""
    del host.registry.blobs[REPOSITORY, LAYER]


def lose_child(host: Host) -> None:
    """Let it lose an untagged manifest."""
    host.registry.content[REPOSITORY].discard(IMAGE)


def lose_root(host: Host) -> None:
    """Let it lose the image's own manifest."""
    host.registry.content[REPOSITORY].discard(INDEX)


@pytest.mark.parametrize(
    ("lose", "missing", "known"),
    [
        (lose_blob, f"layer {LAYER}", 4),
        (lose_child, f"manifest {IMAGE.digest}", 2),
        (lose_root, f"manifest {INDEX.digest}", 1),
    ],
    ids=["blob", "child", "root"],
)
def test_what_is_gone_is_named(
    stored: Host, lose: Callable[[Host], None], missing: str, known: int
) -> None:
    """A look says what the registry lacks."""
    lose(stored)

    found, reason = look(stored)

    assert (tuple(map(str, found.missing)), found.parts) == ((missing,), known)
    assert (found.unread, reason) == ("", "")


@pytest.mark.parametrize(
    ("error", "unread"),
    [
        (errors.RegistryUnavailableError("secret words"), "does not answer"),
        (errors.RegistryBusyError("secret words"), "fewer requests"),
        (errors.RateLimitedError("secret words"), "fewer requests"),
        (errors.AccessDeniedError("secret words"), "does not let this login"),
        (errors.AuthenticationError("secret words"), "does not let this login"),
        (errors.DigestMismatchError("secret words"), "does not return it"),
    ],
)
@pytest.mark.parametrize("method", ["manifest", "has_blob"])
def test_what_cannot_be_read(
    stored: Host, method: str, error: errors.RegistrydError, unread: str
) -> None:
    """It is neither there nor gone; the ledger gets none of the registry's words."""
    stored.registry.fail(method, *[error] * (len(pacing.WAITS) + 2))

    found, reason = look(stored)

    assert found.missing == ()
    assert unread in found.unread
    assert "secret words" not in found.unread
    assert reason == "secret words"


def test_what_was_found_before_it_failed_counts(stored: Host) -> None:
    """A part that is surely gone is gone, even if the rest cannot be read."""
    del stored.registry.blobs[REPOSITORY, CONFIG]
    stored.registry.fail("has_blob")
    asked: list[str] = []
    image = reference.parse(f"{REPOSITORY}:1")

    def has_blob(digest: str) -> bool:
        asked.append(digest)
        if len(asked) > 1:
            raise errors.RegistryUnavailableError("r.example is away")
        return False

    reader = parts_look.Reader(
        manifest=lambda target: stored.registry.manifest(target, auth=None),
        has_blob=has_blob,
    )
    found, _ = parts_look.look(image, INDEX.digest, reader, stored.clock.monotonic)

    assert [str(part) for part in found.missing] == [f"config {CONFIG}"]
    assert found.unread


def test_a_foreign_manifest_in_an_index(stored: Host) -> None:
    """One of an unknown kind is there; it is not followed."""
    stored.registry.fail("manifest", *[])
    reader = parts_look.Reader(
        manifest=lambda target: read_index_only(stored, target),
        has_blob=lambda _digest: True,
    )
    image = reference.parse(f"{REPOSITORY}:1")

    found, _ = parts_look.look(image, INDEX.digest, reader, stored.clock.monotonic)

    assert (found.is_complete, found.parts) == (True, 2)


def read_index_only(
    host: Host, target: reference.ImageReference
) -> images.Manifest | None:
    """Return the index; all else is of another kind."""
    if target.digest != INDEX.digest:
        raise errors.ForeignManifestError("it is an artifact")
    return host.registry.manifest(target, auth=None)


def test_malformed_manifests_are_unread(stored: Host) -> None:
    """A manifest that tells no parts leaves the release what it was."""
    odd = images.Manifest(media_type=OCI_IMAGE, body=b"[]")
    stored.registry.store(f"{REPOSITORY}:2", odd)

    found, reason = look(stored, odd.digest)

    assert (found.missing, found.unread) == ((), "a manifest is not an object")
    assert reason == found.unread


def test_a_look_ends_in_time(stored: Host) -> None:
    """A slow registry is not asked for more than a minute."""
    reader = parts_look.Reader(
        manifest=lambda target: slowly(stored, target), has_blob=lambda _digest: True
    )
    image = reference.parse(f"{REPOSITORY}:1")

    found, _ = parts_look.look(image, INDEX.digest, reader, stored.clock.monotonic)

    assert (found.missing, found.unread) == ((), "it took longer than 60 s")


def slowly(host: Host, target: reference.ImageReference) -> images.Manifest | None:
    """Return a manifest after more than half a minute."""
    host.clock.seconds += 40
    return host.registry.manifest(target, auth=None)


def test_a_look_gives_way(stored: Host) -> None:
    """It ends as soon as another job of the app is more urgent."""

    def give_way() -> None:
        raise errors.PreemptedError("web is being destroyed")

    reader = parts_look.Reader(
        manifest=lambda _target: None,
        has_blob=lambda _digest: True,
        give_way=give_way,
    )
    image = reference.parse(f"{REPOSITORY}:1")

    with pytest.raises(errors.PreemptedError):
        parts_look.look(image, INDEX.digest, reader, stored.clock.monotonic)


# -- what is read, and what is only asked for

AMD64, ARM64 = "linux/amd64", "linux/arm64"
OTHER_LAYER = f"sha256:{'2' * 64}"
OTHER = images.Manifest(
    media_type=OCI_IMAGE,
    body=json.dumps(
        {"config": {"digest": CONFIG}, "layers": [{"digest": OTHER_LAYER}]}
    ).encode(),
)


def entry(manifest: images.Manifest, platform: str) -> dict[str, object]:
    """Return what an index says of an image."""
    system, _, architecture = platform.partition("/")
    return {
        "mediaType": OCI_IMAGE,
        "digest": manifest.digest,
        "platform": {"os": system, "architecture": architecture},
    }


BOTH = images.Manifest(
    media_type=OCI_INDEX,
    body=json.dumps({"manifests": [entry(IMAGE, AMD64), entry(OTHER, ARM64)]}).encode(),
)


@pytest.fixture
def sparse(host: Host) -> Host:
    """Give a host whose registry has an index, and of its images the host's only."""
    host.engine.known_facts = replace(host.engine.known_facts, platform=AMD64)
    host.registry.store(f"{REPOSITORY}@{IMAGE.digest}", IMAGE)
    host.registry.store(f"{REPOSITORY}:1", BOTH)
    host.registry.calls.clear()
    return host


def names_of(found: Look) -> list[str]:
    """Return the digests of the parts that count."""
    return [name.partition(" ")[2] for name in found.tree]


def test_a_sparse_index(sparse: Host) -> None:
    """Images that no client pushed, for other platforms, are not missed."""
    found, reason = look(sparse, BOTH.digest)

    assert (found.is_complete, reason) == (True, "")
    assert names_of(found) == [BOTH.digest, IMAGE.digest, CONFIG, LAYER]


def test_a_sparse_index_without_layers(sparse: Host) -> None:
    """Nor are the layers of such an image, if its manifest is there."""
    sparse.registry.content[REPOSITORY].add(OTHER)

    found, _ = look(sparse, BOTH.digest)

    assert found.is_complete
    assert OTHER_LAYER not in names_of(found)
    assert OTHER.digest in names_of(found)


def test_a_sparse_index_without_this_platform(sparse: Host) -> None:
    """What this host pulls is missed."""
    sparse.registry.content[REPOSITORY] = {BOTH, OTHER}
    sparse.registry.blobs[REPOSITORY, OTHER_LAYER] = b""

    found, _ = look(sparse, BOTH.digest)

    assert [part.digest for part in found.missing] == [IMAGE.digest]


def test_an_engine_that_does_not_tell_its_platform(sparse: Host) -> None:
    """Nothing is known then, and nothing is said to be missing."""
    sparse.engine.fail("facts", errors.EngineUnavailableError("it is restarting"))

    found, _ = look(sparse, BOTH.digest)

    assert found.missing == ()
    assert found.unread == "the Docker Engine does not answer"


def test_what_was_there_is_missed(sparse: Host) -> None:
    """An image for another platform that was there once has to stay."""
    sparse.registry.store(f"{REPOSITORY}@{OTHER.digest}", OTHER)
    before, _ = look(sparse, BOTH.digest)
    assert len(before.tree) == 6
    sparse.registry.content[REPOSITORY].discard(OTHER)

    found, _ = look(sparse, BOTH.digest, tree=before.tree)

    assert [part.digest for part in found.missing] == [OTHER.digest]


def test_known_parts_are_not_read(stored: Host) -> None:
    """A registry may count each read as a pull: HEAD is none."""
    before, _ = look(stored)
    assert (before.reads, before.requests) == (2, 4)
    stored.registry.calls.clear()

    found, _ = look(stored, tree=before.tree, asks_number=True)

    assert (found.is_complete, found.number) == (True, Number.KEPT)
    assert (found.reads, found.requests) == (0, 4)
    assert [method for method, _ in stored.registry.calls] == [
        "digest",  # of the number, and so of the index
        "digest",
        "has_blob",
        "has_blob",
    ]


@pytest.mark.parametrize(
    ("lose", "missing"),
    [(lose_blob, LAYER), (lose_child, IMAGE.digest), (lose_root, INDEX.digest)],
    ids=["blob", "child", "root"],
)
def test_known_parts_that_are_gone(
    stored: Host, lose: Callable[[Host], None], missing: str
) -> None:
    """They are found without reading."""
    before, _ = look(stored)
    lose(stored)

    found, _ = look(stored, tree=before.tree)

    assert ([part.digest for part in found.missing], found.reads) == ([missing], 0)


def test_a_scarce_limit_is_left_alone(stored: Host) -> None:
    """The rest of a limit is for heals; what is not counted is still asked."""
    before, _ = look(stored)
    stored.registry.left = allowances.Allowance(50, 100)

    found, reason = look(stored, asks_number=True)

    assert (found.unread, found.missing) == (completeness.LIMITED, ())
    assert "limit on pulls" in reason
    assert look(stored, tree=before.tree, asks_number=True)[0].is_complete
    stored.registry.left = allowances.Allowance(51, 100)
    assert look(stored, asks_number=True)[0].is_complete


@pytest.mark.parametrize(
    ("tagged", "number"),
    [(None, Number.GONE), (IMAGE, Number.MOVED), (INDEX, Number.KEPT)],
)
def test_what_is_under_the_number(
    stored: Host, tagged: images.Manifest | None, number: Number
) -> None:
    """The parts may all be there while the number is not."""
    del stored.registry.manifests[REPOSITORY, "1"]
    if tagged is not None:
        stored.registry.manifests[REPOSITORY, "1"] = tagged

    found, _ = look(stored, asks_number=True)

    assert (found.is_complete, found.number) == (True, number)


def test_a_number_of_a_foreign_kind(stored: Host) -> None:
    """A manifest of another kind is not the released one."""
    stored.registry.fail("digest", errors.ForeignManifestError("an artifact"))

    found, _ = look(stored, asks_number=True)

    assert found.number is Number.MOVED
