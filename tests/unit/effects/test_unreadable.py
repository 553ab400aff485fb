"""Effects of an app whose properties are there and cannot be read."""

import os
from pathlib import Path

import pytest

import worlds
from dokku_registryd import errors
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release import releases
from dokku_registryd.effects import heal, record_core, release, repush, sweep
from dokku_registryd.effects.app import app_state
from dokku_registryd.runtime import deploy_watch
from workshops import open_workshop
from worlds import Host

CORE, OURS, GLOBAL = policy.CORE, policy.OURS, policy.GLOBAL
DECIDING = ("server", "image-repo", "push-on-release", "push-extra-tags", "tag-version")
OF_AN_APP_ALONE = {"image-repo", "tag-version"}


def spoil(host: Host, name: str, *, plugin: str = CORE, app: str = "web") -> Path:
    """Make a property unreadable: a folder is in its place. Return its path."""
    path = host.folder / "config" / plugin / app / name
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)
    return path


def everything(host: Host) -> object:
    """Return what registries have, by repository, and the names on this host."""
    return dict(host.registry.manifests), host.names()


@pytest.mark.parametrize(
    ("app", "name"),
    [
        *(("web", name) for name in DECIDING),
        *((GLOBAL, name) for name in DECIDING if name not in OF_AN_APP_ALONE),
    ],
)
def test_a_release_waits(host: Host, name: str, app: str) -> None:
    """Nothing is reserved, named or pushed, and the error names the file."""
    if app == GLOBAL:
        (host.folder / "config" / CORE / "web" / name).unlink(missing_ok=True)
    path = spoil(host, name, app=app)
    before = everything(host)

    with pytest.raises(errors.UnreadableError, match=str(path)):
        host.perform(release.perform, host.add_job(Kind.RELEASE))

    assert everything(host) == before
    assert host.ledger.releases() == []


@pytest.mark.parametrize("name", ["push-policy", "push-deadline"])
def test_a_release_waits_for_what_is_ours(host: Host, name: str) -> None:
    """How a release is pushed is not guessed either."""
    path = spoil(host, name, plugin=OURS)

    with pytest.raises(errors.UnreadableError, match=str(path)):
        host.perform(release.perform, host.add_job(Kind.RELEASE))


@pytest.mark.parametrize("name", ["heal", "keep-releases"])
def test_a_release_does_not_need_all(host: Host, name: str) -> None:
    """What decides nothing of a release does not hold it up."""
    spoil(host, name, plugin=OURS)

    host.perform(release.perform, host.add_job(Kind.RELEASE))

    assert set(host.tags()) == {"1"}


@pytest.mark.parametrize("plugin", [CORE, OURS])
def test_it_ends_with_the_name(host: Host, plugin: str) -> None:
    """At the deadline the deploy fails with the file's name, and nothing was pushed."""
    name = "server" if plugin == CORE else "push-policy"
    path = spoil(host, name, plugin=plugin)
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    before = everything(host)

    shop.work()
    assert shop.ending() == ""
    host.clock.seconds += 100_000
    shop.work()

    assert shop.ending() == "failed"
    assert any(str(path) in text for _, text in host.reply())
    assert everything(host) == before


def test_it_goes_on_once_it_can_be_read(host: Host) -> None:
    """The release then goes where the property says."""
    path = spoil(host, "server")
    shop = open_workshop(host)
    host.leave(Kind.RELEASE)
    shop.intake.scan()
    shop.work()

    path.rmdir()
    path.write_text("r.example")
    host.clock.seconds += 60
    shop.work()

    assert (shop.ending(), set(host.tags())) == ("done", {"1"})


@pytest.fixture
def released(host: Host) -> Host:
    """Give a host with two apps that were released, one of them twice."""
    host.create_app("api")
    for number, (app, content) in enumerate(
        [("web", b"one"), ("web", b"two"), ("api", b"api")]
    ):
        host.engine.add_image(f"dokku/{app}:latest", content)
        job = host.add_job(Kind.RELEASE, f"{number}.1.1", app=app)
        host.perform(release.perform, job)
    return host


@pytest.mark.parametrize("name", ["server", "push-on-release"])
@pytest.mark.parametrize(
    ("effect", "kind"),
    [(heal.perform, Kind.HEAL), (repush.perform, Kind.PUSH)],
    ids=["heal", "push"],
)
def test_other_work_waits(
    released: Host, name: str, effect: worlds.Effect, kind: Kind
) -> None:
    """A heal and a push wait, and the error names the file."""
    path = spoil(released, name)
    released.engine.lose("org/web:2")

    with pytest.raises(errors.UnreadableError, match=str(path)):
        released.perform(effect, released.add_job(kind, "5.1.1"))

    assert "org/web:2" not in released.names()


