"""How long the program waits for the end of a reply, and what it says meanwhile."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dokku_registryd import errors
from dokku_registryd.adapters.dokku import property_files
from dokku_registryd.core.dokku import policy
from dokku_registryd.core.hook.replies import Line
from dokku_registryd.verbs.hooks import patience

if TYPE_CHECKING:
    from dokku_registryd.core.hook import replies

WHO = "dokku-registryd (process 7)"


class Wait:
    """A wait by a clock that stands still until a test moves it."""

    def __init__(self, folder: Path, *, setting: str = "900", **known: object) -> None:
        self.folder = folder
        (folder / "config.toml").write_text(
            f"[paths]\ndokku_lib_root = '{folder}/lib'\n"
            f"[release]\npush_deadline_seconds = {setting}\n"
        )
        self.now = 1000.0
        self.said: list[replies.Printed] = []
        self.error = ""
        words: dict[str, object] = {"waited": 0.0, "left": None, "app": "web", **known}
        arguments = argparse.Namespace(
            config=str(folder / "config.toml"),
            overrides={},
            environ={},
            data_dir=str(folder / "data"),
        )
        vars(arguments).update(words)
        self.patience = patience.Patience(arguments, now=self.now, describe=lambda: WHO)

    def hear(self, kind: Line, text: str) -> None:
        """Let a line of the reply come."""
        self.patience.heard(kind, text, now=self.now)

    def last(self) -> int:
        """Wait in silence and return after how many seconds the hook gives up."""
        for second in range(100_000):
            self.now += 1
            try:
                self.patience.check(self.now, say=self.said.append)
            except errors.TransientError as error:
                self.error = str(error)
                return second + 1
        raise AssertionError

    def pass_by(self, seconds: int) -> None:
        """Wait in silence."""
        for _ in range(seconds):
            self.now += 1
            self.patience.check(self.now, say=self.said.append)


def test_the_setting(tmp_path: Path) -> None:
    """A daemon that says nothing is waited for as long as settings say."""
    wait = Wait(tmp_path, setting="100")

    assert wait.last() == 160
    assert f"{WHO} makes no progress" in wait.error


def test_the_property(tmp_path: Path) -> None:
    """The property of the app comes before the setting."""
    wait = Wait(tmp_path, setting="100")
    files = property_files.PropertyFiles(
        config_root=tmp_path / "lib" / "config",
        dokku_root=tmp_path,
        deployed_root=tmp_path,
    )
    files.set(policy.OURS, "web", "push-deadline", "2m")

    assert wait.last() == 180


@pytest.mark.parametrize("setting", ["'much'", "-1"])
def test_wrong_settings(tmp_path: Path, setting: str) -> None:
    """Settings that cannot be read end no wait: a daemon may have better ones."""
    assert Wait(tmp_path, setting=setting).last() == 960


def test_what_was_waited_before(tmp_path: Path) -> None:
    """The time that the hook has waited counts."""
    assert Wait(tmp_path, setting="100", waited=40.0).last() == 120


def test_what_the_daemon_told_the_hook(tmp_path: Path) -> None:
    """What the daemon has said comes before all that could be found out."""
    assert Wait(tmp_path, setting="100", waited=40.0, left=30.0).last() == 30


def test_what_the_daemon_says(tmp_path: Path) -> None:
    """Its first word counts; each later one only adds to the wait."""
    wait = Wait(tmp_path, setting="1000")
    wait.hear(Line.DEADLINE, "100")
    wait.hear(Line.DEADLINE, "10")
    wait.pass_by(50)
    wait.hear(Line.DEADLINE, "100")
    wait.hear(Line.DEADLINE, "much")

    assert wait.last() == 160


def test_a_host_that_slept(tmp_path: Path) -> None:
    """A hook that did not run for an hour leaves others the time to speak."""
    wait = Wait(tmp_path, left=100.0)
    wait.now += 3600

    assert wait.last() == 61


def test_growing_gaps(tmp_path: Path) -> None:
    """A silence is named after 20 seconds, and then less and less often."""
    wait = Wait(tmp_path)
    wait.hear(Line.OUTPUT, "1: Waiting")

    wait.pass_by(200)

    text = f"       Waiting: no message from {WHO} for {{}} s."
    assert [line.text for line in wait.said] == [
        f"{text.format(seconds)} Last message: 1: Waiting"
        for seconds in (20, 40, 80, 160)
    ]


def test_a_reply_that_goes_on(tmp_path: Path) -> None:
    """Where lines come, nothing is to be said."""
    wait = Wait(tmp_path)

    for _ in range(40):
        wait.hear(Line.OUTPUT, "1: Pushing")
        wait.pass_by(19)

    assert wait.said == []
