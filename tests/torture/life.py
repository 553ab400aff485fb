"""One life of a host: deeds and faults from a seed, then peace, then a verdict."""

import http.client
import random
import shutil
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from support import scratch
from support.engine_api import EngineApiError
from support.registry_kinds import KINDS, RegistryKind
from support.waiting import until
from torture import faults, settling, verdict
from torture.deeds import Deeds
from torture.host import TortureHost
from torture.place import Place
from torture.stored import Violation
from torture.unfit import UnfitError

STEPS: Final = 14
_PEACE_CHANCE: Final = 0.5
_PAUSE_SECONDS: Final = 1.5
_TAIL: Final = 40
_RARE: Final = faults.ENCRYPTED.keys() | faults.WITH_TOKENS.keys()
_FAULTS: Final = 6  # of one life, in addition to those that few can meet
_QUIET: Final = 2  # steps without a fault, at least
_RELEASE_CHANCE: Final = 0.5
_KIND_CHANCE: Final = 0.5  # where tokens are not those of the proxy
_TRIES: Final = 3  # to let a fault begin


@dataclass(kw_only=True)
class Report:
    """What came of one life, or of one death."""

    seed: str
    engine: str
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
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
    """Let a host live once, with all faults or only those whose names hold a text.

    Args:
        seed: What is drawn from.
        place: Where.
        steps: The most deeds.
        fault: The text, or several with a `|` between them; all faults if empty.
    """
    report = Report(seed=seed, engine=place.engine.kind.name)
    draw = random.Random(f"{seed} {report.engine}")  # noqa: S311 - it must be repeatable
    number = number_of(seed)
    wants_name, has_tokens = number % 3 == 1, number % 2 == 1
    if fault:
        wants_name = any(is_meant(name, fault) for name in faults.ENCRYPTED)
        has_tokens = any(is_meant(name, fault) for name in faults.WITH_TOKENS)
    kind = None if has_tokens else kind_of(seed, report.engine)
    if kind is not None:
        report.steps.append(f"the registry is of the kind {kind.name}")
    is_encrypted = place.can_encrypt and wants_name
    place.engine.ensure()
    place.engine.wipe()
    root = scratch.make("torture")
    try:
        with TortureHost(
            root / "life",
            place.engine,
            place.registry,
            place=place,
            is_encrypted=is_encrypted,
            has_tokens=has_tokens,
            kind=kind,
        ) as host:
            deeds = Deeds(host, draw, report.steps.append)
            try:
                names = [name for name in faults.names(host) if is_meant(name, fault)]
                hand = dealt(seed, report.engine, names)[: steps - _QUIET]
                _live(host, deeds, draw, report, hand=hand, steps=steps)
            except AssertionError as error:
                report.violations.append(("stuck", str(error)))
            report.releases = len(deeds.deploys)
            if report.violations:
                report.state = state_of(host)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return report


def is_meant(name: str, fault: str) -> bool:
    """Tell whether a fault is one of those that were asked for."""
    return any(part in name for part in fault.split("|"))


def kind_of(seed: str, engine: str) -> RegistryKind | None:
    """Return the kind of registry of a life; None for a plain one, as in half."""
    draw = random.Random(f"kind {seed} {engine}")  # noqa: S311 - it must be repeatable
    return draw.choice(KINDS) if draw.random() < _KIND_CHANCE else None


def number_of(seed: str) -> int:
    """Return which life of a root seed this is; 0 for a seed of its own."""
    number = seed.rpartition("/")[2]
    return int(number) if number.isdigit() else 0


def dealt(seed: str, engine: str, names: Sequence[str]) -> list[str]:
    """Return the faults of one life, in the order in which they come.

    They are dealt like cards: the next life goes on where this one ends, so that few
    lives meet all of them. What few hosts can suffer comes to all who can.
    """
    root = seed.rpartition("/")[0]
    rare = [name for name in sorted(names) if name in _RARE]
    deck = [name for name in sorted(names) if name not in _RARE]
    random.Random(f"{root} {engine}").shuffle(deck)  # noqa: S311 - it must be repeatable
    first = number_of(seed) * _FAULTS
    hand = rare + [deck[at % len(deck)] for at in range(first, first + _FAULTS) if deck]
    random.Random(seed).shuffle(hand)  # noqa: S311 - it must be repeatable
    return hand


def _live(
    host: TortureHost,
    deeds: Deeds,
    draw: random.Random,
    report: Report,
    *,
    hand: Sequence[str],
    steps: int,
) -> None:
    waiting = deque(hand)
    quiet = draw.randint(_QUIET, max(_QUIET, steps - len(hand)))
    _attempt(deeds.do_something, report)
    while waiting or quiet:
        deed: Callable[[], None] = deeds.do_something
        if draw.random() * (len(waiting) + quiet) < len(waiting):
            if draw.random() < _PEACE_CHANCE:
                report.steps.append("all is well again")
                faults.heal(host)
                host.start_daemon()
            name = waiting.popleft()
            for _ in range(_TRIES):
                if _begin(name, host, deeds, draw, report):
                    break
            # Most faults come to light in a release.
            deed = deeds.deploy if draw.random() < _RELEASE_CHANCE else deed
        else:
            quiet -= 1
        if host.is_engine_awake:
            _attempt(deed, report)
        _rest(host, deeds, draw)
    settling.settle(host, deeds)
    report.violations += verdict.violations(host, deeds)


def _begin(
    name: str, host: TortureHost, deeds: Deeds, draw: random.Random, report: Report
) -> bool:
    """Let a fault begin, and tell whether it did; then it is counted.

    Where the host is in no state for it there is peace first, and a release.
    """
    report.steps.append(f"fault: {name}")
    try:
        _attempt(partial(faults.FAULTS[name], host, deeds, draw), report)
    except UnfitError as error:
        report.steps.append(f"not now: {error}")
        settling.settle_down(host, deeds)
        deeds.deploy(deeds.apps[0] if deeds.apps else deeds.create())
        settling.settle_down(host, deeds)
        return False
    report.faults[name] += 1
    return True


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
    # systemd restarts a dead daemon; for some time it does not.
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
