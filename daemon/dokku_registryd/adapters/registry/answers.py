"""The final answer to a request, after any interim answers.

RFC 9110, 15.2: a client must accept any number of 1xx answers before the final one.
http.client skips only 100, so it takes 103 (RFC 8297, sent by CDNs) as the answer, and
the following bytes as that of the next request on the same connection.
"""

import http.client
from http import HTTPStatus
from typing import Final

_MOST_INTERIM: Final = 32


class FinalAnswer(http.client.HTTPResponse):
    """Skips interim answers."""

    def begin(self) -> None:
        """Read status and headers of the final answer.

        Raises:
            http.client.HTTPException: It is not a valid HTTP answer, or is missing.
        """
        for _ in range(_MOST_INTERIM):
            super().begin()
            if self.status >= HTTPStatus.OK:
                return
            if self.status == HTTPStatus.SWITCHING_PROTOCOLS:
                break  # The following bytes are not HTTP, and were not requested.
            self.headers = None  # type: ignore[assignment]  # otherwise it counts as read
        raise http.client.HTTPException("no final answer")

    def _safe_read(self, amt: int) -> bytes:
        """Read so many bytes; urllib3 takes a chunk of size -1, which means all.

        Raises:
            http.client.IncompleteRead: The size is negative, or fewer bytes came.
        """
        if amt < 0:
            raise http.client.IncompleteRead(b"")
        return super()._safe_read(amt)  # type: ignore[misc,no-any-return]
