"""The thread that tells other plugins of pushes; the plugins are real programs."""

from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any, Final

import pytest

from dokku_registryd import config
from dokku_registryd.adapters.dokku import plugn
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import jobs, outcomes
from dokku_registryd.core.job.kinds import Kind
from dokku_registryd.runtime.announcer import Announcer
from dokku_registryd.wiring import notifications
from support.dokku_host import DokkuHost
from support.waiting import until
from worlds import Host

Lines = list[MutableMapping[str, Any]]
DIGEST: Final = f"sha256:{'1' * 64}"
# Each argument in a line of its own, and a line with a dot at the end.
NOTING: Final = '#!/bin/sh\nprintf "%s\\n" "$@" . >>{file}\n'


class Scene:
    """A host with a plugin that notes what it is told."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.dokku = DokkuHost(folder / "dokku")
        self.file = folder / "told"
        self.announcer = self.build()

    def build(self) -> Announcer:
        """Return what a new process would start."""
        paths = config.Paths(
            dokku_root=str(self.dokku.dokku_root),
            dokku_lib_root=str(self.dokku.lib_root),
        )
        settings = config.Settings(paths=paths)
        return Announcer(
            store=self.host.ledger,
            plugins=notifications.build_plugins(settings, self.dokku.environ),
            clock=self.host.clock,
            delay=lambda failures: 10.0 * failures,
        )

    def add_plugin(self, text: str = NOTING) -> None:
        """Enable a plugin with both triggers."""
        hook = text.format(file=self.file)
        names = ("post-registry-push", "registry-push-failed")
        self.dokku.add_plugin("listener", dict.fromkeys(names, hook))

    def end(self, number: int, outcome: outcomes.Outcome, app: str = "web") -> None:
        """Record the end of a release."""
        job_id = f"{number}.1.1"
        trigger = triggers.Trigger(kind=Kind.RELEASE, app=app)
        self.host.ledger.add_jobs([jobs.Job(job_id=job_id, trigger=trigger)])
        self.host.ledger.finish_job(job_id, outcome, at=100.0)

    def push(self, number: int) -> None:
        """Record a push that succeeded."""
        reference = f"r.example/org/web:{number}"
        self.end(number, outcomes.done(reference=reference, digest=DIGEST))

    def told(self) -> list[list[str]]:
        """Return the arguments of each call."""
        text = self.file.read_text() if self.file.exists() else ""
        return [call.split("\n") for call in text.split("\n.\n")[:-1]]


@pytest.fixture
def scene(host: Host, tmp_path: Path) -> Iterator[Scene]:
    """Give a host whose announcer is not started."""
    made = Scene(host, tmp_path)
    yield made
    made.announcer.stop()


def test_pushes(scene: Scene) -> None:
    """Each push and each failure is told once, in order."""
    scene.add_plugin()
    scene.push(1)
    scene.end(2, outcomes.failed("too large; $(reboot) `x`"))
    scene.announcer.turn()
    scene.announcer.turn()

    assert scene.told() == [
        ["web", "1", "r.example/org/web:1", DIGEST],
        ["web", "", "too large; $(reboot) `x`"],
    ]
    assert scene.host.ledger.unannounced_jobs() == []


def test_no_plugin(scene: Scene) -> None:
    """Where no plugin listens plugn is not called, and nothing waits."""
    (scene.dokku.bin / "plugn").unlink()
    scene.push(1)
    scene.announcer.turn()

    assert scene.host.ledger.unannounced_jobs() == []


def test_the_process_dies(scene: Scene) -> None:
    """What was not told is told by the next process; more than once at worst."""
    scene.push(1)
    scene.add_plugin()
    scene.build().turn()
    scene.push(2)
    scene.build().turn()

    assert [call[1] for call in scene.told()] == ["1", "2"]


def test_a_plugin_that_fails(scene: Scene, logged: Lines) -> None:
    """It is told three times with growing waits; the next push is told then."""
    scene.add_plugin(f"{NOTING}exit 3\n")
    scene.push(1)
    scene.push(2)
    for _ in range(20):
        scene.host.clock.seconds += 5
        scene.announcer.turn()

    assert [call[1] for call in scene.told()] == ["1"] * 3 + ["2"] * 3
    errors = [line["error"] for line in logged if line["event"] == "plugins.failed"]
    assert errors == ["it exited with status 3"] * 6
    assert scene.host.ledger.unannounced_jobs() == []


def test_a_plugin_that_hangs(scene: Scene, tmp_path: Path) -> None:
    """It is killed after the limit, with what it has started."""
    child = tmp_path / "child"
    scene.add_plugin(f"#!/bin/sh\nsleep 600 & echo $! >{child}; wait\n")
    plugins = plugn.Plugn(scene.dokku.plugins, scene.dokku.environ)

    assert plugins.tell("post-registry-push", ["web"], seconds=2) == (
        "it did not end within 2 s"
    )
    pid = int(child.read_text())
    until(lambda: not Path(f"/proc/{pid}/cwd").exists(), what="its end")


def test_a_hint(scene: Scene) -> None:
    """A job that ends wakes the thread."""
    scene.add_plugin()
    scene.announcer.start()
    scene.push(1)
    scene.announcer.hint()

    until(scene.told, what="the call")
