"""The verdict of `make torture` on what Dokku is told, on belongings and neighbours."""

import contextlib
import random
import sqlite3

from dokku_registryd.core.install import builds
from support.dokku_host import Result
from torture import dokku, faults, roots, settling, verdict
from torture.apps import Deploy
from torture.deeds import Deeds
from torture.host import TortureHost


def planted(host: TortureHost, *statements: str) -> None:
    """Change the ledger of a host whose daemon is stopped."""
    host.site.service.stop()
    path = host.site.host.data_dir / "ledger.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as ledger, ledger:
        for statement in statements:
            ledger.execute(statement)


def break_off(peaceful: tuple[TortureHost, Deeds]) -> Deploy:
    """Let the hook of a second release count as broken off, though it went on."""
    host, deeds = peaceful
    deeds.deploy(deeds.apps[0])
    deploy = deeds.apps[0].deploys[-1]
    settling.settle(host, deeds)
    deploy.result = Result("", "broken off", 130)
    deploy.is_live, deploy.has_noted_end = False, True
    return deploy


def found(peaceful: tuple[TortureHost, Deeds]) -> str:
    """Return all that is found, as one text."""
    return "\n".join(text for _, text in verdict.violations(*peaceful))


def test_a_deploy_that_was_broken_off(peaceful: tuple[TortureHost, Deeds]) -> None:
    """One that went live in spite of that is found, with counter, tags and answers."""
    host, _ = peaceful
    break_off(peaceful)
    planted(host, "UPDATE tag_moves SET previous = 'sha256:before'")

    text = found(peaceful)

    assert "app1:2 counts as live, and its deploy failed" in text
    assert "tag-version of app1 is 2, whose deploy failed" in text
    assert "app1:latest is at 2, which failed" in text
    assert "which is not sha256:" in text


def test_the_first_deploy_was_broken_off(peaceful: tuple[TortureHost, Deeds]) -> None:
    """An app that never went live and is told a release is found."""
    _, deeds = peaceful
    for deploy in deeds.deploys:
        deploy.is_live = False

    assert "app1 never went live, and is told" in found(peaceful)


