"""docs/monitoring.md: its table is the code's, and its rules name what there is."""

import re
from pathlib import Path

import pytest

from dokku_registryd import config
from dokku_registryd.core.status import metric_families

PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()
RULES = PAGE.partition("groups:\n")[2].partition("```")[0]


def test_table() -> None:
    """The page ends with the table of all metrics, as the code has them."""
    assert (
        PAGE.partition("<!-- from core/status/metric_families.py -->\n")[2]
        == metric_families.table()
    )


def test_rules_name_metrics() -> None:
    """Every metric of ours in a rule exists, and so do the labels it is asked by."""
    families = {family.name: family for family in metric_families.FAMILIES.values()}
    used = re.findall(r"(dokku_registryd_[a-z_]+)(?:{([^}]*)})?", RULES)

    assert len(used) > 10
    for name, selectors in used:
        labels = set(re.findall(r"([a-z]+)=", selectors))
        assert labels <= set(families[name].labels)


@pytest.mark.parametrize("key", ["status.socket", "status.group", "status.port"])
def test_settings(key: str) -> None:
    """Every setting of the status socket is explained."""
    assert key in config.fields()
    assert f"| `{key}` |" in PAGE


def test_rules_say_what_to_do() -> None:
    """Each alert has an expression and a sentence for the operator."""
    alerts = RULES.split("- alert: ")[1:]

    assert len(alerts) > 10
    assert all("expr: " in alert and 'summary: "' in alert for alert in alerts)
