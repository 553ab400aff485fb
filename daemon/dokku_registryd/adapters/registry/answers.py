"""The answer to a request, after whatever a server says before it.

RFC 9110, 15.2: a client must be able to take any number of 1xx answers before the final
one. http.client skips 100 only, so it takes 103 (RFC 8297, sent by CDNs) for the
answer, and what follows for that of the next request on the same connection.
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
            http.client.HTTPException: It is no answer to HTTP, or does not come.
        """
        for _ in range(_MOST_INTERIM):
            super().begin()
            if self.status >= HTTPStatus.OK:
                return
            if self.status == HTTPStatus.SWITCHING_PROTOCOLS:
                break  # What follows is no HTTP, and nobody has asked for it.
            self.headers = None  # type: ignore[assignment]  # else it counts as read
        raise http.client.HTTPException("no final answer")
