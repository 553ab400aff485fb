"""The hooks of an app's life: created, deployed, cloned, destroyed."""

import re
import stat
from pathlib import Path

import pytest

from dokku_registryd.adapters.dokku import destroyed_apps
from support.dokku_host import DokkuHost, Result

LOGIN = '{"auths": {"ghcr.io": {"auth": "dTpw"}}}'
UMASKS = (0o000, 0o077)
# What no hook may fail on: it would stop Dokku's command half-way.
LIFECYCLE = (
    ("post-create", "web"),
    ("post-deploy", "web", "5000", "172.17.0.2", "latest"),
    ("post-app-clone-setup", "web", "blog"),
    ("post-app-rename-setup", "web", "blog"),
    ("pre-delete", "web", "latest"),
    ("post-delete", "web", "latest"),
)

# A full disk under the log that stderr goes to, and a caller that has none.
DEAF = pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])


@pytest.fixture
def host(tmp_path: Path) -> DokkuHost:
    """Give a host on which our plugin is in charge."""
    return DokkuHost(tmp_path)


def fill(host: DokkuHost, app: str) -> None:
    """Give an app properties of both plugins, a login, a number and a record."""
    host.set_property(app, "server", "ghcr.io")
    host.set_property(app, "tag-version", "7")
    host.set_property(app, "config.json", LOGIN)
    host.set_property(app, "heal", "off", plugin="registryd")
    host.record_release(app, server="ghcr.io/", image_repo="org/web", number=7)


def tree(folder: Path) -> dict[str, str]:
    """Return all files below a folder with their contents, hidden ones too."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


def modes(folder: Path) -> set[tuple[str, str]]:
    """Return which modes folders and files have from this folder down."""
    return {
        ("folder" if path.is_dir() else "file", oct(stat.S_IMODE(path.stat().st_mode)))
        for path in (folder, *folder.rglob("*"))
    }


@pytest.mark.parametrize("umask", UMASKS)
def test_a_new_app_gets_folders(host: DokkuHost, umask: int) -> None:
    """Folders for both plugins' properties exist afterwards, for Dokku alone."""
    for _ in range(2):
        assert host.trigger("post-create", "web", umask=umask) == Result("", "", 0)

    for plugin in ("registry", "registryd"):
        assert modes(host.config_root / plugin / "web") == {("folder", "0o700")}


def test_a_new_app_runs_nothing(host: DokkuHost) -> None:
    """A record that an earlier app of the name left does not answer for the new one."""
    record = host.record_release("web", server="", image_repo="org/web", number=7)

    host.create_app("web")

    assert not record.exists()


def test_deployed(host: DokkuHost) -> None:
    """A deploy leaves its tag for the daemon."""
    result = host.trigger(
        "post-deploy",
        *("web", "5000", "172.17.0.2", "latest"),
        environ={"DOKKU_BUILD_ID": "1abc"},
    )

    assert result == Result("", "", 0)
    assert list(host.spool().values()) == [
        b"dokku-registryd/1\ntrigger=deployed\napp=web\ntag=latest\nbuild=1abc\nend\n"
    ]


def test_deployed_without_a_tag(host: DokkuHost) -> None:
    """Some schedulers name neither port nor address nor tag, nor Dokku its deploy."""
    host.trigger("post-deploy", "web", "", "", "", environ={"DOKKU_PID": ""})

    assert list(host.spool().values()) == [
        b"dokku-registryd/1\ntrigger=deployed\napp=web\ntag=\nend\n"
    ]


