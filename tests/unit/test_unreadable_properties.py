"""Hooks where a property or a record is there and cannot be read.

What decides where an image goes, or which one runs, is never answered as unset. What is
ours alone blocks nothing that Dokku's own plugin would let through.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from support.dokku_host import GLOBAL, DokkuHost, Result

SERVER = "deployed-app-repository"
REPO = "deployed-app-image-repo"
TAG = "deployed-app-image-tag"
RELEASE = "post-release-builder"
SOMEBODY = 12345
DECIDING = [
    (SERVER, "web", "server"),
    (SERVER, GLOBAL, "server"),
    (REPO, "web", "image-repo"),
    (REPO, "web", "image-repo-template"),
    (REPO, GLOBAL, "image-repo-template"),
    (TAG, "web", "push-on-release"),
    (TAG, GLOBAL, "push-on-release"),
    (RELEASE, "web", "push-on-release"),
    (RELEASE, "web", "server"),
    (RELEASE, GLOBAL, "image-repo-template"),
]


@pytest.fixture
def host(tmp_path: Path) -> DokkuHost:
    """Give a host on which our plugin is in charge."""
    host = DokkuHost(tmp_path)
    host.add_recorder("docker")
    return host


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    """Run with what /bin/sh is on the systems that Dokku supports, and elsewhere."""
    path = shutil.which(str(request.param))
    if path is None:
        pytest.skip(f"{request.param} is not installed")
    return path


def call(host: DokkuHost, shell: str, hook: str) -> Result:
    """Call a hook as Dokku does, for the app web."""
    more = ["pack", "web", "dokku/web:latest"] if hook == RELEASE else ["web"]
    return host.run([shell, str(host.hook(hook)), *more])


def place(host: DokkuHost, owner: str, name: str) -> Path:
    """Return the path of a property, in a folder that exists."""
    path = host.config_root / "registry" / owner / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize(("hook", "owner", "name"), DECIDING)
def test_what_decides_fails(
    host: DokkuHost, shell: str, hook: str, owner: str, name: str
) -> None:
    """The hook fails, in Dokku's words and with the file's name."""
    path = place(host, owner, name)
    path.mkdir()

    result = call(host, shell, hook)

    assert result == Result(
        "",
        f" !     Unable to read registry property {owner}.{name}\n"
        f" !     {path} has to be a file of at most 65536 bytes that Dokku's user can"
        " read. Correct it, or remove it to unset the property\n",
        1,
    )
    assert host.spool() == {}
    assert host.calls("docker") == []


SPOILED: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "link-to-nowhere": lambda path: path.symlink_to("nowhere"),
    "link-to-itself": lambda path: path.symlink_to(path.name),
    "link-to-device": lambda path: path.symlink_to("/dev/zero"),
    "many-lines": lambda path: path.write_text("ghcr.io\n" * 100_000),
    "long-line": lambda path: path.write_text("x" * 65_537),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_every_unreadable_entry(
    host: DokkuHost, shell: str, spoil: Callable[[Path], object]
) -> None:
    """Nothing but a file of a property's size, or a link to one, is read."""
    spoil(place(host, "web", "server"))

    result = call(host, shell, SERVER)

    assert (result.stdout, result.code) == ("", 1)
    assert "registry/web/server has to be a file" in result.stderr


def test_a_link_is_followed(host: DokkuHost, shell: str) -> None:
    """A link to a file is a property, as for Dokku's own plugin and the daemon."""
    kept = host.root / "dotfiles"
    kept.write_text("ghcr.io")
    place(host, "web", "server").symlink_to(kept)

    assert call(host, shell, SERVER) == Result("ghcr.io/\n", "", 0)


@pytest.mark.parametrize("hook", [SERVER, REPO, TAG])
def test_what_is_not_asked_for(host: DokkuHost, shell: str, hook: str) -> None:
    """Properties that do not decide, ours and those that others hide, block nothing."""
    host.set_property("web", "server", "ghcr.io")
    host.set_property("web", "image-repo", "org/web")
    for owner, name in [(GLOBAL, "server"), ("web", "image-repo-template")]:
        place(host, owner, name).mkdir()
    place(host, "web", "tag-version").mkdir()
    for name in ("heal", "push-policy"):
        (host.config_root / "registryd" / "web" / name).mkdir(parents=True)

    expected = {SERVER: "ghcr.io/\n", REPO: "org/web\n", TAG: ""}
    assert call(host, shell, hook) == Result(expected[hook], "", 0)


def test_companion_is_not_failed(host: DokkuHost, shell: str) -> None:
    """Beside Dokku's own plugin nothing that we cannot read fails a deploy."""
    host.enable_core()
    for name in ("push-on-release", "tag-version", "server"):
        place(host, "web", name).mkdir()

    for hook in (SERVER, REPO, TAG, RELEASE):
        assert call(host, shell, hook) == Result("", "", 0)
    assert host.spool() == {}


