"""Collects the facts about troubles; none of them is waited for long."""

from collections.abc import Callable, Mapping, Sequence

from dokku_registryd.core.notify import troubles
from dokku_registryd.core.status import health
from dokku_registryd.runtime import bounded_call, counters


class TroubleFacts:
    """Looks at ledger, counters and readiness. For one thread.

    Args:
        read_book: Reads the ledger with a separate connection.
        counted: Has the results of the last sweep, and which registries answer.
        why_unready: Returns why the service is not ready.
        logins: Returns the troubles of logins; None if they are unknown.
    """

    def __init__(
        self,
        *,
        read_book: Callable[[], troubles.Book],
        counted: counters.Counters,
        why_unready: Callable[[], Sequence[health.Reason]],
        logins: Callable[[], Mapping[troubles.Key, str] | None] = lambda: None,
    ) -> None:
        self._book = bounded_call.BoundedCall("troubles", read_book)
        self._counted = counted
        self._why_unready = why_unready
        self._logins = logins

    def look(self) -> troubles.Facts:
        """Return the facts of this moment."""
        book, _ = self._book.take()
        return troubles.Facts(
            book=book,
            lost=self._counted.lost,
            reasons=self._why_unready(),
            logins=self._logins(),
            reached=self._counted.reached,
        )
