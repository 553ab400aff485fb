"""Marks what has to be shown on each Engine and image store, not on one of each."""

from typing import Final

import pytest

from support.engines import KINDS, EngineKind


def name_of(kind: EngineKind) -> str:
    """Return what a test's name says of the Engine it runs on."""
    return kind.name


# Takes the place of the Engines that the fixture itself would give.
on_every_engine: Final = pytest.mark.parametrize(
    "engine", KINDS, ids=name_of, indirect=True
)
on_containerd_stores: Final = pytest.mark.parametrize(
    "engine",
    [kind for kind in KINDS if kind.store == "containerd"],
    ids=name_of,
    indirect=True,
)
