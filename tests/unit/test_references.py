"""Texts refer to pages and files that are there, or to public addresses."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = (
    *("daemon", "tests", "hooks", "systemd", "bench", "docs", "contrib", "docker"),
    *(".ci", ".github"),
)
PAGES: Final = (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
# Where the path of a module, a test or a page begins, as pages write it.
BASES: Final = (
    ROOT,
    ROOT / "daemon" / "dokku_registryd",
    ROOT / "tests",
    ROOT / "tests" / "unit",
    ROOT / "docs",
)
OTHERS: Final = frozenset({"tests/unit/registry.bats", "docs/AAD-OAuth.md"})
"""Files of Dokku, and of Azure's registry."""

UNKNOWN_DOCUMENT: Final = re.compile(
    r"""
      \b[Dd]esign[,:]?\s+section | \bsection\s+\d | \binterface\s+facts? | \bfact\s+\d
    | \b[Dd]esign\s+\d | \brule\s+\d+\s+of\b | [\s(`]issue\s+\d
    | (?:failures|libraries|peers|registry-side|house-style|house-plan|capabilities
        |dokku-interface|design)\.md
    | \bfaults/\w+\.md | [\s(`]cases/
    """,
    re.VERBOSE,
)
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
SUFFIX: Final = re.compile(r"\w\.[a-z0-9]+$")
CODE: Final = re.compile(r"`([\w.-]+(?:/[\w.-]+)+)(?:::\w+)?`")
# The same in comments and docstrings, and without quotes.
BARE: Final = re.compile(r"(?<![\w./-])([\w-]+/(?:[\w-]+/)*[\w-]+\.(?:py|md))\b")
HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
# Public standards have sections too.
PUBLIC: Final = re.compile(r"RFC|rfc|spec|POSIX|HTTP|man\b|\(\d\)")


def _texts() -> Iterator[Path]:
    here = Path(__file__)
    for path in ROOT.iterdir():
        if path.is_file() and path.suffix in {".md", ".toml", ".yaml", ""}:
            yield path
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            is_generated = {"__pycache__", "vectors"} & set(path.parts)
            if path.is_file() and not is_generated and path != here:
                yield path


def test_no_document_is_missing() -> None:
    """No text refers to a document that only its author has."""
    found = []
    for path in _texts():
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
            for number, line in enumerate(lines, start=1)
            if UNKNOWN_DOCUMENT.search(line) and not PUBLIC.search(line)
        ]

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "as in design, section 8",
        "(interface facts, 2.2)",
        "see failures.md",
        "(issue 12)",
        "from `cases/one.py`",
        "section 4.1 says so",
    ],
)
def test_what_counts_as_missing(text: str) -> None:
    """The pattern knows how such references look."""
    assert UNKNOWN_DOCUMENT.search(text)


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    kept = (re.sub(r"[^\w\- ]", "", text) for text in HEADING.findall(page.read_text()))
    return {text.strip().lower().replace(" ", "-") for text in kept}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """Each link to a page or a heading leads somewhere."""
    broken = []
    for target in LINK.findall(page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = page.parent / name if name else page
        if not place.exists() or (anchor and anchor not in _anchors(place)):
            broken.append(target)

    assert broken == []


def _is_there(name: str) -> bool:
    return name in OTHERS or any((base / name).exists() for base in BASES)


def _named(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    firsts = {path.name for base in BASES for path in base.iterdir() if path.is_dir()}
    for name in sorted(set(pattern.findall(text))):
        if name.split("/")[0] in firsts and SUFFIX.search(name):
            yield name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths(page: Path) -> None:
    """Each path of a module, a test, a hook or a page is one of this repository."""
    named = _named(CODE, page.read_text())

    assert [name for name in named if not _is_there(name)] == []


def test_paths_in_code() -> None:
    """So is each path in a comment or a docstring."""
    found = []
    for path in _texts():
        if path.suffix in {".py", ".sh", ".toml", ".yml", ".yaml", ""}:
            text = path.read_text(errors="replace")
            found += [
                f"{path.relative_to(ROOT)}: {name}"
                for name in _named(BARE, text)
                if not _is_there(name)
            ]

    assert found == []
