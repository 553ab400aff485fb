"""Work in a thread of its own, which is left behind as soon as another job goes first.

A request to a registry that hangs ends after minutes only. The thread asks nothing more
then, and its result is not read.
"""

import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from dokku_registryd import errors, ports

_Result = TypeVar("_Result")
_GLANCE_SECONDS: Final = 0.2  # between two looks at what waits


class Aside(Generic[_Result]):
    """Work for an app that gives way to all other jobs.

    Args:
        app: The app.
        context: The host.
        work: Does it; its argument raises if the work should end.
    """

    def __init__(
        self,
        app: str,
        context: ports.Context,
        work: Callable[[Callable[[], None]], _Result],
    ) -> None:
        self._app = app
        self._context = context
        self._work = work
        self._ended: queue.SimpleQueue[tuple[_Result] | BaseException] = (
            queue.SimpleQueue()
        )
        self._is_left = threading.Event()
        self._urgent = 0

    def run(self) -> _Result:
        """Return the result of the work.

        Raises:
            PreemptedError: Another job goes first.
        """
        self._give_way()
        run = contextvars.copy_context().run
        thread = threading.Thread(
            target=run, args=(self._run,), name="aside", daemon=True
        )
        thread.start()
        try:
            while True:
                with contextlib.suppress(queue.Empty):
                    return _result(self._ended.get(timeout=_GLANCE_SECONDS))
                self._give_way()
        finally:
            self._is_left.set()

    def _run(self) -> None:
        try:
            self._ended.put((self._work(self._end_if_left),))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self._ended.put(error)

    def _give_way(self) -> None:
        if self._context.is_disowned(self._app):
            raise errors.PreemptedError(f"{self._app} is being destroyed or renamed")
        # A job that was just accepted waits for a moment, even for idle workers.
        self._urgent = self._urgent + 1 if self._context.has_urgent() else 0
        if self._urgent > 1:
            raise errors.PreemptedError("other jobs go first")

    def _end_if_left(self) -> None:
        if self._is_left.is_set():
            raise errors.PreemptedError("the work was ended")


def _result(ended: tuple[_Result] | BaseException) -> _Result:
    if isinstance(ended, BaseException):
        raise ended
    return ended[0]
