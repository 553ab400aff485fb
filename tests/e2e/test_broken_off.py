"""A deploy that is broken off, or whose hook fails: nothing of it goes live, ever.

One Engine stands for all where only files decide; where a push is ended in its middle,
each has its own way of it.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engines import EngineServer
from support.gate import Gate
from support.haste import hasten
from support.registries import RegistryServer
from support.running_hook import RunningHook
from support.site import Site
from support.waiting import until
from torture.host import TortureHost

TAKEN_BACK = "is cancelled, because its deploy was interrupted"


def begin_second(site: Site, gate: Gate) -> tuple[RunningHook, str]:
    """Let release 1 of `web` go live, and hold release 2 in the middle of its push."""
    site.server = gate.host
    site.make_app(push_extra_tags="stable")
    site.ship()
    site.announce_deploy()
    gate.hold_requests(b"POST /v2/dokku/web/blobs/uploads/")
    image_id = site.build()
    hook = site.begin_release()
    until(lambda: gate.holds, what="the push at the gate")
    return hook, image_id


def assert_one_is_live(site: Site, image_id: str) -> None:
    """All is as release 1 has left it; names of the other one are gone."""
    names = {name for name, owner in site.names().items() if owner == image_id}
    assert names == {"dokku/web:latest"}
    assert site.deployed() == site.reference(1)
    assert site.host.read_property("web", "tag-version") == "1"
    assert site.remote().digest("stable") == site.remote().digest("1")
    assert list((site.host.data_dir / "replies").iterdir()) == []


def wait_for_end(site: Site) -> str:
    """Return how the release ended, once its order was obeyed."""
    line = site.service.wait_for("job.finished", intent="release", outcome="dropped")
    site.service.wait_for("job.finished", intent="cancelled")
    until(lambda: not site.host.spool(), what="the end of the order")
    return str(line["error"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_in_the_middle_of_a_push(
    idle_site: Site, gate: Gate, number: signal.Signals
) -> None:
    """Ctrl-C, a hang-up and `dokku builds:cancel` leave everything as it was."""
    site = idle_site
    site.service.start()
    hook, image_id = begin_second(site, gate)

    os.killpg(hook.pid, number)
    ended = hook.finish()
    gate.open()

    assert ended.code != 0
    assert TAKEN_BACK in ended.stderr
    assert "interrupted" in wait_for_end(site)
    assert_one_is_live(site, image_id)


def test_a_hook_that_is_killed(idle_one: Site, gate: Gate) -> None:
    """A hook that cannot say anything is missed."""
    one = idle_one
    one.service.start()
    hook, image_id = begin_second(one, gate)

    hook.close()
    one.service.wait_for("waiter.lost", app="web")
    gate.open()

    assert "interrupted" in wait_for_end(one)
    assert_one_is_live(one, image_id)


def test_the_next_deploy(idle_one: Site, gate: Gate) -> None:
    """Behind a release that was broken off the next one is done."""
    one = idle_one
    one.service.start()
    hook, _ = begin_second(one, gate)
    os.killpg(hook.pid, signal.SIGINT)
    hook.finish()
    gate.open()

    image_id = one.ship()

    assert one.names()[one.reference(3)] == image_id
    assert one.remote().tags() == ["1", "3", "stable"]
    assert one.remote().digest("stable") == one.remote().digest("3")


def wrong_settings(site: Site) -> None:
    """A mistake in the settings file."""
    with site.service.config.open("a") as file:
        file.write("daemon.worker = 4\n")


def missing_interpreter(site: Site) -> None:
    """A virtual environment that an upgrade of the system has broken."""
    program = site.host.root / "program"
    program.write_text("#!/bin/sh\nexec /gone/bin/python3 -m dokku_registryd\n")
    program.chmod(0o755)
    text = f"DOKKU_REGISTRYD_BIN='{program}'\n"
    site.host.defaults_file.write_text(text)


@pytest.mark.parametrize("spoil", [wrong_settings, missing_interpreter])
def test_a_release_that_failed_is_not_done_later(one: Site, spoil: object) -> None:
    """Once the cause is repaired, nothing of a failed release is left to be done."""
    one.make_app(push_extra_tags="stable")
    one.ship()
    one.service.stop()
    settings = one.service.config.read_text()
    defaults = one.host.defaults_file.read_text()
    assert callable(spoil)
    spoil(one)
    image_id = one.build()

    failed = one.release()
    one.service.config.write_text(settings)
    one.host.defaults_file.write_text(defaults)
    one.service.start()
    until(lambda: not one.host.spool(), what="the end of what was left")

    assert failed.code in {78, 127}
    assert one.releases() == [(1, "pushed")]
    assert_one_is_live(one, image_id)


# -- the clock


def test_a_daemon_that_is_frozen(one: Site) -> None:
    """A deploy ends though the daemon does nothing, and is not done afterwards."""
    hasten(one.host)
    one.make_app()
    one.host.set_property("web", "push-deadline", "1s", plugin="registryd")
    one.build()
    one.service.signal(signal.SIGSTOP)

    result = one.release()
    one.service.signal(signal.SIGCONT)

    assert result.code == 1
    assert f"dokku-registryd (process {one.service.pid})" in result.stdout
    assert "makes no progress" in result.stderr
    one.service.wait_for("job.finished", intent="cancelled")
    assert one.releases() == []


@pytest.fixture
def small(
    one_engine: EngineServer, own_registry: RegistryServer, tmp_path: Path
) -> Iterator[TortureHost]:
    """Give a host with a small disk, on which `web` was released."""
    with TortureHost(
        tmp_path / "life", one_engine, own_registry, is_plain=True
    ) as made:
        made.make_app("web", has_helper=False)
        made.site.ship("web")
        made.site.announce_deploy("web")
        yield made


def test_a_disk_that_stays_full(small: TortureHost) -> None:
    """A deploy ends though nothing can be written, and is not done afterwards."""
    site = small.site
    hasten(site.host)
    site.host.set_property("web", "push-deadline", "1s", plugin="registryd")
    site.build("web")
    small.engine.pause()
    hook = site.begin_release("web")
    site.service.wait_for("trigger.accepted", trigger="release", count=2)
    small.fill_disk()
    small.engine.resume()

    ended = hook.finish()
    site.service.wait_for("storage.write_failed")
    small.empty_disk()

    assert ended.code == 1
    site.service.wait_for("job.finished", intent="release", outcome="dropped")
    assert site.deployed("web") == site.reference(1, "web")
    assert site.host.read_property("web", "tag-version") == "1"


# -- a deploy that holds up others


def test_a_suspended_deploy(idle_one: Site, gate: Gate) -> None:
    """A deploy that works the spool and is suspended holds up neither others nor us.

    It goes on as one that waits when it is continued.
    """
    one = idle_one
    one.make_app("api")
    one.build("api")
    one.server = gate.host
    one.make_app("web")
    one.build("web")
    gate.hold_requests(b"POST /v2/dokku/web/blobs/uploads/")
    suspended = one.begin_release("web")
    until(lambda: gate.holds, what="the push at the gate")
    suspended.freeze()

    other = one.begin_release("api")
    one.service.start(wait=False)

    assert other.finish().code == 0
    one.service.wait_for("daemon.ready")
    gate.open()
    suspended.thaw()
    assert suspended.finish().code == 0
    assert one.releases("web") == [(1, "pushed")]
