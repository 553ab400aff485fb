"""The record of a live release, as hooks and daemon write it."""

import pytest

from dokku_registryd.core.hook import deployed_record
from dokku_registryd.core.release.releases import DeployedRelease

DIGEST = "sha256:" + "a" * 64
IMAGE_ID = "sha256:" + "b" * 64
PLAIN = b"r.example/\norg/web\n41\n"


@pytest.mark.parametrize(
    ("digest", "image_id"), [("", ""), (DIGEST, ""), ("", IMAGE_ID), (DIGEST, IMAGE_ID)]
)
def test_a_record_is_read_as_it_was_written(digest: str, image_id: str) -> None:
    """Digest and image ID are there or not, each for itself."""
    deployed = DeployedRelease(
        server="r.example/",
        image_repo="org/web",
        number=41,
        digest=digest,
        image_id=image_id,
    )

    found = deployed_record.parse(deployed_record.render(deployed).encode())

    assert found == deployed
    assert (found.digest, found.image_id) == (digest, image_id)


def test_docker_hub_has_no_server() -> None:
    """An empty first line counts as a line."""
    found = deployed_record.parse(b"\norg/web\n41\n")

    assert found == DeployedRelease(server="", image_repo="org/web", number=41)


@pytest.mark.parametrize(
    "rest",
    [
        DIGEST.encode(),  # cut before its end
        b"sha256:short\n",
        DIGEST.encode() + b"x\n",
        b"\n" + IMAGE_ID.encode(),
        b"\xff\n",
    ],
)
def test_a_digest_counts_only_if_it_is_complete(rest: bytes) -> None:
    """Without one a heal knows less, with a wrong one it would fail."""
    found = deployed_record.parse(PLAIN + rest)

    assert found is not None
    assert (found.number, found.digest, found.image_id) == (41, "", "")


@pytest.mark.parametrize(
    "raw", [b"", b"r.example/\norg/web\n", b"r.example/\norg/web\nx\n", b"\n\n\n"]
)
def test_a_record_without_a_number_is_none(raw: bytes) -> None:
    """Such a text answers no question of Dokku."""
    assert deployed_record.parse(raw) is None
