"""The parts of an image, by what its manifests say."""

import json
from typing import Any

import pytest

from dokku_registryd.core.image import images, parts
from dokku_registryd.core.image.parts import Evidence, Kind, Part, UnknownPartsError

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest(mark: str) -> str:
    """Return a valid digest."""
    return f"sha256:{mark * 64}"


def manifest(kind: str, **content: Any) -> images.Manifest:
    """Return a manifest."""
    return images.Manifest(media_type=kind, body=json.dumps(content).encode())


def image(config: str, *layers: str, kind: str = OCI_IMAGE) -> images.Manifest:
    """Return an image's manifest."""
    return manifest(
        kind,
        config={"digest": digest(config)},
        layers=[{"mediaType": LAYER, "digest": digest(layer)} for layer in layers],
    )


def index(*children: images.Manifest, kind: str = OCI_INDEX) -> images.Manifest:
    """Return an index."""
    named = [{"mediaType": one.media_type, "digest": one.digest} for one in children]
    return manifest(kind, manifests=named)


def by_digest(*found: images.Manifest) -> dict[str, images.Manifest | None]:
    """Return known manifests."""
    return {one.digest: one for one in found}


def texts(tree: parts.Tree) -> list[str]:
    """Return the names of all parts but the image's own manifest."""
    return [str(part) for part in tree.parts[1:]]


@pytest.mark.parametrize("kind", [OCI_IMAGE, SCHEMA2])
def test_an_image(kind: str) -> None:
    """It needs its manifest, its config and each layer once."""
    root = image("c", "1", "2", "1", kind=kind)

    tree = parts.walk(root, {})

    assert tree.parts == (
        Part(Kind.MANIFEST, root.digest),
        Part(Kind.CONFIG, digest("c")),
        Part(Kind.LAYER, digest("1")),
        Part(Kind.LAYER, digest("2")),
    )
    assert tree.unread == ()


@pytest.mark.parametrize("kind", [OCI_INDEX, LIST])
def test_an_index(kind: str) -> None:
    """It needs each image that it names, and that image's own parts."""
    one, two = image("a", "1"), image("b", "1", "2")

    tree = parts.walk(index(one, two, kind=kind), by_digest(one, two))

    assert texts(tree) == [
        f"manifest {one.digest}",
        f"manifest {two.digest}",
        f"config {digest('a')}",
        f"layer {digest('1')}",
        f"config {digest('b')}",
        f"layer {digest('2')}",
    ]


def test_manifests_that_are_not_known_yet() -> None:
    """They are parts whose own parts are unknown."""
    one, two = image("a"), image("b")

    tree = parts.walk(index(one, two), by_digest(two))

    assert tree.unread == (Part(Kind.MANIFEST, one.digest),)
    assert f"config {digest('b')}" in texts(tree)


def test_a_manifest_that_cannot_be_read() -> None:
    """It is a part, and is not asked for again."""
    one = image("a")

    tree = parts.walk(index(one), {one.digest: None})

    assert (texts(tree), tree.unread) == ([f"manifest {one.digest}"], ())


def test_layers_from_elsewhere() -> None:
    """A foreign layer with addresses is in no registry; one without them must be."""
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    bound = "application/vnd.oci.image.layer.nondistributable.v1.tar"
    root = manifest(
        SCHEMA2,
        config={"digest": digest("c")},
        layers=[
            {"mediaType": foreign, "digest": digest("1"), "urls": ["https://x/1"]},
            {"mediaType": bound, "digest": digest("2"), "urls": ["https://x/2"]},
            {"mediaType": bound, "digest": digest("3"), "urls": []},
            {"mediaType": LAYER, "digest": digest("4"), "urls": ["https://x/4"]},
        ],
    )

    assert texts(parts.walk(root, {})) == [
        f"config {digest('c')}",
        f"layer {digest('3')}",
        f"layer {digest('4')}",
    ]


def test_an_index_of_other_things() -> None:
    """What is not an image (a build cache, an artifact) is not pulled with it."""
    root = manifest(
        OCI_INDEX,
        manifests=[
            {"mediaType": LAYER, "digest": digest("1")},
            {"mediaType": "application/vnd.example+json", "digest": "nonsense"},
            {"digest": digest("2")},
            {"mediaType": [OCI_IMAGE], "digest": digest("3")},
        ],
    )

    assert texts(parts.walk(root, {})) == []


@pytest.mark.parametrize(
    ("root", "why"),
    [
        (images.Manifest(media_type=OCI_IMAGE, body=b"{"), "not valid JSON"),
        (images.Manifest(media_type=OCI_IMAGE, body=b"[]"), "not an object"),
        (manifest("text/html"), "unknown media type"),
        (manifest(OCI_IMAGE), "names no config"),
        (manifest(OCI_IMAGE, config={"digest": "sha256:1"}), "valid digest"),
        (manifest(OCI_IMAGE, config={"digest": [digest("1")]}), "valid digest"),
        (
            manifest(OCI_IMAGE, config={"digest": digest("1")}, layers={"a": 1}),
            "invalid layers",
        ),
        (
            manifest(OCI_IMAGE, config={"digest": digest("1")}, layers=["a"]),
            "invalid layers",
        ),
        (manifest(OCI_INDEX, manifests="a"), "invalid manifests"),
        (
            manifest(OCI_INDEX, manifests=[{"mediaType": OCI_IMAGE, "digest": "\x1b"}]),
            "valid digest",
        ),
    ],
)
def test_malformed_manifests(root: images.Manifest, why: str) -> None:
    """They tell no parts; the message has none of their text."""
    with pytest.raises(UnknownPartsError, match=why):
        parts.walk(root, {})


