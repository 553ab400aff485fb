"""Call a function that may hang, with a timeout.

A hung disk blocks the threads that access it, and no timeout ends that. So a separate
thread makes the call, and the caller continues without it after the timeout. While one
call hangs, further callers do not wait at all.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from dokku_registryd import errors

_Seen = TypeVar("_Seen")

LOOK_SECONDS = 1.0  # shorter than the timeout of a scrape


class BoundedCall(Generic[_Seen]):
    """Calls one function. For one thread at a time.

    Args:
        name: The name of the thread.
        look: The function; may raise `RegistrydError` or `OSError`.
        seconds: The timeout.
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
        """Return the result, or None and the reason."""
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
