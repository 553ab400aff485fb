"""The commit in the configuration of an app, and nothing else of it."""

import pytest

from dokku_registryd.core.dokku import app_config

COMMIT = "3f1c9a7be2" * 4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f'A="1"\nGIT_REV="{COMMIT}"\nZ="2"\n', COMMIT),
        (f"export GIT_REV='{COMMIT}'\n", COMMIT),
        ("GIT_REV=1234567\n", "1234567"),
        (f'GIT_REV="{COMMIT}"\r\n', COMMIT),
        (f'GIT_REV="1234567"\nGIT_REV="{COMMIT}"', COMMIT),
        ('GIT_REV="secret words"\n', ""),
        ('GIT_REV="3f1c9a7\n', ""),
        ('GIT_REV=""\n', ""),
        (f'OLD_GIT_REV="{COMMIT}"\nGIT_REVS="{COMMIT}"\n', ""),
        (f'A="x\\nGIT_REV={COMMIT}"\n', ""),
        ("", ""),
    ],
)
def test_a_commit(text: str, found: str) -> None:
    """Only a value that is a commit is taken over, as Dokku writes it."""
    assert app_config.commit_in(text, "GIT_REV") == found


def test_another_variable() -> None:
    """Its name is taken as it is."""
    text = f'APP_REV="{COMMIT}"\n'

    assert app_config.commit_in(text, "APP_REV") == COMMIT
    assert app_config.commit_in(text, "APP.REV") == ""
