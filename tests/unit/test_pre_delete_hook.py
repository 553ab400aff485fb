"""A destroyed app's logins in helpers, beside Dokku's own registry plugin.

That plugin removes the auth config before our `post-delete` runs, so `pre-delete` notes
what helpers keep, and `post-delete` sets the note aside for the daemon.
"""

import json
import stat
from pathlib import Path

import pytest

from dokku_registryd.adapters.auth.resolver import AuthConfigs
from dokku_registryd.adapters.dokku.destroyed_apps import DestroyedApps
from support.dokku_host import GLOBAL, Result
from support.login_host import LoginHost, entry

HOST = "registry.example:5000"
PLANTED = "planted-secret-4711"
SILENT = Result("", "", 0)
# What Dokku's own plugin does, whose name sorts before ours.
CORE = {"post-delete": '#!/bin/sh\nrm -rf "$DOKKU_LIB_ROOT/config/registry/$1"\n'}


@pytest.fixture
def host(tmp_path: Path) -> LoginHost:
    """Give a host where Dokku's own plugin is in charge and `web` uses a helper."""
    host = LoginHost(tmp_path)
    host.host.enable_core(CORE)
    host.install_helper()
    keep(host, HOST)
    host.write("web", {"auths": {HOST: {}}, "credsStore": "keeper"})
    return host


def keep(host: LoginHost, server: str) -> None:
    """Give the helper a login."""
    login = {"ServerURL": server, "Username": "u", "Secret": "p"}
    program = host.host.bin / "docker-credential-keeper"
    done = host.host.run([str(program), "store"], stdin=json.dumps(login))
    assert done.code == 0


def noted(host: LoginHost, app: str = "web") -> Path:
    """Return where a note is."""
    return host.host.data_dir / "noted" / app / "config.json"


def forget(host: LoginHost, app: str = "web") -> list[str]:
    """Do what the daemon does for a destroyed app, and return what was erased."""
    folders = DestroyedApps(
        root=host.host.data_dir / "forgotten", config_root=host.host.config_root
    )
    credentials = AuthConfigs(
        config_root=host.host.config_root / "registry",
        global_dir=host.path(GLOBAL).parent,
        helper_timeout=120,
        helper_path=f"{host.host.bin}:/usr/bin:/bin",
    )
    erased = []
    for folder in folders.of(app):
        erased += credentials.forget(folders.login_folder(folder))
        folders.remove(folder)
    return erased


def test_a_destroyed_app_leaves_nothing_in_helpers(host: LoginHost) -> None:
    """The note outlives the auth config, and the daemon erases what it names."""
    assert host.host.destroy_app("web") == SILENT

    assert host.read("web") is None
    assert not noted(host).parent.exists()
    assert forget(host) == [HOST]
    assert host.kept() == {}
    assert list((host.host.data_dir / "forgotten").iterdir()) == []


@pytest.mark.parametrize("other", ["api", GLOBAL])
def test_a_login_that_others_use_stays(host: LoginHost, other: str) -> None:
    """What another file says about the same helper counts as before."""
    host.write(other, {"auths": {HOST: {}}, "credsStore": "keeper"})

    host.host.destroy_app("web")

    assert forget(host) == []
    assert list(host.kept()) == [HOST]


def test_the_note_holds_no_secret(host: LoginHost) -> None:
    """Names of servers and helpers are noted, for Dokku alone, and nothing else."""
    host.write(
        "web",
        {
            "HttpHeaders": {"X-Token": PLANTED},
            "auths": {HOST: entry("u", PLANTED), "b.example": {}},
            "credHelpers": {"c.example": "keeper"},
        },
    )

    result = host.host.trigger(
        "pre-delete", "web", "latest", environ={"DOKKU_TRACE": "1"}
    )

    assert result.code == 0
    assert json.loads(noted(host).read_text()) == {
        "auths": {HOST: {}, "b.example": {}},
        "credHelpers": {"c.example": "keeper"},
    }
    assert stat.S_IMODE(noted(host).stat().st_mode) == 0o600
    assert stat.S_IMODE(noted(host).parent.stat().st_mode) == 0o700
    assert host.spread("u", PLANTED) == []
    assert entry("u", PLANTED)["auth"] not in result.stderr


