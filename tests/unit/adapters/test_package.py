"""The package as files: what its fingerprint sees, and what the service tells."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dokku_registryd
from dokku_registryd import __version__
from dokku_registryd.adapters.host import package
from dokku_registryd.adapters.spool import spool
from dokku_registryd.core.install import builds

PACKAGE = Path(dokku_registryd.__file__).parent
HOOKS = PACKAGE.parents[1] / "hooks"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Give a copy of package and hooks, as a wheel lays them out."""
    copy = tmp_path / "site" / "dokku_registryd"
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, copy, ignore=skipped)
    shutil.copytree(HOOKS, copy / "_share" / "hooks")
    return copy


def fingerprint_of(package_folder: Path) -> str:
    """Return the fingerprint that a copy has of itself."""
    code = (
        "from dokku_registryd.adapters.host import package as p; print(p.fingerprint())"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", code],
        env={"PYTHONPATH": str(package_folder.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_the_same_files(copied: Path) -> None:
    """A wheel and the checkout that it was made from are the same program."""
    assert fingerprint_of(copied) == package.fingerprint()


@pytest.mark.parametrize(
    "name", ["core/gotemplate/__init__.py", "__init__.py", "_share/hooks/functions"]
)
def test_a_change(copied: Path, name: str) -> None:
    """Any module and any hook that changes is seen."""
    with (copied / name).open("a") as file:
        file.write("\n")

    assert fingerprint_of(copied) != package.fingerprint()


def test_a_new_module(copied: Path) -> None:
    """A module that is added is seen; what Python compiles is not."""
    (copied / "__pycache__").mkdir()
    (copied / "__pycache__" / "cli.cpython-311.pyc").write_bytes(b"compiled")
    assert fingerprint_of(copied) == package.fingerprint()

    (copied / "core" / "fresh.py").write_text("")
    assert fingerprint_of(copied) != package.fingerprint()


@pytest.mark.parametrize(
    ("role", "tells", "said"),
    [
        (spool.DAEMON, builds.render(package.build()), ""),
        (spool.DAEMON, "", f"runs an older version than the installed {__version__}"),
        (
            spool.DAEMON,
            builds.render(builds.Build("0.0.1", "77")),
            f"runs 0.0.1, but {__version__} is installed",
        ),
        (spool.HOOK, builds.render(builds.Build("0.0.1", "77")), ""),
    ],
    ids=["same", "untold", "older", "hook"],
)
def test_what_the_holder_tells(
    tmp_path: Path, role: str, tells: str, said: str
) -> None:
    """A daemon is compared with what is installed here; a hook ends by itself."""
    lock = spool.SpoolLock(tmp_path)
    assert lock.acquire(role, tells=tells)

    assert package.difference(str(tmp_path)) == said

    lock.release()
    # What a daemon that has ended left in the file says nothing.
    assert package.difference(str(tmp_path)) == ""


def test_a_lock_file_that_is_gone(tmp_path: Path) -> None:
    """Where the holder's words were removed nothing is claimed of it."""
    lock = spool.SpoolLock(tmp_path)
    assert lock.acquire(spool.DAEMON, tells="")
    (tmp_path / "lock").unlink()

    assert package.difference(str(tmp_path)) == ""
    lock.release()
