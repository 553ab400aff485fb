"""A folder with an Engine that a developer names, beside those of Debian."""

from pathlib import Path

import pytest

from support import engines

DOCKERD = engines.find_program("native", "dockerd")
FOLDER = DOCKERD.parents[2]


def test_both_image_stores_are_kinds() -> None:
    """The Engine takes part under its version, once with each image store."""
    kinds = engines.kinds_in(str(FOLDER))

    names, stores = zip(*((kind.name, kind.store) for kind in kinds), strict=True)
    assert stores == ("classic", "containerd")
    version = names[0].removesuffix("-classic")
    assert names == (f"{version}-classic", f"{version}-containerd")
    assert version.replace(".", "").isdigit()


def test_its_programs_are_started() -> None:
    """They are found in the folder; those that it may lack are this host's."""
    (kind, _) = engines.kinds_in(str(FOLDER))

    assert kind.is_own
    assert engines.find_program(kind.packages, "dockerd") == DOCKERD
    path = engines.environment_for(kind.packages)["PATH"].split(":")
    assert path[0] == str(FOLDER)
    client = engines.find_program(kind.packages, "docker")
    assert client == engines.find_program("native", "docker")


def test_no_folder_is_no_engine() -> None:
    """Unset, the variable adds none."""
    assert engines.kinds_in("") == ()


def test_a_folder_without_an_engine(tmp_path: Path) -> None:
    """A folder that lacks the Engine is refused before any test runs."""
    with pytest.raises(engines.MissingEngineError, match="dockerd is not in"):
        engines.kinds_in(str(tmp_path))


def test_the_registry_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests start the registry that is named, and Debian's if none is."""
    monkeypatch.setenv("REGISTRYD_OWN_REGISTRY", "/srv/registry")
    named = engines.find_registry()
    monkeypatch.setenv("REGISTRYD_OWN_REGISTRY", "")

    assert str(named) == "/srv/registry"
    assert engines.find_registry() == engines.find_program("native", "docker-registry")
