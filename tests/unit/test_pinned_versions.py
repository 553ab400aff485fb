"""requirements.txt: all that an installation needs, with versions and hashes."""

import re
from collections.abc import Iterable
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support import floors

_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
PROJECT = floors.load()


def pins(file: str) -> dict[str, Requirement]:
    """Return the pins of a file by name; each line is understood, or fails."""
    text = re.sub(r"^ *#.*\n", "", (floors.ROOT / file).read_text(), flags=re.MULTILINE)
    found: dict[str, Requirement] = {}
    for line in text.replace("\\\n", " ").splitlines():
        requirement, *hashes = line.split(" --")
        assert hashes, line
        assert all(_HASH.fullmatch(f"--{each.strip()}") for each in hashes), line
        pin = Requirement(requirement)
        found[canonicalize_name(pin.name)] = pin
    return found


def applies(requirement: Requirement) -> bool:
    """Tell whether something is needed here, without any extra."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def lacking(wanted: Iterable[str], pinned: dict[str, Requirement]) -> list[str]:
    """Return what no pin satisfies, of what is asked for and of what that needs.

    What a pinned version needs is known if it is installed here. Otherwise only pip
    tells: it refuses a package without a hash.
    """
    waiting = [Requirement(each) for each in wanted]
    seen: set[str] = set()
    found: list[str] = []
    while waiting:
        each = waiting.pop()
        name = canonicalize_name(each.name)
        pin = pinned.get(name)
        if not applies(each):
            continue
        version = str(pin.specifier).removeprefix("==") if pin else ""
        if pin is None or not applies(pin) or not each.specifier.contains(version):
            found.append(str(each))
        elif name not in seen:
            seen.add(name)
            if metadata.version(name) == version:
                waiting += map(Requirement, metadata.requires(name) or [])
    return found


@pytest.mark.parametrize(
    "file",
    ["requirements.txt", "requirements-notify.txt", "requirements-build.txt"],
)
def test_each_is_one_version(file: str) -> None:
    """Every line names exactly one version, and the Pythons that need it."""
    for pin in pins(file).values():
        (only,) = pin.specifier
        assert only.operator == "=="
        assert pin.url is None
        assert str(pin.marker or "").find("python") == -1


def test_the_service() -> None:
    """All that the service needs is pinned, to versions that it accepts."""
    assert lacking(floors.needed(PROJECT), pins("requirements.txt")) == []


def test_notifications() -> None:
    """With what messages to URLs need, all else has the same versions."""
    whole = pins("requirements-notify.txt")

    assert lacking(floors.notifying(PROJECT), whole) == []
    base = pins("requirements.txt")
    assert {name: whole[name].specifier for name in base} == {
        name: pin.specifier for name, pin in base.items()
    }


def test_the_build() -> None:
    """All that builds the service is pinned, to versions that it accepts."""
    assert lacking(floors.build(PROJECT), pins("requirements-build.txt")) == []


def test_each_has_a_floor() -> None:
    """What the service needs has a lowest version, with which it is tested."""
    assert len(floors.floors(PROJECT)) == len(floors.notifying(PROJECT))


@pytest.mark.parametrize("change", ["requests>=99", "not-there>=1", "requests<2"])
def test_what_is_not_covered(change: str) -> None:
    """A need that the pins do not meet is found."""
    assert lacking([change], pins("requirements.txt")) == [change]
