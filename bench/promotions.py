"""Promotions of 200 MB: within one registry, and from it to a new one.

Beside it is what an operator would do by hand, `docker tag` and `docker push`. A
promotion counts only if the Engine has sent nothing for it.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from bench import figures, images, timing
from bench.figures import Row
from bench.stage import Host, Stage

from support import engines
from support.played_restart import PlayedRestart
from support.registries import RegistryServer

GROUP: Final = "promotion"
_BYTES: Final = 200_000_000
_LAYERS: Final = 6
_ROUND_TRIP: Final = 0.04


def rows(stage: Stage, rounds: int | None) -> Iterator[Row]:
    """Measure every row of the group."""
    host = stage.new_host()
    host.service.start()
    try:
        host.add_app("tested")
        stage.load(images.random_image(_LAYERS, _BYTES), "dokku/tested:latest")
        host.release("tested")
        host.time_hook("post-deploy", "tested", "", "", "latest")
        stage.link.shape(round_trip=_ROUND_TRIP)
        yield _measured(host, rounds or 8, "one registry", is_near=True)
        yield _measured(host, rounds or 8, "a new registry", is_near=False)
    finally:
        stage.link.shape()
        host.service.stop()


def _measured(host: Host, rounds: int, where: str, *, is_near: bool) -> Row:
    """Measure promotions to new apps, each beside a push to a new repository.

    Args:
        host: The host.
        rounds: How many pairs.
        where: What the row says of the target.
        is_near: Whether the target is in the registry of the source; otherwise each
            trial has a registry of its own, in which no other push has left a layer.
    """
    apps: list[str] = []

    def new_app(server: str) -> str:
        app = f"{'near' if is_near else 'far'}-{len(apps)}"
        apps.append(app)
        host.add_app(app, server=server)
        PlayedRestart(host.files)
        host.settle()
        return app

    def in_registry(trial: Callable[[str, str], float]) -> float:
        if is_near:
            server = host.stage.link.host
            return trial(new_app(server), server)
        with tempfile.TemporaryDirectory(dir=host.stage.root) as folder:
            registry = RegistryServer(
                engines.find_program("native", "docker-registry"),
                Path(folder),
                environment=engines.environment_for("native"),
            )
            with registry:
                return trial(new_app(registry.host), registry.host)

    def promote(app: str, _server: str) -> float:
        program = str(host.files.root / "dokku")
        argv = [program, "registryd:promote", "tested", app]
        return timing.program(argv, host.files.environ)

    def push(app: str, server: str) -> float:
        name = f"{server}/dokku/{app}:1"
        return host.time_docker(
            ["image", "tag", "dokku/tested:latest", name],
            ["image", "push", "--quiet", name],
            app=app,
        )

    trials = [partial(in_registry, promote), partial(in_registry, push)]
    seconds, pushes = timing.in_turns(rounds, trials, warm_up=1)
    confirmed = host.service.lines("release.confirmed")
    methods = {line["method"] for line in confirmed if line["app"] in apps}
    return figures.compare(
        GROUP,
        f"promotion of 200 MB, {where}, 40 ms",
        seconds,
        against=("docker tag and push", pushes),
        goal="0 bytes through the Engine",
        is_met=lambda _ratio: methods == {"named"},
    )
