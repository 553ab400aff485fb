"""Large layers: behind a proxy that limits requests, and over a broken connection."""

import itertools
from collections.abc import Callable, Iterator
from typing import Final

from bench import figures, images, timing
from bench.figures import Row
from bench.stage import Host, Stage

from support.front import Cut, Front

GROUP: Final = "layer"
_BYTES: Final = 40_000_000
_LIMIT: Final = 10 << 20
_ROUND_TRIP: Final = 0.04
_serials = itertools.count(1)


def rows(stage: Stage, rounds: int | None) -> Iterator[Row]:
    """Measure every row of the group."""
    host = stage.new_host()
    host.service.start()
    stage.link.shape(round_trip=_ROUND_TRIP)
    try:
        with Front(stage.link.host) as front:
            for app in ("ours", "push"):
                host.add_app(app, server=front.host)
                host.files.set_property(app, "heal", "off", plugin="registryd")
            yield _broken(host, front, rounds or 3)
        with Front(stage.link.host) as front:
            for app in ("limited", "free"):
                host.add_app(app, server=front.host)
                host.files.set_property(app, "heal", "off", plugin="registryd")
            yield _limited(host, front, rounds or 3)
    finally:
        stage.link.shape()
        host.service.stop()


def _broken(host: Host, front: Front, rounds: int) -> Row:
    def broken(app: str, work: Callable[[], float]) -> Callable[[], float]:
        def trial() -> float:
            cut = Cut(method="PATCH", least_bytes=_BYTES, after=_BYTES // 2)
            front.cuts = [cut]
            took = _with_image(host, app, work)
            assert not front.cuts
            return took

        return trial

    mine, theirs = timing.in_turns(
        rounds,
        [
            broken("ours", lambda: host.release("ours")),
            broken("push", lambda: _push(host, front, "push")),
        ],
        warm_up=0,
    )
    name = f"a layer of {_BYTES // 1_000_000} MB whose upload breaks once, 40 ms"
    return figures.compare(GROUP, name, mine, against=("docker push", theirs))


def _limited(host: Host, front: Front, rounds: int) -> Row:
    def ours() -> float:
        front.most_bytes = _LIMIT
        return _with_image(host, "limited", lambda: host.release("limited"))

    def push() -> float:
        front.most_bytes = None
        return _with_image(host, "free", lambda: _push(host, front, "free"))

    mine, theirs = timing.in_turns(rounds, [ours, push], warm_up=0)
    return figures.compare(
        GROUP,
        f"a layer of {_BYTES // 1_000_000} MB behind a proxy that takes"
        f" {_LIMIT >> 20} MiB a request, 40 ms",
        mine,
        against=("docker push, no limit", theirs),
    )


def _push(host: Host, front: Front, app: str) -> float:
    name = f"{front.host}/dokku/{app}:{next(_serials) + 10_000}"
    host.time_docker(["image", "tag", f"dokku/{app}:latest", name])
    return host.time_docker(["image", "push", name], app=app)


def _with_image(host: Host, app: str, work: Callable[[], float]) -> float:
    labels = {"com.dokku.app-name": app}
    image = images.random_image(1, _BYTES).labelled(next(_serials), **labels)
    host.stage.load(image, f"dokku/{app}:latest")
    host.settle()
    took = work()
    host.settle()
    images.remove_whole(host.stage.engine.path, f"dokku/{app}:latest")
    return took
