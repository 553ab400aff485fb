"""Image references: what the Docker CLI makes of them, golden cases included."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokku_registryd import errors
from dokku_registryd.core.image import reference

VECTORS = Path(__file__).parents[2] / "vectors" / "image-reference.jsonl"
DIGEST = f"sha256:{'a' * 64}"
SHOWN = 10

COMPONENTS = st.from_regex(r"[a-z0-9]{1,6}(?:[._-][a-z0-9]{1,4})?", fullmatch=True)
DOMAINS = st.sampled_from(
    ["", "r.example/", "localhost/", "r.example:5000/", "docker.io/", "[::1]:5000/"]
)
SUFFIXES = st.sampled_from(["", ":1", ":latest", f"@{DIGEST}", f":v1.0-rc_1@{DIGEST}"])
REFERENCES = st.builds(
    lambda domain, components, suffix: f"{domain}{'/'.join(components)}{suffix}",
    DOMAINS,
    st.lists(COMPONENTS, min_size=1, max_size=3),
    SUFFIXES,
)
"""Texts that are references."""


def answer(text: str) -> dict[str, object]:
    """Parse a text into the form that the golden cases have."""
    try:
        parsed = reference.parse(text)
    except errors.InvalidReferenceError as error:
        names = ("Domain", "Path", "Tag", "Digest", "Familiar", "TagNameOnly")
        return {"in": text, "OK": False, "Err": str(error)} | dict.fromkeys(names, "")
    return {
        "in": text,
        "OK": True,
        "Err": "",
        "Domain": parsed.domain,
        "Path": parsed.path,
        "Tag": parsed.tag,
        "Digest": parsed.digest,
        "Familiar": parsed.familiar,
        "TagNameOnly": parsed.canonical,
    }


def test_golden_cases_of_the_docker_cli() -> None:
    """Every part and every error text is that of distribution/reference."""
    cases = [json.loads(line) for line in VECTORS.read_text().splitlines()]

    wrong = [(case, answer(case["in"])) for case in cases if answer(case["in"]) != case]

    assert len(cases) > 4000
    assert (len(wrong), wrong[:SHOWN]) == (0, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web", reference.ImageReference(domain="docker.io", path="library/web")),
        ("org/web", reference.ImageReference(domain="docker.io", path="org/web")),
        (
            "r.example:5000/a/b:1",
            reference.ImageReference(domain="r.example:5000", path="a/b", tag="1"),
        ),
        (
            f"localhost/web:1@{DIGEST}",
            reference.ImageReference(
                domain="localhost", path="web", tag="1", digest=DIGEST
            ),
        ),
    ],
    ids=["bare", "hub", "port", "tag-and-digest"],
)
def test_parts(text: str, expected: reference.ImageReference) -> None:
    """A reference falls into domain, path, tag and digest."""
    assert reference.parse(text) == expected


def test_replaced_parts() -> None:
    """Another tag or digest replaces both of what was there."""
    parsed = reference.parse(f"r.example/web:1@{DIGEST}")

    assert parsed.with_tag("2").canonical == "r.example/web:2"
    assert parsed.with_digest(DIGEST).canonical == f"r.example/web@{DIGEST}"


@pytest.mark.parametrize(
    ("text", "is_tag"),
    [
        ("1", True),
        ("_v1.0-rc", True),
        ("a" * 128, True),
        ("a" * 129, False),
        ("", False),
        ("-1", False),
        ("1\n", False),
        ("ü", False),
        ("1/2", False),
    ],
)
def test_tags(text: str, is_tag: bool) -> None:
    """A tag has up to 128 ASCII characters and no break."""
    assert reference.is_tag(text) is is_tag


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        (" HTTP://R.Example:5000/v2/ ", "r.example:5000"),
        ("r.example/", "r.example"),
        ("", ""),
    ],
)
def test_normalized_domains(host: str, expected: str) -> None:
    """Every spelling of a host comes to one."""
    assert reference.normalize_domain(host) == expected


@given(REFERENCES)
def test_canonical_form_is_stable(text: str) -> None:
    """The canonical form is parsed to the same repository, and printed the same."""
    parsed = reference.parse(text)
    canonical = reference.parse(parsed.canonical)

    assert canonical.canonical == parsed.canonical
    assert canonical.repository == parsed.repository


@given(REFERENCES)
def test_familiar_form_leads_back(text: str) -> None:
    """Outside of Docker Hub, whose host goes missing, the familiar form is enough."""
    parsed = reference.parse(text)

    if parsed.domain != reference.DOCKER_HUB:
        assert reference.parse(parsed.familiar) == parsed


@given(REFERENCES, st.sampled_from(["\n", " ", "\r\n", "\t", "\0", "\u2028"]))
def test_nothing_may_follow(text: str, tail: str) -> None:
    """A line break at the end is refused, as every other stray character."""
    with pytest.raises(errors.InvalidReferenceError):
        reference.parse(text + tail)


@given(st.text(max_size=40))
def test_arbitrary_text(text: str) -> None:
    """Any text is a reference in ASCII, or is refused with a reason."""
    found = answer(text)

    assert bool(found["Err"]) is not found["OK"]
    assert str(found["TagNameOnly"]).isascii()


@given(st.text(alphabet="aA0._-:/@[]\n", max_size=20))
def test_text_of_the_alphabet(text: str) -> None:
    """Any accepted reference is accepted again in its canonical form."""
    found = answer(text)

    if found["OK"] and found["Domain"]:
        assert answer(str(found["TagNameOnly"]))["OK"]
