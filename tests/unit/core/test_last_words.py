"""Why a service could not start, with the way out."""

import errno
import json
import os

import pytest

from dokku_registryd.core.status import last_words

FOLDER = "/srv/registryd"


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.EROFS, f"ReadWritePaths={FOLDER}"),
        (errno.EACCES, f"sudo chown -R dokku: {FOLDER}"),
        (errno.EPERM, f"sudo chown -R dokku: {FOLDER}"),
        (errno.ENOSPC, "Free some space"),
        (errno.ENOTDIR, "set paths.data_dir"),
    ],
    ids=errno.errorcode.get,
)
def test_a_refusal_of_the_system(number: int, cure: str) -> None:
    """File and reason come first, then what to do about it."""
    error = OSError(number, os.strerror(number), f"{FOLDER}/lock")

    said = last_words.describe(error, folder=FOLDER, user="dokku")

    assert said.startswith(f"{FOLDER}/lock: {os.strerror(number)}. ")
    assert cure in said
    assert not said.endswith(".")


def test_a_refusal_without_a_cure() -> None:
    """What we know no way out of is said as the system says it."""
    error = OSError(errno.EIO, os.strerror(errno.EIO))

    said = last_words.describe(error, folder=FOLDER, user="dokku")

    assert said == "Input/output error"


@pytest.mark.parametrize(("is_under_journal", "prefix"), [(True, "<2>"), (False, "")])
def test_a_line_without_a_logger(is_under_journal: bool, prefix: str) -> None:
    """The line has the fields of every log line."""
    text = last_words.of_import(ImportError("No module named 'docker'"))

    line = last_words.log_line(text, "now", is_under_journal=is_under_journal)

    assert line.startswith(f"{prefix}{{")
    assert json.loads(line.removeprefix(prefix)) == {
        "event": "daemon.failed",
        "level": "critical",
        "error": text,
        "timestamp": "now",
    }
    assert "No module named 'docker'" in text
