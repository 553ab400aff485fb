"""This checkout as a repository to install a Dokku plugin from, and a folder of wheels.

What the service needs is one wheel with a line that leads to the environment of this
test run. So pip does all its work, with hashes, and nothing is downloaded.
"""

import atexit
import base64
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Final

from dokku_registryd import __version__
from support import scratch

ROOT: Final = Path(__file__).parents[2]
_NAME: Final = "dokku-registryd"
_WHEEL: Final = "registryd_needs-1-py3-none-any.whl"
_INFO: Final = "registryd_needs-1.dist-info"
_METADATA: Final = "Metadata-Version: 2.1\nName: registryd-needs\nVersion: 1\n"
_WHEEL_TEXT: Final = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_AUTHOR: Final = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
_QUICK_PYTHON: Final = """#!/bin/sh
if [ $# = 4 ] && [ "$1 $2 $3" = "-I -m venv" ]; then
  cp -a {made} "$4" && cd "$4" || exit
  exec sed -i "s|{made}|$4|g" pyvenv.cfg bin/activate* bin/pip*
fi
exec {python} "$@"
"""
_VERSIONED: Final = (
    "daemon/dokku_registryd/__init__.py",
    "hooks/plugin.toml",
    "plugin.toml",
)


def find_python() -> str:
    """Return the system's Python where it is of our version, else ours."""
    system = "/usr/bin/python3"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    question = "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"
    asked = subprocess.run(
        [system, "-I", "-c", question], capture_output=True, text=True, check=False
    )
    return system if asked.stdout.strip() == version else sys.executable


@functools.cache
def find_quick_python() -> str:
    """Return a Python that makes environments as copies of one that it has made.

    An environment takes three seconds of processor time, nearly all for pip in it.
    """
    python = find_python()
    folder = scratch.make("environment")
    atexit.register(_remove, folder, os.getpid())
    folder.chmod(0o755)  # Dokku's user runs it.
    made = folder / "made"
    subprocess.run([python, "-I", "-m", "venv", made], check=True)
    quick = folder / "python3"
    quick.write_text(_QUICK_PYTHON.format(python=python, made=made))
    quick.chmod(0o755)
    return str(quick)


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # A fork of the tests has the folder of its parent.
        shutil.rmtree(folder)


def tracked() -> list[str]:
    """Return the paths of this checkout's files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return sorted(name for name in set(listed.split("\0")) if (ROOT / name).is_file())


@functools.cache
def _make_once() -> Path:
    """Return a folder with the repository and the wheels; to commit takes a second."""
    folder = scratch.make("repository")
    atexit.register(_remove, folder, os.getpid())
    wheels, checkout = folder / "wheels", folder / _NAME
    wheels.mkdir()
    for name in tracked():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    needed = f"registryd-needs==1 --hash=sha256:{_make_wheel(wheels / _WHEEL)}\n"
    (checkout / "requirements-notify.txt").write_text(needed)
    _git(checkout, "init", "--quiet")
    _commit(checkout, __version__)
    return folder


def _make_wheel(wheel: Path) -> str:
    """Make the wheel; return its SHA-256 as digits."""
    members = {
        "registryd_needs.pth": f"{sysconfig.get_path('purelib')}\n",
        f"{_INFO}/METADATA": _METADATA,
        f"{_INFO}/WHEEL": _WHEEL_TEXT,
    }
    record = [f"{_INFO}/RECORD,,\n"]
    for name, text in members.items():
        digest = hashlib.sha256(text.encode()).digest()
        told = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        record.append(f"{name},sha256={told},{len(text)}\n")
    members[f"{_INFO}/RECORD"] = "".join(record)
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def _commit(checkout: Path, version: str, *, is_tagged: bool = True) -> None:
    _git(checkout, "add", "--all")
    _git(checkout, *_AUTHOR, "commit", "--quiet", "--message", version)
    if is_tagged:
        _git(checkout, "tag", f"v{version}")


def _git(checkout: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=checkout, check=True)


class PluginRepository:
    """A repository called `dokku-registryd`, with the files of this checkout.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / _NAME
        self.url = f"file://{self.folder}"
        self.wheels = folder / "wheels"
        shutil.copytree(_make_once(), folder, dirs_exist_ok=True)

    @property
    def environ(self) -> dict[str, str]:
        """Variables with which `dokku plugin:install` needs no package index."""
        return {
            "DOKKU_REGISTRYD_WHEELS": str(self.wheels),
            "DOKKU_REGISTRYD_PYTHON": find_quick_python(),
        }

    def release(self, version: str, *, is_tagged: bool = True) -> None:
        """Commit, and tag, another version, which differs in nothing else."""
        for name in _VERSIONED:
            path = self.folder / name
            text = path.read_text()
            assert f'"{__version__}"' in text, name
            path.write_text(text.replace(f'"{__version__}"', f'"{version}"'))
        _commit(self.folder, version, is_tagged=is_tagged)
