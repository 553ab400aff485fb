"""Deaths: kill -9 at each step of each verb, as the programs themselves tell the steps.

A verb is first done undisturbed, which tells how many steps it has. Then it is done
again and again, and the process that does it dies at a step that is drawn, the start
of the process included. The next daemon does the rest.
"""

import random
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from support import scratch
from torture import acts, returns, settling, verdict
from torture.host import TortureHost
from torture.life import Report, is_meant, state_of
from torture.mortal import Mortal
from torture.place import Place

DEATHS: Final = 6  # of one host
NAME: Final = "death at each step of"
"""How the names of all deaths begin."""
ALONE: Final = " without a service"
"""How a role ends whose process does the work itself."""

VERBS: Final[Mapping[str, Callable[[Mortal], acts.Act]]] = {
    "release": acts.release,
    "background": acts.background,
    "again": acts.again,
    "rollback": returns.rollback,
    "failed rollback": partial(returns.rollback, is_good=False),
    "promotion": returns.promotion,
    "first promotion": partial(returns.promotion, is_first=True),
    "failed promotion": partial(returns.promotion, is_first=True, is_good=False),
    "restore": returns.restore,
    "heal": acts.heal,
    "forget": acts.forget,
    "rename": acts.rename,
    "prune": acts.prune,
    "mirror": acts.mirror,
    "publishing": acts.publish,
    "first start": acts.first_start,
}
_DEPLOYING: Final = (
    *("rollback", "failed rollback"),
    *("promotion", "first promotion", "failed promotion"),
)
_ALONE: Final = ("rollback", "promotion", "first promotion", "restore")
# A hook that works the spool itself ends with its own release.
ROLES: Final = tuple(
    [(name, "daemon") for name in VERBS]
    + [(name, "hook") for name in ("release", "background", "again")]
    + [(name, "command") for name in _DEPLOYING]
    + [(name, f"command{ALONE}") for name in _ALONE]
)


def kill(mortal: Mortal, name: str, role: str, count: int) -> str:
    """Do a verb, let its process die at a step, and do what is left.

    Returns:
        The step's name; empty if the verb was over before.
    """
    host = mortal.host
    act = _prepare(mortal, name, role)
    position = host.orders.size()
    host.orders.kill(role.removesuffix(ALONE), count=count)
    try:
        act()
    finally:
        host.orders.withdraw()
    died = [line for line in host.orders.since(position) if line.endswith("DIES")]
    lines = host.orders.since(position)
    step = ""
    if died:
        prefix = died[0].removesuffix("DIES")
        step = next(line for line in lines if line.startswith(prefix))
        step = step.split(" ", 3)[3]
    mortal.report.steps.append(f"{name}: {role} died at {count} {step or 'nothing'}")
    if died:
        mortal.report.faults[name_of(name, role)] += 1
    _end(mortal)
    return step


def steps_of(mortal: Mortal, name: str, role: str) -> int:
    """Do a verb undisturbed and return how many steps it has."""
    act = _prepare(mortal, name, role)
    position = mortal.host.orders.size()
    act()
    lines = mortal.host.orders.since(position)
    _end(mortal)
    word = role.removesuffix(ALONE)
    steps = sum(line.startswith(f"{word} ") for line in lines)
    assert steps, f"no {role} has done {name}"
    return steps


def _prepare(mortal: Mortal, name: str, role: str) -> acts.Act:
    mortal.repeat = None
    act = VERBS[name](mortal)
    if role == "hook" or role.endswith(ALONE):
        mortal.host.site.service.stop()
    return act


def _end(mortal: Mortal) -> None:
    if mortal.repeat is not None:
        mortal.repeat()
    settling.settle(mortal.host, mortal.deeds)


def name_of(verb: str, role: str) -> str:
    """Return how the table calls the deaths of one role in one verb."""
    return f"{NAME} {verb}, in a {role}"


def dealt(seed: str, engine: str, fault: str = "") -> tuple[str, str]:
    """Return what is done in one trial, and who dies at it: all of them in turn.

    Args:
        seed: What is drawn from.
        engine: The name of the Engine.
        fault: Only those whose names hold this text, or one of several with a `|`.
    """
    root, _, number = seed.rpartition("/")
    order = [role for role in ROLES if not fault or is_meant(name_of(*role), fault)]
    random.Random(f"deaths {root} {engine}").shuffle(order)  # noqa: S311 - it must be repeatable
    return order[int(number) % len(order) if number.isdigit() else 0]


def die(seed: str, place: Place, *, times: int = DEATHS, fault: str = "") -> Report:
    """Let processes of one host die at steps that are drawn."""
    report = Report(seed=seed, engine=place.engine.kind.name)
    draw = random.Random(f"death {seed} {report.engine}")  # noqa: S311 - it must be repeatable
    root = scratch.make("torture")
    place.engine.ensure()
    place.engine.wipe()
    try:
        with TortureHost(
            root / "life", place.engine, place.registry, place=place
        ) as host:
            mortal = Mortal(host, report)
            try:
                name, role = dealt(seed, report.engine, fault)
                steps = steps_of(mortal, name, role)
                for _ in range(times):
                    kill(mortal, name, role, draw.randint(1, steps))
                report.violations += verdict.violations(host, mortal.deeds)
            except AssertionError as error:
                report.violations.append(("stuck", str(error)))
            report.releases = len(mortal.deeds.deploys)
            if report.violations:
                report.state = state_of(host)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return report
