"""Signals: SIGTERM drains, SIGHUP reads the settings again."""

import os
import signal
import stat

import pytest

from support import file_tree
from support.gate import Gate
from support.running_hook import RunningHook
from support.site import Site
from support.waiting import until

pytestmark = pytest.mark.fresh_programs


@pytest.fixture
def held(idle_one: Site, gate: Gate) -> RunningHook:
    """Give a release that is held in the middle of its push."""
    idle_one.server = gate.host
    idle_one.service.start()
    idle_one.make_app()
    idle_one.build()
    gate.hold_requests(b"PUT /v2/dokku/web/manifests/1")
    hook = idle_one.begin_release()
    until(lambda: gate.holds, what="the push at the gate")
    return hook


def is_idle(site: Site) -> bool:
    """Return whether no job runs or waits."""
    metrics = site.service.run("metrics").stdout.splitlines()
    states = ("running", "waiting")
    wanted = {f'dokku_registryd_jobs{{state="{state}"}} 0' for state in states}
    return wanted.issubset(metrics)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_daemon_stops(one: Site, number: signal.Signals) -> None:
    """A daemon with nothing to do ends with status 0, and says that it ended."""
    one.service.wait_for("engine.connected")
    # The sweep of the start and that of the connection may be one.
    one.service.wait_for("sweep.finished")
    until(lambda: is_idle(one), what="the end of all jobs")

    status = one.service.stop(number)

    assert status == 0
    (line,) = one.service.lines("daemon.draining")
    assert (line["signal"], line["running"]) == (number.name, 0)
    (line,) = one.service.lines("daemon.stopped")
    assert (line["running"], line["waiting"]) == (0, 0)


def test_running_push_finishes(idle_one: Site, held: RunningHook, gate: Gate) -> None:
    """A push that runs when SIGTERM comes is finished first."""
    one = idle_one
    one.service.signal(signal.SIGTERM)
    line = one.service.wait_for("daemon.draining")
    gate.open()

    assert held.finish().code == 0
    assert one.service.wait() == 0
    assert line["running"] >= 1  # A sweep may run beside it.
    assert one.service.lines("job.finished", intent="release", outcome="done")
    assert one.remote().count_puts(1) == 1


def test_drain_has_an_end(idle_one: Site, held: RunningHook, gate: Gate) -> None:
    """A push that does not finish within drain_seconds is left to the next daemon."""
    one = idle_one
    held.freeze()
    one.service.kill()
    one.service.configure(daemon__drain_seconds=0.2)
    gate.drop()
    gate.hold_requests(b"PUT /v2/dokku/web/manifests/1")
    before = gate.holds
    one.service.start()
    until(lambda: gate.holds > before, what="the push at the gate")

    assert one.service.stop() == 0
    (line,) = one.service.lines("daemon.stopped")
    assert line["running"] == 1
    gate.drop()
    one.service.start()
    one.service.wait_for("job.finished", intent="release", outcome="done")
    held.thaw()
    assert held.finish().code == 0


def test_no_job_begins_while_draining(
    idle_one: Site, held: RunningHook, gate: Gate
) -> None:
    """What waits when SIGTERM comes is not begun, and done after the next start."""
    one = idle_one
    behind = one.begin_release()
    until(lambda: len(one.host.spool()) == 2, what="the second trigger")
    one.service.wait_for("trigger.accepted", count=2)
    for hook in (held, behind):
        hook.freeze()
    one.service.signal(signal.SIGTERM)
    one.service.wait_for("daemon.draining")
    gate.open()

    assert one.service.wait() == 0
    assert one.releases() == [(1, "pushed")]
    one.service.start()
    for hook in (held, behind):
        hook.thaw()
        assert hook.finish().code == 0
    assert one.releases() == [(2, "pushed"), (1, "pushed")]


def test_reload(one: Site) -> None:
    """After SIGHUP the next attempt goes by the new settings."""
    one.make_app()
    one.build()
    one.registry.stop()

    one.service.configure(release__push_policy="background")
    one.service.signal(signal.SIGHUP)

    one.service.wait_for("daemon.reloaded")
    assert one.release().code == 0


def test_a_reload_says_what_it_took_over(one: Site) -> None:
    """The log names what applies now and what waits for a restart; `check` does too."""
    one.service.configure(
        daemon__workers=3, status__port=0, release__push_policy="background"
    )

    one.service.signal(signal.SIGHUP)

    line = one.service.wait_for("daemon.reloaded")
    assert line["level"] == "warning"
    assert line["changed"] == ["release.push_policy"]
    assert line["needs_restart"] == ["daemon.workers"]
    warned = one.service.run("check").stderr
    assert "daemon.workers: the running service uses 8, not 3, until" in warned
    assert "release.push_policy" not in warned
    one.service.stop()
    one.service.start()
    assert "the running service uses" not in one.service.run("check").stderr


def test_a_data_folder_that_was_moved(one: Site) -> None:
    """A reload does not send one half of the service to another folder."""
    one.make_app()
    one.service.configure(paths__data_dir=str(one.host.root / "elsewhere"))

    one.service.signal(signal.SIGHUP)

    line = one.service.wait_for("daemon.reloaded")
    assert line["needs_restart"] == ["paths.data_dir"]
    one.ship()


def test_reload_of_the_log_level(one: Site) -> None:
    """The level of log lines changes with a reload, too."""
    one.service.configure(daemon__log_level="warning")

    one.service.signal(signal.SIGHUP)

    until(lambda: _is_quiet(one), what="silence")


def _is_quiet(site: Site) -> bool:
    before = len(site.service.lines("trigger.accepted"))
    site.announce_deploy()
    until(lambda: not site.host.spool(), what="the end of the trigger")
    return len(site.service.lines("trigger.accepted")) == before


@pytest.mark.parametrize(
    "text", ["daemon.workers = 0\n", "no TOML", "nonsense.key = 1\n"]
)
def test_reload_of_a_broken_file(one: Site, text: str) -> None:
    """Settings that are wrong change nothing, and the daemon says what is wrong."""
    one.make_app()
    one.service.config.write_text(text)

    one.service.signal(signal.SIGHUP)

    line = one.service.wait_for("settings.suspicious")
    assert str(one.service.config) in line["message"] or "workers" in line["message"]
    one.service.configure()
    one.ship()
    assert one.service.is_running


def test_reload_while_a_push_runs(
    idle_one: Site, held: RunningHook, gate: Gate
) -> None:
    """A push that runs is not disturbed by a reload."""
    idle_one.service.signal(signal.SIGHUP)
    idle_one.service.wait_for("daemon.reloaded")
    gate.open()

    assert held.finish().code == 0
    assert idle_one.remote().count_puts(1) == 1


def test_daemon_runs_as_the_owner_of_its_folder(one: Site) -> None:
    """What the daemon writes is private to its user."""
    one.make_app()
    one.ship()

    modes = file_tree.modes(one.host.data_dir)
    links = {path for path, mode in modes.items() if stat.S_ISLNK(mode)}

    assert {"ledger.sqlite3", "spool/new", "deployed/web"} <= modes.keys()
    assert [p for p, mode in modes.items() if mode & 0o077 and p not in links] == []
    assert one.host.data_dir.stat().st_uid == os.geteuid()
