"""Why a user may not use the Engine's socket, in a sentence that has the cure."""

from dataclasses import replace

import pytest

from dokku_registryd.core.engine import socket_access
from dokku_registryd.core.engine.socket_access import Access

PATH = "/var/run/docker.sock"
CLOSED = Access(path=PATH, user="dokku", owner="root", group="docker", mode=0o660)
GIVE = f"Give it to Docker's group: sudo chgrp docker {PATH} && sudo chmod 0660 {PATH}"


@pytest.mark.parametrize(
    ("access", "cure"),
    [
        pytest.param(
            CLOSED,
            "sudo usermod -aG docker dokku, then sudo systemctl restart"
            " dokku-registryd",
            id="not-in-the-group",
        ),
        pytest.param(
            replace(CLOSED, is_listed=True),
            "systemctl restart dokku-registryd",
            id="in-the-group-since-a-while",
        ),
        pytest.param(
            replace(CLOSED, group="root"),
            f"it belongs to root:root with mode 0660. {GIVE}",
            id="group-root",
        ),
        pytest.param(
            replace(CLOSED, mode=0o600, is_listed=True),
            f"it belongs to root:docker with mode 0600. {GIVE}",
            id="no-mode-for-the-group",
        ),
        pytest.param(
            Access(path=PATH, user="dokku"),
            f"a folder above it is closed to that user; see namei -l {PATH}",
            id="cannot-be-seen",
        ),
    ],
)
def test_the_way_out(access: Access, cure: str) -> None:
    """The sentence begins with user and socket, and has the command that helps."""
    said = socket_access.describe(access)

    assert said.startswith(f"user dokku may not use {PATH}")
    assert cure in said
    assert not said.endswith(".")


def test_a_member_is_not_made_a_member_again() -> None:
    """A process that is older than the membership needs a restart only."""
    assert "usermod" not in socket_access.describe(replace(CLOSED, is_listed=True))
