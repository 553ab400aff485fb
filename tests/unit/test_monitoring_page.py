"""docs/monitoring.md: its table is the code's, and it explains each setting."""

from pathlib import Path

import pytest

from dokku_registryd import config
from dokku_registryd.core.status import metric_families

PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()


def test_table() -> None:
    """The page ends with the table of all metrics, as the code has them."""
    assert (
        PAGE.partition("<!-- from core/status/metric_families.py -->\n")[2]
        == metric_families.table()
    )


@pytest.mark.parametrize("key", ["status.socket", "status.group", "status.port"])
def test_settings(key: str) -> None:
    """Every setting of the status socket is explained."""
    assert key in config.fields()
    assert f"| `{key}` |" in PAGE
