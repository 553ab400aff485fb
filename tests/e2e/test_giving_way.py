"""A push that hangs holds up neither the end of its app nor the next of that name."""

from support.every_engine import on_every_engine
from support.gate import Gate
from support.site import Site
from support.waiting import until


@on_every_engine
def test_a_new_app_behind_the_old_ones_push(idle_site: Site, gate: Gate) -> None:
    """The first deploy of a new app does not wait for a push of the old one."""
    site, good = idle_site, idle_site.server
    site.server = gate.host
    site.service.start()
    site.make_app()
    site.host.set_property("web", "push-policy", "background", plugin="registryd")
    gate.hold_requests(b"POST /v2/")
    site.ship()
    until(lambda: gate.holds, what="a push in the middle of an upload")

    site.host.destroy_app("web")
    site.server = good
    site.make_app()
    site.build()
    # It would fail at the time limit of the test while the gate is closed.
    result = site.release()

    assert result.code == 0, result.stderr
    dropped = site.service.wait_for("job.finished", intent="release", outcome="dropped")
    assert "was destroyed" in dropped["error"]
    assert site.deployed().startswith(f"{good}/dokku/web:")
