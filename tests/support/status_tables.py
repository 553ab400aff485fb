"""What is rendered from the tables of the code: log events, and metrics.

`python -m support.status_tables` writes docs/log-events.md, and the table at the end of
docs/monitoring.md.
"""

from pathlib import Path
from typing import Final

from dokku_registryd.core.status import log_events, metric_families

DOCS: Final = Path(__file__).parents[2] / "docs"
EVENTS: Final = DOCS / "log-events.md"
METRICS: Final = DOCS / "monitoring.md"
BEGIN: Final = "<!-- from core/status/metric_families.py -->\n"


def monitoring() -> str:
    """Return docs/monitoring.md with the table of the code at its end."""
    return METRICS.read_text().partition(BEGIN)[0] + BEGIN + metric_families.table()


if __name__ == "__main__":
    EVENTS.write_text(log_events.render())
    METRICS.write_text(monitoring())
