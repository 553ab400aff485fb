"""Releases: our hook beside what a deployer would wait for otherwise."""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Final

from bench import figures, images, timing
from bench.figures import Row
from bench.stage import EXTRA_TAGS, Host, Stage

GROUP: Final = "release"
_LAYERS: Final = 8
_SMALL: Final = 8 * 64 * 1024
_BIG: Final = 100_000_000
_ROUND_TRIP: Final = 0.04
# With trials, fewer where each takes half a minute.
_OTHER_ROUND_TRIPS: Final = ((0.0, 10), (0.01, 6), (0.15, 3))
# How many times faster than the CLI sequence, by the round trip.
_GOALS: Final = {_ROUND_TRIP: 10.0, 0.0: 3.0}
_RATE: Final = 100e6 / 8  # bytes a second
_serials = itertools.count(1)


def rows(stage: Stage, rounds: int | None) -> Iterator[Row]:
    """Measure every row of the group."""
    host = stage.new_host()
    host.service.start()
    scene = _Scene(host)
    try:
        for round_trip, most in ((_ROUND_TRIP, 10), *_OTHER_ROUND_TRIPS):
            stage.link.shape(round_trip=round_trip)
            yield from _unchanged(scene, round_trip, min(rounds or most, most))
        stage.link.shape(round_trip=_ROUND_TRIP)
        yield _cold(scene, rounds or 6)
        yield _known(scene, rounds or 15)
        stage.link.shape(round_trip=_ROUND_TRIP, rate=_RATE)
        yield from _new(scene, "100 Mbit/s", rounds or 3, most=1.0)
        stage.link.shape(round_trip=_ROUND_TRIP)
        yield from _new(scene, "no limit", rounds or 4, most=1.05)
    finally:
        stage.link.shape()
        host.service.stop()


class _Scene:
    """Three apps with the same layers in a repository each, one for each side."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.stage = host.stage
        self.base = images.random_image(_LAYERS, _SMALL)
        self.numbers: dict[str, int] = {}
        for app in ("cli", "ours", "push", "again", "tagged"):
            host.add_app(app, tags=EXTRA_TAGS if app in {"cli", "ours"} else ())
            self.build(app)
            self.push(app)
        # Big images are removed after each trial; the next one must not wait until the
        # daemon has brought them back.
        host.files.set_property("ours", "heal", "off", plugin="registryd")
        for app in ("ours", "again"):
            host.release(app)

    def build(self, app: str, base: images.Image | None = None) -> images.Image:
        """Give an app a new image, as a build does."""
        labels = {"com.dokku.app-name": app}
        image = (base or self.base).labelled(next(_serials), **labels)
        self.stage.load(image, f"dokku/{app}:latest")
        return image

    def next_name(self, app: str) -> str:
        """Return the next name of an app that Docker's CLI pushes."""
        self.numbers[app] = self.numbers.get(app, 10_000) + 1
        return f"{self.host.remote(app)}:{self.numbers[app]}"

    def push(self, app: str) -> float:
        """Push `latest` under the next number by one `docker push`."""
        name = self.next_name(app)
        self.host.time_docker(["image", "tag", f"dokku/{app}:latest", name])
        return self.host.time_docker(["image", "push", name], app=app)

    def core_sequence(self, app: str) -> float:
        """Do what Dokku's plugin does at a release (functions.go:140-196)."""
        image, target = f"dokku/{app}:latest", self.next_name(app)
        number = target.rpartition(":")[2]
        remote = self.host.remote(app)
        first = [
            ["image", "inspect", image],
            ["image", "tag", image, target],
            ["image", "tag", image, f"dokku/{app}:{number}"],
        ]
        extra = [
            command
            for tag in EXTRA_TAGS
            for command in (
                ["image", "tag", image, f"{remote}:{tag}"],
                ["image", "push", f"{remote}:{tag}"],
            )
        ]
        last = [["image", "push", target]]
        last += [["image", "rm", f"{remote}:{tag}"] for tag in reversed(EXTRA_TAGS)]
        return self.host.time_docker(*first, *extra, *last, app=app)

    def quietly(self, build: str, work: Callable[[], float]) -> Callable[[], float]:
        """Return a trial: a new image for an app, peace, then the work alone."""

        def trial() -> float:
            if build:
                self.build(build)
            self.host.settle()
            return work()

        return trial

    def check(self, app: str) -> None:
        """Prove that the registry has what our release claims."""
        shown = self.host.service.run("releases", app, "--format", "json")
        number = str(json.loads(shown.stdout)[0]["number"])
        digests = {
            self.stage.digest(f"dokku/{app}", tag) for tag in (number, *EXTRA_TAGS)
        }
        assert len(digests) == 1, digests
        assert "" not in digests


