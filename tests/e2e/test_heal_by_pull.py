"""Images that are gone come back from the registry, by digest and the app's login."""

from support import seeding
from support.every_engine import on_every_engine
from support.site import Site
from support.waiting import until


def _lose_all(site: Site) -> None:
    """Do what a prune of everything does, while the daemon does not look."""
    site.service.stop()
    site.engine.wipe()
    site.service.start()


def _wait_for_pull(site: Site) -> None:
    site.service.wait_for("job.finished", intent="heal", app="web", detail="pulled")


def _asks(site: Site, what: str) -> list[str]:
    return site.registry.requests(f"GET /v2/dokku/web/manifests/{what}")


@on_every_engine
def test_image_comes_back(site: Site) -> None:
    """An image that is gone is pulled by digest, and has all of its names again."""
    site.make_app()
    image_id = site.ship()
    digest = site.remote().digest(1)
    names = site.names()
    asked = _asks(site, "1 ")

    _lose_all(site)

    _wait_for_pull(site)
    assert {name: site.names().get(name) for name in names} == names
    assert set(site.names().values()) == {image_id}
    assert _asks(site, f"{digest}")
    assert _asks(site, "1 ") == asked


@on_every_engine
def test_prune_while_the_daemon_runs(site: Site) -> None:
    """An image that is removed under the daemon's eyes is back."""
    site.make_app()
    image_id = site.ship()

    site.engine.wipe()

    _wait_for_pull(site)
    until(lambda: site.names().get("dokku/web:latest"), what="the last name")
    assert set(site.names().values()) == {image_id}


def test_own_login_counts(site: Site) -> None:
    """The app's own login is used, although the global one is wrong."""
    site.log_in_globally(password="wrong")
    site.make_app()
    image_id = site.ship()

    _lose_all(site)

    _wait_for_pull(site)
    assert site.names()[site.reference(1)] == image_id


def test_global_login_counts(one: Site) -> None:
    """An app without a login of its own uses the global one."""
    one.make_app()
    one.log_in_globally()
    one.write_login("web", {"auths": {}})
    image_id = one.ship()

    _lose_all(one)

    _wait_for_pull(one)
    assert one.names()[one.reference(1)] == image_id


def test_impostor_under_the_tag(site: Site) -> None:
    """A foreign image under the number is not used: the digest is pulled."""
    site.make_app()
    image_id = site.ship()
    seeding.push(site.registry, "dokku/web", "1", "impostor")

    _lose_all(site)

    _wait_for_pull(site)
    assert site.names()[site.reference(1)] == image_id


def test_digest_is_gone(site: Site) -> None:
    """Where the registry lost the digest, no other image is taken, and it is said."""
    site.make_app()
    site.ship()
    site.remote().delete(str(site.remote().digest(1)))
    seeding.push(site.registry, "dokku/web", "1", "impostor")

    _lose_all(site)

    site.service.wait_for("job.retry_scheduled", intent="heal", app="web")
    waiting = site.waiting("heal")
    assert "the registry no longer has sha256:" in waiting["last_error"]
    assert "dokku ps:rebuild web" in waiting["last_error"]
    assert site.names() == {}


def test_registry_returns(one: Site) -> None:
    """A heal that finds no registry is tried again until there is one."""
    one.make_app()
    image_id = one.ship()
    one.registry.stop()
    _lose_all(one)
    one.service.wait_for("job.retry_scheduled", intent="heal", app="web")

    one.registry.start()

    _wait_for_pull(one)
    assert one.names()[one.reference(1)] == image_id


def test_login_is_corrected(one: Site) -> None:
    """A heal that lacks the login succeeds after a user has logged in."""
    one.make_app()
    image_id = one.ship()
    one.log_in(password="wrong")
    _lose_all(one)
    one.service.wait_for("job.retry_scheduled", intent="heal", app="web")

    one.log_in()
    done = one.service.run("heal", "web")

    assert (done.returncode, done.stderr) == (0, "")
    assert one.names()[one.reference(1)] == image_id


def test_release_of_dokkus_own_plugin(site: Site) -> None:
    """A release that only Dokku's files tell of is pulled by tag, then recorded."""
    site.make_app()
    image_id = site.ship()
    site.service.stop()
    for path in site.host.data_dir.glob("ledger.sqlite3*"):
        path.unlink()
    site.engine.wipe()

    site.service.start()

    _wait_for_pull(site)
    assert site.names()[site.reference(1)] == image_id
    (row,) = site.ask("releases", "web")
    assert (row["number"], row["digest"]) == (1, site.remote().digest(1))


def test_too_little_disk(one: Site) -> None:
    """Below the floor of free disk space nothing is pulled, and it is said."""
    one.make_app()
    one.ship()
    one.service.configure(heal__min_free_disk_mb=100_000_000)

    _lose_all(one)

    one.service.wait_for("heal.blocked", app="web", reference=one.reference(1))
    waiting = one.waiting("heal")
    assert "heal.min_free_disk_mb" in waiting["last_error"]
    assert one.names() == {}
