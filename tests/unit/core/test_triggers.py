"""Trigger files: text in, trigger out, or a reason that names what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokku_registryd import errors
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job.kinds import RULES, Kind

RELEASE = (
    b"dokku-registryd/1\ntrigger=release\napp=web\n"
    b"image=dokku/web:latest\nscheduler=docker-local\nend\n"
)


def test_a_release_trigger() -> None:
    """A release trigger names app, image and scheduler."""
    trigger = triggers.parse(RELEASE)

    assert trigger == triggers.Trigger(
        kind=Kind.RELEASE,
        app="web",
        image="dokku/web:latest",
        scheduler="docker-local",
    )


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(b"", "the file is empty: was the disk full?", id="empty"),
        pytest.param(RELEASE[:-4], "truncated: the closing line 'end' is missing",
                     id="truncated"),
        pytest.param(RELEASE[:-1], "truncated: the closing line 'end' is missing",
                     id="no-line-break-at-the-end"),
        pytest.param(RELEASE + b"x" * 5000, "longer than 4096 bytes", id="huge"),
        pytest.param(b"hello\n", "the opening line is 'hello', not 'dokku-registryd/1'",
                     id="foreign"),
        pytest.param(RELEASE.replace(b"web", b"w\xff"),
                     "not UTF-8 text: byte 0xff at offset 39", id="not-utf-8"),
        pytest.param(RELEASE.replace(b"app=web", b"app=../x"),
                     "invalid app: '../x'", id="path-upwards"),
        pytest.param(RELEASE.replace(b"app=web", b"app=a/b"),
                     "invalid app: 'a/b'", id="slash"),
        pytest.param(RELEASE.replace(b"app=web", b"app=web\x07"),
                     "invalid app: 'web\\x07'", id="control-byte"),
        pytest.param(RELEASE.replace(b"app=web", b"app=web\n"),
                     "line 4 is not KEY=VALUE", id="line-break"),
        pytest.param(RELEASE.replace(b"app=web", b"app=web\r"),
                     "invalid app: 'web\\r'", id="carriage-return"),
        pytest.param(RELEASE.replace(b"app=web", b"app=" + b"a" * 300),
                     "invalid app: '" + "a" * 80 + "'", id="long"),
        pytest.param(RELEASE.replace(b"app=web", b"app="),
                     "invalid app: ''", id="no-app"),
        pytest.param(RELEASE.replace(b"app=web\n", b""),
                     "a release trigger needs 'app'", id="app-missing"),
        pytest.param(RELEASE.replace(b"app=web\n", b"app=web\napp=api\n"),
                     "line 4 repeats 'app'", id="app-twice"),
        pytest.param(RELEASE.replace(b"app=web\n", b"app=web\nregistry=evil\n"),
                     "unexpected key 'registry' in a release trigger",
                     id="unknown-key"),
        pytest.param(RELEASE.replace(b"=release", b"=sweep"),
                     "unknown trigger 'sweep'", id="not-for-files"),
        pytest.param(RELEASE.replace(b"dokku/web:latest", b"-v /:/x"),
                     "invalid image: '-v /:/x'", id="option"),
    ],
)  # fmt: skip
def test_what_is_refused(raw: bytes, reason: str) -> None:
    """A text that is not exactly in our format is refused with its reason."""
    with pytest.raises(errors.InvalidTriggerError) as caught:
        triggers.parse(raw)

    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "kind",
    [kind for kind in Kind if RULES[kind].fields],
)
def test_rendered_triggers_are_read_back(kind: Kind) -> None:
    """What we render is what we parse, for every kind that a file may hold."""
    full = triggers.Trigger(
        kind=kind,
        app="a-b.c",
        image="dokku/a-b.c:latest",
        scheduler="k3s",
        other="new",
        tag="12",
        build="1abc-x.2",
        waiter="12.3456",
        job="0000000000000001.1.2",
    )

    trigger = triggers.parse(triggers.render(full))

    assert triggers.render(trigger) == triggers.render(full)
    assert trigger.app == "a-b.c"


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(raw: bytes) -> None:
    """No bytes at all make the parser fail in any other way than by refusing."""
    for text in (raw, RELEASE[:18] + raw, RELEASE[:35] + raw + b"\nend\n"):
        try:
            trigger = triggers.parse(text)
        except errors.InvalidTriggerError as refusal:
            assert str(refusal)  # noqa: PT017 - both ways are right
        else:
            assert triggers.render(trigger) == text


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("1764000000000000.12.3", True),
        ("heal-1.2", True),
        ("", False),
        (".hidden", False),
        ("a/b", False),
        ("..", False),
        ("a\n", False),
        ("ä", False),
        ("a" * 129, False),
    ],
)
def test_names_of_trigger_files(name: str, is_one: bool) -> None:
    """A trigger's name is a harmless file name."""
    assert triggers.is_trigger_id(name) is is_one


@pytest.mark.parametrize("key", ["app", "image", "scheduler", "build", "waiter"])
@pytest.mark.parametrize(
    "value", ["a b", "a\tb", "-a", "../a", "a\x1b[1m", "a" * 600, ""]
)
def test_values_that_are_refused(key: str, value: str) -> None:
    """No value of any key has blanks or control characters, or leads elsewhere."""
    raw = RELEASE.replace(b"end\n", b"build=1\nwaiter=2\nend\n")
    lines = raw.decode().splitlines(keepends=True)
    changed = [
        f"{key}={value}\n" if one.startswith(f"{key}=") else one for one in lines
    ]

    with pytest.raises(errors.InvalidTriggerError, match=f"invalid {key}"):
        triggers.parse("".join(changed).encode())
