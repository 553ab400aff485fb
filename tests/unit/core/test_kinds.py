"""The table of kinds: each kind has its row, and each row can be carried out."""

from dataclasses import fields

import pytest

from dokku_registryd import errors
from dokku_registryd.core.hook import triggers
from dokku_registryd.core.job import kinds
from dokku_registryd.core.job.kinds import RULES, Kind
from dokku_registryd.runtime import execution

KEYS = {"deploy": "build"}
"""Keys of trigger files that are called otherwise in code."""


def test_each_kind_has_its_rows() -> None:
    """Each kind has rules, and each but the sweep of the host has an effect."""
    assert set(RULES) == set(Kind)
    assert set(execution.EFFECTS) == set(Kind) - {Kind.SWEEP}


@pytest.mark.parametrize("kind", Kind)
def test_a_row_fits_its_triggers(kind: Kind) -> None:
    """What a file may say has a place; what has no keys is in no file."""
    rules = RULES[kind]
    known = {field.name for field in fields(triggers.Trigger)}
    keys = (*rules.fields, *rules.optional)

    assert {KEYS.get(key, key) for key in keys} <= known
    if not rules.fields:
        with pytest.raises(errors.InvalidTriggerError, match="unknown trigger"):
            triggers.parse(
                f"dokku-registryd/1\ntrigger={kind}\napp=web\nend\n".encode()
            )


@pytest.mark.parametrize("kind", Kind)
def test_rules_that_go_together(kind: Kind) -> None:
    """What takes an app away ends what runs for it, and needs it for itself alone."""
    rules = RULES[kind]

    assert not rules.is_disowning or rules.is_exclusive
    assert not rules.is_dropping or (rules.outlives_app and rules.is_ordered)
    assert not (rules.is_level and rules.is_ordered)  # Else an order would be lost.
    assert (kind in kinds.ORDERED) is rules.is_ordered
