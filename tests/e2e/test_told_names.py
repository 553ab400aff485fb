"""What a deploy was told to run stays what it is while the deploy may use it."""

from support import seeding
from support.every_engine import on_every_engine
from support.gate import Gate
from support.site import Site
from support.waiting import until


def is_removed(site: Site, container: str) -> bool:
    """Remove a container, and return whether it is gone: an Engine may refuse once."""
    site.host.run(["docker", "container", "rm", "--force", container])
    return site.host.run(["docker", "container", "inspect", container]).code != 0


@on_every_engine
def test_a_number_that_is_lost_in_mid_deploy(idle_site: Site, gate: Gate) -> None:
    """Containers are created from our image, although the registry has another one."""
    site = idle_site
    site.server = gate.host
    site.service.start()
    site.make_app()
    site.log_in_globally()
    site.host.set_property("web", "push-policy", "background", plugin="registryd")
    gate.hold_requests(b"/v2/dokku/web/blobs/")
    image_id = site.build()
    assert site.release().code == 0
    told = site.deployed()
    # The number was free when it was asked for; it is asked for again after the layers.
    until(lambda: gate.holds, what="the push at the gate")
    seeding.push(site.registry, "dokku/web", "1", "foreign")

    gate.open()
    site.service.wait_for("job.finished", intent="release", outcome="done")

    # Dokku has read the name at the beginning, and creates its containers one by one.
    assert told == site.deployed() == site.reference(1)
    created = site.host.run(["docker", "container", "create", told, "/bin/true"])
    assert created.code == 0, created.stderr
    shown = site.host.run(
        ["docker", "inspect", "--format", "{{.Image}}", created.stdout.strip()]
    )
    assert shown.stdout.strip() == image_id
    until(lambda: is_removed(site, created.stdout.strip()), what="the container's end")
    site.announce_deploy()
    until(lambda: site.reference(1) not in site.names(), what="the end of the old name")
    assert site.deployed() == site.reference(2)
    assert site.names()[site.reference(2)] == image_id


def test_a_number_that_is_taken_before(one: Site) -> None:
    """A deploy that waits for no push is told a number that is free."""
    one.make_app()
    one.host.set_property("web", "push-policy", "background", plugin="registryd")
    seeding.push(one.registry, "dokku/web", "1", "foreign")

    image_id = one.ship()

    assert one.deployed() == one.reference(2)
    assert one.names()[one.reference(2)] == image_id
    assert one.reference(1) not in one.names()
