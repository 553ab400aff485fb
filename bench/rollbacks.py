"""Rollbacks: from the command until Dokku has deployed, beside a pull of the image."""

from collections.abc import Iterator
from typing import Final

from bench import figures, images, timing
from bench.figures import Row
from bench.stage import EXTRA_TAGS, Host, Stage

from support.played_restart import PlayedRestart

GROUP: Final = "rollback"
_BYTES: Final = 32_000_000
_ROUND_TRIP: Final = 0.04
_ALLOWANCE: Final = 2.0  # seconds beside the pull itself
_AT_ONCE: Final = 1.0


def rows(stage: Stage, rounds: int | None) -> Iterator[Row]:
    """Measure every row of the group."""
    host = stage.new_host()
    host.service.start()
    try:
        _release_two(host, "kept")
        _release_two(host, "pruned")
        PlayedRestart(host.files)
        stage.link.shape(round_trip=_ROUND_TRIP)
        yield _kept(host, rounds or 20)
        yield _pruned(host, rounds or 8)
    finally:
        stage.link.shape()
        host.service.stop()


def _release_two(host: Host, app: str) -> None:
    """Release 1 and 2 of an app, of which both keep their names."""
    host.add_app(app, tags=EXTRA_TAGS)
    host.files.set_property(app, "keep-releases", "1000", plugin="registryd")
    for _ in range(2):
        host.stage.load(images.random_image(4, _BYTES), f"dokku/{app}:latest")
        host.release(app)
        host.time_hook("post-deploy", app, "", "", "latest")


def _roll_back(host: Host, app: str, number: int) -> float:
    argv = [str(host.files.root / "dokku"), "registryd:rollback", app, str(number)]
    return timing.program(argv, host.files.environ)


def _kept(host: Host, rounds: int) -> Row:
    seconds = []
    for turn in range(rounds):
        host.settle()
        seconds.append(_roll_back(host, "kept", 1 + turn % 2))
    median = figures.percentile(seconds, 50)
    return figures.alone(
        GROUP,
        f"rollback, image here, {len(EXTRA_TAGS)} extra tags, 40 ms",
        seconds,
        unit="ms",
        goal="<= 1 s beside Dokku's deploy",
        is_met=median <= _AT_ONCE,
    )


def _pruned(host: Host, rounds: int) -> Row:
    engine = host.stage.engine.path
    host.add_app("by-hand")
    host.files.set_property("by-hand", "heal", "off", plugin="registryd")
    host.stage.load(images.random_image(4, _BYTES), "dokku/by-hand:latest")
    host.release("by-hand")
    number_of = {1: 1, 2: 2}  # under which each of the two images is here

    def ours() -> float:
        wanted = min(number_of, key=lambda release: number_of[release])
        images.remove_whole(engine, f"{host.remote('pruned')}:{number_of[wanted]}")
        host.settle()
        took = _roll_back(host, "pruned", wanted)
        number_of[wanted] = max(number_of.values()) + 1
        return took

    def by_hand() -> float:
        name = f"{host.remote('by-hand')}:1"
        images.remove_whole(engine, name)
        host.settle()
        return host.time_docker(["image", "pull", name], app="by-hand")

    seconds, pulls = timing.in_turns(rounds, [ours, by_hand], warm_up=1)
    beside = figures.percentile(seconds, 50) - figures.percentile(pulls, 50)
    return figures.compare(
        GROUP,
        "rollback, image of 32 MB removed, 40 ms",
        seconds,
        against=("docker pull", pulls),
        goal="<= the pull and 2 s",
        is_met=lambda _ratio: beside <= _ALLOWANCE,
    )
