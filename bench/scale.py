"""Scale: what 5,000 apps cost, and how the cost grows from 50 on.

A sweep remembers what it read and reads what has changed since. So three are told
apart: the first one, which reads all; one where nothing has changed, which is what a
timer finds on an idle host; and one after an edit of one app.
"""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from bench import crowd, figures, images, timing
from bench.events import Events
from bench.figures import Row
from bench.stage import Host, Stage

from dokku_registryd.adapters.dokku import snapshot
from support import engine_api
from support.waiting import until

GROUP: Final = "scale"
_SIZES: Final = (50, 500, 5000)
_STARTS: Final = 3
_SWEEPS: Final = 5
_EVENTS: Final = 300
_IDLE_WINDOW: Final = 30.0
_IDLE_MINUTES: Final = 10
_SWEEP_INTERVAL: Final = 300  # the default of daemon.sweep_interval_seconds
_FLOOD_APPS: Final = 500
_FLOOD_EVENTS: Final = 10_000
_SPREAD: Final = 1.15  # what medians of five differ by from one run to the next
_UNRELATED: Final = "unrelated/image:1"


@dataclass(slots=True)
class _Costs:
    """What one size of host costs, in seconds."""

    start: list[float] = field(default_factory=list)
    first_sweep: list[float] = field(default_factory=list)
    first_sweep_cpu: list[float] = field(default_factory=list)
    sweep: list[float] = field(default_factory=list)
    sweep_cpu: list[float] = field(default_factory=list)
    edit_sweep: list[float] = field(default_factory=list)
    edit_sweep_cpu: list[float] = field(default_factory=list)
    event_cpu: list[float] = field(default_factory=list)
    report: list[float] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    idle_cpu: float = 0.0


def rows(stage: Stage, rounds: int | None) -> Iterator[Row]:
    """Measure every row of the group."""
    costs: dict[int, _Costs] = {}
    for size in _SIZES:
        stage.engine.wipe()
        host = stage.new_host()
        crowd.move_in(stage, host, size)
        try:
            costs[size] = _measure(host, starts=min(rounds or _STARTS, _STARTS))
            if size == _SIZES[-1]:
                costs[size].idle_cpu = _idle(host)
            if size == _FLOOD_APPS:
                yield _flood(host)
        finally:
            host.service.stop()
    yield from _large(costs[_SIZES[-1]])
    yield from _growth(costs)


def _measure(host: Host, *, starts: int) -> _Costs:
    costs = _Costs()
    for _ in range(starts):
        host.service.stop()
        began = time.time()
        host.service.start()
        ready = host.service.lines("daemon.ready")[0]
        costs.start.append(crowd.log_seconds(ready) - began)
        host.service.wait_for("sweep.finished", timeout=60)
    host.settle()
    for _ in range(_SWEEPS):
        _forget(host)
        _sweep(host, costs.first_sweep, costs.first_sweep_cpu)
    costs.event_cpu.append(_event(host))
    argv = [str(host.files.root / "dokku"), "registry:report"]
    costs.report = [timing.program(argv, host.files.environ) for _ in range(3)]
    _wait_until_settled(host)
    _sweep(host, [], [])
    for sweep in range(_SWEEPS):
        _sweep(host, costs.sweep, costs.sweep_cpu)
        app = crowd.app_name(sweep)
        host.files.set_property(app, "push-extra-tags", f"edit-{sweep}")
        _sweep(host, costs.edit_sweep, costs.edit_sweep_cpu)
    costs.memory = dict(timing.memory_bytes(host.service.pid))
    return costs


def _forget(host: Host) -> None:
    """Let the daemon forget what sweeps have read, as a reload does."""
    seen = len(host.service.lines("daemon.reloaded"))
    host.service.signal(signal.SIGHUP)
    host.service.wait_for("daemon.reloaded", count=seen + 1)
    host.settle()


def _wait_until_settled(host: Host) -> None:
    """Wait until the youngest file is so old that what it says is remembered."""
    folders = (host.files.config_root / "registry", host.files.data_dir / "deployed")
    youngest = max(
        path.stat().st_ctime for folder in folders for path in folder.rglob("*")
    )
    time.sleep(max(0.0, youngest + snapshot.RACY_SECONDS + 1 - time.time()))


def _idle(host: Host) -> float:
    """Return the share of a processor that an idle daemon takes between sweeps."""
    host.settle()
    pid = host.service.pid
    before = timing.cpu_seconds(pid)
    time.sleep(_IDLE_WINDOW)
    return (timing.cpu_seconds(pid) - before) / _IDLE_WINDOW


def _sweep(host: Host, took: list[float], cpu: list[float]) -> None:
    """Wake one sweep by removing a name outside the wanted set."""
    name = f"{_UNRELATED}-gone"
    _tag(host, name)
    seen = len(host.service.lines("sweep.finished"))
    pid = host.service.pid
    before = timing.cpu_seconds(pid)
    images.remove(host.stage.engine.path, name)
    line = host.service.wait_for("sweep.finished", count=seen + 1)
    took.append(float(line["took_seconds"]))
    host.settle()
    cpu.append(timing.cpu_seconds(pid) - before)


