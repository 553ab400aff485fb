"""The parts of an image in a registry: the manifests and blobs that its manifest names.

An index names manifests, and the manifest of an image its config and layers (OCI image
specification 1.1, "Image Index" and "Image Manifest"; Docker's schema 2). A pull fails
if one of them is gone, even if the registry still returns the first manifest. All input
is untrusted.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from dokku_registryd.core.image import images, reference
from dokku_registryd.core.text import json_documents

MAX_DEPTH: Final = 4  # an index of indexes of images has three levels
MAX_PARTS: Final = 2000  # an image has at most 127 layers
MAX_BYTES: Final = 16 << 20  # of all manifests together
_MAX_SIZE: Final = 1 << 50  # bytes of one part

INDEX_TYPES: Final = frozenset(
    {
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.index.v1+json",
    }
)
IMAGE_TYPES: Final = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
    }
)
_REFERENCE_TYPE: Final = "vnd.docker.reference.type"
# Layers that no registry needs to have: a pull gets them from their `urls`.
_FOREIGN: Final = ("foreign", "nondistributable")


class Kind(StrEnum):
    """What a part is."""

    MANIFEST = "manifest"
    CONFIG = "config"
    LAYER = "layer"


@dataclass(frozen=True, slots=True)
class Part:
    """A manifest or blob that a registry must have."""

    kind: Kind
    digest: str

    def __str__(self) -> str:
        """Return its name for messages: a word of ours and a valid digest."""
        return f"{self.kind} {self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """All parts of an image, as far as its manifests are known."""

    parts: tuple[Part, ...]
    """Each digest once; the image's own manifest comes first."""
    unread: tuple[Part, ...]
    """Manifests among them that may name further parts."""

    def missing(self, present: Container[str]) -> tuple[Part, ...]:
        """Return the parts whose digest is not among those of a registry."""
        return tuple(part for part in self.parts if part.digest not in present)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the registry has shown to have in one attempt."""

    digests: frozenset[str] = frozenset()
    """What it answered 200 or 201 for."""
    manifests: tuple[images.Manifest, ...] = ()
    """The manifests that were sent to it."""

    def plus(self, digest: str) -> "Evidence":
        """Return it with one more part that the registry has."""
        return replace(self, digests=self.digests | {digest})


NOTHING: Final = Evidence()


def parse(name: str) -> Part:
    """Return the part with such a name, as `str` returns it.

    Raises:
        UnknownPartsError: It is malformed.
    """
    kind, _, digest = name.partition(" ")
    if kind not in set(Kind) or not reference.is_digest(digest):
        raise UnknownPartsError("a recorded part has no valid name")
    return Part(Kind(kind), digest)


class UnknownPartsError(ValueError):
    """The manifests do not tell their parts. The message never contains their text."""


def walk(root: images.Manifest, known: Mapping[str, images.Manifest | None]) -> Tree:
    """Return the parts of an image.

    Args:
        root: Its manifest or index.
        known: Further manifests by digest; None for one that cannot be read, and so
            names no parts.

    Raises:
        UnknownPartsError: A manifest is malformed, or there are too many parts.
    """
    found = {root.digest: Part(Kind.MANIFEST, root.digest)}
    unread: list[Part] = []
    level: list[images.Manifest] = [root]
    size = 0
    for _ in range(MAX_DEPTH):
        size += sum(len(manifest.body) for manifest in level)
        if size > MAX_BYTES:
            raise UnknownPartsError(f"its manifests exceed {MAX_BYTES} bytes")
        named = [part for manifest in level for part in parts_of(manifest)]
        fresh = {part.digest: part for part in named if part.digest not in found}
        found |= fresh
        if len(found) > MAX_PARTS:
            raise UnknownPartsError(f"it has more than {MAX_PARTS} parts")
        children = [part for part in fresh.values() if part.kind is Kind.MANIFEST]
        unread += [part for part in children if part.digest not in known]
        level = [child for part in children if (child := known.get(part.digest))]
    if level:
        raise UnknownPartsError(f"its indexes have more than {MAX_DEPTH} levels")
    return Tree(parts=tuple(found.values()), unread=tuple(unread))


def foreign_children(root: images.Manifest, platform: str) -> frozenset[str]:
    """Return the digests of an index's images that a host does not pull.

    An index may name images for other platforms that no client has pushed: an Engine
    asks for its own one only. If the index has none for this host, any may be pulled.

    Args:
        root: An index, or any other manifest.
        platform: Operating system and architecture of the host (`linux/amd64`).

    Raises:
        UnknownPartsError: It is malformed.
    """
    if root.media_type not in INDEX_TYPES or not platform:
        return frozenset()
    images_named = _images_of(_content(root))
    stated = {
        _part(Kind.MANIFEST, entry).digest: _platform_of(entry)
        for entry in images_named
    }
    if platform not in stated.values():
        return frozenset()
    return frozenset(
        digest for digest, other in stated.items() if other and other != platform
    )


def is_shown(root: images.Manifest, evidence: Evidence) -> Tree | None:
    """Return the parts of an image if one attempt has shown all of them; else None."""
    try:
        tree = walk(root, {sent.digest: sent for sent in evidence.manifests})
    except UnknownPartsError:
        return None
    if tree.unread or tree.missing(evidence.digests):
        return None
    return tree


def parts_of(manifest: images.Manifest) -> Iterator[Part]:
    """Yield the parts that one manifest names itself.

    An index may name other things than images, such as attestations of a build. An
    Engine needs none of them to pull an image.

    Raises:
        UnknownPartsError: It is malformed.
    """
    content = _content(manifest)
    if manifest.media_type in INDEX_TYPES:
        for entry in _images_of(content):
            yield _part(Kind.MANIFEST, entry)
    elif manifest.media_type in IMAGE_TYPES:
        config = content.get("config")
        if not isinstance(config, dict):
            raise UnknownPartsError("a manifest names no config")
        yield _part(Kind.CONFIG, config)
        for entry in _descriptors(content, "layers"):
            if not _is_elsewhere(entry):
                yield _part(Kind.LAYER, entry)
    else:
        raise UnknownPartsError("a manifest has an unknown media type")


def named_in(manifest: images.Manifest) -> list[tuple[Part, int]]:
    """Return what a registry may ask for before it takes a manifest, with sizes.

    These are the parts of `parts_of`, and of an index its attestations too.

    Returns:
        Each part once with its size in bytes, in the order of the manifest.

    Raises:
        UnknownPartsError: It is malformed.
    """
    content = _content(manifest)
    if manifest.media_type not in INDEX_TYPES:
        wanted = {part.digest for part in parts_of(manifest)}
        config = content.get("config")
        named = [(Kind.CONFIG, config)] if isinstance(config, dict) else []
        named += [(Kind.LAYER, layer) for layer in _descriptors(content, "layers")]
        found = [(_part(kind, entry), _size_of(entry)) for kind, entry in named]
        return list(dict.fromkeys(one for one in found if one[0].digest in wanted))
    known = INDEX_TYPES | IMAGE_TYPES
    return [
        (_part(Kind.MANIFEST, entry), _size_of(entry))
        for entry in _descriptors(content, "manifests")
        if _type_of(entry) in known
    ]


def _content(manifest: images.Manifest) -> dict[str, Any]:
    try:
        content = json_documents.load(manifest.body)
    except json_documents.MalformedJsonError:
        raise UnknownPartsError("a manifest is not valid JSON") from None
    if not isinstance(content, dict):
        raise UnknownPartsError("a manifest is not an object")
    return content


def _images_of(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what an index says of each of its images."""
    for entry in _descriptors(content, "manifests"):
        is_image = _type_of(entry) in INDEX_TYPES | IMAGE_TYPES
        if is_image and not _is_attestation(entry):
            yield entry


