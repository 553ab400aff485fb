"""What is installed from a wheel, by root, for a user of Dokku's own."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dokku_registryd import __version__
from support.bare_site import BareSite
from support.engines import EngineServer
from support.registries import RegistryServer

CHECKOUT = Path(__file__).parents[2]
NOBODY = 65534
# Becomes another user once all is imported, which that user may be unable to read.
_AS_NOBODY = f"""
import os
from dokku_registryd import cli
from dokku_registryd.verbs import output
from dokku_registryd.verbs.host import install
os.setuid({NOBODY})
raise SystemExit(cli.main())
"""


def run(*argv: object, user: int | None = None) -> str:
    """Run a program and return what it prints."""
    done = subprocess.run(
        [str(part) for part in argv],
        env={"PATH": "/usr/bin:/bin", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        cwd="/",
        user=user,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Give a folder that all users can read, unlike pytest's."""
    made = Path(tempfile.mkdtemp(prefix="registryd-wheel-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def program(folder: Path) -> Path:
    """Build a wheel, install it for itself, and give its console script."""
    pip = (sys.executable, "-m", "pip", "--quiet")
    build = ("wheel", "--no-deps", "--no-index", "--no-build-isolation")
    run(*pip, *build, "--wheel-dir", folder / "dist", CHECKOUT)
    run(_find_python(), "-m", "venv", "--without-pip", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    (wheel,) = (folder / "dist").iterdir()
    run(*pip, "--python", python, "install", "--no-deps", "--no-index", wheel)
    # What we depend on comes from the environment of this test run.
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    path_file = Path(site.strip()) / "dependencies.pth"
    path_file.write_text(f"{sysconfig.get_path('purelib')}\n")
    return python.with_name("dokku-registryd")


def _find_python() -> str:
    """Return the system's Python where it is of our version: all users can run it."""
    system = "/usr/bin/python3"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    if Path(system).exists() and run(system, "-c", question).strip() == version:
        return system
    return sys.executable


@pytest.fixture
def site(
    folder: Path, one_engine: EngineServer, own_registry: RegistryServer
) -> Iterator[BareSite]:
    """Give a host that all users can read."""
    place = folder / "site"
    place.mkdir()
    with BareSite(place, one_engine, own_registry) as site:
        site.make_app()
        site.release_by_core(2)
        yield site
    shutil.rmtree(place)


def test_installed_from_a_wheel(site: BareSite, program: Path) -> None:
    """A wheel brings all that is installed, and starts by its own interpreter."""
    before = site.tree()

    result = site.call("install", "--root", str(site.root), program=program)

    assert (result.stderr, result.code) == ("", 0)
    assert site.deployed() == site.reference(2)
    plugin = site.host.plugins / "available" / "registryd"
    shipped = {
        path.name.removesuffix(".sh"): os.access(path, os.X_OK)
        for path in (CHECKOUT / "hooks").iterdir()
    }
    assert shipped == {path.name: os.access(path, os.X_OK) for path in plugin.iterdir()}
    launcher = site.root / "usr/local/bin/dokku-registryd"
    assert f"exec {program.with_name('python')} -I " in launcher.read_text()
    assert run(launcher, "--version") == f"dokku-registryd {__version__}\n"
    site.call("uninstall", "--root", str(site.root), "--purge", program=program)
    assert site.tree() == before


def test_root_is_needed() -> None:
    """Any other user is refused in Dokku's words."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _AS_NOBODY, "install", "--dry-run"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr == "dokku-registryd: This command must be run as root\n"


def test_everything_belongs_to_dokkus_user(
    site: BareSite, program: Path, one_engine: EngineServer
) -> None:
    """Nothing below Dokku's folders is left to root, neither ledger nor plugin."""
    try:
        run(program, "check", user=NOBODY)
    except (AssertionError, OSError):
        pytest.skip("only root can read this checkout and its environment")
    for path in (site.host.dokku_root, site.host.lib_root):
        for entry in (path, *path.rglob("*")):
            os.chown(entry, NOBODY, NOBODY, follow_symlinks=False)
    one_engine.folder.chmod(0o755)
    Path(one_engine.path).chmod(0o666)

    result = site.call("install", "--root", str(site.root), program=program)

    assert (result.stderr, result.code) == ("", 0)
    host = site.host
    links = {host.plugins / "enabled" / "registryd"}  # made by plugn, as root
    entries = set(host.lib_root.rglob("*")) - links
    assert {entry.lstat().st_uid for entry in entries} == {NOBODY}
    assert (host.data_dir / "ledger.sqlite3") in entries
    assert (host.data_dir / "deployed" / "web") in entries
    settings = site.root / "etc/dokku-registryd/config.toml"
    assert (settings.stat().st_uid, settings.parent.stat().st_uid) == (0, 0)
