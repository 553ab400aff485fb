"""`make torture`: lives and deaths of a whole host, drawn from a seed.

It ends with status 1 as soon as a promise of docs/reliability.md was broken, and then
prints what is needed to repeat it.
"""

import argparse
import itertools
import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from powercut import trial, verbs
from support import guards
from support.engines import KINDS, EngineKind
from torture import deaths, life, side_by_side
from torture.place import open_place
from torture.table import Table

_ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Torture, print the table, and return the exit status."""
    options = _parser().parse_args()
    if os.geteuid() != 0:
        _say("Engines and small disks need root: run make torture, which uses sudo")
        return 1
    guards.listen_to_signals()  # Hooks that ignore them could not be broken off.
    for number in _ENDINGS:
        signal.signal(number, _interrupt)
    kinds = [kind for kind in KINDS if options.engine in kind.name]
    table = Table()
    is_broken = False
    with side_by_side.working(partial(_reports, options, len(kinds)), kinds) as reports:
        try:
            for report in reports:
                table.add(report)
                _say(report_line(report))
                if report.violations:
                    is_broken = True
                    _say(report.text)
                    if not options.go_on:
                        break
        except side_by_side.DeadWorkerError as error:
            is_broken = True
            _say(f"BROKEN: {error}")
        except KeyboardInterrupt:
            _say("Interrupted.")
    _say(table.text)
    if options.markdown:
        Path(options.markdown).write_text(f"{table.text}\n")
    return 1 if is_broken else 0


def report_line(report: life.Report) -> str:
    """Return one line about a life or a death."""
    verdict = "BROKEN" if report.violations else "fine"
    return f"{report.seed:24} {report.engine:16} {verdict:6} {len(report.steps)} steps"


def _reports(
    options: argparse.Namespace, places: int, kind: EngineKind
) -> Iterator[life.Report]:
    """Give reports of one Engine until the time is over: deaths, a life, power cuts."""
    end = time.monotonic() + options.minutes * 60
    makers = [partial(life.live, steps=options.steps, fault=options.fault)]
    cuts = partial(trial.cut_power, times=options.recoveries)
    if not options.fault:
        makers = [partial(deaths.die, times=options.deaths), *makers, cuts]
    elif any(options.fault in trial.name_of(verb) for verb in verbs.VERBS):
        makers = [partial(cuts, fault=options.fault)]
    elif options.fault.startswith(deaths.NAME):
        makers = [partial(deaths.die, times=options.deaths, fault=options.fault)]
    seeds = (f"{options.seed}/{number}" for number in itertools.count(1))
    wanted = [options.only] if options.only else seeds
    trials = ((seed, make) for seed in wanted for make in makers)
    most = -(-options.trials // places) if options.trials else None
    with open_place(kind) as place:
        for seed, make in itertools.islice(trials, most):
            yield make(seed, place)
            if time.monotonic() > end:
                return


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--seed", default="1", help="any text (default 1)")
    parser.add_argument("--minutes", type=float, default=10, help="how long to go on")
    parser.add_argument("--trials", type=int, default=0, help="end after so many")
    parser.add_argument(
        "--deaths", type=int, default=deaths.DEATHS, help="deaths of one host"
    )
    parser.add_argument(
        "--steps", type=int, default=life.STEPS, help="the most deeds of one life"
    )
    parser.add_argument(
        "--recoveries",
        type=int,
        default=trial.RECOVERIES,
        help="recoveries of one host from power cuts",
    )
    parser.add_argument("--engine", default="", help="only Engines of this name")
    parser.add_argument(
        "--fault", default="", help="only faults or deaths called like A|B"
    )
    parser.add_argument("--only", default="", help="only this seed, as it was printed")
    parser.add_argument("--markdown", default="", help="write the figures to this file")
    parser.add_argument("--go-on", action="store_true", help="go on after a violation")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _interrupt(_number: int, _frame: object) -> None:
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)  # It is being done.
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
