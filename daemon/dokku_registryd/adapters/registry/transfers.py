"""Brings the bytes of a blob to a registry, in spite of limits and broken connections.

A blob is sent in one request, which all registries accept and which costs the fewest
round trips. After a refusal because of its size, or after a break, it continues in
pieces with their range, at the offset that the registry states: in its answer to `GET`
of the upload (OCI specification, "Pushing a blob in chunks"). The `Range` of a 202 does
not count, since some registries state a wrong one (aws/containers-roadmap#2831,
regclient #961, #627). A registry without that `GET` has what it answered with a
success.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import structlog

from dokku_registryd import errors, ports
from dokku_registryd.adapters.registry import upload_limits, upload_sessions

WAITS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each try to continue an upload that makes no progress. The first one
lets the registry notice the break."""
MOST_ASKED: Final = 15.0
"""The longest wait in seconds that a registry may ask for within an upload."""
BREAKS: Final = (errors.RegistryUnavailableError, errors.RateLimitedError)
"""What another try within the same upload may not meet."""
_PIECE: Final = upload_limits.SIZES[0]
_SLICE_SECONDS: Final = 0.2  # between two checks whether an upload is still needed
_SESSIONS: Final = 3  # a registry on several machines may know a session on one only
_BEGINNINGS: Final = 2  # of a blob whose bytes the registry refuses

_OUT_OF_STEP: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}
)
"""Answers to bytes or a digest that do not match what the registry has."""

Break = errors.RegistryUnavailableError | errors.RateLimitedError


def not_taken(session: upload_sessions.Session) -> errors.RegistryUnavailableError:
    """Return the error for an upload that was answered with a success, and is lost."""
    return errors.RegistryUnavailableError(
        f"cannot {session.purpose}: the end of an upload was answered with a success,"
        " but the registry does not have it"
    )


