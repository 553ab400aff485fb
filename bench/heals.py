"""Heals: how long a wanted name is missing, by the Engine's own clock."""

from collections.abc import Iterator
from typing import Final

from bench import figures, images, timing
from bench.events import Events, named, of_action
from bench.figures import Row
from bench.stage import Host, Stage

GROUP: Final = "heal"
_WAIT_SECONDS: Final = 60
_PULLED_BYTES: Final = 32_000_000
_PULLS_OF_ONE_APP: Final = 3  # more within ten minutes count as a prune loop


def rows(stage: Stage, rounds: int | None) -> Iterator[Row]:
    """Measure every row of the group."""
    host = stage.new_host()
    host.service.start()
    events = Events(stage.engine.path)
    try:
        yield _retag(host, events, rounds or 200)
        stage.link.shape(round_trip=0.04)
        yield _pull(host, events, rounds or 8)
    finally:
        stage.link.shape()
        events.stop()
        host.service.stop()


def _release(host: Host, app: str, image: images.Image) -> str:
    """Release an image as an app's first and return its deployed reference."""
    host.add_app(app)
    host.stage.load(image, f"dokku/{app}:latest")
    host.release(app)
    return f"{host.remote(app)}:1"


def _retag(host: Host, events: Events, rounds: int) -> Row:
    name = _release(host, "retagged", images.random_image(2, 20_000))
    seconds = []
    for _ in range(rounds):
        host.settle()
        since = events.mark()
        images.remove(host.stage.engine.path, name)
        gone = events.wait_for(since, of_action("untag"), _WAIT_SECONDS)
        back = events.wait_for(since, named("tag", name), _WAIT_SECONDS)
        seconds.append(back - gone)
    p50, p99 = figures.percentile(seconds, 50), figures.percentile(seconds, 99)
    return figures.alone(
        GROUP,
        f"heal by retag, event to name back, p99 {p99 * 1000:.0f} ms",
        seconds,
        unit="ms",
        goal="p50 <= 30 ms, p99 <= 100 ms",
        is_met=p50 <= 0.03 and p99 <= 0.1,  # noqa: PLR2004 - the goal
        p50_ms=p50 * 1000,
        p99_ms=p99 * 1000,
        slowest_ms=max(seconds) * 1000,
    )


def _pull(host: Host, events: Events, rounds: int) -> Row:
    engine = host.stage.engine.path
    count = -(-(rounds + 1) // _PULLS_OF_ONE_APP)
    apps = [f"pulled{number}" for number in range(count)]
    big = {app: images.random_image(4, _PULLED_BYTES) for app in (*apps, "by-hand")}
    names = {app: _release(host, app, image) for app, image in big.items()}
    # The hand's own image is none that the daemon brings back.
    host.files.set_property("by-hand", "heal", "off", plugin="registryd")
    turns = iter(apps * _PULLS_OF_ONE_APP)

    def ours() -> float:
        host.settle()
        app = next(turns)
        since = events.mark()
        images.remove_whole(engine, names[app])
        gone = events.wait_for(since, of_action("untag"), _WAIT_SECONDS)
        return events.wait_for(since, named("tag", names[app]), _WAIT_SECONDS) - gone

    def by_hand() -> float:
        images.remove_whole(engine, names["by-hand"])
        host.settle()
        return host.time_docker(["image", "pull", names["by-hand"]], app="by-hand")

    seconds, pull = timing.in_turns(rounds, [ours, by_hand], warm_up=1)
    return figures.compare(
        GROUP,
        "heal by pull, 32 MB in 4 layers, 40 ms",
        seconds,
        against=("docker pull", pull),
        goal="<= 0.9 x",
        is_met=lambda ratio: ratio <= 0.9,  # noqa: PLR2004 - the goal
    )
