"""A destroyed app: its logins, properties, releases and waiting pushes are gone."""

import json
import shutil
from pathlib import Path

import pytest

from support.site import Site
from support.waiting import until

# Keeps a login in a file named after its server, as real helpers keep it elsewhere.
_HELPER = """\
#!/bin/sh
cd '{store}' || exit 1
read -r server
file=$(printf %s "$server" | tr / _)
case $1 in
  get) [ -f "$file" ] && cat "$file" || {{ echo {missing}; exit 1; }} ;;
  erase) [ -f "$file" ] && rm "$file" || {{ echo {missing}; exit 1; }} ;;
  *) exit 1 ;;
esac
"""


class _Helper:
    """A credential helper called `shelf`, and what it keeps."""

    def __init__(self, site: Site, store: Path) -> None:
        store.mkdir()
        self._site = site
        self._store = store
        self.config = {"credHelpers": {site.server: "shelf"}}
        missing = "credentials not found in native keychain"
        self._script = _HELPER.format(store=store, missing=missing)
        site.host.add_command("docker-credential-shelf", self._script)

    @property
    def kept(self) -> list[str]:
        """The servers that it has logins for."""
        return [path.name for path in self._store.iterdir()]

    def keep(self, server: str) -> None:
        """Give it the right login for a server."""
        registry = self._site.registry
        login = {
            "ServerURL": server,
            "Username": registry.username,
            "Secret": registry.password,
        }
        (self._store / server).write_text(json.dumps(login))

    def fail(self) -> None:
        """Let it fail from now on."""
        script = "#!/bin/sh\nexit 7\n"
        self._site.host.add_command("docker-credential-shelf", script)

    def work(self) -> None:
        """Let it work again."""
        self._site.host.add_command("docker-credential-shelf", self._script)


@pytest.fixture
def helper(idle_one: Site, tmp_path: Path) -> _Helper:
    """Give a helper that keeps the login of the registry."""
    helper = _Helper(idle_one, tmp_path / "store")
    helper.keep(idle_one.server)
    return helper


def _check_gone(site: Site) -> None:
    """Nothing of the app is left on the host."""
    until(
        lambda: not any((site.host.data_dir / "forgotten").iterdir()),
        what="the end of the detached folder",
    )
    assert not (site.host.config_root / "registry" / "web").exists()
    assert not (site.host.config_root / "registryd" / "web").exists()
    assert not (site.host.data_dir / "deployed" / "web").exists()
    assert site.ask("releases") == []


# A sweep may see the app's detached files before the trigger is accepted; then its own
# job erases the logins, and that of the trigger finds no data. Both end before it does.
def test_destroyed_while_the_daemon_runs(one: Site, helper: _Helper) -> None:
    """Properties, auth config and the helper's login go with the app."""
    one.make_app()
    one.host.set_property("web", "heal", "off", plugin="registryd")
    one.write_login("web", helper.config)
    one.ship()

    result = one.host.destroy_app("web")

    assert (result.code, result.stderr) == (0, "")
    one.service.wait_for("login.erased", app="web", domain=one.server)
    one.service.wait_for("job.finished", intent="destroyed")
    assert helper.kept == []
    _check_gone(one)


def test_destroyed_while_the_daemon_is_stopped(one: Site, helper: _Helper) -> None:
    """At once no app can use the logins; the next daemon erases them."""
    one.make_app()
    one.write_login("web", helper.config)
    one.ship()
    one.service.stop()

    one.host.destroy_app("web")

    assert not (one.host.config_root / "registry" / "web").exists()
    one.service.start()
    one.service.wait_for("job.finished", intent="destroyed")
    assert helper.kept == []
    _check_gone(one)


def test_destroyed_without_our_hooks(one: Site, helper: _Helper) -> None:
    """Where no hook ran at all everything stays until an operator says `forget`."""
    for app in ("web", "api"):
        one.make_app(app)
    one.write_login("web", helper.config)
    one.ship()
    one.service.stop()
    (one.host.dokku_root / "web").rmdir()

    one.service.start()

    line = one.service.wait_for("apps.missed", cause="apps")
    assert line["apps"] == ["web"]
    one.service.wait_for("sweep.finished", gone=0)
    assert helper.kept == [one.server]
    assert [row["app"] for row in one.ask("releases")] == ["web"]
    assert one.ask("status")["missing"]["apps"][0]["app"] == "web"
    assert one.service.run("forget", "web").returncode == 1
    assert helper.kept == [one.server]

    assert one.service.run("forget", "web", "--yes").returncode == 0

    one.service.wait_for("job.finished", intent="destroyed", app="web")
    assert helper.kept == []
    _check_gone(one)


