"""The table: each fault on each Engine, and what it has cost."""

from collections import Counter

from torture.life import Report
from torture.verdict import KINDS

_COLUMNS = ("trials", *KINDS, "other")


class Table:
    """Counts what reports tell."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], Counter[str]] = {}
        self.releases = 0
        self.hosts = 0

    def add(self, report: Report) -> None:
        """Count one report."""
        self.hosts += 1
        self.releases += report.releases
        for fault, times in report.faults.items():
            cell = self._cells.setdefault((fault, report.engine), Counter())
            cell["trials"] += times
            for kind, _ in report.violations:
                cell[kind if kind in KINDS else "other"] += 1

    @property
    def text(self) -> str:
        """The figures in Markdown, as docs/reliability.md has them."""
        lines = [
            f"{self.hosts} hosts, {self._trials} faults, {self.releases} releases.",
            "",
            f"| fault | Engine | {' | '.join(_COLUMNS)} |",
            f"|---|---|{'---:|' * len(_COLUMNS)}",
        ]
        for (fault, engine), cell in sorted(self._cells.items()):
            figures = " | ".join(str(cell[column]) for column in _COLUMNS)
            lines.append(f"| {fault} | {engine} | {figures} |")
        return "\n".join(lines)

    @property
    def _trials(self) -> int:
        return sum(cell["trials"] for cell in self._cells.values())
