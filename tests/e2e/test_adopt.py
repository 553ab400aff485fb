"""The drift report: where Dokku's properties, the Engine and the registry disagree."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import seeding
from support.bare_site import BareSite
from support.engines import EngineServer
from support.registries import RegistryServer

REPORT = """\
       away: 127.0.0.1:9/dokku/away:4 adopted, digest unknown
 !     away: no login for 127.0.0.1:9: dokku registry:login away 127.0.0.1:9 USER
 !     away: 127.0.0.1:9/dokku/away:4 is not on this host: dokku ps:rebuild away
       behind: {server}/dokku/behind:2 adopted, {behind}
 !     behind: Dokku's last number is 2, the registry's is 9: the next release gets \
the first free number above 2
       fine: {server}/dokku/fine:7 adopted, {fine}
       gone: {server}/dokku/gone:1 adopted, {gone}
 !     gone: {server}/dokku/gone:1 is not on this host: the service restores it
       moved: {server}/dokku/moved:3 adopted, {moved}
 !     moved: number 3 is {moved_short} on this host and {theirs_short} in the \
registry, where another client pushed another image: dokku ps:rebuild moved
       nologin: {server}/dokku/nologin:1 adopted, {nologin}
 !     nologin: no login for {server}: dokku registry:login nologin {server} USER
       unpushed: {server}/dokku/unpushed:5 adopted, digest unknown
 !     unpushed: the registry has no number 5: dokku-registryd push unpushed
       Adopted: 7; already in the ledger: 0; with differences: 6
"""


@pytest.fixture
def drifted(
    engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[tuple[BareSite, str]]:
    """Give a host where each app has drifted in its own way, and the report."""
    with BareSite(tmp_path, engine, own_registry) as site:
        digests = {}
        for app, number in _RELEASED.items():
            site.make_app(app)
            site.release_by_core(number, app)
            digests[app] = str(site.remote(app).digest(number))
        seeding.push(site.registry, "dokku/behind", "9", "another host's")
        theirs = seeding.push(site.registry, "dokku/moved", "3", "foreign").digest
        site.untag(site.reference(1, "gone"), "dokku/gone:1", "dokku/gone:latest")
        (site.host.config_root / "registry" / "nologin" / "config.json").unlink()
        _add_unpushed(site)
        yield (
            site,
            REPORT.format(
                **digests,
                server=site.server,
                moved_short=digests["moved"][7:19],
                theirs_short=theirs[7:19],
            ),
        )


_RELEASED = {"behind": 2, "fine": 7, "gone": 1, "moved": 3, "nologin": 1}


def _add_unpushed(site: BareSite) -> None:
    """Add an app whose push failed, one that is elsewhere, and two that do not push."""
    site.make_app("unpushed")
    site.tag(site.build("unpushed"), f"{site.server}/dokku/unpushed", "5")
    site.host.set_property("unpushed", "tag-version", "5")
    site.make_app("away", server="127.0.0.1:9", tag_version="4")
    site.make_app("local", push_on_release="false", tag_version="6")
    site.make_app("new")


def test_report(drifted: tuple[BareSite, str]) -> None:
    """Each app's differences are said with what follows or what to do."""
    site, report = drifted
    installed = site.install()

    assert installed.code == 0
    assert report in installed.stdout


def test_report_alone(drifted: tuple[BareSite, str]) -> None:
    """The same can be seen beforehand, and nothing is recorded then."""
    site, report = drifted
    before = site.tree()

    result = site.call("adopt", "--dry-run")

    assert result.stdout == report.replace(" adopted,", " would be adopted,")
    assert site.tree() == before


def test_json(drifted: tuple[BareSite, str]) -> None:
    """A script gets the same as one list."""
    site, _ = drifted

    found = {entry["app"]: entry for entry in site.ask("adopt")}

    assert sorted(found) == sorted([*_RELEASED, "unpushed", "away"])
    assert found["unpushed"] == {
        "app": "unpushed",
        "reference": site.reference(5, "unpushed"),
        "is_new": True,
        "digest": "",
        "differences": ["the registry has no number 5: dokku-registryd push unpushed"],
    }


def test_heal_after_adoption(bare: BareSite) -> None:
    """An adopted image that vanishes comes back by the digest that was recorded."""
    bare.install()
    names = bare.names()
    bare.untag(*names)

    healed = bare.call("heal", "web")

    assert healed.code == 0, healed
    assert bare.names().keys() >= {bare.reference(2), "dokku/web:2"}


def test_scheduler(bare: BareSite) -> None:
    """An app's scheduler is the one that Dokku names."""
    bare.host.add_plugin(
        "scheduler-x", {"scheduler-detect": "#!/bin/sh\necho\necho k3s\n"}
    )

    bare.install()

    (row,) = bare.ask("releases", "web")
    assert row["scheduler"] == "k3s"


def test_damaged_ledger(bare: BareSite) -> None:
    """A damaged ledger is moved aside, reported, and rebuilt from pushed releases."""
    bare.install()
    book = bare.host.data_dir / "ledger.sqlite3"
    book.write_bytes(b"damaged" * 1000)

    result = bare.install()

    assert result.code == 0
    (aside,) = bare.host.data_dir.glob("ledger.sqlite3.corrupt-*")
    assert result.stderr == (
        "dokku-registryd: the ledger was damaged and has been rebuilt; the old one is"
        f" {aside}\n"
    )
    assert bare.releases() == [(2, "pushed")]


def test_beside_the_service(bare: BareSite) -> None:
    """While the service runs it keeps the spool, and adopting works all the same."""
    bare.install()
    bare.release_by_core(3)
    bare.service.start()

    result = bare.call("adopt")

    assert result.code == 0
    assert f"       web: {bare.reference(3)} adopted, sha256:" in result.stdout
    assert bare.deployed() == bare.reference(3)