def _event(host: Host) -> float:
    """Return the processor time that one event costs which no wanted name can miss."""
    pid = host.service.pid
    host.settle()
    before = timing.cpu_seconds(pid)
    began = time.monotonic()
    for _ in range(_EVENTS):
        _tag(host, _UNRELATED)
    busy = time.monotonic() - began
    used = timing.cpu_seconds(pid) - before
    host.settle()
    before = timing.cpu_seconds(pid)
    time.sleep(min(busy, 3.0))
    idle = (timing.cpu_seconds(pid) - before) / min(busy, 3.0)
    return max(0.0, used - idle * busy) / _EVENTS


def _tag(host: Host, name: str) -> None:
    repository, _, tag = name.rpartition(":")
    target = f"/images/bench/base:1/tag?repo={repository}&tag={tag}"
    engine_api.request(host.stage.engine.path, "POST", target)


def _flood(host: Host) -> Row:
    """Take 500 wanted names away at once while 10,000 other events pass."""
    engine = host.stage.engine.path
    apps = [crowd.app_name(number) for number in range(_FLOOD_APPS)]
    gone = {crowd.deployed_reference(app) for app in apps}
    swept = len(host.service.lines("sweep.finished"))
    events = Events(engine)
    since = events.mark()
    with ThreadPoolExecutor(max_workers=8) as pool:
        half = _FLOOD_EVENTS // 2
        list(pool.map(lambda _: _tag(host, _UNRELATED), range(half)))
        began = time.monotonic()
        list(pool.map(lambda name: images.remove(engine, name), gone))
        removed = time.monotonic() - began
        list(pool.map(lambda _: _tag(host, _UNRELATED), range(half)))
    until(
        lambda: gone <= images.listing(engine).keys(), 120, what="all names to be back"
    )
    back = time.monotonic() - began
    host.settle()
    unrelated = events.count(since, "tag") - len(gone)
    untagged = events.count(since, "untag")
    events.stop()
    sweeps = len(host.service.lines("sweep.finished")) - swept
    return figures.alone(
        GROUP,
        f"{len(gone)} wanted images removed in {removed:.1f} s among {unrelated}"
        " events: sweeps",
        [sweeps],
        unit="sweeps",
        goal="all back",
        is_met=True,
        seconds_of_removal=removed,
        seconds_until_all_were_back=back,
        untag_events=untagged,
        heals=len(host.service.lines("job.finished", intent="heal")),
    )


def _large(costs: _Costs) -> Iterator[Row]:
    size = f"{_SIZES[-1]:,} apps"
    start = figures.percentile(costs.start, 50)
    yield figures.alone(
        GROUP,
        f"{size}: start to ready",
        costs.start,
        unit="ms",
        goal="<= 2 s",
        is_met=start <= 2,  # noqa: PLR2004 - the goal
    )
    resident = costs.memory["VmRSS"] / 1e6
    yield figures.alone(
        GROUP,
        f"{size}: resident memory",
        [resident],
        unit="MB",
        goal="<= 80 MB",
        is_met=resident <= 80,  # noqa: PLR2004 - the goal
        peak_mb=costs.memory["VmHWM"] / 1e6,
    )
    sweeps = _IDLE_MINUTES * 60 / _SWEEP_INTERVAL
    unchanged = figures.percentile(costs.sweep_cpu, 50)
    first = figures.percentile(costs.first_sweep_cpu, 50)
    # What is remembered ends within an hour: some apps are read at each sweep.
    reread = (first - unchanged) * _SWEEP_INTERVAL / snapshot.VOID_SECONDS
    of_sweeps = sweeps * (unchanged + reread) / (_IDLE_MINUTES * 60)
    share = (costs.idle_cpu + of_sweeps) * 100
    yield figures.alone(
        GROUP,
        f"{size}: processor over {_IDLE_MINUTES} idle minutes (scaled)",
        [share],
        unit="%",
        goal="<= 0.1 %",
        is_met=share <= 0.1,  # noqa: PLR2004 - the goal
        window_seconds=_IDLE_WINDOW,
        percent_between_sweeps=costs.idle_cpu * 100,
        percent_of_sweeps=of_sweeps * 100,
        sweeps_within=sweeps,
        seconds_of_a_sweep=unchanged,
        seconds_of_reading_again=reread,
    )


def _growth(costs: dict[int, _Costs]) -> Iterator[Row]:
    for name, unit, factor, goal in (
        ("start", "ms", 1e3, "<= linear"),
        ("first_sweep", "ms", 1e3, "<= linear"),
        ("first_sweep_cpu", "ms", 1e3, ""),
        ("sweep", "ms", 1e3, "<= linear"),
        ("sweep_cpu", "ms", 1e3, ""),
        ("edit_sweep", "ms", 1e3, ""),
        ("edit_sweep_cpu", "ms", 1e3, ""),
        ("event_cpu", "us", 1e6, "flat"),
        ("report", "ms", 1e3, ""),
    ):
        medians = [
            figures.percentile(getattr(costs[size], name), 50) * factor
            for size in _SIZES
        ]
        growth = medians[2] / medians[1]
        linear = _SIZES[2] / _SIZES[1] * _SPREAD
        most = {"<= linear": linear, "flat": 1.5}.get(goal)
        label = " / ".join(f"{value:.3g}" for value in medians)
        yield figures.alone(
            GROUP,
            f"{name.replace('_', ' ')} with 50 / 500 / 5,000 apps: {label} {unit}",
            [growth],
            unit="x from 500 to 5,000",
            goal=goal,
            is_met=None if most is None else growth <= most,
            **{str(size): value for size, value in zip(_SIZES, medians, strict=True)},
        )
