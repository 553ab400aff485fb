"""The table: how often each fault met each Engine, and what it has cost."""

from collections import Counter, defaultdict

from torture.life import Report
from torture.verdict import KINDS

_COSTS = (*KINDS, "other")


class Table:
    """Counts what reports tell."""

    def __init__(self) -> None:
        self._trials: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._costs: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._engines: set[str] = set()
        self.releases = 0
        self.hosts = 0

    def add(self, report: Report) -> None:
        """Count one report."""
        self.hosts += 1
        self.releases += report.releases
        self._engines.add(report.engine)
        for fault, times in report.faults.items():
            self._trials[fault][report.engine] += times
            for kind, _ in report.violations:
                self._costs[fault][kind if kind in KINDS else "other"] += 1

    @property
    def text(self) -> str:
        """The figures in Markdown, as docs/reliability.md has them."""
        engines = sorted(self._engines)
        total = sum(trials.total() for trials in self._trials.values())
        lines = [
            f"{self.hosts} hosts, {total} faults, {self.releases} releases.",
            "",
            f"| fault | {' | '.join([*engines, *_COSTS])} |",
            f"|---|{'---:|' * (len(engines) + len(_COSTS))}",
        ]
        for fault, trials in sorted(self._trials.items()):
            figures = [trials[engine] for engine in engines]
            figures += [self._costs[fault][kind] for kind in _COSTS]
            lines.append(f"| {fault} | {' | '.join(map(str, figures))} |")
        return "\n".join(lines)
