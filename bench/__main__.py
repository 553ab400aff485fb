"""`make bench`: the daemon beside what a user would do otherwise, in one run."""

import argparse
import importlib
import os
import signal
import sys
import time
from typing import Final

from bench import figures, plot
from bench import stage as stages

from support.engines import EngineKind

GROUPS: Final = {
    "release": "releases",
    "layer": "layers",
    "processor": "processor",
    "hook": "hooks",
    "heal": "heals",
    "scale": "scale",
    "command": "programs",
    "link": "many",
    "promotion": "promotions",
    "prune": "prunes",
    "restore": "restores",
    "rollback": "rollbacks",
}


def main() -> int:
    """Measure, print the table, and keep it in results.json."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rows", default="", help="groups, with commas between them")
    parser.add_argument("--rounds", type=int, help="trials of each row")
    parser.add_argument(
        "--engine", default=stages.NATIVE.name, choices=list(stages.KINDS)
    )
    parser.add_argument("--no-results", action="store_true", help="only print")
    arguments = parser.parse_args()
    chosen = [name for name in arguments.rows.split(",") if name] or list(GROUPS)
    unknown = sorted(set(chosen) - set(GROUPS))
    if unknown:
        parser.error(
            f"no such rows: {', '.join(unknown)}; there are {', '.join(GROUPS)}"
        )
    if os.geteuid() != 0:
        parser.error("a Docker Engine needs root: run make bench, which uses sudo")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    kind = stages.KINDS[arguments.engine]
    return _measure(chosen, arguments.rounds, kind, keep=not arguments.no_results)


def _measure(
    chosen: list[str], rounds: int | None, kind: EngineKind, *, keep: bool
) -> int:
    rows: list[figures.Row] = []
    started = time.monotonic()
    with stages.Stage(kind) as stage:
        engine = f"{stage.engine.version} {kind.store}"
        for name in chosen:
            began = time.monotonic()
            module = importlib.import_module(f"bench.{GROUPS[name]}")
            for row in module.rows(stage, rounds):
                rows.append(row)
                print(f"  {row.name}", file=sys.stderr, flush=True)
            took = time.monotonic() - began
            print(f"{name}: {took:.0f} s", file=sys.stderr, flush=True)
    print("\n".join(figures.lines(rows)))
    missed = sum(row.is_met is False for row in rows)
    print(
        f"\n{len(rows)} rows, {missed} goals missed; {os.cpu_count()} cores, Engine"
        f" {engine}, {time.monotonic() - started:.0f} s. Medians, and p10-p90 in"
        " parentheses."
    )
    if keep:
        figures.write(rows, rounds=rounds, engine=engine, kind=kind.name)
        plot.draw()
    return 0


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