def test_an_app_that_lives_on_keeps_its_login(host: LoginHost) -> None:
    """A destruction that stops after pre-delete erases nothing."""
    host.host.add_plugin("zz-refuses", {"pre-delete": "#!/bin/sh\nexit 1\n"})

    assert host.host.destroy_app("web").code == 1

    assert noted(host).exists()
    assert forget(host) == []
    assert list(host.kept()) == [HOST]


def test_the_next_destruction_lists_again(host: LoginHost) -> None:
    """What an app holds at its end counts, not what it held at an earlier attempt."""
    host.host.trigger("pre-delete", "web", "latest")
    keep(host, "b.example")
    host.write("web", {"auths": {"b.example": {}}, "credsStore": "keeper"})

    host.host.destroy_app("web")

    assert forget(host) == ["b.example"]
    assert list(host.kept()) == [HOST]


def test_without_helpers_an_old_note_goes(host: LoginHost) -> None:
    """An app that no longer uses a helper has nothing noted, and no program runs."""
    host.host.trigger("pre-delete", "web", "latest")
    host.write("web", {"auths": {HOST: entry("u", "p")}})
    host.host.defaults_file.write_text("DOKKU_REGISTRYD_BIN=/nonexistent\n")

    assert host.host.trigger("pre-delete", "web", "latest") == SILENT
    assert not noted(host).exists()


def test_an_interrupted_destruction_is_repeated(host: LoginHost) -> None:
    """The list stays when core has removed the auth config and a later step failed."""
    refusing = host.host.add_plugin("registry2", {"post-delete": "#!/bin/sh\nexit 1\n"})
    assert host.host.destroy_app("web").code == 1
    assert host.read("web") is None

    (refusing / "post-delete").unlink()
    assert host.host.destroy_app("web") == SILENT

    assert forget(host) == [HOST]


def test_a_sweep_takes_notes_up(host: LoginHost) -> None:
    """Where post-delete did not run at all the note is set aside by the daemon."""
    host.host.trigger("pre-delete", "web", "latest")
    folders = DestroyedApps(
        root=host.host.data_dir / "forgotten", config_root=host.host.config_root
    )
    assert folders.noted() == []
    host.path("web").unlink()
    assert folders.noted() == ["web"]

    folders.detach("web", "1700000000000000.0.1")

    assert folders.noted() == []
    assert forget(host) == [HOST]


def test_a_file_that_cannot_be_read(host: LoginHost) -> None:
    """The destruction goes on, with the reason and the way out."""
    host.write("web", "{ credsStore")

    assert host.host.trigger("pre-delete", "web", "latest") == Result(
        "",
        " !     Cannot note which logins of web are kept by credential helpers (it is"
        " not valid JSON); they stay there unless you run dokku registry:logout web"
        " SERVER first\n",
        0,
    )


def test_without_the_program(host: LoginHost) -> None:
    """Nor does a missing program keep an app from being destroyed."""
    host.host.defaults_file.write_text("DOKKU_REGISTRYD_BIN=/nonexistent\n")

    result = host.host.trigger("pre-delete", "web", "latest")

    assert result.code == 0
    assert result.stderr.startswith(
        " !     Cannot note which logins of web are kept by credential helpers"
        " (there is no program "
    )


def test_in_charge(host: LoginHost) -> None:
    """Where our plugin is in charge the logins themselves are set aside."""
    host.host.disable_core()

    assert host.host.trigger("pre-delete", "web", "latest") == SILENT
    assert not noted(host).parent.parent.exists()

    host.host.trigger("post-delete", "web", "latest")
    assert forget(host) == [HOST]