def test_too_many_parts() -> None:
    """A manifest of thousands of parts is not followed."""
    layers = [
        {"digest": f"sha256:{number:064x}"} for number in range(parts.MAX_PARTS + 1)
    ]
    root = manifest(OCI_IMAGE, config={"digest": digest("c")}, layers=layers)

    with pytest.raises(UnknownPartsError, match="more than 2000 parts"):
        parts.walk(root, {})


def test_too_many_levels() -> None:
    """Indexes of indexes are followed to a depth that no image has."""
    chain = [image("a")]
    for _ in range(parts.MAX_DEPTH):
        chain.append(index(chain[-1]))

    deep = parts.walk(chain[-2], by_digest(*chain))
    assert f"config {digest('a')}" in texts(deep)
    with pytest.raises(UnknownPartsError, match="levels"):
        parts.walk(chain[-1], by_digest(*chain))


def test_too_many_bytes() -> None:
    """All manifests of an image together have a maximum."""
    filler = "x" * (parts.MAX_BYTES // 4)
    children = [
        manifest(OCI_IMAGE, config={"digest": digest("a")}, filler=f"{number}{filler}")
        for number in range(4)
    ]

    with pytest.raises(UnknownPartsError, match="bytes"):
        parts.walk(index(*children), by_digest(*children))


def test_what_is_missing() -> None:
    """The comparison is by digest."""
    root = image("c", "1", "2")

    missing = parts.walk(root, {}).missing({root.digest, digest("c"), digest("2")})

    assert missing == (Part(Kind.LAYER, digest("1")),)


@pytest.mark.parametrize(
    ("lacks", "is_complete"),
    [("", True), ("layer", False), ("child", False), ("content", False)],
)
def test_what_one_attempt_has_shown(lacks: str, is_complete: bool) -> None:
    """It shows a whole image only if it has sent or seen every manifest and blob."""
    child = image("c", "1")
    root = index(child)
    seen = {root.digest, child.digest, digest("c"), digest("1")}
    seen -= {"layer": {digest("1")}, "child": {child.digest}}.get(lacks, set())
    sent = () if lacks == "content" else (child,)
    evidence = Evidence(digests=frozenset(seen), manifests=sent)

    tree = parts.is_shown(root, evidence)

    assert (tree is not None) is is_complete


def test_a_malformed_manifest_shows_nothing() -> None:
    """An attempt with such a manifest leaves the question to a later check."""
    root = images.Manifest(media_type=OCI_IMAGE, body=b"{")

    assert parts.is_shown(root, Evidence(digests=frozenset({root.digest}))) is None


def test_an_attestation_is_no_part() -> None:
    """No pull needs what a build says of itself."""
    child = image("a", "b")
    about = {"vnd.docker.reference.type": "attestation-manifest"}
    named = [
        {"mediaType": OCI_IMAGE, "digest": child.digest},
        {"mediaType": OCI_IMAGE, "digest": digest("e"), "annotations": about},
    ]
    root = manifest(OCI_INDEX, manifests=named)

    found = parts.walk(root, {child.digest: child})

    assert digest("e") not in {part.digest for part in found.parts}
    assert found.unread == ()


def for_platforms(**platforms: str) -> images.Manifest:
    """Return an index of images, by the mark of their digest and their platform."""
    named: list[dict[str, Any]] = []
    for mark, platform in platforms.items():
        entry: dict[str, Any] = {"mediaType": OCI_IMAGE, "digest": digest(mark[-1])}
        system, _, architecture = platform.partition("/")
        if platform:
            entry["platform"] = {"os": system, "architecture": architecture}
        named.append(entry)
    return manifest(OCI_INDEX, manifests=named)


@pytest.mark.parametrize(
    ("platform", "foreign"),
    [
        ("linux/amd64", "bd"),
        ("linux/arm64", "ad"),
        ("linux/s390x", ""),
        ("", ""),
    ],
)
def test_images_for_other_platforms(platform: str, foreign: str) -> None:
    """An Engine pulls its own; if there is none, any of them may be the one."""
    root = for_platforms(ia="linux/amd64", ib="linux/arm64", ic="", id="windows/amd64")

    found = parts.foreign_children(root, platform)

    assert found == {digest(mark) for mark in foreign}


@pytest.mark.parametrize(
    "platform",
    [
        None,
        [],
        {"os": 1, "architecture": "amd64"},
        {"os": "linux"},
        {"os": "", "architecture": ""},
    ],
)
def test_a_platform_that_is_none(platform: object) -> None:
    """Then the image is needed."""
    entries = [
        {"mediaType": OCI_IMAGE, "digest": digest("a"), "platform": platform},
        {
            "mediaType": OCI_IMAGE,
            "digest": digest("b"),
            "platform": {"os": "linux", "architecture": "amd64"},
        },
    ]

    root = manifest(OCI_INDEX, manifests=entries)

    assert parts.foreign_children(root, "linux/amd64") == frozenset()


def test_an_image_has_no_other_platforms() -> None:
    """Only an index names images."""
    assert parts.foreign_children(image("c", "1"), "linux/amd64") == frozenset()


def test_a_part_is_read_from_its_name() -> None:
    """What was recorded comes back."""
    part = Part(Kind.LAYER, digest("1"))

    assert parts.parse(str(part)) == part
    for odd in ("", "layer", "layer x", f"tape {digest('1')}", digest("1")):
        with pytest.raises(UnknownPartsError):
            parts.parse(odd)
