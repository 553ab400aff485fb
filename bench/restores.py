"""Restoring a host: fifty apps through one slow link, beside `docker pull` of them."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from bench import figures, images
from bench.figures import Row
from bench.stage import Host, Stage

GROUP: Final = "restore"
_APPS: Final = 50
_BYTES: Final = 4_000_000
_RATE: Final = 100e6 / 8  # bytes a second on a link of 100 Mbit/s
_ROUND_TRIP: Final = 0.01
_AT_A_TIME: Final = 8  # as the verb does by default


def rows(stage: Stage, rounds: int | None) -> Iterator[Row]:
    """Measure every row of the group."""
    del rounds  # One host tells as much as several.
    host = stage.new_host()
    host.service.start()
    try:
        names = _release(host)
        host.service.stop()
        ours, down = _time(host, lambda: _restore(host))
        theirs, _ = _time(host, lambda: _pull(host, names))
    finally:
        stage.link.shape()
        host.service.stop()
    share = down / _RATE / ours
    yield figures.alone(
        GROUP,
        f"{_APPS} apps restored, {down / 1e6:.0f} MB, 100 Mbit/s: use of the link",
        [share],
        unit="of the link",
        goal=">= 0.9",
        is_met=share >= 0.9,  # noqa: PLR2004 - the goal
        seconds=ours,
    )
    yield figures.compare(
        GROUP,
        f"{_APPS} apps restored, {_AT_A_TIME} at a time",
        [ours],
        against=("docker pull", [theirs]),
        goal="<= 1.1 x",
        is_met=lambda ratio: ratio <= 1.1,  # noqa: PLR2004 - the goal
    )


def _release(host: Host) -> dict[str, str]:
    """Release an image of each app, and return the names to pull by hand."""
    names = {}
    for number in range(_APPS):
        app = f"lost{number}"
        host.add_app(app)
        host.stage.load(images.random_image(4, _BYTES), f"dokku/{app}:latest")
        host.release(app)
        host.time_hook("post-deploy", app, "", "", "latest")
        names[app] = f"{host.remote(app)}:1"
    host.settle()
    return names


def _time(host: Host, work: Callable[[], None]) -> tuple[float, int]:
    """Return the seconds of the work on an empty Engine, and the bytes that came."""
    stage = host.stage
    stage.engine.wipe()
    stage.link.shape(round_trip=_ROUND_TRIP, rate=_RATE)
    before = stage.link.counts()["down"]
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    came = stage.link.counts()["down"] - before
    stage.link.shape()
    return seconds, came


def _restore(host: Host) -> None:
    done = host.service.run("restore", "--jobs", str(_AT_A_TIME), timeout=600)
    assert done.returncode == 0, done.stderr


def _pull(host: Host, names: dict[str, str]) -> None:
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for _ in pool.map(
            lambda app: host.time_docker(["image", "pull", names[app]], app=app), names
        ):
            pass