def test_an_older_release_that_is_told(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A record that went back to the release before is found."""
    host, deeds = peaceful
    record = host.site.host.data_dir / "deployed" / deeds.apps[0].name
    before = record.read_bytes()
    deeds.deploy(deeds.apps[0])
    settling.settle(host, deeds)
    assert verdict.violations(*peaceful) == []

    record.write_bytes(before)

    assert "which is not sha256:" in found(peaceful)


def test_other_bytes_than_were_promoted(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A release that does not have the digest of the one that it repeats is found."""
    host, deeds = peaceful
    first = settling.deployed(host, deeds.apps[0].name)
    deeds.deploy(deeds.apps[0])
    settling.settle(host, deeds)
    deeds.deploys[-1].repeats = settling.deployed(host, deeds.apps[0].name)
    assert verdict.violations(*peaceful) == []

    deeds.deploys[-1].repeats = first

    assert "has other bytes than dokku/app1:1" in found(peaceful)


def test_records_of_releases(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A live release without a record is found, and a record of what never ran."""
    host, deeds = peaceful
    host.site.host.set_property("app1", "release-records", "on", plugin="registryd")

    missing = found(peaceful)
    settling.settle(host, deeds)
    assert verdict.violations(*peaceful) == []
    planted(host, "UPDATE releases SET live_at = 0")

    assert missing == "dokku/app1:1 runs and has no record"
    assert "dokku/app1:1 has a record of 1, which never ran" in found(peaceful)


def test_a_push_that_comes_late(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A record that came back over a release with push off is found."""
    host, deeds = peaceful
    record = host.site.host.data_dir / "deployed" / deeds.apps[0].name
    before = record.read_bytes()
    deeds.switch_push(deeds.apps[0])
    deeds.deploy(deeds.apps[0])
    settling.settle(host, deeds)
    assert deeds.deploys[-1].is_live
    assert verdict.violations(*peaceful) == []

    record.write_bytes(before)

    assert "app1 runs without a push, and is told" in found(peaceful)


def test_an_unwanted_push(peaceful: tuple[TortureHost, Deeds]) -> None:
    """An image that was released with push off only, and pushed, is found."""
    _, deeds = peaceful

    deeds.deploys[-1].is_local = True

    assert "app1:1 was pushed, and push was off" in found(peaceful)


def test_a_wrong_image_in_a_deploy(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A name that leads to another image while its deploy runs is found, a lost too."""
    host, deeds = peaceful
    app = deeds.apps[0]
    reference = host.site.deployed_later(app.name)
    host.site.service.stop()
    repository, _, number = reference.rpartition(":")
    deploy = deeds.deploys[-1]

    def look() -> list[str]:
        """Go on with the deploy, and return what is wrong with what it finds."""
        lines = dokku.go_on(host, deploy, random.Random(1))  # noqa: S311 - repeatable
        return [line for line in lines if line.startswith(dokku.WRONG)]

    other = host.site.build("other")
    host.site.tag(other, repository, number)
    wrong = look()
    host.site.untag(reference)
    absent = look()

    assert wrong == [f"{dokku.WRONG}app1 is told {reference}, which is {other}"]
    assert absent == [f"{dokku.WRONG}app1 is told {reference}, which is not here"]
    deeds.wrong += wrong
    assert wrong[0] in found(peaceful)


def test_what_an_app_has_lost(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A property, a login, and what a helper keeps of it are missed."""
    host, deeds = peaceful
    host.keychain.keep(host.proxy.host, "ci", host.secret)
    deeds.apps[0].has_helper = True
    assert verdict.violations(*peaceful) == []

    host.site.host.set_property("app1", "server", "")
    properties = host.site.host.config_root / "registryd" / "app1"
    properties.rename(properties.with_name("lost"))
    host.site.write_login("app1", {})
    (host.keychain.folder / host.proxy.host).unlink()

    text = found(peaceful)
    assert "server of app1 is ''" in text
    assert "push-policy of app1 is None" in text
    assert "app1 has lost its login" in text
    assert "the keychain has lost the login of app1" in text


def test_a_root_that_is_away(peaceful: tuple[TortureHost, Deeds]) -> None:
    """Each way to miss `$DOKKU_ROOT` has an end, with all that was there."""
    host, _ = peaceful
    root = host.site.host.dokku_root
    before = sorted(path.name for path in root.iterdir())

    seen = {}
    for way in roots.WAYS:
        host.dokku_root.displace(way)
        apps = {"app1"} & {path.name for path in root.glob("*")}
        seen[way] = (bool(apps), host.dokku_root.has_apps)
        faults.heal(host)
        assert sorted(path.name for path in root.iterdir()) == before

    assert seen["a link to nowhere"] == seen["empty"] == (False, False)
    assert seen["moved behind a link"] == (True, True)
    assert seen["half restored"][1] is False


def test_an_upgrade(obedient: tuple[TortureHost, Deeds]) -> None:
    """The daemon goes on as a version whose files differ."""
    host, deeds = obedient
    lock = host.site.host.data_dir / "lock"
    before = builds.parse(lock.read_text())

    faults.FAULTS["upgrade while releases wait"](host, deeds, random.Random(1))  # noqa: S311 - repeatable
    settling.settle(host, deeds)

    after = builds.parse(lock.read_text())
    assert after.version.startswith("999.")
    assert after.fingerprint != before.fingerprint
    assert verdict.violations(*obedient) == []


def test_two_hosts(peaceful: tuple[TortureHost, Deeds]) -> None:
    """A second host releases to the same repository; what it loses is found."""
    host, deeds = peaceful

    faults.FAULTS["two hosts on one repository"](host, deeds, random.Random(1))  # noqa: S311 - repeatable
    settling.settle(host, deeds)
    assert verdict.violations(*peaceful) == []
    neighbour = host.neighbour
    assert neighbour is not None
    assert len(neighbour.arrivals) == 2
    neighbour.arrivals[-1].image_id = f"sha256:{'0' * 64}"

    assert {kind for kind, _ in verdict.violations(*peaceful)} == {"lost"}
