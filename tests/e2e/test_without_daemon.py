"""No daemon runs: a release hook works the spool itself, with the same code."""

from support import seeding
from support.gate import Gate
from support.running_hook import RunningHook
from support.site import Site
from support.waiting import until


def test_release(idle_site: Site) -> None:
    """A release needs no daemon, and the deployer sees no difference."""
    site = idle_site
    site.make_app(push_extra_tags="stable")
    image_id = site.build()

    result = site.release()

    assert (result.code, result.stderr) == (0, "")
    assert result.stdout.endswith(f"       Image {site.reference(1)} pushed\n")
    assert site.remote().tags() == ["1", "stable"]
    assert site.deployed() == site.reference(1)
    assert site.names()[site.reference(1)] == image_id
    assert site.host.spool() == {}


def test_nothing_is_left_running(idle_one: Site) -> None:
    """After the release no process holds the spool."""
    one = idle_one
    one.make_app()
    one.build()

    assert one.release().code == 0

    facts = one.ask("status")
    assert (facts["service"], facts["trigger_files"]) == ("stopped", 0)


def test_wrong_login(idle_one: Site) -> None:
    """A refused push fails the deploy as it does with the daemon."""
    one = idle_one
    one.make_app()
    one.log_in(password="wrong")
    one.build()

    result = one.release()

    assert result.code == 1
    assert "dokku registry:login" in result.stderr
    assert one.host.read_property("web", "tag-version") is None


def test_deadline(idle_one: Site) -> None:
    """A registry that stays away fails the deploy once the push-deadline passed."""
    one = idle_one
    one.make_app()
    one.host.set_property("web", "push-deadline", "1s", plugin="registryd")
    one.build()
    one.registry.stop()

    result = one.release()

    assert (result.code, one.server in result.stderr) == (1, True)


def test_engine_is_away(idle_one: Site) -> None:
    """Without an Engine the deploy fails in the end, and says what is away."""
    one = idle_one
    one.make_app()
    one.host.set_property("web", "push-deadline", "1s", plugin="registryd")
    one.build()
    one.engine.kill()

    result = one.release()

    assert (result.code, "Docker Engine" in result.stderr) == (1, True)


def test_two_hooks(idle_site: Site) -> None:
    """Two deploys at once share the work, and both succeed."""
    site = idle_site
    for app in ("web", "api"):
        site.make_app(app)
        site.build(app)

    hooks = [site.begin_release(app) for app in ("web", "api")]

    assert [hook.finish().code for hook in hooks] == [0, 0]
    assert site.deployed("web") == site.reference(1, "web")
    assert site.deployed("api") == site.reference(1, "api")


def _hold_a_push(one: Site, gate: Gate, requests: bytes) -> RunningHook:
    """Begin a release of `web`, once `api` is built, too; return it at the gate."""
    one.server = gate.host
    for app in ("web", "api"):
        one.make_app(app)
        one.build(app)
    gate.hold_requests(requests)
    hook = one.begin_release("web")
    until(lambda: gate.holds, what="the push at the gate")
    return hook


def test_a_deploy_beside_another(idle_one: Site, gate: Gate) -> None:
    """A deploy does not wait for the push of the hook that works the spool."""
    one = idle_one
    one.service.configure(daemon__rescan_interval_seconds=3600)
    first = _hold_a_push(one, gate, b"PUT /v2/dokku/web/manifests/1")

    other = one.begin_release("api")

    assert other.finish().code == 0
    assert first.is_running
    gate.open()
    assert first.finish().code == 0


def test_hook_that_works_is_killed(idle_one: Site, gate: Gate) -> None:
    """When the hook that works the spool dies, another one that waits goes on."""
    one = idle_one
    worker = _hold_a_push(one, gate, b"PUT /v2/dokku/")
    other = one.begin_release("api")
    assert one.ask("status")["service"] == "hook"

    worker.close()
    gate.drop()

    assert other.finish().code == 0
    assert one.deployed("api") == one.reference(1, "api")


def test_background_push_is_left_for_later(idle_one: Site) -> None:
    """With push-policy background a hook ends at once; the next daemon pushes."""
    one = idle_one
    one.make_app()
    one.host.set_property("web", "push-policy", "background", plugin="registryd")
    one.build()
    one.registry.stop()

    result = one.release()

    assert (result.code, one.deployed()) == (0, one.reference(1))
    one.registry.start()
    one.service.start()
    one.service.wait_for("job.finished", intent="release", outcome="done")
    assert one.remote().tags() == ["1"]


def test_waiting_triggers_are_worked_on_the_way(idle_one: Site) -> None:
    """What other hooks left before is worked first, in its order."""
    one = idle_one
    one.make_app("old")
    one.ship("old")
    one.host.destroy_app("old")
    # That it was deployed, and that it is gone.
    assert len(one.host.spool()) == 2
    one.make_app()

    one.ship()

    assert not any((one.host.data_dir / "forgotten").iterdir())
    assert {row["app"] for row in one.ask("releases")} == {"web"}


def test_number_is_taken(idle_one: Site) -> None:
    """A hook finds the next free number as the daemon does."""
    one = idle_one
    one.make_app()
    seeding.push(one.registry, "dokku/web", "1", "someone's")

    one.ship()

    assert one.deployed() == one.reference(2)


def test_settings_are_wrong(idle_one: Site) -> None:
    """A hook that cannot read the settings fails the deploy and says which."""
    one = idle_one
    one.make_app()
    one.build()
    one.service.configure(daemon__workers=0)

    result = one.release()

    assert result.code != 0
    assert "daemon.workers" in result.stderr


def test_own_log(idle_one: Site) -> None:
    """What a hook does is logged in a file of its own, not on the terminal."""
    one = idle_one
    one.make_app()

    one.ship()

    log = (one.host.data_dir / "hook.log").read_text()
    assert '"release.confirmed"' in log
    assert one.registry.password not in log
