"""Maps a registry's refusal to an error, on which retries and hints depend.

Sources: the OCI distribution specification 1.1, "Error Codes", and answers of the
registries named below.
"""

import re
from dataclasses import dataclass
from typing import Final

from dokku_registryd import errors
from dokku_registryd.core.registry import refusals

_CONFLICT: Final = 409
_NOT_ALLOWED: Final = 405
_FIRST_SERVER_ERROR: Final = 500
TEMPORARY: Final = refusals.TEMPORARY
# ECR: 400 TAG_INVALID, and ImageTagAlreadyExistsException in its own API. Harbor: 412
# "configured as immutable". Azure: 405 "operation is disallowed" for a locked tag.
# Google: 400 "enabled tag immutability". Nexus: 400 "does not allow updating assets".
_IMMUTABLE_STATUSES: Final = frozenset({400, 403, 405, 409, 412})
_IMMUTABLE_CODES: Final = frozenset(
    {"TAG_INVALID", "TAG_IMMUTABLE", "TAG_ALREADY_EXISTS"}
)
_IMMUTABLE_TEXT: Final = re.compile(
    # Each "tag" is matched up to the next one, so no text is read twice.
    r"immutab|imagetagalreadyexists|cannot be overwritten|operation is disallowed"
    r"|does not allow updating assets"
    r"|tag\b(?:(?!tag\b|\balready exists).)*+already exists",
    re.IGNORECASE,
)

# Docker Hub: "You have reached your pull rate limit", or "your unauthenticated pull
# rate limit".
_USED_UP: Final = re.compile(r"\bpull rate limit\b", re.IGNORECASE)

# The page of a proxy: `<html> <head><title>413 Request Entity Too Large</title>`.
_PAGE: Final = re.compile(r"\s*<.*?<title>([^<]*+)</title>", re.IGNORECASE | re.DOTALL)

# Statuses that never mean an immutable tag, regardless of the text.
_BEFORE_TAGS: Final = frozenset(
    {
        refusals.Ground.LIMITED,
        refusals.Ground.READ_ONLY,
        refusals.Ground.EXPIRED,
        refusals.Ground.QUOTA,
    }
)

_OF_LOGINS: Final = frozenset({refusals.Ground.UNAUTHORIZED, refusals.Ground.DENIED})
# A token server has no images, so it says nothing of them.
_OF_IMAGES: Final = frozenset({refusals.Ground.MISSING, refusals.Ground.UNSUITED})
_NO_LOGIN: Final = (
    "The registry sends us there, and that host gets no login: ask the registry's"
    " operator"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A status that is not a success, and the answer's content."""

    purpose: str
    """The operation and its object: `push r.example/web:3`."""
    status: int
    codes: tuple[str, ...] = ()
    text: str = ""
    retry_after: float | None = None
    errand: refusals.Errand = refusals.Errand.LOOK_UP
    puts_tag: bool = False
    reads: bool = False
    """Whether the request only read, as in each pull."""
    other_host: str = ""
    """The host that has answered, if the registry sent us to another one."""


def build_error(refusal: Refusal) -> errors.RegistrydError:
    """Return the error for a refusal."""
    ground = _ground(refusal)
    kind = refusals.error_class(ground)
    advice = refusals.sentence(ground, refusal.errand)
    if refusal.other_host and ground in _OF_LOGINS:
        advice = _NO_LOGIN
    said = _said(refusal)
    message = f"{said}. {advice}" if advice else said
    if issubclass(kind, errors.PermanentError):
        return kind(message, status=refusal.status)
    if kind is errors.RateLimitedError:
        return errors.RateLimitedError(
            message,
            retry_after=refusal.retry_after,
            is_of_reading=refusal.reads,
            is_quota=_USED_UP.search(refusal.text) is not None,
        )
    busy = errors.RegistryBusyError
    kind = busy if issubclass(kind, busy) else errors.RegistryUnavailableError
    return kind(message, retry_after=refusal.retry_after)


def _ground(refusal: Refusal) -> refusals.Ground:
    is_temporary = refusal.status in TEMPORARY or refusal.status >= _FIRST_SERVER_ERROR
    codes = frozenset(refusal.codes)
    ground = refusals.judge(refusal.status, codes, refusal.text)
    if ground in _BEFORE_TAGS:
        return ground
    if is_temporary:
        return refusals.Ground.BUSY if refusal.retry_after is not None else ground
    if refusal.errand is refusals.Errand.TOKEN:
        return refusals.Ground.MALFORMED if ground in _OF_IMAGES else ground
    if _is_read_only(refusal):
        return refusals.Ground.READ_ONLY
    if refusal.puts_tag and _is_immutable(refusal):
        return refusals.Ground.IMMUTABLE
    return ground


def _is_read_only(refusal: Refusal) -> bool:
    """Return whether this is distribution in its read-only mode.

    It then knows no method that writes, and answers 405 in plain text. A cache of
    another registry answers with a code.
    """
    return (
        refusal.status == _NOT_ALLOWED
        and not refusal.reads
        and not refusal.codes
        and refusal.text.strip().lower() == "method not allowed"
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
    who = refusal.other_host or "the registry"
    answer = f"cannot {refusal.purpose}: {who} answers {words}"
    text = without_markup(refusal.text).rstrip(".")
    return f"{answer} ({text})" if text else answer


def without_markup(text: str) -> str:
    """Return the title of a page, without the status; other texts as they are."""
    page = _PAGE.match(text)
    if page is None:
        return text
    first, _, rest = page[1].strip().partition(" ")
    return rest.strip() if first.isdecimal() else page[1].strip()
