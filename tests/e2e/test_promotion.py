"""A promotion: the bytes that one app has tested run as another one."""

import json

from support import json_schemas
from support.dokku_host import Result
from support.every_engine import on_every_engine
from support.played_restart import PlayedRestart
from support.registries import RegistryServer
from support.remote import Remote
from support.site import Site


def prepare(site: Site) -> tuple[PlayedRestart, str]:
    """Release `web`, and create `shop`, which never ran; return the image of `web`."""
    site.make_app()
    image_id = site.ship()
    site.end_deploy(status="succeeded")
    site.make_app("shop", push_extra_tags="stable")
    return PlayedRestart(site.host), image_id


def promote(site: Site, *arguments: str) -> Result:
    """Type `dokku registryd:promote web shop`."""
    return site.host.command("registryd:promote", "web", "shop", *arguments)


def sent(server: RegistryServer) -> list[str]:
    """Return the requests that sent bytes of a blob to the target."""
    found = [*server.requests("PUT /v2/dokku/shop/blobs")]
    return found + server.requests("PATCH /v2/dokku/shop/blobs")


@on_every_engine
def test_the_first_deploy_and_the_next(site: Site) -> None:
    """An app that never ran is deployed; the next promotion restarts it."""
    restart, image_id = prepare(site)

    done = promote(site)

    assert done.code == 0, done
    digest = site.remote().digest(1)
    reference = site.reference(1, "shop")
    assert f"web 1 is promoted to shop, as {reference}: {digest}.\n" in done.stdout
    assert site.remote("shop").digest(1) == digest
    assert site.remote("shop").digest("stable") == digest
    assert sent(site.registry) == []
    assert site.names()[reference] == site.names()["dokku/shop:latest"] == image_id
    assert restart.commands == ["deploy"]
    assert restart.started == [reference]
    assert site.deployed_later("shop") == reference

    later = site.ship()
    site.end_deploy(status="succeeded")
    assert promote(site).code == 0

    assert restart.commands == ["deploy", "ps:restart"]
    assert site.remote("shop").digest(2) == site.remote().digest(2)
    assert site.names()[site.reference(2, "shop")] == later
    assert promote(site, "1").code == 0
    assert site.remote("shop").digest(3) == digest


def test_to_another_registry(site: Site, second_registry: RegistryServer) -> None:
    """The layers go from registry to registry, also if this host lacks the image."""
    restart, image_id = prepare(site)
    site.host.set_property("shop", "server", second_registry.host)
    site.log_in_to(second_registry, app="shop")
    digest = site.remote().digest(1)
    site.service.stop()
    site.engine.wipe()

    done = promote(site)

    assert done.code == 0, done
    assert Remote(second_registry, "dokku/shop").digest(1) == digest
    reference = f"{second_registry.host}/dokku/shop:1"
    assert restart.started == [reference]
    assert site.names()[reference] == image_id
    shown = site.ask("releases", "shop")
    assert (shown[0]["number"], shown[0]["digest"]) == (1, digest)


def test_from_the_mirror(one: Site, second_registry: RegistryServer) -> None:
    """While the first registry is away, the mirror gives the same bytes."""
    one.make_app()
    one.log_in_to(second_registry)
    one.host.set_property("web", "mirror", second_registry.host, plugin="registryd")
    one.ship()
    one.end_deploy(status="succeeded")
    one.service.wait_for("mirror.copied", app="web")
    digest = one.remote().digest(1)
    one.make_app("shop", server=second_registry.host)
    one.log_in_to(second_registry, app="shop")
    restart = PlayedRestart(one.host)
    one.service.stop()
    one.engine.wipe()
    one.registry.stop()

    done = promote(one)

    assert done.code == 0, done
    assert Remote(second_registry, "dokku/shop").digest(1) == digest
    assert restart.started == [f"{second_registry.host}/dokku/shop:1"]


def test_checks_that_fail(one: Site) -> None:
    """The app is as before: it runs nothing, and the next number is another one."""
    restart, _ = prepare(one)
    restart.let_checks_fail()

    done = promote(one)

    assert done.code == 3
    assert done.stderr.endswith(" !     web 1 is not promoted to shop\n")
    assert not one.host.read_property("shop", "tag-version")
    assert "dokku/shop:latest" not in one.names()
    restart.let_checks_fail(fail=False)
    assert promote(one).code == 0
    assert one.deployed_later("shop") == one.reference(2, "shop")


def test_a_dry_run(one: Site) -> None:
    """It says what would be done, and what Dokku does not know; it does nothing."""
    restart, _ = prepare(one)
    digest = one.remote().digest(1)

    shown = promote(one, "--dry-run")
    planned = promote(one, "--dry-run", "--format", "json")

    repository = f"{one.server}/dokku/shop"
    assert shown.stdout.splitlines()[:5] == [
        "shop runs nothing that was pushed. A promotion of web 1:",
        "  image    on this host",
        f"  release  the next number of {repository}, as {digest}",
        f"  layers   copied from {one.server}/dokku/web, from registry to registry",
        "  deploy   dokku deploy shop NUMBER, with its checks",
    ]
    assert "dokku ports:set shop" in shown.stdout
    assert "  login  " not in shown.stdout
    document = json.loads(planned.stdout)
    json_schemas.check("promote", document)
    assert (document["outcome"], document["is_first"]) == ("planned", True)
    assert restart.started == []
    assert one.remote("shop").digest(1) is None


def test_a_dry_run_without_a_login(one: Site) -> None:
    """A target without a login is told of before the promotion would fail."""
    prepare(one)
    one.write_login("shop", {"auths": {}})

    shown = promote(one, "--dry-run")

    assert (
        f"  login    none of shop for {one.server}. If it needs one: dokku"
        f" registry:login shop {one.server} USER\n"
    ) in shown.stdout


def test_for_scripts(one: Site) -> None:
    """With JSON stdout is one document."""
    prepare(one)

    done = promote(one, "--format", "json")

    document = json.loads(done.stdout)
    json_schemas.check("promote", document)
    assert (document["outcome"], document["number"], done.code) == ("done", 1, 0)
    assert document["digest"] == one.remote("shop").digest(1)


def test_refusals(one: Site) -> None:
    """A held app, a number that there is not, and the same bytes again."""
    restart, _ = prepare(one)
    one.host.command("registryd:hold", "shop", "--reason", "freeze")

    assert promote(one).stderr.startswith(" !     shop is held (freeze)")

    one.host.command("registryd:hold", "shop", "--off")
    assert promote(one, "7").stderr.startswith(" !     web has no release 7")
    assert promote(one).code == 0
    again = promote(one)
    assert (again.code, len(restart.started)) == (1, 1)
    assert "already" in again.stderr
