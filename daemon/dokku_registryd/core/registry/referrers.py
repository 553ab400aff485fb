"""Referrers: manifests with a subject, and the list of those of one manifest.

Source: the OCI distribution specification 1.1, "Listing Referrers" and "Referrers Tag
Schema". A registry without the referrers API answers 404; then the list is an index
under a tag made of the digest, which clients keep themselves. Lists are written by
others, so each entry is checked.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dokku_registryd.core.image.images import Manifest
from dokku_registryd.core.registry import protocol

INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"
EMPTY: Final = b"{}"
"""The content of an artifact that has none (image specification 1.1, "Guidance for an
Empty Descriptor")."""
EMPTY_DIGEST: Final = (
    "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
)
SUBJECT_HEADER: Final = "oci-subject"
MOST: Final = 500
"""Entries of one list that are read."""
_MOST_ALGORITHM: Final = 32  # characters of a referrers tag; "Referrers Tag Schema"
_MOST_ENCODED: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """One entry of a list."""

    digest: str
    size: int
    media_type: str = MANIFEST_TYPE
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


def tag_of(digest: str) -> str:
    """Return the tag of the list of a manifest: `sha256-…`."""
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm[:_MOST_ALGORITHM]}-{encoded[:_MOST_ENCODED]}"


def artifact(
    subject: Manifest, artifact_type: str, annotations: Mapping[str, str]
) -> Manifest:
    """Return an artifact without content that belongs to a manifest."""
    empty = {"mediaType": EMPTY_TYPE, "digest": EMPTY_DIGEST, "size": len(EMPTY)}
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": artifact_type,
        "config": empty,
        "layers": [empty],
        "subject": {
            "mediaType": subject.media_type,
            "digest": subject.digest,
            "size": len(subject.body),
        },
        "annotations": dict(annotations),
    }
    return Manifest(media_type=MANIFEST_TYPE, body=_encode(document))


def descriptor_of(
    manifest: Manifest, artifact_type: str, annotations: Mapping[str, str]
) -> Descriptor:
    """Return the entry of an artifact."""
    return Descriptor(
        digest=manifest.digest,
        size=len(manifest.body),
        artifact_type=artifact_type,
        annotations=annotations,
    )


def is_list(body: bytes) -> bool:
    """Return whether a body is a list of referrers, which may be empty."""
    content = protocol.load_object(body)
    return isinstance(content.get("manifests", ()), list | None) and bool(content)


def parse(body: bytes, artifact_type: str) -> list[Descriptor]:
    """Return the entries of one type in a list, without invalid ones."""
    listed = protocol.load_object(body).get("manifests")
    if not isinstance(listed, list):
        return []
    found = [_parsed(entry) for entry in listed[:MOST]]
    return [
        entry
        for entry in found
        if entry is not None and entry.artifact_type == artifact_type
    ]


def with_entry(index: bytes | None, entry: Descriptor) -> Manifest | None:
    """Return a list with one more entry; None if it has it already.

    Entries of other clients are kept unchanged.
    """
    content = protocol.load_object(index) if index is not None else {}
    listed = content.get("manifests")
    entries: Sequence[Any] = listed if isinstance(listed, list) else []
    if any(
        isinstance(one, dict) and one.get("digest") == entry.digest for one in entries
    ):
        return None
    added = {
        "mediaType": entry.media_type,
        "digest": entry.digest,
        "size": entry.size,
        "artifactType": entry.artifact_type,
        "annotations": dict(entry.annotations),
    }
    document = {
        **content,
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": [*entries, added],
    }
    return Manifest(media_type=INDEX_TYPE, body=_encode(document))


def _parsed(entry: object) -> Descriptor | None:
    if not isinstance(entry, dict):
        return None
    digest = entry.get("digest")
    if not isinstance(digest, str) or protocol.parse_digest(digest) != digest:
        return None
    size, kind = entry.get("size"), entry.get("artifactType")
    notes = entry.get("annotations")
    return Descriptor(
        digest=digest,
        size=size if isinstance(size, int) else 0,
        media_type=str(entry.get("mediaType", "")),
        artifact_type=kind if isinstance(kind, str) else "",
        annotations={
            name: value
            for name, value in (notes if isinstance(notes, dict) else {}).items()
            if isinstance(value, str)
        },
    )


def _encode(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
