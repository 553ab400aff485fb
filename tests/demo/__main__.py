"""`make demo`: scenes with real programs, on a stage that leaves nothing behind."""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from typing import Final

from demo.deploys import App
from demo.facts import StoryError
from demo.stage import ENDINGS, Stage
from demo.story import Story
from demo.timeline import Timeline
from support.engine_api import EngineApiError
from support.engines import MissingEngineError
from support.service import PROGRAM

_INTERRUPTED: Final = 130
_FAILURES: Final = (
    AssertionError,  # a wait that ended without its fact
    EngineApiError,
    MissingEngineError,
    OSError,
    RuntimeError,  # a program that does not start
    StoryError,
    subprocess.SubprocessError,
)


def main() -> int:
    """Play the demo and return the exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--keep", action="store_true", help="leave it running until Ctrl-C"
    )
    keep = parser.parse_args().keep
    if os.geteuid() != 0:
        print("a Docker Engine needs root: run make demo, which uses sudo")
        return 1
    for number in ENDINGS:
        signal.signal(number, _interrupt)
    return _play(Timeline(sys.stdout, os.environ), keep=keep)


def _play(timeline: Timeline, *, keep: bool) -> int:
    try:
        with Stage() as stage:
            seconds = _perform(stage, timeline)
            if keep:
                _keep(stage, timeline)
    except KeyboardInterrupt:
        timeline.say("Interrupted; everything is stopped and removed.")
        return _INTERRUPTED
    except _FAILURES as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    remains = stage.remains()
    if remains:
        print(f"The demo left behind: {', '.join(remains)}", file=sys.stderr)
        return 1
    timeline.say(
        "Every line was checked: 9 releases, 2 heals, 1 outage, 1 rollback, 1"
        f" promotion, 1 lost host, nothing lost, in {seconds:.0f} s. Nothing is left"
        " here."
    )
    look_around = "" if keep else " Look around: make demo KEEP=1"
    timeline.say(f"Read on: README.md, docs/architecture.md.{look_around}")
    return 0


def _perform(stage: Stage, timeline: Timeline) -> float:
    """Play the story and return how long it took."""
    timeline.say(
        f"Scenes with a private Docker in {stage.root}; this host's own is not touched."
    )
    try:
        stage.start()
        timeline.event(
            "ready",
            f"Engine {stage.engine.version}, registry {stage.registry.host},"
            " Dokku's folders, the daemon",
            timeline.seconds,
        )
        Story(stage, timeline).play()
    except _FAILURES:
        print(f"The service log ends:\n{stage.log_tail()}", file=sys.stderr)
        raise
    return timeline.seconds


def _keep(stage: Stage, timeline: Timeline) -> None:
    """Release an app to play with, say how to look at it, and wait for Ctrl-C."""
    toy = App(stage, "toy")
    toy.create()
    toy.build()
    toy.release()
    name = toy.deploy()
    folders = f"{PROGRAM.parent}:{stage.docker.parent}"
    lines = (
        f"Everything runs on, with one more app: {name}. In another terminal, as root:",
        f"  export DOCKER_HOST={stage.engine.socket} PATH={folders}:$PATH",
        f"  export DOKKU_REGISTRYD_CONFIG={stage.service.config}",
        "  docker images",
        f"  docker rmi {name}   # and list again",
        "  dokku-registryd status",
        "  dokku-registryd doctor",
        "  dokku-registryd releases",
        "  dokku-registryd rollback news 2 --dry-run",
        f"  tail -f {stage.service.log_file}",
        "Press Ctrl-C to stop and remove everything.",
    )
    for line in lines:
        timeline.say(line)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
