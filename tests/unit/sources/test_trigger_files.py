"""The watch on the spool: fast when it can be, and honest when it cannot."""

import threading
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from dokku_registryd.sources import trigger_files
from support.waiting import until

Lines = list[MutableMapping[str, Any]]


class Watch:
    """A watch on a folder, and whether it woke the main loop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.woken = threading.Event()
        self.watch = trigger_files.SpoolWatch(folder, self.woken.set)

    def wakes_for(self, name: str, *, seconds: float = 10) -> bool:
        """Write a file as a hook does, and return whether that caused a wake-up."""
        self.woken.clear()
        beside = self.folder.parent / name
        beside.write_bytes(b"")
        beside.rename(self.folder / name)
        return self.woken.wait(seconds)


@pytest.fixture
def watch(tmp_path: Path, logged: Lines) -> Iterator[Watch]:
    """Give a watch on a folder that is there."""
    (tmp_path / "new").mkdir()
    made = Watch(tmp_path / "new")
    yield made
    made.watch.stop()


def empty_and_remove(folder: Path) -> None:
    """Remove a folder of files."""
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_a_file_wakes(watch: Watch, logged: Lines) -> None:
    """A file that is renamed into the folder wakes the main loop."""
    watch.watch.check()

    assert watch.wakes_for("1.1.1")
    assert logged == []


def test_a_check_keeps_a_living_watch(watch: Watch) -> None:
    """As long as the watch lives, checking changes nothing."""
    watch.watch.check()
    before = watch.watch._observer

    watch.watch.check()

    assert watch.watch._observer is before


def test_a_folder_that_was_made_again(watch: Watch) -> None:
    """A folder that was removed and made again is watched again.

    The old watch ends when the system has told it of that, at some later check.
    """
    watch.watch.check()
    assert watch.wakes_for("1.1.1")
    empty_and_remove(watch.folder)
    watch.folder.mkdir()

    def wakes_again() -> bool:
        watch.watch.check()
        return watch.wakes_for("2.1.1", seconds=0.2)

    until(wakes_again)


def test_a_folder_in_place_of_another(watch: Watch) -> None:
    """A folder that was put in the place of the watched one is watched."""
    watch.watch.check()
    watch.folder.rename(watch.folder.with_name("old"))
    watch.folder.mkdir()

    watch.watch.check()

    assert watch.wakes_for("1.1.1")


def test_a_missing_folder_is_said_once(watch: Watch, logged: Lines) -> None:
    """A folder that is away is one warning, however often it is looked for."""
    watch.folder.rmdir()

    for _ in range(3):
        watch.watch.check()

    assert [(line["event"], line["log_level"]) for line in logged] == [
        ("spool.lost", "warning")
    ]


def test_a_folder_that_comes_back(watch: Watch, logged: Lines) -> None:
    """A folder that is back is watched, and that is said too."""
    watch.folder.rmdir()
    watch.watch.check()
    watch.folder.mkdir()

    watch.watch.check()

    assert watch.wakes_for("1.1.1")
    assert [line["event"] for line in logged] == ["spool.lost", "spool.recovered"]


def test_a_stopped_watch_does_not_wake(watch: Watch) -> None:
    """After the end no thread is left, and stopping twice is harmless."""
    watch.watch.check()
    before = threading.active_count()

    watch.watch.stop()
    watch.watch.stop()

    assert threading.active_count() < before