def _unchanged(scene: _Scene, round_trip: float, rounds: int) -> Iterator[Row]:
    host = scene.host
    sides = [
        scene.quietly("ours", lambda: host.release("ours")),
        scene.quietly("cli", lambda: scene.core_sequence("cli")),
        scene.quietly("push", lambda: scene.push("push")),
    ]
    ours, sequence, push = timing.in_turns(rounds, sides)
    scene.check("ours")
    label = f"{round_trip * 1000:.0f} ms"
    wanted = _GOALS.get(round_trip)
    yield figures.compare(
        GROUP,
        f"release, 5 extra tags, unchanged layers, {label}",
        ours,
        against=("CLI sequence", sequence),
        goal=f">= {wanted:g} x faster" if wanted else "",
        is_met=(lambda ratio: ratio >= wanted) if wanted else None,
        is_speedup=True,
        # Were everything free but the one push that sends the image's configuration:
        most_that_is_possible=figures.percentile(sequence, 50)
        / figures.percentile(push, 50),
    )
    most = 0.5
    yield figures.compare(
        GROUP,
        f"the same beside one plain push, {label}",
        ours,
        against=("docker push", push),
        goal=f"<= {most:g} x" if round_trip == _ROUND_TRIP else "",
        is_met=(lambda ratio: ratio <= most) if round_trip == _ROUND_TRIP else None,
    )


def _cold(scene: _Scene, rounds: int) -> Row:
    """Release after a pause in which the registry has closed every connection."""
    host = scene.host

    def ours() -> float:
        scene.stage.link.cut()
        return host.release("ours")

    sides = [
        scene.quietly("ours", ours),
        scene.quietly("push", lambda: scene.push("push")),
    ]
    cold, push = timing.in_turns(rounds, sides, warm_up=1)
    return figures.compare(
        GROUP,
        "the same, all connections closed before, 40 ms",
        cold,
        against=("docker push", push),
    )


def _known(scene: _Scene, rounds: int) -> Row:
    host = scene.host
    sides = [
        scene.quietly("", lambda: host.release("again")),
        scene.quietly("", lambda: scene.push("tagged")),
    ]
    ours, push = timing.in_turns(rounds, sides)
    return figures.compare(
        GROUP,
        "re-release of known content, 40 ms",
        ours,
        against=("docker push", push),
        goal="<= 0.25 x",
        is_met=lambda ratio: ratio <= 0.25,  # noqa: PLR2004 - the goal
    )


def _new(scene: _Scene, limit: str, rounds: int, *, most: float) -> Iterator[Row]:
    host = scene.host
    five: list[float] = []

    def ours() -> float:
        return _with_big_image(scene, "ours", lambda: host.release("ours"))

    def push() -> float:
        return _with_big_image(scene, "push", push_and_five_more)

    def push_and_five_more() -> float:
        took = scene.push("push")
        remote = host.remote("push")
        commands = [
            command
            for tag in EXTRA_TAGS
            for command in (
                ["image", "tag", "dokku/push:latest", f"{remote}:{tag}"],
                ["image", "push", f"{remote}:{tag}"],
            )
        ]
        five.append(took + host.time_docker(*commands, app="push"))
        return took

    mine, one = timing.in_turns(rounds, [ours, push], warm_up=1)
    name = f"new image, 100 MB in 8 layers, 5 extra tags, 40 ms, {limit}"
    yield figures.compare(
        GROUP,
        name,
        mine,
        against=("docker push", one),
        goal=f"<= {most:g} x",
        is_met=lambda ratio: ratio <= most,
    )
    yield figures.compare(
        GROUP,
        f"the same beside one docker push + 5 more, {limit}",
        mine,
        against=("6 pushes", five[-rounds:]),
    )


def _with_big_image(scene: _Scene, app: str, work: Callable[[], float]) -> float:
    scene.build(app, images.random_image(_LAYERS, _BIG))
    scene.host.settle()
    took = work()
    scene.host.settle()
    images.remove_whole(scene.stage.engine.path, f"dokku/{app}:latest")
    return took
