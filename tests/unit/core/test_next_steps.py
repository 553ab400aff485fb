"""What `install` ends with: commands that fit the host."""

import pytest

from dokku_registryd.core.install import next_steps
from dokku_registryd.core.install.host_state import Mode


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("is_pushing", "named"),
    [
        (False, ["registry:set APP server", "registry:login", "push-on-release true"]),
        (True, ["dokku registryd:doctor"]),
        (None, ["dokku registryd:doctor"]),
    ],
)
def test_next_steps(mode: Mode, is_pushing: bool | None, named: list[str]) -> None:
    """A host where no app pushes is told how; another one what to look at."""
    text = "\n".join(next_steps.lines(mode, is_pushing=is_pushing))

    assert [part for part in named if part not in text] == []
    assert ("push-on-release" in text) is (is_pushing is False)
    is_beside = mode is Mode.COMPANION and is_pushing is not False
    assert ("dokku-registryd install --dry-run" in text) is is_beside