def test_root_that_is_not_mounted(one: Site, helper: _Helper) -> None:
    """While Dokku's root is not mounted nothing goes, no login in a helper either."""
    for app in ("web", "api"):
        one.make_app(app)
    one.write_login("web", helper.config)
    one.ship()
    one.service.stop()
    root = one.host.dokku_root
    root.rename(root.with_name("unmounted"))
    (root / ".ssh").mkdir(parents=True)

    one.service.start()

    one.service.wait_for("apps.missed", cause="root_empty")
    one.service.wait_for("sweep.finished", gone=0)
    assert helper.kept == [one.server]
    assert [row["app"] for row in one.ask("releases")] == ["web"]
    assert one.host.read_property("web", "tag-version") == "1"
    assert one.deployed() == one.reference(1)

    shutil.rmtree(root)
    root.with_name("unmounted").rename(root)
    one.ship()
    assert one.deployed() == one.reference(2)


def test_app_that_was_moved_to_another_disk(one: Site, tmp_path: Path) -> None:
    """An app behind a link is healed and released as any other."""
    one.make_app()
    image_id = one.ship()
    one.service.stop()
    (one.host.dokku_root / "web").rename(tmp_path / "web")
    (one.host.dokku_root / "web").symlink_to(tmp_path / "web")
    one.engine.wipe()

    one.service.start()

    one.service.wait_for("job.finished", intent="heal", detail="pulled")
    assert one.names()[one.reference(1)] == image_id
    one.ship()
    assert one.releases() == [(2, "pushed"), (1, "pushed")]


def test_login_that_another_app_uses(one: Site, helper: _Helper) -> None:
    """A login that another app holds in the same helper stays."""
    for app in ("web", "api"):
        one.make_app(app)
        one.write_login(app, helper.config)
    one.ship()

    one.host.destroy_app("web")

    one.service.wait_for("job.finished", intent="destroyed")
    assert helper.kept == [one.server]
    one.ship("api")
    _check_gone_but(one, "api")


def _check_gone_but(site: Site, app: str) -> None:
    assert [row["app"] for row in site.ask("releases")] == [app]


def test_helper_fails(one: Site, helper: _Helper) -> None:
    """A helper that fails is asked again until it has erased the login."""
    one.make_app()
    one.write_login("web", helper.config)
    helper.fail()

    one.host.destroy_app("web")

    line = one.service.wait_for("job.retry_scheduled", app="web")
    assert one.server in line["error"]
    helper.work()
    one.service.wait_for("job.finished", intent="destroyed")
    assert helper.kept == []
    _check_gone(one)


def test_helper_is_asked_for_each_release(one: Site, helper: _Helper) -> None:
    """A login that a helper gives serves push and heal alike."""
    one.make_app()
    one.write_login("web", helper.config)
    image_id = one.ship()

    one.engine.wipe()

    one.service.wait_for("job.finished", intent="heal", detail="pulled")
    assert one.names()[one.reference(1)] == image_id


def test_waiting_push_is_dropped(one: Site) -> None:
    """A push that still waits when its app goes is dropped, and its hook fails."""
    one.make_app()
    one.build()
    one.registry.stop()
    hook = one.begin_release()
    one.service.wait_for("job.retry_scheduled", intent="release")

    one.host.destroy_app("web")

    result = hook.finish()
    assert (result.code, "web was destroyed" in result.stderr) == (1, True)
    one.service.wait_for("job.finished", intent="destroyed")
    _check_gone(one)
    one.registry.start()
    assert one.remote().tags() == []


def test_recreated_at_once(one: Site) -> None:
    """A new app of the same name keeps its own login, properties and releases."""
    one.make_app()
    one.ship()
    one.service.stop()
    one.host.destroy_app("web")
    one.make_app(push_extra_tags="stable")
    one.build()
    hook = one.begin_release()

    one.service.start(wait=False)

    assert hook.finish().code == 0
    one.service.wait_for("daemon.ready")
    until(lambda: not one.host.spool(), what="the end of all triggers")
    assert one.releases() == [(2, "pushed")]
    assert one.host.read_property("web", "push-extra-tags") == "stable"
    assert one.deployed() == one.reference(2)


def test_images_of_a_destroyed_app_stay_gone(one: Site) -> None:
    """What Dokku prunes after a destroy is not brought back."""
    one.make_app()
    one.ship()
    one.host.destroy_app("web")
    one.service.wait_for("job.finished", intent="destroyed")
    seen = len(one.service.lines("sweep.finished", wanted=0))

    one.engine.wipe()

    one.service.wait_for("sweep.finished", wanted=0, missing=0, count=seen + 1)
    assert one.names() == {}
