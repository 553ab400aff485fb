"""How often a restore asks for a heal that a sweep of the service replaces."""

import argparse
from collections.abc import Sequence
from typing import Any

import pytest

from dokku_registryd import config
from dokku_registryd.core.release import host_restore
from dokku_registryd.core.release.host_restore import Course, Step
from dokku_registryd.verbs.hooks import together
from dokku_registryd.verbs.host import restore
from dokku_registryd.verbs.output import Output

PULL = Course(app="web", step=Step.PULL, reference="r.example/org/web:3")
HERE = Course(app="web", step=Step.NOTHING, reference="r.example/org/web:3")


@pytest.mark.parametrize(
    ("is_good", "looks", "asked"),
    [
        pytest.param(True, [HERE], 1, id="pulled"),
        pytest.param(True, [PULL, HERE], 2, id="replaced"),
        pytest.param(False, [PULL], 1, id="refused"),
        pytest.param(True, [PULL] * 9, 1 + host_restore.ROUNDS, id="never-here"),
    ],
)
def test_rounds(
    monkeypatch: pytest.MonkeyPatch, is_good: bool, looks: list[Course], asked: int
) -> None:
    """What the host has decides, not the end of one job."""
    seen = iter(looks)
    requests: list[Sequence[Course]] = []

    def heal(
        _arguments: Any, _settings: Any, work: Sequence[Course], _out: Any
    ) -> dict[str, together.End]:
        requests.append(work)
        end = together.End(app="web", is_good=is_good, said="", seconds=0.0)
        return {"web": end}

    monkeypatch.setattr(restore, "_restore", heal)
    monkeypatch.setattr(restore, "_look", lambda *_: [next(seen)])
    out = Output(line=lambda _text: None, error=lambda _text: None)

    _, now = restore._carry_out(argparse.Namespace(), config.Settings(), [PULL], out)

    assert requests == [[PULL]] * asked
    assert now == [looks[asked - 1]]
