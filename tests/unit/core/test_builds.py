"""What a lock file says of the program that works the spool."""

import pytest

from dokku_registryd.core.install import builds


def differs(running: builds.Build) -> str:
    """Compare with version 0.3.0 and its files."""
    return builds.difference(running, "0.3.0", lambda: "5f0c")


def test_what_is_written_is_read() -> None:
    """Version and fingerprint come back, with any lines beside theirs."""
    text = builds.render(builds.Build("0.3.0", "5f0c"))

    assert text == "version 0.3.0\nfingerprint 5f0c\n"
    found = builds.parse(f"daemon 7\nreads build\n{text}heartbeat 12\n")
    assert (found.version, found.fingerprint) == ("0.3.0", "5f0c")


@pytest.mark.parametrize(
    ("running", "said"),
    [
        (builds.Build("0.3.0", "5f0c"), ""),
        (builds.Build(), "runs an older version than the installed 0.3.0"),
        (builds.Build("0.1.0", "5f0c"), "runs 0.1.0, but 0.3.0 is installed"),
        (builds.Build("0.4.0", "5f0c"), "runs 0.4.0, but 0.3.0 is installed"),
        (
            builds.Build("0.3.0", "77"),
            "runs 0.3.0 with other files than the installed ones",
        ),
    ],
    ids=["same", "untold", "older", "newer", "files"],
)
def test_difference(running: builds.Build, said: str) -> None:
    """Another version or other files are told, and a program that tells nothing."""
    assert differs(running) == said


def test_no_file_is_read_for_another_version() -> None:
    """Where the version says it already, the files are left alone."""

    def refuse() -> str:
        raise AssertionError

    assert builds.difference(builds.Build("0.1.0", "77"), "0.3.0", refuse)
