"""Which error a registry's refusal is: the table that retries and advice rest on.

Sources: the OCI distribution specification 1.1, "Error Codes", and what the registries
named below answer in practice.
"""

import re
from dataclasses import dataclass
from typing import Final

from dokku_registryd import errors

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_TOO_MANY: Final = 429
TEMPORARY: Final = frozenset({408, 425, 499})
"""Statuses below 500 that another attempt may not meet."""
_FIRST_SERVER_ERROR: Final = 500
_BUSY: Final = 503
_LACKING: Final = frozenset(
    {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "NAME_UNKNOWN", "MANIFEST_UNKNOWN"}
)
# ECR: 400 TAG_INVALID, and ImageTagAlreadyExistsException in its own API. Harbor: 412
# "configured as immutable". Azure: 405 "operation is disallowed" for a locked tag.
# Google: 400 "enabled tag immutability".
_IMMUTABLE_STATUSES: Final = frozenset({400, 403, 405, 409, 412})
_IMMUTABLE_CODES: Final = frozenset(
    {"TAG_INVALID", "TAG_IMMUTABLE", "TAG_ALREADY_EXISTS"}
)
_IMMUTABLE_TEXT: Final = re.compile(
    # Each "tag" is looked at up to the next one, so no text is read twice.
    r"immutab|imagetagalreadyexists|cannot be overwritten|operation is disallowed"
    r"|tag\b(?:(?!tag\b|\balready exists).)*+already exists",
    re.IGNORECASE,
)
# ECR answers an expired token with 403, which a fresh one mends.
_EXPIRED_TEXT: Final = re.compile(r"token has expired", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A status that is no success, and what came with it."""

    purpose: str
    """What was tried, on what: `push r.example/web:3`."""
    status: int
    codes: tuple[str, ...] = ()
    text: str = ""
    retry_after: float | None = None
    puts_tag: bool = False
    reads: bool = False
    """Whether only something was asked for, as in each pull."""


def build_error(refusal: Refusal) -> errors.RegistrydError:
    """Return the error that a refusal stands for."""
    said = _said(refusal)
    status, codes = refusal.status, frozenset(refusal.codes)
    if status == _TOO_MANY or "TOOMANYREQUESTS" in codes:
        return errors.RateLimitedError(
            f"{said}. It asks for fewer requests; the next attempt waits",
            retry_after=refusal.retry_after,
            is_of_reading=refusal.reads,
        )
    if status in TEMPORARY or status >= _FIRST_SERVER_ERROR:
        is_busy = status == _BUSY or refusal.retry_after is not None
        kind = errors.RegistryBusyError if is_busy else errors.RegistryUnavailableError
        return kind(
            f"{said}. The next attempt may succeed", retry_after=refusal.retry_after
        )
    if refusal.puts_tag and _is_immutable(refusal):
        return errors.TagImmutableError(
            f"{said}. The tag exists and may not move: allow it in the registry, or"
            " use another tag",
            status=status,
        )
    return _permanent(refusal, said)


def _permanent(refusal: Refusal, said: str) -> errors.PermanentError:
    status, codes = refusal.status, frozenset(refusal.codes)
    is_expired = bool(_EXPIRED_TEXT.search(refusal.text))
    if status == _UNAUTHORIZED or (status == _FORBIDDEN and is_expired):
        return errors.AuthenticationError(
            f"{said}. Log in again with dokku registry:login", status=status
        )
    if status == _FORBIDDEN:
        return errors.AccessDeniedError(
            f"{said}. The login is not allowed to do this: grant it in the registry",
            status=status,
        )
    if status == _NOT_FOUND or codes & _LACKING:
        return errors.ImageNotFoundError(
            f"{said}. The repository or a part of the image is not there: push the"
            " image anew, or create the repository if the registry wants that",
            status=status,
        )
    return errors.InvalidRequestError(
        f"{said}. Check the properties server and image-repo of dokku registry:report",
        status=status,
    )


def _is_immutable(refusal: Refusal) -> bool:
    if refusal.status not in _IMMUTABLE_STATUSES:
        return False
    # distribution has the same code for a body that names another tag.
    if "did not match URI" in refusal.text:
        return False
    return (
        refusal.status == _CONFLICT
        or bool(_IMMUTABLE_CODES & frozenset(refusal.codes))
        or bool(_IMMUTABLE_TEXT.search(" ".join((*refusal.codes, refusal.text))))
    )


def _said(refusal: Refusal) -> str:
    words = " ".join((str(refusal.status), *refusal.codes))
    answer = f"cannot {refusal.purpose}: the registry answers {words}"
    return f"{answer} ({refusal.text.rstrip('.')})" if refusal.text else answer
