"""Dokku's list for completion, with our commands and without them."""

import pytest

from dokku_registryd.core.install import completion_cache
from dokku_registryd.verbs.dokku import registryd_help

DOKKUS = "apps:list\nregistry:set\nssh-keys:add\n"


def test_ours_are_added() -> None:
    """Each command is listed by its first word, at its place in the order."""
    text = completion_cache.including(DOKKUS, registryd_help.COMMANDS)

    names = text.splitlines()
    assert names == sorted(names)
    assert {"apps:list", "registry:set", "registryd:push", "ssh-keys:add"} <= set(names)
    assert set(names) - set(DOKKUS.splitlines()) == {
        line.split(" ")[0] for line in registryd_help.COMMANDS
    }


def test_a_second_time() -> None:
    """Nothing is listed twice, and a command that is gone is not listed."""
    once = completion_cache.including(f"{DOKKUS}registryd:old\n", ["registryd:new x"])

    assert once == completion_cache.including(once, ["registryd:new x"])
    assert "registryd:old" not in once


@pytest.mark.parametrize("text", ["", DOKKUS])
def test_ours_are_removed(text: str) -> None:
    """After an uninstallation the list is as it was."""
    with_ours = completion_cache.including(text, registryd_help.COMMANDS)

    assert completion_cache.excluding(with_ours) == text
