"""Whether a unit lets its service write to a folder, by what `systemctl show` says."""

import pytest

from dokku_registryd.core.install import unit_access

USUAL = (
    "ProtectSystem=strict\n"
    "ReadWritePaths=-/var/lib/dokku/config/registry /var/lib/dokku/data/registryd\n"
)


@pytest.mark.parametrize(
    ("shown", "folder", "is_forbidden"),
    [
        (USUAL, "/var/lib/dokku/data/registryd", False),
        (USUAL, "/var/lib/dokku/config/registry", False),
        (USUAL, "/var/lib/dokku/data/registryd/more", False),
        (USUAL, "/var/lib/dokku/data/registryd2", True),
        (USUAL, "/srv/registryd", True),
        ("ProtectSystem=no\nReadWritePaths=\n", "/srv/registryd", False),
        ("", "/srv/registryd", False),
        ("ProtectSystem=strict\nReadWritePaths=+/\n", "/srv/registryd", False),
    ],
)
def test_a_folder(shown: str, folder: str, is_forbidden: bool) -> None:
    """It is open if the unit is not strict, or lists it or a folder above it."""
    assert unit_access.forbids(shown, folder) == is_forbidden
