"""The page on compatibility names tests that exist, and leaves nothing out."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "compatibility.md"
REGISTRIES = PAGE.with_name("registries.md")

# All that Dokku's own registry plugin has (0.38.27, its Makefile and registry.go).
CORE = """\
registry registry:help registry:login registry:logout registry:report registry:set
image-repo image-repo-template push-extra-tags push-on-release server tag-version
deployed-app-image-repo deployed-app-image-tag deployed-app-repository install
post-app-clone-setup post-app-rename-setup post-create post-delete post-registry-login
post-release-builder pre-deploy report
"""


def test_every_test_is_there() -> None:
    """Each file and each test that the pages name can be found."""
    missing = []
    path = PAGE
    text = PAGE.read_text() + REGISTRIES.read_text()
    for file, name in re.findall(r"`([\w/]+\.py)?(?:::(\w+))?`", text):
        if file:
            path = (HERE.parent if file.startswith("e2e/") else HERE) / file
        if not path.is_file() or (name and f"def {name}(" not in path.read_text()):
            missing.append(f"{path.name}::{name}")

    assert missing == []


def test_everything_has_a_row() -> None:
    """Each command, property and trigger of Dokku's plugin has a row with a test."""
    rows = [
        line for line in PAGE.read_text().splitlines() if ".py" in line or "::" in line
    ]

    assert [
        name for name in CORE.split() if not any(f"`{name}" in row for row in rows)
    ] == []


def test_every_source_has_an_address() -> None:
    """Each source that the page on registries names has one, and none is left over."""
    text = REGISTRIES.read_text()
    defined = re.findall(r"^\[([^]]+)\]: https://\S+$", text, re.MULTILINE)
    named = re.findall(r"\[([a-zA-Z][\w#-]+)\](?![(:])", text)

    assert set(named) == set(defined)
