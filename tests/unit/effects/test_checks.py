"""Checks of releases: what a push has shown, and what the ledger keeps of a look."""

import json
from dataclasses import replace

import pytest
import structlog

from dokku_registryd.core.image import images, parts
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import completeness
from dokku_registryd.core.release.completeness import Look, Number, Standing
from dokku_registryd.effects import release
from dokku_registryd.effects.registry import checks
from worlds import Host

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
GONE = Look(
    digest="", parts=4, missing=(parts.Part(parts.Kind.LAYER, LAYER),), unread=""
)


def released(host: Host, job_id: str = "1.1.1") -> None:
    """Release the app's latest image."""
    host.perform(release.perform, host.add_job(Kind.RELEASE, job_id))


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
