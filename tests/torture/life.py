"""One life of a host: deeds and faults from a seed, then peace, then a verdict."""

import http.client
import itertools
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from support.engine_api import EngineApiError
from support.waiting import until
from torture import faults, settling, verdict
from torture.deeds import Deeds
from torture.host import TortureHost
from torture.place import Place

STEPS: Final = 14
_FAULT_CHANCE: Final = 0.6
_PEACE_CHANCE: Final = 0.5
_ENCRYPTED_CHANCE: Final = 0.4
_PAUSE_SECONDS: Final = 1.5
_TAIL: Final = 40
_FAULTS: Final = 6  # that a life meets, by and large


@dataclass(kw_only=True)
class Report:
    """What came of one life, or of one death."""

    seed: str
    engine: str
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[verdict.Violation] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    state: str = ""
    releases: int = 0

    @property
    def text(self) -> str:
        """All that helps to understand a violation."""
        lines = [f"seed {self.seed} on {self.engine}"]
        lines += [f"  {kind}: {text}" for kind, text in self.violations]
        lines += ["steps:", *(f"  {step}" for step in self.steps)]
        return "\n".join([*lines, "state:", self.state])


def live(seed: str, place: Place, *, steps: int = STEPS, fault: str = "") -> Report:
    """Let a host live once, with all faults or only those whose names hold a text."""
    report = Report(seed=seed, engine=place.engine.kind.name)
    draw = random.Random(f"{seed} {report.engine}")  # noqa: S311 - it must be repeatable
    wants_name = draw.random() < _ENCRYPTED_CHANCE
    if fault:
        wants_name = any(fault in name for name in faults.ENCRYPTED)
    is_encrypted = place.can_encrypt and wants_name
    place.engine.ensure()
    place.engine.wipe()
    root = Path(tempfile.mkdtemp(prefix="registryd-torture-", dir="/tmp"))
    try:
        with TortureHost(
            root / "life",
            place.engine,
            place.registry,
            place=place,
            is_encrypted=is_encrypted,
        ) as host:
            deeds = Deeds(host, draw, report.steps.append)
            try:
                names = [name for name in faults.names(host) if fault in name]
                deal = dealt(seed, report.engine, names)
                _live(host, deeds, draw, report, deal=deal, steps=steps)
            except AssertionError as error:
                report.violations.append(("stuck", str(error)))
            report.releases = len(deeds.deploys)
            if report.violations:
                report.state = state_of(host)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return report


def dealt(seed: str, engine: str, names: Sequence[str]) -> Iterator[str]:
    """Give the faults of one life.

    They are dealt like cards: the next life goes on about where this one ends, so that
    few lives meet all of them. What few hosts can suffer comes first where it can.
    """
    root, _, number = seed.rpartition("/")
    order = sorted(set(names))
    random.Random(f"{root} {engine}").shuffle(order)  # noqa: S311 - it must be repeatable
    first = [name for name in order if name in faults.ENCRYPTED]
    rest = [name for name in order if name not in faults.ENCRYPTED] or order
    start = int(number) * _FAULTS if number.isdigit() else 0
    yield from first
    for at in itertools.count(start):
        yield rest[at % len(rest)]


def _live(
    host: TortureHost,
    deeds: Deeds,
    draw: random.Random,
    report: Report,
    *,
    deal: Iterator[str],
    steps: int,
) -> None:
    for _ in range(draw.randint(steps // 2, steps)):
        if draw.random() < _FAULT_CHANCE:
            if draw.random() < _PEACE_CHANCE:
                report.steps.append("all is well again")
                faults.heal(host)
                host.start_daemon()
            name = next(deal)
            report.steps.append(f"fault: {name}")
            report.faults[name] += 1
            _attempt(partial(faults.FAULTS[name], host, deeds, draw), report)
        if host.is_engine_awake:
            _attempt(deeds.do_something, report)
        _rest(host, deeds, draw)
    settling.settle(host, deeds)
    report.violations += verdict.violations(host, deeds)


def _attempt(action: Callable[[], None], report: Report) -> None:
    """Do what may fail because of another fault."""
    try:
        action()
    except (EngineApiError, OSError, http.client.HTTPException) as error:
        report.steps.append(f"that failed: {type(error).__name__}")


def _rest(host: TortureHost, deeds: Deeds, draw: random.Random) -> None:
    """Let things happen for a while that is drawn, in peace or in between."""
    pause = draw.choice([0.0, 0.0, 0.2, _PAUSE_SECONDS])
    host.wait(pause)
    deeds.collect()
    # systemd starts what died; for some time nobody does.
    if draw.random() < _PEACE_CHANCE:
        host.start_daemon()


def state_of(host: TortureHost) -> str:
    """Return log, ledger and names, as far as they help."""
    lines = host.site.service.tail(_TAIL).splitlines()
    for command in (("status",), ("releases",)):
        lines.append(host.site.service.run(*command).stdout)
    lines += [f"registry: {put}" for put in host.proxy.puts]
    until(host.engine_answers, what="the Engine's answer")
    lines += [f"image: {name} {image}" for name, image in host.site.names().items()]
    lines += [f"trace: {line}" for line in host.orders.since() if "DIES" in line]
    return "\n".join(lines)
