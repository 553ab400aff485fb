"""Prints what pyproject.toml asks for, as requirements for pip or uv.

usage: floors.py floors|build

`floors` are the lowest versions that the service may be installed with, `build` is what
builds it.
"""

import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_FLOOR = re.compile(r"(?P<name>[A-Za-z0-9._-]+)>=(?P<floor>[0-9.]+)")


def needed(project: Mapping[str, Any]) -> list[str]:
    """Return what the service needs, with what a SOCKS proxy needs."""
    extras = project["project"]["optional-dependencies"]
    return [*project["project"]["dependencies"], *extras["socks"]]


def notifying(project: Mapping[str, Any]) -> list[str]:
    """Return what the service needs to send messages to URLs, too."""
    extras = project["project"]["optional-dependencies"]
    return [*needed(project), *extras["notify"]]


def floors(project: Mapping[str, Any]) -> list[str]:
    """Return the lowest version of each, as constraints."""
    found = [_FLOOR.match(each) for each in notifying(project)]
    return [f"{each['name']}=={each['floor']}" for each in found if each]


def build(project: Mapping[str, Any]) -> list[str]:
    """Return what builds the service."""
    wanted: list[str] = project["build-system"]["requires"]
    return wanted


def load() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


_PRINTED: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "floors": floors,
    "build": build,
}

if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in _PRINTED[sys.argv[1]](load()))
