"""docs/properties.md: every property, with its values and its default."""

import re
from pathlib import Path

import pytest

from dokku_registryd import config
from dokku_registryd.core.dokku import policy, validation

PAGE = (Path(__file__).parents[2] / "docs" / "properties.md").read_text()
OURS, _, REST = PAGE.partition("\n## Of Dokku's plugin")
THEIRS = REST.partition("\n### ")[0]


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells of a table behind the first, by the property."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            first, *cells = line.strip("| ").split(" | ")
            found[first.strip("`")] = cells
    return found


def test_properties() -> None:
    """The page lists each property that can be set, and no other."""
    assert set(rows(OURS)) == set(validation.REGISTRYD)
    assert set(rows(THEIRS)) == set(validation.REGISTRY)


@pytest.mark.parametrize("name", validation.REGISTRYD)
def test_defaults(name: str) -> None:
    """The default is that of the setting, which exists."""
    _, default, setting, _ = rows(OURS)[name]
    computed = policy.own_values("web", lambda *_place: "", policy.Defaults())

    if name in validation.REGISTRYD_OF_APPS:
        assert (default, setting, computed[name]) == ("none", "none", "")
        return
    assert default.strip("`") == computed[name]
    assert setting.strip("`") in {"none", *config.fields()}


@pytest.mark.parametrize("name", validation.REGISTRYD)
def test_values(name: str) -> None:
    """Each value that the page names is accepted."""
    values = re.findall(r"`([^`]+)`", rows(OURS)[name][0]) or ["0", "10000"]

    for value in values:
        assert validation.REGISTRYD[name]("web", value).text == value


def test_commands_name_properties() -> None:
    """Each command of the page sets a property that exists, to a valid value."""
    commands = re.findall(
        r"^dokku registryd:set (\S+) (\S+)(?: (\S+))?", PAGE, re.MULTILINE
    )

    assert len(commands) > 2
    for _, name, value in commands:
        if name != "#" and value and value != "#":
            assert validation.REGISTRYD[name]("web", value)
