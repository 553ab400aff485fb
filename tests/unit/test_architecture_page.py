"""docs/architecture.md: each file and function that its walks name is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "daemon" / "dokku_registryd"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
# One file, or several, and behind a colon the functions of the last one.
FILES = re.compile(r"`((?:[a-z]+/)*[a-z_]+\.py|hooks/[a-z-]+)`")
CALLS = re.compile(r"`((?:[a-z]+/)+[a-z_-]+(?:\.py)?)`: ((?:`[a-z_]+`(?:, )?)+)")


def _place(name: str) -> Path:
    return ROOT / name if name.startswith("hooks/") else PACKAGE / name


def _defined(path: Path) -> set[str]:
    if path.suffix != ".py":
        return set(re.findall(r"^([a-z_]+)\(\)", path.read_text(), re.MULTILINE))
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_file_is_there() -> None:
    """What the page sends a reader to exists."""
    named = set(FILES.findall(PAGE))

    assert len(named) > 20
    assert [name for name in named if not _place(name).exists()] == []


@pytest.mark.parametrize(("file", "functions"), CALLS.findall(PAGE))
def test_each_function_is_there(file: str, functions: str) -> None:
    """A step names functions of the file in front of them."""
    wanted = set(re.findall(r"`([a-z_]+)`", functions))

    assert wanted <= _defined(_place(file))


@pytest.mark.parametrize("walk", ["One release", "One heal"])
def test_a_walk_is_short(walk: str) -> None:
    """A reader opens at most 20 files, and comes back to at most two."""
    section = PAGE.partition(f"## {walk}, file by file")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    steps = FILES.findall("\n".join(rows))
    opened = [
        name
        for name, before in zip(steps, ["", *steps], strict=False)
        if name != before
    ]

    assert 8 <= len(set(opened)) <= 20
    assert len(opened) - len(set(opened)) <= 2
