"""A daemon that dies at any moment of a release loses nothing and repeats nothing."""

from collections.abc import Callable

import pytest

from support.gate import Gate
from support.running_hook import RunningHook
from support.site import Site
from support.waiting import until


@pytest.fixture
def gated(idle_site: Site, gate: Gate) -> Site:
    """Give a site for each Engine whose apps push through a gate; its daemon runs."""
    idle_site.server = gate.host
    idle_site.service.start()
    return idle_site


@pytest.fixture
def gated_one(idle_one: Site, gate: Gate) -> Site:
    """Give the same for what does not depend on the Engine."""
    idle_one.server = gate.host
    idle_one.service.start()
    return idle_one


def _has_more(gate: Gate, before: int) -> Callable[[], bool]:
    return lambda: gate.holds > before


def _begin(site: Site, gate: Gate) -> RunningHook:
    """Begin a release; return once the gate holds it, and the hook is out of the way.

    Else the hook would do the work itself as soon as the daemon is dead.
    """
    site.make_app(push_extra_tags="stable")
    site.build()
    hook = site.begin_release()
    until(lambda: gate.holds, what="the push at the gate")
    hook.freeze()
    return hook


def _check(site: Site, hook: RunningHook) -> None:
    """The one release has number 1, was pushed once, and its hook knows."""
    hook.thaw()
    result = hook.finish()
    assert (result.code, result.stderr) == (0, "")
    # The process that continues the reply repeats none of it.
    assert result.stdout.count("-----> Pushing image to registry\n") == 1
    assert site.releases() == [(1, "pushed")]
    assert site.remote().tags() == ["1", "stable"]
    assert site.remote().count_puts(1) == 1
    assert site.deployed() == site.reference(1)
    assert site.host.spool() == {}


@pytest.mark.parametrize(
    "moment", ["POST /v2/dokku/web/blobs/", "PUT /v2/dokku/web/manifests/1"]
)
def test_killed_in_the_middle_of_a_push(gated: Site, gate: Gate, moment: str) -> None:
    """A push that dies with the daemon is made once more, under the same number."""
    gate.hold_requests(moment.encode())
    hook = _begin(gated, gate)

    gated.service.kill()
    gate.drop()
    gated.service.start()

    gated.service.wait_for("job.finished", intent="release", outcome="done")
    _check(gated, hook)


def test_killed_before_the_answer(gated: Site, gate: Gate) -> None:
    """A push that the registry took, unknown to the dead daemon, is not made again."""
    gate.hold_answers(b"PUT /v2/dokku/web/manifests/1")
    hook = _begin(gated, gate)

    gated.service.kill()
    gate.drop()
    gated.service.start()

    gated.service.wait_for("job.finished", intent="release", outcome="done")
    _check(gated, hook)


def test_killed_between_number_and_extra_tag(gated_one: Site, gate: Gate) -> None:
    """A release that was confirmed only gets the extra tags that it lacks."""
    gate.hold_requests(b"PUT /v2/dokku/web/manifests/stable")
    hook = _begin(gated_one, gate)
    assert gated_one.host.read_property("web", "tag-version") is None

    gated_one.service.kill()
    gate.drop()
    gated_one.service.start()

    gated_one.service.wait_for("job.finished", intent="release", outcome="done")
    _check(gated_one, hook)


def test_killed_again_and_again(gated_one: Site, gate: Gate) -> None:
    """A daemon that is killed five times before the first byte keeps the number."""
    gate.hold_requests()
    hook = _begin(gated_one, gate)

    for _ in range(5):
        another = _has_more(gate, gate.holds)
        gated_one.service.kill()
        gated_one.service.start()
        until(another, what="another attempt")
    gate.drop()

    gated_one.service.wait_for("job.finished", intent="release", outcome="done")
    _check(gated_one, hook)


def test_hook_takes_over(gated: Site, gate: Gate) -> None:
    """When the daemon dies for good, the hook that waits does its work."""
    gate.hold_requests(b"PUT /v2/dokku/web/manifests/1")
    hook = _begin(gated, gate)

    gated.service.kill()
    gate.drop()

    _check(gated, hook)


def test_killed_while_others_wait(gated_one: Site, gate: Gate) -> None:
    """Triggers that wait behind a push outlive the daemon, in their order."""
    gate.hold_requests(b"PUT /v2/dokku/web/manifests/1")
    hook = _begin(gated_one, gate)
    behind = gated_one.begin_release()
    gated_one.announce_deploy()
    until(lambda: len(gated_one.host.spool()) == 3, what="three trigger files")
    behind.freeze()

    gated_one.service.kill()
    gate.drop()
    gated_one.service.start()

    gated_one.service.wait_for("job.finished", intent="deployed", outcome="done")
    for each in (hook, behind):
        each.thaw()
        assert each.finish().code == 0
    assert gated_one.releases() == [(2, "pushed"), (1, "pushed")]
    assert gated_one.host.spool() == {}


def test_killed_while_healing(gated: Site, gate: Gate) -> None:
    """A heal that dies with the daemon is done by the next one."""
    gated.make_app()
    image_id = gated.ship()
    gate.hold_requests(b"GET /v2/dokku/web/blobs/")
    gated.engine.wipe()
    until(lambda: gate.holds, what="the pull at the gate")

    gated.service.kill()
    gate.drop()
    gated.service.start()

    gated.service.wait_for("job.finished", intent="heal", outcome="done")
    until(lambda: len(gated.names()) >= 3, what="all names")
    assert set(gated.names().values()) == {image_id}


def test_ledger_is_damaged(idle_one: Site) -> None:
    """A damaged ledger is set aside, said loudly, and numbers go on from Dokku's."""
    one = idle_one
    one.service.start()
    one.make_app()
    one.ship()
    one.service.stop()
    (one.host.data_dir / "ledger.sqlite3").write_bytes(b"no database" * 1000)

    one.service.start()

    line = one.service.wait_for("ledger.rebuilt")
    assert line["level"] == "error"
    assert one.host.data_dir.joinpath(line["set_aside"]).exists()
    one.ship()
    assert one.deployed() == one.reference(2)
