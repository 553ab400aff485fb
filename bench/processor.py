"""The processor time of a push through the relay, of all that have a part in it."""

import itertools
from collections.abc import Callable, Iterator
from typing import Final

from bench import figures, images, timing
from bench.figures import Row
from bench.stage import Host, Stage

GROUP: Final = "processor"
_LAYERS: Final = 4
_BYTES: Final = 1_000_000_000
_GOAL: Final = 1.5
_serials = itertools.count(1)


def rows(stage: Stage, rounds: int | None) -> Iterator[Row]:
    """Measure the only row of the group."""
    host = stage.new_host()
    host.service.start()
    try:
        for app in ("ours", "push"):
            host.add_app(app)
            host.files.set_property(app, "heal", "off", plugin="registryd")
        yield _row(host, rounds or 2)
    finally:
        host.service.stop()


def _row(host: Host, rounds: int) -> Row:
    engine = host.stage.engine.pids

    def ours() -> float:
        pids = (*engine, host.service.pid)
        return _spent(host, "ours", pids, lambda: host.release("ours"))

    def push() -> float:
        return _spent(host, "push", engine, lambda: _push(host, "push"))

    mine, theirs = timing.in_turns(rounds, [ours, push], warm_up=0)
    return figures.compare(
        GROUP,
        f"processor time of {_BYTES // 1_000_000_000} GB in {_LAYERS} new layers:"
        " Engine and service",
        mine,
        against=("Engine, docker push", theirs),
        goal=f"<= {_GOAL:g} x",
        is_met=lambda ratio: ratio <= _GOAL,
    )


def _push(host: Host, app: str) -> float:
    name = f"{host.remote(app)}:{next(_serials) + 10_000}"
    return host.time_docker(
        ["image", "tag", f"dokku/{app}:latest", name], ["image", "push", name], app=app
    )


def _spent(
    host: Host, app: str, pids: tuple[int, ...], work: Callable[[], object]
) -> float:
    """Return the processor seconds of some processes while an image is pushed."""
    labels = {"com.dokku.app-name": app}
    image = images.random_image(_LAYERS, _BYTES).labelled(next(_serials), **labels)
    host.stage.load(image, f"dokku/{app}:latest")
    host.settle()
    before = sum(map(timing.cpu_seconds, pids))
    work()
    spent = sum(map(timing.cpu_seconds, pids)) - before
    host.settle()
    images.remove_whole(host.stage.engine.path, f"dokku/{app}:latest")
    return spent
