"""An Engine that goes away, or that does not tell what happens."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.gate import Gate
from support.site import Site


@contextmanager
def _frozen(site: Site) -> Iterator[None]:
    site.service.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        site.service.signal(signal.SIGCONT)


def test_engine_restarts(site: Site) -> None:
    """What vanished around a restart of the Engine, unseen by the daemon, is back."""
    site.make_app()
    image_id = site.ship()
    site.service.wait_for("engine.connected")

    with _frozen(site):
        site.engine.restart()
        site.untag("dokku/web:1", site.reference(1))

    site.service.wait_for("engine.connected", count=2)
    site.service.wait_for("job.finished", intent="heal", app="web", outcome="done")
    assert site.names()[site.reference(1)] == image_id


def test_engine_dies_and_returns(site: Site) -> None:
    """The daemon lives through the death of the Engine, says it, and reconnects."""
    site.make_app()
    site.service.wait_for("engine.connected")

    site.engine.kill()
    site.service.wait_for("engine.lost")
    site.engine.start()

    site.service.wait_for("engine.connected", count=2)
    site.ship()
    assert site.deployed() == site.reference(1)


def test_release_waits_for_the_engine(one: Site) -> None:
    """A release that meets no Engine is tried again until it answers."""
    one.make_app()
    one.build()
    one.engine.kill()

    hook = one.begin_release()
    one.service.wait_for("job.retry_scheduled", intent="release", app="web")
    one.engine.start()

    assert hook.finish().code == 0
    assert one.remote().tags() == ["1"]


def test_engine_that_tells_nothing(idle_site: Site, tmp_path: Path) -> None:
    """Without a single event the periodic sweep finds what is missing."""
    site = idle_site
    with Gate(site.engine.path, tmp_path / "gate.sock") as gate:
        gate.hold_answers(b"/events?")
        site.service.configure(
            engine__socket=f"unix://{tmp_path / 'gate.sock'}",
            daemon__sweep_interval_seconds=0.5,
        )
        site.service.start()
        site.make_app()
        image_id = site.ship()

        site.untag("dokku/web:1")

        site.service.wait_for("job.finished", intent="heal", app="web", outcome="done")
        assert site.names()["dokku/web:1"] == image_id
        assert gate.holds
        assert site.service.lines("engine.connected") == []
        site.service.kill()


def test_heal_by_command(one: Site) -> None:
    """An operator who does not want to wait asks for a heal, and sees what is done."""
    one.make_app()
    image_id = one.ship()
    one.service.stop()
    one.untag("dokku/web:1", "dokku/web:latest")

    done = one.service.run("heal")

    assert (done.returncode, done.stderr) == (0, "")
    assert "Tagging dokku/web:1" in done.stdout
    assert one.names()["dokku/web:1"] == image_id
