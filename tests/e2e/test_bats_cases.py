"""What Dokku's own tests of its registry plugin ask for, with an Engine.

The names are those of `registry.bats` and `registry_2.bats` of Dokku 0.38.27. Each runs
in both modes, so that the stand-in for Dokku's plugin is held to it too. What needs no
Engine is in `tests/unit/dokku`.
"""

import pytest

from support import core_plugin
from support.app_images import PULLING
from support.dokku_commands import DokkuCommands
from support.site import Site
from support.waiting import until

APP = "test-app"


@pytest.fixture(params=["takeover", "companion"])
def dokku(one: Site, request: pytest.FixtureRequest) -> DokkuCommands:
    """Give the commands of a host in each mode, on which the app is created."""
    if request.param == "companion":
        one.host.enable_core(core_plugin.HOOKS)
    dokku = DokkuCommands(one)
    dokku.apps_create(APP)
    return dokku


@pytest.fixture
def pushing(one: Site, dokku: DokkuCommands) -> DokkuCommands:
    """Give them with an app that is logged in and pushes."""
    dokku.login(APP, one.server)
    dokku.registry("set", APP, "server", one.server)
    dokku.registry("set", APP, "image-repo", "dokku/test-app")
    dokku.registry("set", APP, "push-on-release", "true")
    return dokku


@pytest.fixture
def lost(one: Site, pushing: DokkuCommands) -> DokkuCommands:
    """Yield them with a deployed app whose image is gone and is not healed."""
    pushing.ps_rebuild(APP)
    one.service.stop()
    one.untag(one.reference(1, APP))
    return pushing


def test_login_per_app(one: Site, dokku: DokkuCommands) -> None:
    """registry:login (62): it succeeds, and the app has a file of its own."""
    said = dokku.login(APP, one.server)

    assert "Login Succeeded" in said
    assert (one.host.config_root / "registry" / APP / "config.json").exists()


def test_logout_per_app(one: Site, dokku: DokkuCommands) -> None:
    """registry:logout (79): after a login it succeeds."""
    dokku.login(APP, one.server)

    assert dokku.registry("logout", APP, one.server) == ""


def test_credentials_deleted_on_destroy(one: Site, dokku: DokkuCommands) -> None:
    """apps:destroy (111): the folder with the login is gone."""
    dokku.login(APP, one.server)

    dokku.apps_destroy(APP)

    assert not (one.host.config_root / "registry" / APP).exists()


def test_set_image_repo(one: Site, dokku: DokkuCommands) -> None:
    """registry:set image-repo (538): without a push the name is local."""
    dokku.registry("set", APP, "image-repo", f"heroku/{APP}")

    dokku.ps_rebuild(APP)

    assert f"heroku/{APP}:latest" in one.names()
    assert [name for name, _ in dokku.runs(APP)] == [f"heroku/{APP}:latest"]


def test_push_on_release(one: Site, pushing: DokkuCommands) -> None:
    """registry:set push-on-release (565): of four releases only the last is here."""
    for command in (
        pushing.ps_rebuild,
        pushing.ps_rebuild,
        pushing.config_set,
        pushing.ps_rebuild,
    ):
        command(APP)
        until(lambda: not pushing.ps_retire(), what="the end of retirement")

    numbers = {f"dokku/test-app:{number}" for number in (1, 2, 3, 4)}
    until(lambda: numbers & one.names().keys() == {"dokku/test-app:4"}, what="one name")
    assert one.remote(APP).tags() == ["1", "2", "3", "4"]


def test_push_extra_tags(one: Site, pushing: DokkuCommands) -> None:
    """registry:set push-extra-tags (694): the deploy tells of the tag."""
    pushing.registry("set", APP, "push-extra-tags", "foo")

    said = pushing.ps_rebuild(APP)

    assert "dokku/test-app:foo" in said
    assert one.remote(APP).digest("foo") == one.remote(APP).digest(1)
    assert not any(name.endswith(":foo") for name in one.names())


def test_recover_ps_restart(one: Site, lost: DokkuCommands) -> None:
    """[recover] ps:restart (62): it pulls, says so, and the image is here again."""
    assert PULLING in lost.ps_restart(APP)

    assert one.reference(1, APP) in one.names()


def test_recover_run(lost: DokkuCommands) -> None:
    """[recover] dokku run (77): it pulls, says so, and runs."""
    assert PULLING in lost.run(APP)


def test_recover_domains_add(one: Site, lost: DokkuCommands) -> None:
    """[recover] domains:add (88): it succeeds, and the image is here again."""
    lost.domains_add(APP)

    assert one.reference(1, APP) in one.names()
