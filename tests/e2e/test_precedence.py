"""Order of jobs: those with a waiting hook or user come before internal ones."""

import contextlib
import sqlite3

from support.every_engine import on_every_engine
from support.gate import Gate
from support.site import Site
from support.waiting import until


def _lose_all(site: Site, gate: Gate, app: str) -> None:
    """Let all images be gone, and hold those back that come for an app."""
    site.service.stop()
    site.engine.wipe()
    gate.hold_requests(f"GET /v2/dokku/{app}".encode())
    site.service.start()


def test_a_deploy_does_not_wait_for_heals(idle_one: Site, gate: Gate) -> None:
    """However many pulls hang, a worker is left for a release."""
    site = idle_one
    site.service.configure(daemon__workers=2)
    site.service.start()
    lost = ("lost-1", "lost-2", "lost-3")
    for app in lost:
        site.make_app(app, server=gate.host)
        site.write_login(app, {"auths": {gate.host: _login(site)}})
        site.ship(app)
    site.make_app()
    _lose_all(site, gate, "lost")
    until(lambda: gate.holds, what="a pull that hangs")

    site.build()
    result = site.release()

    assert result.code == 0
    unfinished = site.ask("status")["unfinished"]
    assert {job["app"] for job in unfinished if job["intent"] == "heal"} == {*lost}
    gate.open()
    for app in lost:
        site.service.wait_for("job.finished", intent="heal", app=app, outcome="done")


@on_every_engine
def test_a_heal_gives_way_to_a_release_of_its_app(site: Site, gate: Gate) -> None:
    """A pull under way ends for a deploy of the same app; nothing is left undone."""
    site.make_app(server=gate.host)
    site.write_login("web", {"auths": {gate.host: _login(site)}})
    site.ship()
    _lose_all(site, gate, "web/blobs")
    until(lambda: gate.holds, what="a pull that hangs")
    image_id = site.build()

    hook = site.begin_release()

    assert hook.finish().code == 0
    retried = site.service.wait_for("job.retry_scheduled", intent="heal", app="web")
    gate.open()
    assert "was preempted" in retried["error"]
    assert retried["level"] == "info"
    until(lambda: not site.ask("status")["unfinished"], what="the end of the heal")
    assert site.names()[f"{gate.host}/dokku/web:2"] == image_id


def test_a_check_gives_way_to_a_deploy(idle_one: Site, gate: Gate) -> None:
    """One worker and a registry that does not answer a check: a deploy goes on."""
    site = idle_one
    site.service.configure(daemon__workers=1)
    site.service.start()
    site.make_app("held", server=gate.host)
    site.write_login("held", {"auths": {gate.host: _login(site)}})
    site.ship("held")
    site.service.stop()
    _age_checks(site)
    gate.hold_requests(b"HEAD /v2/dokku/held")
    site.service.start()
    site.make_app()
    until(lambda: gate.holds, what="a check that hangs")
    site.build()

    assert site.release().code == 0

    ended = site.service.wait_for("job.finished", intent="verify", app="held")
    gate.open()
    assert ended["detail"] == "not checked: other jobs go first"


def _age_checks(site: Site) -> None:
    """Make the checks of releases as old as if they had been made days ago."""
    path = site.host.data_dir / "ledger.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute("UPDATE checks SET checked_at = checked_at - 200000")


def _login(site: Site) -> dict[str, str]:
    (login,) = site.basic_login()["auths"].values()
    return dict(login)