@pytest.mark.parametrize("hook", [SERVER, REPO, TAG])
@pytest.mark.parametrize("what", ["folder", "link"])
def test_a_record_that_cannot_be_read(
    host: DokkuHost, shell: str, hook: str, what: str
) -> None:
    """Which image runs is not guessed from properties that may tell of an older one."""
    path = host.record_release("web", server="ghcr.io/", image_repo="web", number=2)
    kept = path.rename(path.with_name("kept"))
    if what == "folder":
        path.mkdir()
    else:
        path.symlink_to(kept)

    result = call(host, shell, hook)

    assert (result.stdout, result.code) == ("", 1)
    assert f"{path} has to be a file" in result.stderr


AWAY: dict[str, tuple[str, bool]] = {
    "config-on-another-disk": ("config", True),
    "registry-on-another-disk": ("config/registry", True),
    "app-on-another-disk": ("config/registry/web", True),
    "registry-not-restored": ("config/registry", False),
    "app-not-restored": ("config/registry/web", False),
}


@pytest.mark.parametrize(("place", "is_linked"), AWAY.values(), ids=AWAY)
@pytest.mark.parametrize("hook", [RELEASE, SERVER])
def test_a_folder_that_is_away(
    host: DokkuHost, shell: str, hook: str, place: str, is_linked: bool
) -> None:
    """What was released had properties: without them nothing is released, nor told."""
    host.set_property("web", "push-on-release", "true")
    host.set_property("web", "server", "ghcr.io")
    host.record_release("web", server="ghcr.io/", image_repo="web", number=0)
    folder = host.lib_root / place
    kept = folder.rename(host.root / "kept")
    if is_linked:
        folder.symlink_to("/nonexistent/disk")

    result = call(host, shell, hook)

    what = "has to be a folder" if is_linked else "is missing, although there were"
    assert (result.stdout, result.code) == ("", 1)
    assert f"\n !     {folder} {what}" in result.stderr
    assert host.spool() == {}
    assert host.calls("docker") == []
    folder.unlink(missing_ok=True)
    kept.rename(folder)
    assert call(host, shell, SERVER) == Result("ghcr.io/\n", "", 0)


@pytest.mark.parametrize("hook", [SERVER, REPO, TAG, RELEASE])
@pytest.mark.parametrize("place", ["config/registry/web", "config/registry", "config"])
def test_a_folder_that_was_never_created(
    host: DokkuHost, shell: str, hook: str, place: str
) -> None:
    """An app that is older than all plugins, or a new host, has none: it is unset."""
    host.set_property("web", "server", "ghcr.io")
    shutil.rmtree(host.lib_root / place)

    result = call(host, shell, hook)

    assert (result.stderr, result.code) == ("", 0)


@pytest.mark.parametrize("hook", [SERVER, TAG, RELEASE])
def test_an_app_without_properties(host: DokkuHost, shell: str, hook: str) -> None:
    """Dokku leaves the folder where the last property goes, so nothing is missed."""
    host.record_release("web", server="ghcr.io/", image_repo="web", number=0)

    result = call(host, shell, hook)

    assert (result.stderr, result.code) == ("", 0)


SILENT: dict[str, Callable[[Path], object]] = {
    "zeros": lambda path: path.write_bytes(bytes(12)),
    # A regular file with a size, which the system refuses to read.
    "refused": lambda path: path.symlink_to("/sys/class/net/lo/speed"),
}


@pytest.mark.parametrize("spoil", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("hook", [SERVER, RELEASE])
def test_a_file_that_tells_nothing(
    host: DokkuHost, shell: str, hook: str, spoil: Callable[[Path], object]
) -> None:
    """A file with a size of which nothing comes, as of a broken disk, is not unset."""
    name = "server" if hook == SERVER else "push-on-release"
    spoil(place(host, "web", name))

    result = call(host, shell, hook)

    assert (result.stdout, result.code) == ("", 1)
    assert f"registry/web/{name} has to be a file" in result.stderr


@pytest.mark.parametrize("hook", [SERVER, REPO, TAG])
def test_a_record_that_tells_nothing(host: DokkuHost, shell: str, hook: str) -> None:
    """So it is with the record of what runs."""
    path = host.record_release("web", server="ghcr.io/", image_repo="web", number=2)
    path.write_bytes(bytes(12))

    result = call(host, shell, hook)

    assert (result.stdout, result.code) == ("", 1)
    assert f"{path} has to be a file" in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
@pytest.mark.parametrize("what", ["server", ".", ".."])
def test_a_file_of_root(shell: str, what: str) -> None:
    """A file of root, or one behind a folder of root, is not unset for Dokku's user."""
    # Others may not look into the folders of tests.
    with tempfile.TemporaryDirectory() as folder:
        host = DokkuHost(Path(folder) / "host")
        host.set_property("web", "server", "ghcr.io")
        subprocess.run(["chown", "-R", f"{SOMEBODY}", folder], check=True)
        closed = (host.config_root / "registry" / "web" / what).resolve()
        os.chown(closed, 0, 0)
        closed.chmod(0o700)
        become = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}"]

        result = host.run(
            [*become, "--clear-groups", shell, str(host.hook(SERVER)), "web"]
        )

    assert (result.stdout, result.code) == ("", 1)
    assert "Unable to read registry property web.server" in result.stderr
