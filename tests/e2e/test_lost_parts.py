"""A registry that keeps a number and loses a part of its image."""

import contextlib
import json
import os
import shutil
import sqlite3
from typing import Any

import pytest

from support import attested_image
from support.engines import CLASSIC, NEWEST_CONTAINERD
from support.every_engine import name_of, on_every_engine
from support.site import Site
from support.waiting import until

LABELS = {"com.dokku.app-name": "web"}
BUILT = "docker.io/dokku/web:latest"
PATH = "dokku/web"


def manifest_of(site: Site, digest: str) -> dict[str, Any]:
    """Return what the registry stores under a digest."""
    storage = site.registry.folder / "storage" / "docker" / "registry" / "v2"
    kind, _, encoded = digest.partition(":")
    found = storage / "blobs" / kind / encoded[:2] / encoded / "data"
    content: dict[str, Any] = json.loads(found.read_bytes())
    return content


def layer_of(site: Site) -> str:
    """Return the digest of the layer of number 1."""
    root = manifest_of(site, str(site.remote().digest(1)))
    image = (
        manifest_of(site, root["manifests"][0]["digest"])
        if ("manifests" in root)
        else root
    )
    return str(image["layers"][0]["digest"])


def let_a_day_pass(site: Site) -> None:
    """Make the releases' checks as old as if they had been made days ago."""
    site.service.stop()
    path = site.host.data_dir / "ledger.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as ledger, ledger:
        changed = ledger.execute("UPDATE checks SET checked_at = checked_at - 200000")
        assert changed.rowcount == 1
    site.service.start()


def incomplete(site: Site) -> list[tuple[str, list[str]]]:
    """Return what `status` says of incomplete releases."""
    return [
        (row["reference"], row["missing"]) for row in site.ask("status")["incomplete"]
    ]


def figures(site: Site) -> list[str]:
    """Return the metrics about them."""
    text = site.service.run("metrics").stdout
    names = ("dokku_registryd_incomplete_releases", "dokku_registryd_missing_parts")
    return [line for line in text.splitlines() if line.startswith(names)]


@on_every_engine
def test_a_lost_layer_is_found_and_sent_again(site: Site) -> None:
    """A check names it everywhere, `push` repairs it, and it can be pulled again."""
    site.make_app()
    site.ship()
    layer = layer_of(site)
    image, digest = site.reference(1), site.remote().digest(1)
    assert incomplete(site) == []
    site.registry.lose(PATH, layer)

    let_a_day_pass(site)

    line = site.service.wait_for("release.incomplete", app="web")
    assert line["missing"] == [f"layer {layer}"]
    assert incomplete(site) == [(image, [f"layer {layer}"])]
    until(
        lambda: (
            figures(site)
            == [
                "dokku_registryd_incomplete_releases 1",
                'dokku_registryd_missing_parts{app="web"} 1',
            ]
        ),
        what="the metrics",
    )
    assert f"cannot be pulled: its registry lacks layer {layer}" in (
        site.service.run("status").stdout
    )
    doctor = site.service.run("doctor", "web")
    assert doctor.returncode == 1
    assert f"the registry lacks layer {layer}" in doctor.stdout

    pushed = site.service.run("push", "web")

    assert pushed.returncode == 0, pushed.stderr
    assert f"sent again: layer {layer}" in pushed.stdout
    site.service.wait_for("release.completed", app="web")
    assert (incomplete(site), site.remote().digest(1)) == ([], digest)
    until(
        lambda: figures(site) == ["dokku_registryd_incomplete_releases 0"],
        what="the metrics",
    )
    assert "has all" in site.service.run("doctor", "web").stdout
    again = site.service.run("push", "web")
    assert (again.returncode, "the registry has it" in again.stdout) == (0, True)
    before = site.names()
    site.engine.wipe()
    site.service.wait_for("job.finished", intent="heal", app="web", detail="pulled")
    until(lambda: before.items() <= site.names().items(), what="all its names")


