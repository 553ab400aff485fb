"""A glance: one look at something that may hang, for so long and no longer.

A disk that hangs keeps whoever touches it, and no time limit ends that. So a thread of
its own looks, and whoever asks goes on without it when it takes too long. While one
look hangs nobody waits for another one.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from dokku_registryd import errors

_Seen = TypeVar("_Seen")

LOOK_SECONDS = 1.0  # below every scrape's time limit


class BoundedCall(Generic[_Seen]):
    """Looks at one thing. For one thread at a time.

    Args:
        name: What is looked at.
        look: Looks; may raise `RegistrydError` or `OSError`.
        seconds: How long anybody waits for it.
    """

    def __init__(
        self, name: str, look: Callable[[], _Seen], *, seconds: float = LOOK_SECONDS
    ) -> None:
        self._name = name
        self._look = look
        self._seconds = seconds
        self._thread: threading.Thread | None = None
        self._seen: _Seen | None = None
        self._error = ""

    def take(self) -> tuple[_Seen | None, str]:
        """Return what is seen, or None and why nothing is."""
        if self._thread is None or not self._thread.is_alive():
            self._seen, self._error = None, ""
            self._thread = threading.Thread(
                target=self._run, name=f"status-{self._name}", daemon=True
            )
            self._thread.start()
            self._thread.join(self._seconds)
        if self._thread.is_alive():
            return None, f"it does not answer within {self._seconds:g} s"
        return self._seen, self._error or ("" if self._seen else "see the log")

    def _run(self) -> None:
        try:
            self._seen = self._look()
        except errors.RegistrydError as error:
            self._error = str(error)
        except OSError as error:
            self._error = error.strerror or str(error)