@pytest.mark.parametrize("umask", UMASKS)
def test_a_destroyed_app_is_set_aside(host: DokkuHost, umask: int) -> None:
    """Login and properties move out of reach, the record goes, the daemon is told."""
    fill(host, "web")

    result = host.trigger("post-delete", "web", "latest", umask=umask)

    assert result == Result("", "", 0)
    assert tree(host.config_root) == {}
    assert tree(host.data_dir / "deployed") == {}
    (folder,) = (host.data_dir / "forgotten").iterdir()
    assert re.fullmatch(r"web\.\d{16}\.\d+\.\d+", folder.name)
    assert tree(folder) == {
        "registry/config.json": LOGIN,
        "registry/server": "ghcr.io",
        "registry/tag-version": "7",
        "registryd/heal": "off",
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    ((name, content),) = host.spool().items()
    assert folder.name == f"web.{name}"
    assert content == b"dokku-registryd/1\ntrigger=destroyed\napp=web\nend\n"


def test_the_daemon_sees_all_or_nothing(host: DokkuHost) -> None:
    """What is set aside is complete when it gets its name; the trigger comes last."""
    fill(host, "web")
    seen = host.root / "seen"
    look = f'ls "{host.data_dir}"/forgotten/web.* 2>/dev/null >>"{seen}"'
    host.add_command("mv", f'#!/bin/sh\n{look}\nexec /bin/mv "$@"\n')

    host.trigger("post-delete", "web", "latest")

    assert seen.read_text() == "registry\nregistryd\n"
    assert len(host.spool()) == 1


def test_destroying_twice(host: DokkuHost) -> None:
    """Where nothing is left, nothing is set aside, and the daemon is told again."""
    fill(host, "web")
    host.trigger("post-delete", "web", "latest")

    assert host.trigger("post-delete", "web", "latest") == Result("", "", 0)
    assert len(list((host.data_dir / "forgotten").iterdir())) == 1
    assert len(host.spool()) == 2


@pytest.mark.parametrize("by", ["hook", "daemon"])
@pytest.mark.parametrize("length", [200, 201, 249])
def test_a_long_name_is_set_aside(host: DokkuHost, by: str, length: int) -> None:
    """A name that leaves no room for a time beside it is known by what is in it."""
    app = "a" * length
    host.create_app(app)
    login = host.config_root / "registry" / app / "config.json"
    login.write_text("{}")
    folders = destroyed_apps.DestroyedApps(
        root=host.data_dir / "forgotten", config_root=host.config_root
    )

    if by == "hook":
        assert host.trigger("post-delete", app, "").stderr == ""
    else:
        folders.detach(app, "0000000000000001.7.1")

    assert not login.exists()
    assert folders.apps() == [app]
    (folder,) = folders.of(app)
    assert (Path(folders.login_folder(folder)) / "config.json").exists()
    folders.remove(folder)
    assert folders.apps() == []


def test_other_apps_keep_theirs(host: DokkuHost) -> None:
    """An app whose name begins alike is not touched."""
    fill(host, "web-2")

    host.trigger("post-delete", "web", "latest")

    assert len(tree(host.config_root)) == 4
    assert len(tree(host.data_dir / "deployed")) == 1


def test_destroying_beside_core(host: DokkuHost) -> None:
    """Dokku's own plugin removes its folder; ours sets aside only what is ours."""
    host.enable_core()
    fill(host, "web")

    host.trigger("post-delete", "web", "latest")

    assert (host.config_root / "registry" / "web" / "config.json").exists()
    (folder,) = (host.data_dir / "forgotten").iterdir()
    assert tree(folder) == {"registryd/heal": "off"}
    assert len(host.spool()) == 1


@pytest.mark.parametrize("umask", UMASKS)
def test_a_clone_has_no_number(host: DokkuHost, umask: int) -> None:
    """A clone gets properties and login, readable by Dokku alone, but no number."""
    fill(host, "web")
    host.set_property("web", "note", "two\nlines\\n\n")
    host.set_property("web", "hold", "38", plugin="registryd")
    (host.config_root / "registry" / "web" / "server").chmod(0o644)
    (host.config_root / "registry" / "web" / "folder").mkdir()
    host.create_app("blog")

    result = host.trigger("post-app-clone-setup", "web", "blog", umask=umask)

    assert result == Result("", "", 0)
    assert tree(host.config_root / "registry" / "blog") == {
        "config.json": LOGIN,
        "note": "two\nlines\\n\n",
        "server": "ghcr.io",
    }
    assert tree(host.config_root / "registryd" / "blog") == {"heal": "off"}
    assert modes(host.config_root / "registry" / "blog") == {
        ("folder", "0o700"),
        ("file", "0o600"),
    }
    assert list(tree(host.data_dir / "deployed")) == ["web"]
    assert host.spool() == {}


def test_cloning_into_what_exists(host: DokkuHost) -> None:
    """A property of the new app is replaced, what the old one lacks stays."""
    fill(host, "web")
    host.set_property("blog", "server", "quay.io")
    host.set_property("blog", "image-repo", "org/blog")

    host.trigger("post-app-clone-setup", "web", "blog")

    assert host.read_property("blog", "server") == "ghcr.io"
    assert host.read_property("blog", "image-repo") == "org/blog"


def test_cloning_beside_core(host: DokkuHost) -> None:
    """Dokku's own plugin copies its properties; ours copies only ours."""
    host.enable_core()
    fill(host, "web")

    host.clone_app("web", "blog")

    assert host.read_property("blog", "server") is None
    assert host.read_property("blog", "heal", plugin="registryd") == "off"


def test_cloning_breaks_off(host: DokkuHost) -> None:
    """A copy that fails leaves old values whole and says where to look."""
    fill(host, "web")
    host.set_property("blog", "server", "quay.io")
    host.add_command(
        "sync", "#!/bin/sh\necho 'sync: x: Input/output error' >&2\nexit 1\n"
    )

    result = host.trigger("post-app-clone-setup", "web", "blog")

    assert result.code == 0
    assert result.stderr.startswith(
        " !     Cannot copy properties and login of web (Input/output error);"
        " see dokku registry:report blog\n"
    )
    assert host.read_property("blog", "server") == "quay.io"


@pytest.mark.parametrize("is_empty", [True, False])
@pytest.mark.parametrize("moves", range(6))
def test_a_clone_that_is_killed(host: DokkuHost, moves: int, is_empty: bool) -> None:
    """At no moment the clone has push on without the server that it pushes to."""
    host.set_property("web", "image-repo", "org/web")
    host.set_property("web", "push-on-release", "true")
    host.set_property("web", "server", "ghcr.io")
    host.create_app("blog")
    if not is_empty:
        host.set_property("blog", "note", "kept")
    script = f"""#!/bin/sh
        echo >>{host.root}/moves
        [ "$(wc -l <{host.root}/moves)" -le {moves} ] || exec kill -KILL $PPID
        exec /bin/mv "$@"
    """
    host.add_command("mv", script)

    host.trigger("post-app-clone-setup", "web", "blog")

    found = tree(host.config_root / "registry" / "blog")
    assert "push-on-release" not in found or found["server"] == "ghcr.io"
    if is_empty:
        assert len(found) in {0, 3}
    if moves == 5:
        assert found["push-on-release"] == "true"
        assert list((host.config_root / "registry").glob(".*")) == []


@pytest.mark.parametrize("name", ["server", "image-repo"])
def test_a_clone_of_what_cannot_be_read(host: DokkuHost, name: str) -> None:
    """Without what decides where an image goes nothing is copied, and that is said."""
    host.set_property("web", "push-on-release", "true")
    (host.config_root / "registry" / "web" / name).symlink_to("nowhere")
    host.create_app("blog")

    result = host.trigger("post-app-clone-setup", "web", "blog")

    assert result.code == 0
    assert f"registry/web/{name} is not a file" in result.stderr
    assert tree(host.config_root / "registry" / "blog") == {}
    assert list((host.config_root / "registry").glob(".*")) == []


@pytest.mark.parametrize("call", LIFECYCLE, ids=lambda call: call[0])
def test_no_spool_fails_no_command(host: DokkuHost, call: tuple[str, ...]) -> None:
    """Without a data folder each hook warns at most, and ends well."""
    fill(host, "web")
    host.data_dir.rename(host.root / "gone")
    host.data_dir.write_text("no folder")

    result = host.trigger(*call)

    assert (result.stdout, result.code) == ("", 0)
    for line in result.stderr.splitlines():
        assert re.match(r" !     Cannot .*(Not a directory)", line)


@pytest.mark.parametrize("call", LIFECYCLE, ids=lambda call: call[0])
@pytest.mark.parametrize("app", ["", "../web", "web\nx", "Web"])
def test_odd_names_touch_nothing(
    host: DokkuHost, call: tuple[str, ...], app: str
) -> None:
    """For a text that is not an app name each hook warns, succeeds, changes nothing."""
    fill(host, "web")
    before = tree(host.lib_root)

    result = host.trigger(call[0], app, *call[2:])

    assert (result.stdout, result.code) == ("", 0)
    assert result.stderr.startswith(" !     ")
    assert tree(host.lib_root) == before


def trigger_unheard(host: DokkuHost, stderr: str, name: str, *args: str) -> Result:
    """Run one of our hooks with a closed stderr."""
    call = [str(host.hook(name)), *args]
    return host.run(["sh", "-c", f'exec "$@" {stderr}', "sh", *call])


@DEAF
def test_a_destruction_with_a_closed_output(host: DokkuHost, stderr: str) -> None:
    """A warning that cannot be written does not interrupt a destruction."""
    fill(host, "web")
    (host.data_dir / "forgotten").write_text("in the way")

    result = trigger_unheard(host, stderr, "post-delete", "web", "latest")

    assert result == Result("", "", 0)
    assert tree(host.data_dir / "deployed") == {}
    assert len(host.spool()) == 1


@DEAF
def test_a_rename_with_a_closed_output(host: DokkuHost, stderr: str) -> None:
    """A warning that cannot be written does not interrupt a rename."""
    fill(host, "web")
    host.create_app("blog")
    (host.data_dir / "deployed" / "blog").mkdir()

    result = trigger_unheard(host, stderr, "post-app-rename-setup", "web", "blog")

    assert result == Result("", "", 0)
    assert host.read_property("blog", "config.json") == LOGIN
    assert host.read_property("blog", "heal", plugin="registryd") == "off"
    assert len(host.spool()) == 1


@DEAF
def test_a_deploy_with_a_closed_output(host: DokkuHost, stderr: str) -> None:
    """A warning that cannot be written fails no deploy."""
    (host.data_dir / "spool" / "tmp").rmdir()

    result = trigger_unheard(
        host, stderr, "post-deploy", "web", "5000", "172.17.0.2", "latest"
    )

    assert result == Result("", "", 0)
    assert host.spool() == {}
