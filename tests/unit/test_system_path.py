"""Hosts of the tests find nothing of a Dokku that runs on this machine."""

import shutil
from pathlib import Path

import pytest

from support import system_path
from support.dokku_host import DokkuHost


@pytest.mark.parametrize(
    "name", [*sorted(system_path.FOREIGN), "docker", "docker-credential-pass"]
)
def test_programs_of_a_real_dokku(tmp_path: Path, name: str) -> None:
    """All programs of a PATH are linked, the first of each name, but those."""
    first, second, links = (tmp_path / each for each in ("first", "second", "links"))
    for folder in (first, second):
        folder.mkdir()
        for program in (name, "other"):
            (folder / program).touch(mode=0o755)
    links.mkdir()

    path = system_path.link_all_but_foreign(f"{first}:{tmp_path}/none:{second}", links)

    assert shutil.which(name, path=path) is None
    assert Path(shutil.which("other", path=path) or "").resolve() == first / "other"


@pytest.mark.parametrize("name", sorted(system_path.FOREIGN))
def test_a_host_has_its_own(tmp_path: Path, name: str) -> None:
    """A host finds its own program or none, not that of the machine."""
    host = DokkuHost(tmp_path)

    found = host.run(["sh", "-c", f"command -v {name}"]).stdout.strip()

    assert found in {"", str(host.bin / name)}