def _descriptors(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = content.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UnknownPartsError(f"a manifest has invalid {name}")
    return found


def _part(kind: Kind, descriptor: Mapping[str, Any]) -> Part:
    digest = descriptor.get("digest")
    if not isinstance(digest, str) or not reference.is_digest(digest):
        raise UnknownPartsError(f"a manifest names a {kind} without a valid digest")
    return Part(kind, digest)


def _size_of(descriptor: Mapping[str, Any]) -> int:
    size = descriptor.get("size")
    if isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= _MAX_SIZE:
        return size
    raise UnknownPartsError("a manifest names a part without a valid size")


def _is_attestation(entry: Mapping[str, Any]) -> bool:
    """Return whether this is a provenance or an SBOM, as BuildKit stores them."""
    annotations = entry.get("annotations")
    return isinstance(annotations, dict) and _REFERENCE_TYPE in annotations


def _platform_of(entry: Mapping[str, Any]) -> str:
    """Return the platform of an image in an index; empty if it does not tell."""
    platform = entry.get("platform")
    if not isinstance(platform, dict):
        return ""
    named = (platform.get("os"), platform.get("architecture"))
    if not all(isinstance(one, str) and one for one in named):
        return ""
    return "/".join(map(str, named))


def _is_elsewhere(layer: Mapping[str, Any]) -> bool:
    is_foreign = any(word in _type_of(layer) for word in _FOREIGN)
    return is_foreign and bool(layer.get("urls"))


def _type_of(descriptor: Mapping[str, Any]) -> str:
    stated = descriptor.get("mediaType")
    return stated if isinstance(stated, str) else ""
