"""A deployed name that was moved to a foreign image points to ours again."""

from support import json_schemas
from support.every_engine import on_every_engine
from support.site import Site


def _move(site: Site) -> str:
    """Give the deployed name to another image, and return that image."""
    other = site.engine.import_image("evil:latest", {"x": b"other"}, {})
    repository, _, tag = site.reference(1).rpartition(":")
    site.tag(other, repository, tag)  # A sweep may see it before we could.
    return other


@on_every_engine
def test_it_is_moved_back(idle_site: Site) -> None:
    """A sweep finds it, and the registry is not asked where our image is here."""
    site = idle_site
    site.service.configure(daemon__sweep_interval_seconds=1)
    site.service.start()
    site.make_app()
    image_id = site.ship()
    asked = _manifests(site)

    other = _move(site)
    site.service.wait_for("job.finished", intent="heal", app="web", outcome="done")

    assert site.names()[site.reference(1)] == image_id
    assert _manifests(site) == asked
    moved = site.service.wait_for("name.moved", app="web")
    assert (moved["image_id"], moved["leads_to"]) == (image_id, other)


def _manifests(site: Site) -> list[str]:
    """Return what was asked about manifests; questions about blobs may end late."""
    return [line for line in site.registry.requests() if "/manifests/" in line]


@on_every_engine
def test_ours_comes_back_from_the_registry(site: Site) -> None:
    """Where only the other image is here, ours is pulled by its digest."""
    site.make_app()
    image_id = site.ship()
    site.service.stop()
    _move(site)
    for name in site.names():
        if name != site.reference(1):
            site.untag(name)

    site.service.start()
    site.service.wait_for("job.finished", intent="heal", app="web", outcome="done")

    assert site.names()[site.reference(1)] == image_id


def test_what_commands_say(one: Site) -> None:
    """`doctor` fails, `heal --dry-run` says what it would do, and `push` mends it."""
    one.make_app()
    image_id = one.ship()
    one.service.stop()  # It moves the name back as soon as it sees it.
    other = _move(one)

    doctor = one.service.run("doctor", "web")
    plan = one.service.run("heal", "web", "--dry-run", "--format", "json")
    pushed = one.service.run("push", "web")

    assert doctor.returncode == 1
    said = f"{one.reference(1)} points to another image on this host"
    (line,) = (line for line in doctor.stdout.splitlines() if said in line)
    assert line.startswith("fail ")
    gaps = json_schemas.parse("heal", plan.stdout)
    assert [(gap["action"], gap["leads_to"]) for gap in gaps] == [("retag", other)]
    assert (pushed.returncode, one.names()[one.reference(1)]) == (0, image_id)


def test_without_a_ledger(one: Site) -> None:
    """After the ledger was lost, the digest beside the record tells our image."""
    one.make_app()
    image_id = one.ship()
    one.service.stop()
    for path in one.host.data_dir.glob("ledger.sqlite3*"):
        path.unlink()
    other = _move(one)

    one.service.start()
    one.service.wait_for("job.finished", intent="heal", app="web", outcome="done")

    assert one.names()[one.reference(1)] == image_id != other


def test_our_own_image_without_a_ledger(one: Site) -> None:
    """What the relay sent has no digest on a classic store: no alarm is raised."""
    one.make_app()
    one.ship()
    one.service.stop()
    for path in one.host.data_dir.glob("ledger.sqlite3*"):
        path.unlink()

    one.service.start()
    one.service.wait_for("sweep.finished")

    assert (
        one.service.run("heal", "web", "--dry-run", "--format", "json").stdout == "[]\n"
    )
    assert one.service.lines("name.moved") == []
