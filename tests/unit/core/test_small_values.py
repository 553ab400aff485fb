"""Names, events, replies, secrets and manifests: small values, small rules."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokku_registryd.core.auth import logins
from dokku_registryd.core.dokku import app_names
from dokku_registryd.core.engine import events
from dokku_registryd.core.hook import replies
from dokku_registryd.core.hook.replies import Line, Printed
from dokku_registryd.core.image import images


@pytest.mark.parametrize(
    ("text", "is_name"),
    [
        ("web", True),
        ("a", True),
        ("0", True),
        ("my-app.example.com", True),
        ("old_name", True),
        ("a" * 255, True),
        ("a" * 256, False),
        ("", False),
        (".", False),
        ("..", False),
        ("-x", False),
        ("a/b", False),
        ("Web", False),
        ("web\n", False),
        ("wéb", False),
        ("a\x00", False),
    ],
)
def test_app_names(text: str, is_name: bool) -> None:
    """An app's name is safe as one component of a path."""
    assert app_names.is_app_name(text) is is_name


@given(st.text(max_size=20))
def test_no_accepted_name_leaves_its_folder(text: str) -> None:
    """An accepted name has no slash, no control character and no leading dot."""
    if app_names.is_app_name(text):
        assert text.isascii()
        assert not text.startswith(".")
        assert not set(text) & set("/\\\n\r\t\0")


@pytest.mark.parametrize(
    ("raw", "wakes"),
    [
        ({"Type": "image", "Action": "untag", "Actor": {"ID": "sha256:1"}}, True),
        ({"Type": "image", "Action": "delete", "Actor": {"ID": "sha256:1"}}, True),
        ({"Type": "image", "Action": "prune", "Actor": {"ID": ""}}, True),
        ({"Type": "container", "Action": "destroy", "Actor": {"ID": "c"}}, True),
        ({"Type": "image", "Action": "tag", "Actor": {"ID": "sha256:1"}}, False),
        ({"Type": "container", "Action": "start"}, False),
    ],
)
def test_events_that_wake(raw: dict[str, object], wakes: bool) -> None:
    """Only what may have taken a name away, or freed one, wakes a sweep."""
    event = events.parse(raw)

    assert event is not None
    assert event.wakes_sweep is wakes


@given(st.dictionaries(st.text(), st.one_of(st.none(), st.integers(), st.text())))
def test_any_dictionary_is_an_event_or_nothing(raw: dict[str, object]) -> None:
    """No dictionary makes the parser of events fail."""
    assert events.parse(raw) is None or "Type" in raw


@pytest.mark.parametrize(
    ("kind", "quiet", "expected"),
    [
        (Line.HEADLINE, False, Printed(text="-----> it")),
        (Line.HEADLINE, True, Printed(text="-----> it")),
        (Line.DETAIL, False, Printed(text="       it")),
        (Line.DETAIL, True, None),
        (Line.OUTPUT, False, Printed(text="it")),
        (Line.OUTPUT, True, None),
        (Line.WARNING, True, Printed(text=" !     it", is_error=True)),
        (Line.EXIT, False, None),
    ],
)
def test_dokku_style(kind: Line, quiet: bool, expected: Printed | None) -> None:
    """A reply looks as Dokku's own plugins print."""
    assert replies.show(kind, "it", quiet=quiet) == expected


@given(st.sampled_from(list(Line)), st.text(max_size=50))
def test_a_reply_line_is_one_line(kind: Line, text: str) -> None:
    """Any text becomes one line of printable characters that is read back."""
    line = replies.render(kind, text)

    assert line.count("\n") == 1
    parsed = replies.parse(line)
    assert parsed is not None
    assert parsed[0] is kind


def test_an_unknown_reply_line_is_skipped() -> None:
    """A newer daemon may say more than an older hook understands."""
    assert replies.parse("sparkle ***\n") is None


def test_a_secret_is_not_printed() -> None:
    """No way of printing a secret shows it."""
    secret = logins.Secret("hunter2")
    auth = logins.AuthConfig(domain="r.example", username="u", password=secret)

    shown = f"{secret} {secret!r} {auth} {[secret]} {auth!r}"

    assert "hunter2" not in shown
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError, match="cannot be serialised"):
        pickle.dumps(secret)


@pytest.mark.parametrize(
    ("body", "image_id", "expected"),
    [
        (b'{"config":{"digest":"sha256:c"}}', "sha256:c", True),
        (b'{"config":{"digest":"sha256:d"}}', "sha256:c", False),
        (b'{"manifests":[]}', "sha256:c", False),
        (b"[1]", "sha256:c", False),
        (b"no json", "sha256:c", False),
        (b"[" * 100_000, "sha256:c", False),
        (
            b'{"config":{"digest":"sha256:c","size":' + b"9" * 401 + b"}}",
            "sha256:c",
            False,
        ),
        (b'{"config":"sha256:c"}', "sha256:c", False),
    ],
)
def test_a_manifest_names_an_image(body: bytes, image_id: str, expected: bool) -> None:
    """A classic store's image ID is the digest of the manifest's config."""
    manifest = images.Manifest(media_type="application/json", body=body)

    assert manifest.names_image(image_id) is expected
    assert manifest.names_image(manifest.digest) is True
