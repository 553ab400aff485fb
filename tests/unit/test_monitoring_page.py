"""docs/monitoring.md: its table is the code's, and it explains each setting."""

import pytest

from dokku_registryd import config
from support import status_tables

PAGE = status_tables.METRICS.read_text()


def test_table() -> None:
    """The page ends with the table of all metrics: `make pages`."""
    assert status_tables.monitoring() == PAGE, "run make pages"


@pytest.mark.parametrize("key", ["status.socket", "status.group", "status.port"])
def test_settings(key: str) -> None:
    """Every setting of the status socket is explained."""
    assert key in config.fields()
    assert f"| `{key}` |" in PAGE
