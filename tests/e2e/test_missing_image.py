"""Dokku looks for an image that is gone, by the answers of our question hooks.

`fn-verify-app-image` is Dokku's way to pull it back, with the app's own login. Where
the daemon runs it finds nothing to do.
"""

import pytest

from support import core_plugin
from support.app_images import PULLING, CommandError
from support.dokku_commands import DokkuCommands
from support.site import Site
from support.waiting import until


def _begin(site: Site, **properties: str) -> DokkuCommands:
    """Deploy `web` once, with a login that only this app has."""
    dokku = DokkuCommands(site)
    site.make_app(**properties)
    site.log_in_globally(password="wrong")
    dokku.ps_rebuild("web")
    return dokku


def _lose_all(site: Site) -> None:
    site.service.stop()
    site.engine.wipe()


def test_dokku_pulls_with_the_login_of_the_app(site: Site) -> None:
    """Without the daemon Dokku pulls what was released, and starts it."""
    dokku = _begin(site)
    ran = dokku.runs("web")
    _lose_all(site)

    said = dokku.ps_restart("web")

    assert said == f"-----> Image {site.reference(1)} {PULLING}\n"
    assert dokku.runs("web") == ran


def test_dokku_pulls_under_the_name_that_it_asked_for(site: Site) -> None:
    """Without the daemon a start finds `dokku/APP:N` in the app's own repository."""
    dokku = _begin(site, image_repo="org/shop")
    _lose_all(site)

    said = dokku.ps_start("web")

    assert said.startswith(f"-----> Image dokku/web:1 {PULLING}\n")
    assert dokku.images.deploying_name("web") == f"{site.server}/org/shop:2"


def test_the_daemon_is_there_first(site: Site) -> None:
    """With the daemon everything is back before Dokku looks, and nothing is said."""
    dokku = _begin(site, image_repo="org/shop")
    ran, names = dokku.runs("web"), site.names()
    _lose_all(site)
    site.service.start()
    site.service.wait_for("job.finished", intent="heal", detail="pulled")
    wanted = {name for name in names if ":" in name and "<" not in name}
    until(lambda: wanted <= site.names().keys(), what="all names")

    said = dokku.ps_restart("web") + dokku.run("web") + dokku.domains_add("web")

    assert said == ""
    assert dokku.runs("web") == ran
    assert dokku.images.verify("web", "dokku/web:1") == ""


def test_a_changed_server_does_not_mislead_dokku(one: Site) -> None:
    """The running image is pulled from its own repository, with any properties."""
    dokku = _begin(one)
    ran = dokku.runs("web")
    one.host.set_property("web", "server", "registry.example.com")
    one.host.set_property("web", "image-repo", "org/else")
    _lose_all(one)

    dokku.ps_restart("web")

    assert dokku.runs("web") == ran


@pytest.mark.parametrize("daemon", ["running", "stopped"])
def test_a_renamed_app_starts_from_what_it_ran(one: Site, daemon: str) -> None:
    """The new name was never pushed, so Dokku is answered with the old one."""
    dokku = _begin(one)
    if daemon == "stopped":
        one.service.stop()
    dokku.apps_rename("web", "shop", skip_deploy=True)
    assert dokku.runs("shop") == []

    dokku.ps_start("shop")

    name = one.reference(2, "shop")
    assert [image for image, _ in dokku.runs("shop")] == [name]
    assert one.remote("shop").tags() == ["2"]


def test_nothing_is_pulled_that_was_never_pushed(one: Site) -> None:
    """An app that begins to push has no number before its first release."""
    dokku = DokkuCommands(one)
    one.make_app(push_on_release="false")
    dokku.ps_rebuild("web")
    name = f"{one.server}/dokku/web:latest"
    assert [image for image, _ in dokku.runs("web")] == [name]

    one.host.set_property("web", "push-on-release", "true")

    assert dokku.ps_restart("web") == ""
    dokku.ps_stop("web")
    one.untag(name)
    with pytest.raises(CommandError) as caught:
        dokku.ps_restart("web")
    assert str(caught.value) == f" !     App image ({name}) not found\n"


def test_an_image_that_is_nowhere(site: Site) -> None:
    """Where the registry lost it too, Dokku says so, and so does `status`."""
    dokku = _begin(site)
    site.remote().delete(str(site.remote().digest(1)))
    _lose_all(site)
    site.service.start()
    site.service.wait_for("job.retry_scheduled", intent="heal", app="web")

    with pytest.raises(CommandError, match=f"App image .{site.reference(1)}. not"):
        dokku.ps_restart("web")

    waiting = site.waiting("heal")
    assert "dokku ps:rebuild web" in waiting["last_error"]


@pytest.mark.parametrize("mode", ["takeover", "companion"])
def test_a_pruned_latest_does_not_stop_a_redeploy(one: Site, mode: str) -> None:
    """Dokku never pulls `latest`; the daemon tags it again from the running image."""
    if mode == "companion":
        one.host.enable_core(core_plugin.HOOKS)
    dokku = _begin(one)
    one.untag("dokku/web:latest")
    until(lambda: "dokku/web:latest" in one.names(), what="the name")

    dokku.config_set("web")

    assert dokku.images.deploying_name("web") == one.reference(2)
    assert [name for name, _ in dokku.runs("web")] == [one.reference(2)]
