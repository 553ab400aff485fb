"""Lists of what belongs to a manifest, as other clients write them."""

import hashlib
import json

import pytest

from dokku_registryd.core.image.images import Manifest
from dokku_registryd.core.registry import referrers

KIND = "application/vnd.example.note.v1"
SUBJECT = Manifest(media_type=referrers.MANIFEST_TYPE, body=b'{"schemaVersion":2}')
ENTRY = referrers.Descriptor(
    digest=f"sha256:{'1' * 64}", size=7, artifact_type=KIND, annotations={"a": "b"}
)


def test_the_tag_of_a_list() -> None:
    """Algorithm and hash are joined and cut as the specification shows it."""
    assert referrers.tag_of(f"sha256:{'a' * 64}") == f"sha256-{'a' * 64}"
    assert referrers.tag_of(f"sha512:{'b' * 128}") == f"sha512-{'b' * 64}"


def test_an_artifact() -> None:
    """It names its subject, and all of its content is the empty one."""
    artifact = referrers.artifact(SUBJECT, KIND, {"a": "b"})

    content = json.loads(artifact.body)
    digest = f"sha256:{hashlib.sha256(referrers.EMPTY).hexdigest()}"
    assert digest == referrers.EMPTY_DIGEST
    assert content["subject"]["digest"] == SUBJECT.digest
    assert content["subject"]["size"] == len(SUBJECT.body)
    assert {content["config"]["digest"], content["layers"][0]["digest"]} == {digest}
    assert (content["artifactType"], content["annotations"]) == (KIND, {"a": "b"})


def test_an_entry_is_added_once() -> None:
    """A list keeps all other entries unchanged, and a second addition adds nothing."""
    foreign = {"mediaType": "x/y", "digest": "sha256:0", "size": 1, "more": [1]}
    before = json.dumps({"manifests": [foreign], "annotations": {"kept": "yes"}})

    index = referrers.with_entry(before.encode(), ENTRY)

    assert index is not None
    content = json.loads(index.body)
    assert content["manifests"][0] == foreign
    assert content["annotations"] == {"kept": "yes"}
    assert referrers.parse(index.body, KIND) == [ENTRY]
    assert referrers.with_entry(index.body, ENTRY) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"manifests": {}}',
        b'{"manifests": [1, null, {}, {"digest": 5}, {"digest": "sha256:zz"}]}',
    ],
)
def test_lists_that_are_none(body: bytes) -> None:
    """An invalid list, and an invalid entry, are left out."""
    assert referrers.parse(body, KIND) == []


def test_other_kinds() -> None:
    """Only entries of the wanted type are returned."""
    index = referrers.with_entry(None, ENTRY)

    assert index is not None
    assert referrers.parse(index.body, "application/vnd.example.other") == []