@pytest.mark.parametrize("engine", [NEWEST_CONTAINERD], ids=name_of, indirect=True)
def test_a_cleanup_of_untagged_versions(site: Site) -> None:
    """Children of an index that a cleanup removed are sent again."""
    site.make_app()
    attested_image.load(site.engine.path, BUILT, LABELS)
    assert site.release().code == 0
    site.announce_deploy()
    index = str(site.remote().digest(1))
    children = [one["digest"] for one in manifest_of(site, index)["manifests"]]
    for child in children:
        site.registry.lose(PATH, child)
    let_a_day_pass(site)
    # The other child is an attestation, which no pull needs.
    site.service.wait_for("release.incomplete", app="web", lacking=1)
    assert incomplete(site) == [(site.reference(1), [f"manifest {children[0]}"])]

    pushed = site.service.run("push", "web")

    assert pushed.returncode == 0, pushed.stderr
    assert incomplete(site) == []
    assert site.remote().digest(1) == index
    site.engine.wipe()
    site.service.wait_for("job.finished", intent="heal", app="web", detail="pulled")
    assert site.names()[site.reference(1)] == index
    site.registry.lose(PATH, children[1])
    site.engine.wipe()
    site.service.wait_for(
        "job.finished", intent="heal", app="web", detail="pulled", count=2
    )
    assert site.names()[site.reference(1)] == index


@pytest.mark.parametrize(
    "engine", [CLASSIC, NEWEST_CONTAINERD], ids=name_of, indirect=True
)
def test_a_lost_number_is_found_and_pushed_again(site: Site) -> None:
    """A tag that a cleanup removed: the image is there, and can be named again."""
    site.make_app()
    site.ship()
    digest = site.remote().digest(1)
    repositories = site.registry.folder / "storage/docker/registry/v2/repositories"
    shutil.rmtree(repositories / PATH / "_manifests" / "tags" / "1")

    let_a_day_pass(site)

    site.service.wait_for("number.lost", app="web", reason="gone", digest=digest)
    (row,) = site.ask("status")["incomplete"]
    assert (row["number"], row["missing"], row["is_here"]) == ("gone", [], True)
    assert "only its number is gone" in site.service.run("status").stdout
    assert figures(site) == ["dokku_registryd_incomplete_releases 0"]
    assert "dokku_registryd_lost_numbers 1" in site.service.run("metrics").stdout

    pushed = site.service.run("push", "web")

    assert pushed.returncode == 0, pushed.stderr
    site.service.wait_for("number.returned", app="web")
    assert (incomplete(site), site.remote().digest(1)) == ([], digest)


@on_every_engine
def test_an_image_that_is_gone_with_it(site: Site) -> None:
    """Heal and push name the part, and say that only a build brings it back."""
    site.make_app()
    # Content of no other test: containerd keeps a layer for a day if a push of it was
    # broken off, and a pull needs no registry for it.
    content = {"version": os.urandom(64)}
    site.engine.import_image("dokku/web:latest", content, LABELS)
    assert site.release().code == 0
    site.announce_deploy()
    layer = layer_of(site)
    site.registry.lose(PATH, layer)
    lacks = f"the registry lacks layer {layer}"
    site.service.stop()
    site.engine.wipe()
    site.service.start()

    until(
        lambda: [
            line
            for line in site.service.lines("job.retry_scheduled", intent="heal")
            if lacks in line["error"]
        ],
        what="the heal's message",
    )
    pushed = site.service.run("push", "web")
    assert pushed.returncode == 1
    assert f"{lacks}, and the image is not on this host" in pushed.stderr
    doctor = site.service.run("doctor", "web")
    assert "dokku ps:rebuild web" in doctor.stdout
    assert incomplete(site) == [(site.reference(1), [f"layer {layer}"])]


@pytest.mark.parametrize(
    "engine", [CLASSIC, NEWEST_CONTAINERD], ids=name_of, indirect=True
)
def test_a_direct_push_is_checked_behind_its_deploy(idle_site: Site) -> None:
    """A release that no relay has seen is complete once a check has found all of it."""
    site = idle_site
    site.service.configure(engine__push_path="engine")
    site.service.start()
    site.make_app()
    site.ship()

    line = site.service.wait_for("job.finished", intent="verify", app="web")

    assert line["outcome"] == "done"
    assert line["detail"].startswith("the registry has all ")
    assert incomplete(site) == []
    layer = layer_of(site)
    site.registry.lose(PATH, layer)
    let_a_day_pass(site)
    site.service.wait_for("release.incomplete", app="web")

    digest = site.remote().digest(1)

    pushed = site.service.run("push", "web")

    assert pushed.returncode == 1
    assert "the Engine pushes directly: it may put another manifest" in pushed.stderr
    assert site.remote().digest(1) == digest
