"""The settings of the running service in the lock file, and what differs from them."""

import pytest

from dokku_registryd.core.install import builds, running_settings

VALUES = {"daemon.workers": 8, "paths.data_dir": "", "status.port": 0}


def test_what_is_written_is_read() -> None:
    """The line is found among the others, which are read as before."""
    build = builds.Build("0.1.0", "5f0c")
    text = f"daemon 1\nreads build\n{builds.render(build)}"
    text += running_settings.render(VALUES)

    assert running_settings.parse(text) == VALUES
    assert builds.parse(text).fingerprint == "5f0c"


@pytest.mark.parametrize(
    "text", ["", "daemon 1\n", 'settings {"daemon.work', "settings []\n", "settings \n"]
)
def test_a_service_that_does_not_tell(text: str) -> None:
    """An older service, or a line that is cut off, tells nothing."""
    assert running_settings.parse(text) == {}


def test_differences() -> None:
    """Only what a restart would change is named, with both values and the command."""
    written = {**VALUES, "daemon.workers": 4, "retry.max_seconds": 1}

    (said,) = running_settings.differences(VALUES, written)

    assert said == (
        "daemon.workers: the running service uses 8, not 4, until it is restarted:"
        " systemctl restart dokku-registryd"
    )
    assert running_settings.differences({}, written) == []
