"""Power cuts of one host: a verb is recorded, then the host starts on what is left.

Every state that a cut during the verb may leave is looked at. From some of them, which
are drawn, the host is started for real, with its hooks, its registry and its Engine.
"""

import random
import shutil
from typing import Final

from powercut import audit, cuts, verbs
from powercut.actor import Actor
from powercut.facts import Reader
from powercut.recorder import Recorder
from powercut.recovery import Recovery
from support import scratch
from torture.host import TortureHost
from torture.life import Report, state_of
from torture.place import Place

RECOVERIES: Final = 3  # of one host
_SHOWN: Final = 10


def name_of(verb: str) -> str:
    """Return how the table calls the power cuts of one verb."""
    return f"power cut at a step of {verb}"


def dealt(seed: str, engine: str, fault: str = "") -> str:
    """Return the verb of one trial: all of them in turn, or those that are wanted."""
    root, _, number = seed.rpartition("/")
    order = [verb for verb in verbs.VERBS if fault in name_of(verb)]
    random.Random(f"cuts {root} {engine}").shuffle(order)  # noqa: S311 - it must be repeatable
    return order[int(number) % len(order) if number.isdigit() else 0]


def cut_power(
    seed: str, place: Place, *, times: int = RECOVERIES, fault: str = ""
) -> Report:
    """Record one verb, look at all states, and recover from some of them."""
    report = Report(seed=seed, engine=place.engine.kind.name)
    root = scratch.make("torture")
    place.engine.ensure()
    place.engine.wipe()
    try:
        with TortureHost(
            root / "life", place.engine, place.registry, place=place
        ) as host:
            _cut(host, report, dealt(seed, report.engine, fault), times)
            if report.violations:
                report.state = state_of(host)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return report


def _cut(host: TortureHost, report: Report, verb: str, times: int) -> None:
    draw = random.Random(f"power {report.seed} {report.engine}")  # noqa: S311 - it must be repeatable
    recorder = Recorder(host)
    actor = Actor(recorder, report.steps.append)
    try:
        verbs.prepare(actor)
        with recorder.recording() as result:
            verbs.VERBS[verb](actor)
    except AssertionError as error:
        report.violations.append(("stuck", str(error)))
        return
    recording = result()
    report.releases = sum("release " in step for step in report.steps)
    states: list[cuts.Cut] = []
    site = host.site.host
    with Reader(site.data_dir, site.config_root) as reader:
        for found in audit.audit(recording, reader, seed=report.seed):
            states.append(found.cut)
            for why in found.broken[: _SHOWN - len(report.violations)]:
                report.violations.append(("lost", f"{why}, after {found.cut.name}"))
    report.steps.append(f"{verb}: {len(states)} states looked at")
    recovery = Recovery(recorder, recording)
    for cut in draw.sample(states, min(times, len(states))):
        report.steps.append(f"recovery from: {cut.name}")
        report.faults[name_of(verb)] += 1
        report.violations += recovery.violations(cut)
        if report.violations:
            return
