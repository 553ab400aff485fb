"""Many at once: fifty releases through one slow link, and what an idle hour asks."""

import threading
import time
from collections.abc import Iterator
from typing import Final

from bench import figures, images
from bench.figures import Row
from bench.stage import Host, Stage

GROUP: Final = "link"
_APPS: Final = 50
_BYTES: Final = 4_000_000
_RATE: Final = 100e6 / 8  # bytes a second on a link of 100 Mbit/s
_ROUND_TRIP: Final = 0.01
_IDLE_SECONDS: Final = 20
_SWEEPS: Final = 20


def rows(stage: Stage, rounds: int | None) -> Iterator[Row]:
    """Measure every row of the group."""
    del rounds  # One flood tells as much as several.
    host = stage.new_host()
    host.service.start()
    try:
        yield from _flood(host)
        yield _idle(host)
    finally:
        stage.link.shape()
        host.service.stop()


def _flood(host: Host) -> Iterator[Row]:
    stage = host.stage
    apps = [f"flood{number}" for number in range(_APPS)]
    for app in apps:
        host.add_app(app)
        stage.load(images.random_image(4, _BYTES), f"dokku/{app}:latest")
    host.settle()
    stage.link.shape(round_trip=_ROUND_TRIP, rate=_RATE)
    before = stage.link.counts()["up"]
    seconds = _release_all(host, apps)
    sent = stage.link.counts()["up"] - before
    stage.link.shape()
    fair = sent / _RATE
    share = fair / max(seconds)
    yield figures.alone(
        GROUP,
        f"{_APPS} apps at once, {sent / 1e6:.0f} MB, 100 Mbit/s: use of the link",
        [share],
        unit="of the link",
        goal=">= 0.9",
        is_met=share >= 0.9,  # noqa: PLR2004 - the goal
        seconds=max(seconds),
        seconds_of_an_ideal_link=fair,
    )
    worst = max(seconds) / fair
    yield figures.alone(
        GROUP,
        "the same: wait of an app, in fair shares of the link",
        [took / fair for took in seconds],
        unit="shares",
        goal="slowest <= 2",
        is_met=worst <= 2,  # noqa: PLR2004 - the goal
        slowest=worst,
        first_seconds=min(seconds),
        last_seconds=max(seconds),
    )


def _release_all(host: Host, apps: list[str]) -> list[float]:
    found: dict[str, float] = {}
    barrier = threading.Barrier(len(apps) + 1)

    def release(app: str) -> None:
        barrier.wait()
        found[app] = host.release(app)

    threads = [threading.Thread(target=release, args=(app,)) for app in apps]
    for thread in threads:
        thread.start()
    barrier.wait()
    for thread in threads:
        thread.join()
    assert len(found) == len(apps), "a release failed"
    return list(found.values())


def _idle(host: Host) -> Row:
    """Count what the registry hears while nothing is wrong, with sweeps forced."""
    stage = host.stage
    host.settle()
    before = len(stage.registry.requests())
    swept = len(host.service.lines("sweep.finished"))
    started = time.monotonic()
    name = "nobodys/image:1"
    image = images.random_image(1, 1000)
    for _ in range(_SWEEPS):
        stage.load(image, name)
        images.remove(stage.engine.path, name)
        host.settle()
    time.sleep(max(0.0, _IDLE_SECONDS - (time.monotonic() - started)))
    asked = len(stage.registry.requests()) - before
    window = time.monotonic() - started
    return figures.alone(
        GROUP,
        "requests to the registry in an idle hour",
        [asked * 3600 / window],
        unit="requests",
        goal="0",
        is_met=asked == 0,
        seconds_watched=window,
        sweeps=len(host.service.lines("sweep.finished")) - swept,
    )