class Transfer:
    """One blob on its way.

    Args:
        session: The upload.
        source: The bytes.
        limits: The known sizes of requests.
        is_there: Whether the registry has the blob; a lost answer may have been a
            success.
        is_lacking: Whether it surely lacks the blob; some success may be a proxy's.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        session: upload_sessions.Session,
        source: ports.BlobSource,
        *,
        limits: upload_limits.Limits,
        sleep: Callable[[float], object],
        is_there: Callable[[], bool] = lambda: False,
        is_lacking: Callable[[], bool] = lambda: False,
    ) -> None:
        self._session = session
        self._source = source
        self._limits = limits
        self._sleep = sleep
        self._is_there = is_there
        self._is_lacking = is_lacking
        self._digest = ""
        self._whole: int | None = None
        self._size: int | None = None
        """The size of the last request; None if it was not known beforehand."""
        self._is_in_pieces = False
        self._begun = 0
        self._breaks = 0
        self._reached = 0
        self._broken: Break | None = None
        """The last break."""
        self._is_lost = False
        """Whether it is unknown what the registry has."""
        self._is_done = False

    def send(self) -> None:
        """Send all bytes; the upload is not finished.

        Raises:
            SendAgainError: It has to begin again, but the source has no first bytes.
        """
        self._run()

    def put(self, digest: str, size: int) -> None:
        """Send all bytes, of which the source can repeat any, and finish."""
        self._digest, self._whole = digest, size
        self._run()

    def _run(self) -> None:
        self._begin()
        while not self._is_done:
            try:
                self._step()
            except errors.SendAgainError:
                raise
            except BREAKS as error:
                self._wait(error)
                self._broken, self._is_lost = error, True
            except (
                errors.ImageNotFoundError,
                errors.InvalidRequestError,
                errors.AccessDeniedError,
            ) as error:
                self._heed(error)

    def _step(self) -> None:
        """Send what is missing; after a break find out first what that is."""
        if self._is_lost and self._broken is not None:
            self._is_done = self._is_there()
            if self._is_done:
                return
            self._find_back(self._broken)
        self._is_lost = False
        self._advance()
        self._is_done = True

    def _begin(self) -> None:
        self._session.open()
        self._is_in_pieces = self._is_lost = False
        self._begun += 1

    def _advance(self) -> None:
        most = self._most()
        is_one = not self._is_in_pieces and (most is None or self._fits(most))
        self._size = self._whole
        if is_one and self._whole is not None:
            self._end(self._source, self._whole)
            return
        if is_one:
            self._session.send_rest(self._source)
        else:
            self._send_pieces(min(most or _PIECE, _PIECE))
        if self._digest:
            self._end()

    def _end(self, source: ports.BlobSource | None = None, size: int = 0) -> None:
        if not self._session.end(self._digest, source, size) and self._is_lacking():
            raise not_taken(self._session)

    def _fits(self, most: int) -> bool:
        return self._whole is not None and self._whole <= most

    def _most(self) -> int | None:
        known = (self._limits.of(self._session.host), self._session.most)
        return min((size for size in known if size is not None), default=None)

    def _send_pieces(self, size: int) -> None:
        self._is_in_pieces = True
        size = min(max(size, self._session.least or 0), _PIECE)
        while filled := self._source.fill(size):
            self._size = filled
            self._session.send(self._source, filled)
        self._size = 0

    # -- what follows a failure

    def _heed(self, error: errors.PermanentError) -> None:
        """Send in another way what was refused; raise if there is none."""
        if self._rejects_pieces(error):
            self._begin_again(errors.RegistryUnavailableError(str(error)))
        elif isinstance(error, errors.ImageNotFoundError):
            self._begin_again(error, _SESSIONS)
        elif error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            self._split(error)
        elif self._is_out_of_step(error):
            self._begin_again(error, _BEGINNINGS)
        else:
            self._forget_limit()
            raise error

    def _split(self, error: errors.PermanentError) -> None:
        """Continue with a smaller size of requests."""
        least = self._session.least or 0
        host = self._session.host
        was_in_pieces = self._is_in_pieces
        if not self._limits.lower(host, self._size):
            raise error
        size = self._limits.of(host) or 0
        if size < least:
            raise error
        structlog.get_logger().info("upload.limited", domain=host, piece_bytes=size)
        if was_in_pieces and self._source.rewind(self._session.accepted):
            return
        if not self._source.rewind(0):
            raise errors.SendAgainError(
                errors.RegistryUnavailableError(
                    f"{error}. The layer is sent again, in pieces of {size} bytes"
                )
            ) from error
        self._begin()

    def _rejects_pieces(self, error: errors.PermanentError) -> bool:
        """Return whether a registry refuses pieces that were only a precaution."""
        is_too_large = error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        may_be = self._is_in_pieces and self._broken is None and not is_too_large
        return may_be and self._limits.reject(self._session.host)

    def _is_out_of_step(self, error: errors.PermanentError) -> bool:
        """Return whether a refusal may be about bytes of several requests."""
        if self._is_in_pieces and self._broken is not None:
            return True  # A registry may refuse to continue with any status.
        may_be = self._is_in_pieces or bool(self._digest)
        return may_be and error.status in _OUT_OF_STEP

    def _wait(self, error: Break) -> None:
        """Wait before the next try; raise if there were enough."""
        is_busy = isinstance(error, errors.RegistryBusyError | errors.RateLimitedError)
        asked = error.retry_after or 0.0
        if self._breaks == len(WAITS) or asked > MOST_ASKED:
            self._limits.trust(self._session.host)
            self._forget_limit()
            raise error
        if is_busy and self._whole is not None and not self._is_lost:
            raise error  # It asks for fewer requests, and little was sent.
        left = max(WAITS[self._breaks], asked)
        self._breaks += 1
        self._source.check()
        while left > 0:
            self._sleep(min(left, _SLICE_SECONDS))
            left -= _SLICE_SECONDS
            self._source.check()

    def _forget_limit(self) -> None:
        if self._is_in_pieces and not self._session.accepted:
            self._limits.forget(self._session.host)

    def _find_back(self, error: Break) -> None:
        """Continue where the registry has the bytes."""
        offset = self._session.offset()
        if offset is None or offset > self._source.position:
            offset = self._session.accepted
            if not offset:
                self._begin_again(error)
                return
        if not self._source.rewind(offset):
            self._begin_again(error)
            return
        structlog.get_logger().info(
            "upload.continued",
            domain=self._session.host,
            offset=offset,
            error=str(error),
        )
        self._is_in_pieces = True
        if offset > self._reached:
            self._reached, self._breaks = offset, 0

    def _begin_again(
        self, error: errors.RegistrydError, most: int | None = None
    ) -> None:
        # A session that is gone after a break is not a refusal.
        reason = self._broken or error
        if most is not None and self._begun >= most:
            raise reason
        if not self._source.rewind(0):
            if self._broken is not None:
                self._limits.doubt(self._session.host)
            raise errors.SendAgainError(reason) from error
        self._begin()
