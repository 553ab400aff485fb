"""Numbers that another client has used: they are never overwritten."""

from support import seeding
from support.dokku_host import GLOBAL
from support.site import Site


def _forget_all(site: Site) -> None:
    """Take away what the host knows of the app's releases."""
    site.service.stop()
    for path in site.host.data_dir.glob("ledger.sqlite3*"):
        path.unlink()
    (site.host.data_dir / "deployed" / "web").unlink()
    (site.host.config_root / "registry" / "web" / "tag-version").unlink()
    site.service.start()


def test_number_of_another_image(site: Site) -> None:
    """A number of another image is skipped; the nearest that is free counts."""
    site.make_app()
    before = {}
    for number in ("1", "2", "7", "v9", "20261128183743"):
        seeding.push(site.registry, "dokku/web", number, f"someone's {number}")
        before[number] = site.remote().digest(number)
    site.build()

    result = site.release()

    assert result.code == 0
    assert site.deployed() == site.reference(3)
    assert "Tag 1 is taken by another image, bumping tag to 3" in result.stdout
    remote = site.remote()
    assert {number: remote.digest(number) for number in before} == before


def test_number_as_an_extra_tag(site: Site) -> None:
    """A number that another plugin stored as an extra tag moves no release."""
    site.make_app()
    site.ship()
    first = site.remote().digest(1)
    site.host.set_property("web", "push-extra-tags", "1,stable")
    site.build()

    result = site.release()

    assert result.code == 0
    assert "push-extra-tags: 1 ignored" in result.stderr
    remote = site.remote()
    assert remote.digest(1) == first
    assert remote.digest("stable") == remote.digest(2) != first


def test_names_of_the_taken_number_go(site: Site) -> None:
    """On this host only the number that was given in the end has names."""
    site.make_app()
    seeding.push(site.registry, "dokku/web", "1", "someone's")

    image_id = site.ship()

    assert site.names() == dict.fromkeys(
        (site.reference(2), "dokku/web:2", "dokku/web:latest"), image_id
    )


def test_number_of_the_same_image(site: Site) -> None:
    """A number that stands for this very image already is a success without a push."""
    site.make_app()
    site.ship()
    _forget_all(site)

    result = site.release()

    assert result.code == 0
    assert site.deployed() == site.reference(1)
    assert site.remote().count_puts(1) == 1


def test_recreated_app(one: Site) -> None:
    """An app that is recreated under an old name continues after the old numbers."""
    one.make_app()
    one.ship()
    first = one.remote().digest(1)
    one.host.destroy_app("web")
    one.make_app()

    one.ship()

    assert one.deployed() == one.reference(2)
    assert one.remote().digest(1) == first


def test_two_apps_in_one_repository(one: Site) -> None:
    """Apps that share a repository share its numbers, and none is given twice."""
    for app in ("web", "api"):
        one.make_app(app, image_repo="team/shop")
        one.build(app)

    hooks = [one.begin_release(app) for app in ("web", "api")]

    assert [hook.finish().code for hook in hooks] == [0, 0]
    numbers = {one.releases(app)[0] for app in ("web", "api")}
    assert numbers == {(1, "pushed"), (2, "pushed")}


def test_clone(one: Site) -> None:
    """A clone has the login, but starts with numbers of its own."""
    one.make_app()
    one.ship()

    one.host.clone_app("web", "copy")

    assert one.host.read_property("copy", "tag-version") is None
    one.ship("copy")
    assert one.deployed("copy") == one.reference(1, "copy")
    assert one.deployed("web") == one.reference(1, "web")


def test_global_settings(one: Site) -> None:
    """Server, switch and template may stand in the global properties alone."""
    for name, value in {
        "server": one.server,
        "push-on-release": "true",
        "image-repo-template": "shops/{{ .AppName }}",
    }.items():
        one.host.set_property(GLOBAL, name, value)
    one.log_in_globally()
    one.host.create_app("web")

    one.ship()

    assert one.deployed() == f"{one.server}/shops/web:1"


def test_counter_of_dokkus_own_plugin(one: Site) -> None:
    """Numbers go on behind those that Dokku's own plugin has given."""
    one.make_app(tag_version="41")

    one.ship()

    assert one.deployed() == one.reference(42)
