"""What the Engine asks of the relay, and how the relay's names are made."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.engine import relay_protocol
from dokku_registryd.core.engine.relay_protocol import Errand, What
from dokku_registryd.core.image import reference

DIGEST = "sha256:" + "a" * 64
UPLOAD = "0123456789abcdef0123456789abcdef"
HOST = "127.0.0.1:5871"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v2/", Errand(what=What.BASE)),
        ("/v2", Errand(what=What.BASE)),
        ("/v2/a/b/blobs/uploads/", Errand(what=What.UPLOADS, name="a/b")),
        ("/v2/a/b/blobs/uploads", Errand(what=What.UPLOADS, name="a/b")),
        (
            f"/v2/a/blobs/uploads/?mount={DIGEST}&from=other/app",
            Errand(what=What.UPLOADS, name="a", digest=DIGEST),
        ),
        (
            f"/v2/a/blobs/uploads/{UPLOAD}?digest=sha256%3A{'a' * 64}",
            Errand(what=What.UPLOAD, name="a", key=UPLOAD, digest=DIGEST),
        ),
        (
            f"/v2/blobs/uploads/blobs/{DIGEST}",
            Errand(what=What.BLOB, name="blobs/uploads", key=DIGEST),
        ),
        ("/v2/a/manifests/12-ab", Errand(what=What.MANIFEST, name="a", key="12-ab")),
        (
            f"/v2/a/manifests/{DIGEST}",
            Errand(what=What.MANIFEST, name="a", key=DIGEST),
        ),
        (f"/v2/a/blobs/uploads/{UPLOAD}/more", None),
        ("/v2/a/blobs/uploads/short", None),
        ("/v2/a/blobs/sha256:abc", None),
        ("/v2/a/tags/list", None),
        ("/v2/_catalog", None),
        ("/v2/../etc/manifests/1", None),
        ("/v2/A/manifests/1", None),
        ("/v2//manifests/1", None),
        ("/", None),
        ("//[broken/v2/", None),
    ],
)
def test_targets(target: str, expected: Errand | None) -> None:
    """What image stores ask for is read; all else is nothing of ours."""
    assert relay_protocol.parse(target) == expected


@given(st.text(max_size=300))
def test_any_target_is_survived(text: str) -> None:
    """A foreign target is read or refused, and names nothing outside `/v2/`."""
    found = relay_protocol.parse(f"/v2/{text}")

    assert found is None or ".." not in found.name


@given(st.text(max_size=100))
def test_any_login_is_survived(text: str) -> None:
    """A header that is not a login has no password."""
    assert isinstance(relay_protocol.parse_login(f"Basic {text}"), Secret)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Basic " + base64.b64encode(b"who:pass:word").decode(), "pass:word"),
        ("basic " + base64.b64encode(b"who:secret").decode(), "secret"),
        ("Bearer " + base64.b64encode(b"who:secret").decode(), ""),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), ""),
        ("Basic !", ""),
        ("", ""),
    ],
)
def test_logins(header: str, expected: str) -> None:
    """The password is what follows the first colon."""
    assert relay_protocol.parse_login(header) == Secret(expected)


def test_no_login_is_like_no_other() -> None:
    """No client gets in without a password, even if none is set."""
    assert relay_protocol.is_same(Secret("ab"), Secret("ab"))
    assert not relay_protocol.is_same(Secret("ab"), Secret("abc"))
    assert not relay_protocol.is_same(Secret(""), Secret(""))
    assert not relay_protocol.is_same(Secret("ä"), Secret("a"))


@pytest.mark.parametrize(
    ("stated", "expected"), [("5-9", 5), (" 0-0 ", 0), ("5-", None), ("x", None)]
)
def test_ranges(stated: str, expected: int | None) -> None:
    """A part of an upload says where it begins."""
    assert relay_protocol.parse_start(stated) == expected


@pytest.mark.parametrize(
    "domain", ["r.example", "r.example:5000", "[::1]:5000", "R.Example", "docker.io"]
)
def test_a_repository_has_one_name_for_ever(domain: str) -> None:
    """The relay's name of a repository is one for the Engine, and always the same."""
    image = reference.ImageReference(domain=domain, path="org/web", tag="1")

    name = relay_protocol.repository_for(HOST, image)

    assert name == relay_protocol.repository_for(HOST, image.with_tag("2"))
    parsed = reference.parse(f"{name}:1-abc")
    assert parsed.domain == HOST
    assert parsed.path.endswith("/org/web")
    errand = relay_protocol.parse(f"/v2/{parsed.path}/manifests/1-abc")
    assert errand is not None
    assert errand.name == parsed.path
    assert relay_protocol.is_name_at(HOST, f"{name}:1")


def test_two_hosts_with_one_path_are_two_repositories() -> None:
    """Hosts that read alike when letters are left out still differ."""
    names = {
        relay_protocol.repository_for(
            HOST, reference.ImageReference(domain=domain, path="org/web", tag="1")
        )
        for domain in ("a.b", "a-b", "a:8", "a.8")
    }

    assert len(names) == 4


def test_a_long_path_has_a_short_name() -> None:
    """The Engine takes 255 characters, so what is longer gets a name of its own."""
    image = reference.ImageReference(domain="r.example", path="a" * 240, tag="1")

    name = relay_protocol.repository_for(HOST, image)

    assert len(name) < 100
    assert reference.parse(f"{name}:1").domain == HOST


def test_what_is_kept_is_bounded() -> None:
    """A blob, a push and all pushes together each have their limit."""
    of_blob = relay_protocol.MOST_OF_BLOB
    window = relay_protocol.WINDOW_BYTES
    of_push = relay_protocol.MOST_OF_PUSH - window
    of_all = relay_protocol.MOST_OF_ALL - relay_protocol.MOST_WINDOWS * window

    assert relay_protocol.may_keep(1, of_blob=0, of_push=0, of_all=0)
    assert not relay_protocol.may_keep(1, of_blob=of_blob, of_push=of_blob, of_all=0)
    assert not relay_protocol.may_keep(1, of_blob=0, of_push=of_push, of_all=0)
    assert not relay_protocol.may_keep(1, of_blob=0, of_push=0, of_all=of_all)
