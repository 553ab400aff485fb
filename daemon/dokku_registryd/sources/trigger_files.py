"""Detects new trigger files. Only this module uses watchdog.

The directory itself is the truth; any inotify event only means "scan again": the
kernel's queue overflows silently, a folder that was removed and created again leaves a
watch that looks alive, and a host may be out of watches. So the watch only makes
detection fast, and the rescan of the main loop finds what it missed.
"""

from collections.abc import Callable
from pathlib import Path

import structlog
from watchdog import events, observers

_STOP_SECONDS = 2.0


class SpoolWatch:
    """A watch on one folder that can be lost and restored.

    Args:
        folder: The spool's folder `new`.
        wake: Called whenever something moved in it; must not raise.
    """

    def __init__(self, folder: Path, wake: Callable[[], None]) -> None:
        self._folder = folder
        self._wake = wake
        self._handler = _Waker(wake)
        self._observer: observers.api.BaseObserver | None = None
        self._watched: tuple[int, int] | None = None
        self._is_lost = False

    def check(self) -> bool:
        """Ensure that the watch is alive and on the present folder.

        Returns:
            Whether the watch is new, so that the folder must be scanned.
        """
        if self._is_alive():
            return False
        self.stop()
        try:
            self._start()
        except (OSError, RuntimeError) as error:
            self._say_lost(str(error))
            return False
        if self._is_lost:
            self._is_lost = False
            structlog.get_logger().info("spool.recovered")
        return True

    def stop(self) -> None:
        """End the watch."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.unschedule_all()
            observer.stop()
            observer.join(_STOP_SECONDS)

    def _start(self) -> None:
        watched = _identity(self._folder)
        observer = observers.Observer()
        observer.schedule(self._handler, str(self._folder), recursive=False)
        observer.start()
        self._observer, self._watched = observer, watched

    def _is_alive(self) -> bool:
        observer = self._observer
        if observer is None or not observer.is_alive():
            return False
        if not all(emitter.is_alive() for emitter in observer.emitters):
            return False
        try:
            return _identity(self._folder) == self._watched
        except OSError:
            return False

    def _say_lost(self, reason: str) -> None:
        if not self._is_lost:
            structlog.get_logger().warning("spool.lost", error=reason)
            self._wake()  # a scan creates a missing folder
        self._is_lost = True


class _Waker(events.FileSystemEventHandler):
    """Turns any event into one call; an exception here would end watchdog's thread."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def on_created(self, event: events.FileSystemEvent) -> None:  # noqa: ARG002 - the event is only a hint
        """Wake the main loop."""
        self._wake()

    def on_moved(self, event: events.FileSystemEvent) -> None:  # noqa: ARG002 - the event is only a hint
        """Wake the main loop."""
        self._wake()


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return (status.st_dev, status.st_ino)
