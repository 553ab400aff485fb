"""Threads that ask now and then, in turns, until they are stopped.

No question of theirs is worth the service, nor the other questions of its turn.
"""

import abc
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from dokku_registryd import errors

Answer = TypeVar("Answer")
_JOIN_SECONDS: Final = 1.0


class TurnThread(threading.Thread, abc.ABC):
    """Takes a turn after each wait, and whenever it is woken."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._has_begun = False

    def start(self) -> None:
        """Start; before that is done a thread does not count as alive."""
        super().start()
        self._has_begun = True

    def run(self) -> None:
        """Take turns; one that fails is left to the next."""
        while not self._stopping.is_set():
            self._woken.wait(self._seconds())
            self._woken.clear()
            if not self._stopping.is_set():
                self.take_turn()

    def wake(self) -> None:
        """Take the next turn now."""
        self._woken.set()

    def stop(self) -> None:
        """End; a question that is under way is not waited for."""
        self._stopping.set()
        self._woken.set()
        if self.is_alive():
            self.join(_JOIN_SECONDS)

    @property
    def has_died(self) -> bool:
        """Whether it has ended without being told to, which only a bug can do."""
        has_ended = self._has_begun and not self.is_alive()
        return has_ended and not self._stopping.is_set()

    def take_turn(self) -> None:
        """Take a turn, and log why it ended early, unless the service ends."""
        try:
            self.turn()
        except errors.RegistrydError as error:
            self._postpone(error)
        except Exception as error:  # noqa: BLE001 - it is not worth the service
            if not self._stopping.is_set():  # What it uses is closed by then.
                self._log_crash(error, {})

    def ask(self, question: Callable[[], Answer], **asked: str) -> Answer:
        """Return the answer to one question of a turn; a bug in it is logged.

        Args:
            question: What to ask.
            asked: What the question is about, as fields of the log line.

        Raises:
            DefectError: A bug broke this question; others may be asked.
            RegistrydError: What the question raises.
        """
        try:
            return question()
        except errors.RegistrydError:
            raise
        except Exception as error:
            if not self._stopping.is_set():
                self._log_crash(error, asked)
            raise errors.DefectError(
                f"a bug in dokku-registryd ({type(error).__name__})"
            ) from error

    @abc.abstractmethod
    def turn(self) -> None:
        """Ask what is due.

        Raises:
            RegistrydError: What all questions need cannot be read.
        """

    @abc.abstractmethod
    def _seconds(self) -> float:
        """Return how long to wait for the next turn."""

    @abc.abstractmethod
    def _postpone(self, error: errors.RegistrydError) -> None:
        """Note why a turn ended early."""

    @abc.abstractmethod
    def _log_crash(self, error: Exception, asked: dict[str, str]) -> None:
        """Log a bug with its traceback, while it is handled, and what was asked."""
