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

    def add(self, report: Report) -> None:
        """Count one report."""
        self.releases += report.releases
        for fault, times in report.faults.items():
            cell = self._cells.setdefault((fault, report.engine), Counter())
            cell["trials"] += times
            for kind, _ in report.violations:
                cell[kind if kind in KINDS else "other"] += 1

    @property
    def text(self) -> str:
        """The table in Markdown."""
        lines = [
            f"| fault | Engine | {' | '.join(_COLUMNS)} |",
            f"|---|---|{'---:|' * len(_COLUMNS)}",
        ]
        for (fault, engine), cell in sorted(self._cells.items()):
            figures = " | ".join(str(cell[column]) for column in _COLUMNS)
            lines.append(f"| {fault} | {engine} | {figures} |")
        total = sum(cell["trials"] for cell in self._cells.values())
        lines.append(f"\n{total} faults, {self.releases} releases.")
        return "\n".join(lines)
