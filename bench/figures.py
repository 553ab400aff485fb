"""Figures: what a row of the table is, and how it is printed and kept."""

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).with_name("results.json")
"""Those of the native Engine, which are drawn; others are beside it."""
_HEADS: Final = ("row", "ours", "reference", "ratio", "goal", "met")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Several measurements of one thing."""

    median: float
    p10: float
    p90: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Build it from the single measurements."""
        return cls(
            median=statistics.median(values),
            p10=percentile(values, 10),
            p90=percentile(values, 90),
            count=len(values),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; `name` is unique."""

    group: str
    name: str
    unit: str
    ours: Spread
    reference_name: str = ""
    reference: Spread | None = None
    ratio: Spread | None = None
    goal: str = ""
    is_met: bool | None = None
    """None for what is shown without a goal."""
    notes: dict[str, object] = field(default_factory=dict)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    at = (len(ordered) - 1) * percent / 100
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def compare(
    group: str,
    name: str,
    ours: Sequence[float],
    *,
    against: tuple[str, Sequence[float]],
    goal: str = "",
    is_met: Callable[[float], bool] | None = None,
    is_speedup: bool = False,
    **notes: object,
) -> Row:
    """Build a row of seconds from pairs; each pair gives one ratio.

    Args:
        group: The group of rows.
        name: The row.
        ours: Our seconds.
        against: The reference's name, and its seconds in the same order.
        goal: The goal in words.
        is_met: Judges the median ratio; None where there is no goal.
        is_speedup: The ratio is how many times faster we are, not our share.
        notes: More to keep.
    """
    pairs = list(zip(ours, against[1], strict=True))
    ratios = [theirs / own if is_speedup else own / theirs for own, theirs in pairs]
    ratio = Spread.of(ratios)
    return Row(
        group=group,
        name=name,
        unit="ms",
        ours=_milliseconds(ours),
        reference_name=against[0],
        reference=_milliseconds(against[1]),
        ratio=ratio,
        goal=goal,
        is_met=is_met(ratio.median) if is_met else None,
        notes=notes,
    )


def alone(
    group: str,
    name: str,
    ours: Sequence[float],
    *,
    unit: str,
    goal: str = "",
    is_met: bool | None = None,
    **notes: object,
) -> Row:
    """Build a row that has no reference; seconds are shown as milliseconds."""
    spread = _milliseconds(ours) if unit == "ms" else Spread.of(ours)
    return Row(
        group=group,
        name=name,
        unit=unit,
        ours=spread,
        goal=goal,
        is_met=is_met,
        notes=notes,
    )


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the table, its columns under one another."""
    cells = [_HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(_HEADS))]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in cells
    ]


def write(rows: Sequence[Row], *, rounds: int | None, engine: str, kind: str) -> None:
    """Keep the rows for a program; other groups of an earlier run stay."""
    is_native = kind.startswith("native")
    file = RESULTS if is_native else RESULTS.with_name(f"results-{kind}.json")
    before = json.loads(file.read_text()) if file.exists() else {"rows": []}
    groups = {row.group for row in rows}
    kept = [row for row in before["rows"] if row["group"] not in groups]
    found = {
        "machine": {
            "cores": os.cpu_count(),
            "processor": _processor(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "engine": engine,
            "load_before": round(os.getloadavg()[2], 2),
        },
        "rounds": rounds or "default",
        "rows": kept + [asdict(row) for row in rows],
    }
    file.write_text(json.dumps(_rounded(found), indent=1) + "\n")


def _cells(row: Row) -> tuple[str, ...]:
    verdict = {True: "yes", False: "NO", None: ""}[row.is_met]
    return (
        row.name,
        _shown(row.ours, row.unit),
        _against(row),
        _shown(row.ratio, "x") if row.ratio else "",
        row.goal,
        verdict,
    )


def _against(row: Row) -> str:
    if row.reference is None:
        return row.reference_name
    return f"{row.reference_name} {_shown(row.reference, row.unit)}"


def _shown(spread: Spread, unit: str) -> str:
    text = f"{_short(spread.median)} {unit}" if unit != "x" else _short(spread.median)
    if spread.count == 1 or spread.p10 == spread.p90:
        return text
    return f"{text} ({_short(spread.p10)}-{_short(spread.p90)})"


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"  # noqa: PLR2004


def _milliseconds(values: Sequence[float]) -> Spread:
    return Spread.of([value * 1000 for value in values])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _rounded(content) for key, content in value.items()}
    if isinstance(value, list):
        return [_rounded(content) for content in value]
    return value
