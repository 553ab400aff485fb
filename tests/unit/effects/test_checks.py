"""What a registry has of a release: shown by a push, or found by a look."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import structlog

from dokku_registryd import errors
from dokku_registryd.core.image import images, parts, reference
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.registry import allowances, backoff
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import Look, Number, Standing
from dokku_registryd.effects import release
from dokku_registryd.effects.registry import checks, registry_session
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


def released(host: Host, job_id: str = "1.1.1") -> None:
    """Release the app's latest image."""
    host.perform(release.perform, host.add_job(Kind.RELEASE, job_id))


def look(host: Host, digest: str = INDEX.digest, **more: Any) -> tuple[Look, str]:
    """Look for an image in the app's repository."""
    image = reference.parse(f"{REPOSITORY}:1")
    session = registry_session.RegistrySession(
        host.context,
        app="web",
        domain=image.domain,
        direction=backoff.Direction.PULL,
    )
    reader = checks.reader_of(image, session, host.context)
    return checks.look(image, digest, reader, host.clock.monotonic, **more)


@pytest.fixture
def stored(host: Host) -> Host:
    """Give a host whose registry has an index of one image."""
    host.registry.store(f"{REPOSITORY}@{IMAGE.digest}", IMAGE)
    host.registry.store(f"{REPOSITORY}:1", INDEX)
    host.registry.calls.clear()
    return host


def test_a_push_through_the_relay_is_complete(host: Host) -> None:
    """What it has sent and seen is all of it: nothing more is asked."""
    host.use_relay()

    released(host)

    known = host.ledger.check_of("1.1.1")
    assert known is not None
    assert (known.standing, known.digest) == (Standing.COMPLETE, host.release().digest)
    assert (known.parts, known.complete_at) == (3, host.clock.now())
    assert "has_blob" not in {method for method, _ in host.registry.calls}


def test_a_direct_push_is_not_checked(host: Host) -> None:
    """We have not seen what the Engine sent, so nothing is known yet."""
    released(host)

    assert host.ledger.check_of("1.1.1") is None


def test_known_content_is_not_checked(host: Host) -> None:
    """A known manifest that got a number shows nothing about its parts."""
    host.use_relay()
    released(host)

    released(host, "2.1.1")

    assert host.tags()["2"] == host.tags()["1"]
    assert host.ledger.check_of("2.1.1") is None


def test_a_manifest_whose_parts_were_not_all_shown(host: Host) -> None:
    """It counts as complete only with every part."""
    released(host)
    known = replace(host.release(), digest=INDEX.digest)
    everything = parts.Evidence(
        digests=frozenset({INDEX.digest, IMAGE.digest, CONFIG, LAYER}),
        manifests=(IMAGE,),
    )
    lacking = replace(everything, digests=everything.digests - {LAYER})

    assert not checks.note_shown(known, None, everything, host.context)
    assert not checks.note_shown(known, IMAGE, everything, host.context)
    assert not checks.note_shown(known, INDEX, lacking, host.context)
    assert host.ledger.check_of("1.1.1") is None
    assert checks.note_shown(known, INDEX, everything, host.context)
    assert host.ledger.check_of("1.1.1") is not None


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
    stored.registry.fail(method, error, error)

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

    reader = checks.Reader(
        manifest=lambda target: stored.registry.manifest(target, auth=None),
        has_blob=has_blob,
    )
    found, _ = checks.look(image, INDEX.digest, reader, stored.clock.monotonic)

    assert [str(part) for part in found.missing] == [f"config {CONFIG}"]
    assert found.unread


def test_a_foreign_manifest_in_an_index(stored: Host) -> None:
    """One of an unknown kind is there; it is not followed."""
    stored.registry.fail("manifest", *[])
    reader = checks.Reader(
        manifest=lambda target: read_index_only(stored, target),
        has_blob=lambda _digest: True,
    )
    image = reference.parse(f"{REPOSITORY}:1")

    found, _ = checks.look(image, INDEX.digest, reader, stored.clock.monotonic)

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
    reader = checks.Reader(
        manifest=lambda target: slowly(stored, target), has_blob=lambda _digest: True
    )
    image = reference.parse(f"{REPOSITORY}:1")

    found, _ = checks.look(image, INDEX.digest, reader, stored.clock.monotonic)

    assert (found.missing, found.unread) == ((), "it took longer than 60 s")


def slowly(host: Host, target: reference.ImageReference) -> images.Manifest | None:
    """Return a manifest after more than half a minute."""
    host.clock.seconds += 40
    return host.registry.manifest(target, auth=None)


def test_a_look_gives_way(stored: Host) -> None:
    """It ends as soon as another job of the app is more urgent."""

    def give_way() -> None:
        raise errors.PreemptedError("web is being destroyed")

    reader = checks.Reader(
        manifest=lambda _target: None,
        has_blob=lambda _digest: True,
        give_way=give_way,
    )
    image = reference.parse(f"{REPOSITORY}:1")

    with pytest.raises(errors.PreemptedError):
        checks.look(image, INDEX.digest, reader, stored.clock.monotonic)


GONE = Look(
    digest="", parts=4, missing=(parts.Part(parts.Kind.LAYER, LAYER),), unread=""
)


def test_a_change_is_logged_once(host: Host) -> None:
    """The log says when a release becomes incomplete, and when it is complete again."""
    released(host)
    known = host.release()
    gone = replace(GONE, digest=known.digest)
    whole = Look(digest=known.digest, parts=4)

    with structlog.testing.capture_logs() as lines:
        for found in (whole, gone, gone, whole, whole):
            before = host.ledger.check_of("1.1.1")
            checks.record(known, found, before, host.context)

    said = [line for line in lines if line["event"].startswith("release.")]
    assert [line["event"] for line in said] == [
        "release.incomplete",
        "release.completed",
    ]
    assert said[0]["missing"] == [f"layer {LAYER}"]
    assert (said[0]["lacking"], said[0]["app"]) == (1, "web")


def test_a_repair_during_a_check_counts(host: Host) -> None:
    """What a check saw before a repair ended does not undo the repair."""
    released(host)
    known = host.release()
    repaired = completeness.shown("1.1.1", known.digest, parts=4, now=5.0)
    host.ledger.record_check(repaired)

    now = checks.record(known, replace(GONE, digest=known.digest), None, host.context)

    assert now == host.ledger.check_of("1.1.1") == repaired


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


def test_a_lost_number_is_logged_once(host: Host) -> None:
    """The log says when it is lost, and when it is back."""
    released(host)
    known = host.release()
    look_at = [
        Look(digest=known.digest, parts=4, number=number)
        for number in (Number.KEPT, Number.GONE, Number.GONE, None, Number.KEPT)
    ]

    with structlog.testing.capture_logs() as lines:
        for found in look_at:
            before = host.ledger.check_of("1.1.1")
            checks.record(known, found, before, host.context)

    said = [line for line in lines if line["event"].startswith("number.")]
    assert [(line["event"], line.get("reason")) for line in said] == [
        ("number.lost", "gone"),
        ("number.returned", None),
    ]


@pytest.mark.parametrize("is_here", [True, False])
def test_whether_the_image_is_here(host: Host, is_here: bool) -> None:
    """The record says so, since only then it can be sent again."""
    released(host)
    known = host.release()
    if not is_here:
        for name in list(host.names()):
            host.engine.lose(name)

    checks.record(known, replace(GONE, digest=known.digest), None, host.context)

    record = host.ledger.check_of("1.1.1")
    assert record is not None
    assert record.is_here is is_here
