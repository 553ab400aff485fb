"""config.example.toml: complete, at the defaults, and true about every key."""

import re
import tomllib
from pathlib import Path

import pytest

from dokku_registryd import config

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
KEY = re.compile(r"^# (?=[a-z_]+ = )", re.MULTILINE)


def uncommented() -> str:
    """Return the example as it would be with every key in effect."""
    return KEY.sub("", EXAMPLE.read_text())


def comment_on(key: str) -> str:
    """Return the comment above a key, as one line."""
    table, _, name = key.partition(".")
    part = EXAMPLE.read_text().partition(f"\n[{table}]")[2]
    block = part.partition(f"\n# {name} = ")[0].rpartition("\n\n")[2]
    return " ".join(line.removeprefix("# ") for line in block.splitlines())


def test_nothing_is_in_effect() -> None:
    """As delivered the example sets nothing."""
    tables = tomllib.loads(EXAMPLE.read_text())

    assert tables == {name: {} for name in config.Settings.model_fields}


def test_every_key_is_there_in_order() -> None:
    """The example has each setting once, where `check` lists it."""
    tables = tomllib.loads(uncommented())

    keys = [f"{table}.{name}" for table in tables for name in tables[table]]
    assert keys == list(config.fields())


def test_values_are_the_defaults(tmp_path: Path) -> None:
    """An example with every key in effect changes nothing."""
    file = tmp_path / "config.toml"
    file.write_text(uncommented())

    settings = config.load(file=str(file), overrides={}, environ={})

    assert settings == config.Settings()


@pytest.mark.parametrize("key", list(config.fields()))
def test_comment(key: str) -> None:
    """Above each key stand its sentence, what is allowed, and its variable if any."""
    allowed = config.allowed(key)
    sentence = config.fields()[key].description
    variable = "" if key in config.secret_keys() else f" {config.variable(key)}"

    comment = comment_on(key)
    wanted = f"{sentence} {allowed[0].upper()}{allowed[1:]}.{variable}"

    assert comment.lower() == wanted.lower(), f"comment of {key} in config.example.toml"
