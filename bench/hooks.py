"""Hooks: what Dokku waits for at every deploy, beside a shell that does nothing."""

from collections.abc import Iterator
from typing import Final

from bench import figures, images, timing
from bench.figures import Row
from bench.stage import Host, Stage

from support.waiting import until

GROUP: Final = "hook"
_RECOVERY_SECONDS: Final = 120


def rows(stage: Stage, rounds: int | None) -> Iterator[Row]:
    """Measure every row of the group."""
    host = stage.new_host()
    host.service.start()
    try:
        yield from _questions(host, rounds or 300)
        yield _push_off(host, rounds or 200)
        yield _background(host, rounds or 15)
    finally:
        host.service.stop()


def _empty_script(host: Host) -> list[str]:
    path = host.files.root / "empty"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return [str(path)]


def _questions(host: Host, rounds: int) -> Iterator[Row]:
    host.add_app("asked")
    server = f"{host.stage.link.host}/"
    host.files.record_release(
        "asked", server=server, image_repo="dokku/asked", number=3
    )
    empty = _empty_script(host)
    environ = host.files.environ
    ours, nothing = timing.in_turns(
        rounds,
        [
            lambda: host.time_hook("deployed-app-image-tag", "asked"),
            lambda: timing.program(empty, environ),
        ],
    )
    most_seconds, most = 0.002, 2.0
    row = figures.compare(
        GROUP,
        "question hook",
        ours,
        against=("empty sh", nothing),
        goal="<= 2 ms, <= 2 x",
        is_met=lambda ratio: (
            ratio <= most and figures.percentile(ours, 50) <= most_seconds
        ),
    )
    yield row


def _push_off(host: Host, rounds: int) -> Row:
    host.add_app("silent", push="false")
    # With a server Docker would be asked for one more name, here as in Dokku itself.
    (host.config_dir("silent") / "server").unlink()
    image = images.random_image(1, 1000)
    host.stage.load(image, "dokku/silent:latest")
    empty = _empty_script(host)
    environ = host.files.environ
    ours, nothing = timing.in_turns(
        rounds,
        [lambda: host.release("silent"), lambda: timing.program(empty, environ)],
    )
    return figures.compare(
        GROUP,
        "post-release-builder, push off",
        ours,
        against=("empty sh", nothing),
        goal="<= 3 x",
        is_met=lambda ratio: ratio <= 3,  # noqa: PLR2004 - the goal
    )


def _background(host: Host, rounds: int) -> Row:
    """Time deploys while the registry is away, then see all of them arrive."""
    stage = host.stage
    apps = [f"late{number}" for number in range(rounds)]
    base = images.random_image(2, 20_000)
    for app in apps:
        host.add_app(app)
        host.files.set_property(app, "push-policy", "background", plugin="registryd")
        stage.load(base.labelled(app), f"dokku/{app}:latest")
    stage.registry.stop()
    seconds = []
    for app in apps:
        host.settle()
        seconds.append(host.release(app))
    stage.registry.start()
    took = timing.call(
        lambda: until(
            lambda: all(stage.digest(f"dokku/{app}", "1") for app in apps),
            _RECOVERY_SECONDS,
            what="the pushes that were left behind",
        )
    )
    most = 0.1
    return figures.alone(
        GROUP,
        "background policy, registry stopped: the deploy waits",
        seconds,
        unit="ms",
        goal="<= 100 ms",
        is_met=figures.percentile(seconds, 50) <= most,
        seconds_until_all_had_arrived=took,
    )
