"""What is left of an app that is gone, or that has another name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dokku_registryd import errors
from dokku_registryd.core.job import outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.core.release.releases import DeployedRelease
from dokku_registryd.effects import forget, release
from workshops import open_workshop
from worlds import Host

STAMP = "0000000000000001.0.1"


def run_forget(host: Host, kind: Kind, job_id: str = "5.1.1") -> outcomes.Outcome:
    """Forget the app once."""
    outcome = host.perform(forget.perform, host.add_job(kind, job_id))
    assert outcome is not None
    return outcome


@pytest.fixture
def released(host: Host) -> Host:
    """Give a host with two apps that were released."""
    host.create_app("api")
    host.engine.add_image("dokku/api:latest", b"api")
    host.perform(release.perform, host.add_job(Kind.RELEASE, "1.1.1"))
    host.perform(release.perform, host.add_job(Kind.RELEASE, "2.1.1", app="api"))
    return host


def destroy(host: Host) -> None:
    """Destroy web as Dokku does, with our hook, which moves its folders."""
    host.context.destroyed.detach("web", STAMP)
    (host.folder / "data" / "deployed" / "web").unlink(missing_ok=True)
    host.destroy_app()
    (folder,) = host.context.destroyed.of("web")
    host.credentials.held[host.context.destroyed.login_folder(folder)] = ["r.example"]


def left(host: Host) -> tuple[list[str], list[str], list[str]]:
    """Return owners of properties, of detached folders and of releases."""
    return (
        host.files.owners(),
        host.context.destroyed.apps(),
        sorted(entry.app for entry in host.ledger.releases()),
    )


def test_a_noted_app(released: Host) -> None:
    """What was noted of an app's logins is erased once Dokku's plugin removed the app.

    Neither the note alone nor a folder that is not seen says that the app is gone.
    """
    note = released.folder / "data" / "noted" / "web"
    note.mkdir(parents=True)
    (note / "config.json").write_text("{}")
    login = released.folder / "config" / "registry" / "web" / "config.json"
    login.write_text("{}")

    run_forget(released, Kind.ABANDONED)
    assert note.exists()

    released.destroy_app()
    run_forget(released, Kind.ABANDONED, "6.1.1")
    assert note.exists()

    login.unlink()
    assert run_forget(released, Kind.ABANDONED, "7.1.1").ending is outcomes.Ending.DONE
    assert not note.exists()


def test_a_destroyed_app(released: Host) -> None:
    """Logins, properties and releases of the app go; another app keeps its own."""
    destroy(released)

    outcome = run_forget(released, Kind.DESTROYED)

    assert outcome.ending is outcomes.Ending.DONE
    assert left(released) == (["api"], [], ["api"])
    assert released.credentials.held == {}
    assert released.tag_version("api") == "1"


def test_forgetting_twice(released: Host) -> None:
    """The second time there is nothing left to do, and that is not an error."""
    destroy(released)
    run_forget(released, Kind.DESTROYED)

    again = run_forget(released, Kind.DESTROYED, "6.1.1")

    assert again.ending is outcomes.Ending.SKIPPED
    assert left(released) == (["api"], [], ["api"])


def test_a_hook_that_did_not_run(released: Host) -> None:
    """Without a hook's word all that an app has stays, although it is not seen."""
    before = left(released)
    released.destroy_app()

    run_forget(released, Kind.ABANDONED)

    assert left(released) == before
    assert (released.deployed() is None, released.tag_version()) == (False, "1")


def test_a_hook_that_could_not_move(released: Host) -> None:
    """A hook's word is enough: properties that it could not move go with the app."""
    released.destroy_app()

    run_forget(released, Kind.DESTROYED)

    assert left(released) == (["api"], [], ["api"])
    released.create_app("web")
    assert (released.deployed(), released.tag_version()) == (None, "")


def test_a_helper_that_is_away(released: Host) -> None:
    """Until the helper answers, the login's folder stays; nothing else may use it."""
    destroy(released)
    released.credentials.fail("forget", errors.TransientError("helper away"))
    with pytest.raises(errors.TransientError):
        run_forget(released, Kind.DESTROYED)
    assert released.context.destroyed.apps() == ["web"]

    run_forget(released, Kind.DESTROYED)

    assert left(released) == (["api"], [], ["api"])
    assert released.credentials.held == {}


@pytest.mark.parametrize("kind", [Kind.DESTROYED, Kind.ABANDONED])
def test_an_app_that_was_created_again(released: Host, kind: Kind) -> None:
    """A new app of the same name keeps its properties and logins."""
    destroy(released)
    released.create_app("web")

    run_forget(released, kind)

    assert released.files.owners() == ["api", "web"]
    assert released.files.get("registry", "web", "server") == "r.example"
    assert released.context.destroyed.apps() == []


def test_a_new_release_outlives_a_late_forget(released: Host) -> None:
    """What the new app released while a helper was away is not forgotten with the old.

    The jobs run as the daemon runs them: forgetting waits, the release does not.
    """
    destroy(released)
    released.credentials.fail("forget", errors.TransientError("helper away"))
    shop = open_workshop(released)
    released.leave(Kind.DESTROYED, "5.1.1")
    shop.intake.scan()
    shop.work()
    released.create_app("web")
    released.engine.add_image("dokku/web:latest", b"a new app")
    released.leave(Kind.RELEASE, "6.1.1")
    shop.intake.scan()
    assert (shop.work(), shop.ending("6.1.1")) == ("6.1.1", "done")

    released.clock.seconds += 100_000
    assert (shop.work(), shop.ending("5.1.1")) == ("5.1.1", "done")

    assert [made.job_id for made in released.ledger.releases("web")] == ["6.1.1"]


def _take_away(home: Path) -> None:
    home.rename(home.with_name("elsewhere"))


def _empty(home: Path) -> None:
    _take_away(home)
    home.mkdir()


def _take_apps_away(home: Path) -> None:
    for app in ("web", "api"):
        (home / app).rmdir()


def _dangle(home: Path) -> None:
    (home / "web").rmdir()
    (home / "web").symlink_to(home / "nowhere")


UNSEEN: dict[str, Callable[[Path], None]] = {
    "root-away": _take_away,
    "root-empty": _empty,
    "apps-away": _take_apps_away,
    "link-to-nowhere": _dangle,
}


@pytest.mark.parametrize("hide", UNSEEN.values(), ids=UNSEEN)
@pytest.mark.parametrize("kind", [Kind.DESTROYED, Kind.ABANDONED])
def test_a_missing_folder_is_not_a_proof(
    released: Host, kind: Kind, hide: Callable[[Path], None]
) -> None:
    """Where an app may be out of sight, its properties stay.

    They may be those of an app that was created since under a destroyed one's name.
    """
    hide(released.folder / "home")

    run_forget(released, kind)

    assert released.files.owners() == ["api", "web"]
    assert released.files.get("registry", "web", "server") == "r.example"
    assert released.tag_version("api") == "1"
    assert released.context.destroyed.apps() == []


def test_a_renamed_app(released: Host) -> None:
    """Releases belong to the new name; twice is as good as once."""
    job = released.add_job(Kind.RENAMED, "5.1.1", other="shop")

    for _ in range(2):
        released.perform(forget.rename, job)

    assert left(released)[2] == ["api", "shop"]
    assert released.release("1.1.1").deployed == DeployedRelease(
        server="r.example/", image_repo="org/web", number=1
    )