def test_a_heal_that_may_be_switched_off(released: Host) -> None:
    """While it cannot be read whether an app is healed, nothing is pulled."""
    path = spoil(released, "heal", plugin=OURS)
    released.engine.lose("org/web:2")

    with pytest.raises(errors.UnreadableError, match=str(path)):
        released.perform(heal.perform, released.add_job(Kind.HEAL, "5.1.1"))


def test_what_dokkus_plugin_pushed(released: Host) -> None:
    """Where it was pushed to is not guessed."""
    path = spoil(released, "server")

    with pytest.raises(errors.UnreadableError, match=str(path)):
        released.perform(
            record_core.perform,
            released.add_job(Kind.RECORDED, "5.1.1", tag="3", scheduler="docker-local"),
        )


@pytest.mark.parametrize(
    "where", ["config/registry/web/server", "config/registry/web", "deployed"]
)
def test_a_sweep_takes_nothing(released: Host, where: str) -> None:
    """An app whose files are not whole is unknown: all names of its releases stay."""
    place = {"deployed": "data/deployed/web"}.get(where, where)
    path = released.folder / place
    path.rename(released.folder / "kept")
    if where == "config/registry/web":
        path.symlink_to(released.folder / "kept")
    else:
        path.mkdir()
    released.engine.lose("org/api:1")
    before = released.names()

    sweep.carry_out(released.context)

    assert released.names() == before
    healed = [t.app for t in released.submitted if t.kind is Kind.HEAL]
    assert healed == ["api"]


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "app-is-a-file"])
def test_an_entry_that_is_not_a_file_of_a_deploy(released: Host, kind: str) -> None:
    """It tells nothing, and neither its own app nor another one waits for it."""
    folder = released.folder / "data" / "deploying" / "web"
    odd = folder / "b7"
    if kind == "app-is-a-file":
        folder.parent.mkdir(parents=True)
        folder.write_text("")
        odd = folder
    else:
        folder.mkdir(parents=True)
        if kind == "folder":
            odd.mkdir()
        elif kind == "link":
            odd.symlink_to(released.folder / "data" / "deployed" / "web")
        else:
            os.mkfifo(odd)
    for name in ("org/api:1", "org/web:2"):
        released.engine.lose(name)

    sweep.carry_out(released.context)

    healed = {t.app for t in released.submitted if t.kind is Kind.HEAL}
    assert healed == {"api", "web"}
    assert released.context.deploying.told("web") == {}
    assert released.context.deploying.odd("web") == [str(odd)]
    assert released.context.deploying.odd("api") == []


class Hidden:
    """The files of deploys, of which those of `web` cannot be read."""

    def __init__(self, host: Host) -> None:
        self._files = host.context.deploying

    def told(self, app: str) -> object:
        """Refuse one app."""
        if app == "web":
            raise errors.UnreadableError("cannot read deploying/web/b7")
        return self._files.told(app)

    def __getattr__(self, name: str) -> object:
        """Leave the rest as it is."""
        return getattr(self._files, name)


def test_an_app_whose_deploys_cannot_be_read(released: Host) -> None:
    """It is unknown and keeps all; other apps are healed, and their deploys settled."""
    told = releases.DeployedRelease(server="", image_repo="org/api", number=9)
    for app in ("web", "api"):
        released.context.deploying.tell(app, "b7", told)
        folder = released.folder / "data" / "builds" / app
        folder.mkdir(parents=True)
        (folder / "b7.json").write_text('{"status": "failed"}')
    released.engine.lose("org/api:1")
    before = released.names()
    hidden = Hidden(released)
    context = released.replace(deploying=hidden)

    sweep.carry_out(context)
    _, unread = app_state.all_states(context)
    shop = open_workshop(released, deploying=hidden)
    deploy_watch.DeployWatch(shop.executor, shop.intake).check()

    assert released.names() == before
    assert [t.app for t in released.submitted if t.kind is Kind.HEAL] == ["api"]
    assert unread == {"web": "cannot read deploying/web/b7"}
    waiting = shop.executor.queue.waiting()
    assert [(job.kind, job.app) for job in waiting] == [(Kind.SETTLE, "api")]
