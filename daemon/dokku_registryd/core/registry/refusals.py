"""Grounds of refusals: the meaning of a registry's answer, and the hint for the user.

One table serves both sources: answers of the registry, with status, code and text, and
messages of the Engine, which contain some of its text. Sources: the OCI distribution
specification 1.1, "Error Codes"; answers of the registries named below; texts in public
bug reports (`tests/vectors/engine-refusals.jsonl`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from dokku_registryd import errors


class Errand(StrEnum):
    """The operation, which decides about the hint."""

    LOOK_UP = "look-up"
    PUSH = "push"
    TAG = "tag"
    HEAL = "heal"
    LOGIN = "login"
    TOKEN = "token"  # noqa: S105 - a word, no password
    """A question to the token server that the registry names."""


class Ground(StrEnum):
    """The reason of a refusal."""

    LIMITED = "limited"
    BUSY = "busy"
    AWAY = "away"
    READ_ONLY = "read-only"
    """Maintenance. Harbor answers 403 then so that clients stop, others 405."""
    EXPIRED = "expired"
    """A login that is valid for hours (ECR): a fresh one works."""
    UNAUTHORIZED = "unauthorized"
    DENIED = "denied"
    DISABLED = "disabled"
    QUOTA = "quota"
    TOO_LARGE = "too-large"
    PROXY = "proxy"
    IMMUTABLE = "immutable"
    POLICY = "policy"
    """A rule of the registry refuses to give the image, often for some time only."""
    UNSUITED = "unsuited"
    """The registry does not accept this kind of manifest."""
    MISSING = "missing"
    NOT_HERE = "not-here"
    """The image is incomplete on this host."""
    INCOMPLETE = "incomplete"
    """A part of the manifest is missing: it may be on its way."""
    CERTIFICATE = "certificate"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"


TEMPORARY: Final = frozenset({408, 425, 499})
"""Statuses below 500 that another attempt may not get."""
_FIRST_SERVER_ERROR: Final = 500
_BUSY: Final = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """The signs of a ground: statuses, words of the text, or codes.

    A row with statuses and words needs both. With unknown status (0) words suffice.
    """

    ground: Ground
    statuses: frozenset[int] = frozenset()
    codes: frozenset[str] = frozenset()
    words: str = ""

    def matches(self, status: int, codes: frozenset[str], text: str) -> bool:
        if self.statuses and status and status not in self.statuses:
            return False
        if not self.codes and not self.words:
            return status in self.statuses
        is_said = bool(self.words) and re.search(self.words, text, re.IGNORECASE)
        return bool(self.codes & codes or is_said)


def _row(ground: Ground, *statuses: int, codes: str = "", words: str = "") -> _Row:
    return _Row(
        ground=ground,
        statuses=frozenset(statuses),
        codes=frozenset(codes.split()),
        words=words,
    )


# The first match wins; earlier rows share statuses with later ones.
_ROWS: Final = (
    _row(Ground.LIMITED, 429),
    _row(Ground.LIMITED, codes="TOOMANYREQUESTS"),
    # Harbor: "The system is in read only mode"; Quay: 405 "System is currently
    # read-only".
    _row(
        Ground.READ_ONLY,
        *(400, 403, 405, 503),
        words=r"\bin read[- ]only mode\b|\bis currently read[- ]only\b",
    ),
    _row(Ground.PROXY, 407),
    _row(Ground.PROXY, words=r"\bproxy authentication required\b"),
    # ECR: 403, ECR Public: 400.
    _row(Ground.EXPIRED, 400, 401, 403, words=r"\btoken has expired\b"),
    # Harbor: 403 and 412 "will exceed the configured upper limit"; others: 402, or
    # "quota".
    _row(Ground.QUOTA, 402),
    _row(
        Ground.QUOTA,
        *(400, 403, 409, 412, 413),
        words=r"\bexceed the configured upper limit\b"
        r"|^(?=.*\bquota\b).*\bexceed(?:s|ed|ing)?\b|\bover quota\b"
        r"|\bpayment required\b",
    ),
    _row(Ground.TOO_LARGE, 413),
    _row(Ground.TOO_LARGE, words=r"\b(?:entity|payload|content) too large\b"),
    # Google: "Artifact Registry API has not been used in project 1 before or it is
    # disabled".
    _row(
        Ground.DISABLED,
        400,
        403,
        words=r"^(?=.*\bAPI\b).*\bis disabled\b|\bSERVICE_DISABLED",
    ),
    # Harbor: PROJECTPOLICYVIOLATION, until an image is scanned or signed.
    _row(Ground.POLICY, 412),
    _row(Ground.UNAUTHORIZED, 401),
    _row(Ground.DENIED, 403),
    _row(
        Ground.MISSING,
        codes="MANIFEST_BLOB_UNKNOWN BLOB_UNKNOWN NAME_UNKNOWN MANIFEST_UNKNOWN",
    ),
    _row(Ground.MISSING, 404),
    _row(
        Ground.UNSUITED,
        *(400, 415),
        codes="MANIFEST_INVALID",
        words=r"^(?:\S+: )*manifest invalid\b|\bunsupported media type\b",
    ),
)

_ERRORS: Final[Mapping[Ground, type[errors.RegistrydError]]] = MappingProxyType(
    {
        Ground.LIMITED: errors.RateLimitedError,
        Ground.BUSY: errors.RegistryBusyError,
        Ground.AWAY: errors.RegistryUnavailableError,
        Ground.READ_ONLY: errors.RegistryUnavailableError,
        Ground.EXPIRED: errors.AuthenticationError,
        Ground.UNAUTHORIZED: errors.AuthenticationError,
        Ground.DENIED: errors.AccessDeniedError,
        Ground.DISABLED: errors.AccessDeniedError,
        Ground.QUOTA: errors.QuotaExceededError,
        Ground.TOO_LARGE: errors.InvalidRequestError,
        Ground.PROXY: errors.InvalidRequestError,
        Ground.IMMUTABLE: errors.TagImmutableError,
        Ground.POLICY: errors.InvalidRequestError,
        Ground.UNSUITED: errors.InvalidRequestError,
        Ground.MISSING: errors.ImageNotFoundError,
        Ground.NOT_HERE: errors.ImageNotFoundError,
        Ground.INCOMPLETE: errors.IncompleteImageError,
        Ground.CERTIFICATE: errors.InvalidRequestError,
        Ground.MALFORMED: errors.InvalidRequestError,
        Ground.UNKNOWN: errors.TransientError,
    }
)

_LOG_IN: Final = "Log in again with dokku registry:login"
_NEXT: Final = "The next attempt may succeed"
_MAY_READ: Final = "The login may not read this: grant it in the registry"
NO_REGISTRY: Final = "There is no registry at this address: check the property server"
_NO_TOKENS: Final = (
    "The registry names this address for logins: check the property server, or ask the"
    " registry's operator"
)
# The hint for all operations, and exceptions for some.
_SENTENCES: Final[Mapping[Ground, tuple[str, Mapping[Errand, str]]]] = MappingProxyType(
    {
        Ground.LIMITED: (
            (
                "It asks for fewer requests; the next attempt waits, and a login"
                " may have higher limits"
            ),
            {},
        ),
        Ground.BUSY: (_NEXT, {}),
        Ground.AWAY: (_NEXT, {}),
        Ground.READ_ONLY: (
            (
                "The registry is in maintenance mode and accepts no pushes; the"
                " next attempt may succeed"
            ),
            {},
        ),
        Ground.EXPIRED: (_LOG_IN, {}),
        Ground.UNAUTHORIZED: (_LOG_IN, {}),
        Ground.DENIED: (
            (
                "The login is not allowed to do this: grant it in the registry, or"
                " log in as another user with dokku registry:login"
            ),
            {Errand.LOOK_UP: _MAY_READ, Errand.HEAL: _MAY_READ},
        ),
        Ground.DISABLED: ("Enable the registry's API for this project", {}),
        Ground.QUOTA: (
            (
                "The registry has no space left for this login: delete old images"
                " there, or raise its quota"
            ),
            {},
        ),
        Ground.TOO_LARGE: (
            (
                "A proxy in front of the registry (nginx, Cloudflare, a load"
                " balancer) rejects requests of this size: raise its limit for"
                " request bodies (in nginx client_max_body_size), or make the"
                " image's layers smaller"
            ),
            {},
        ),
        Ground.PROXY: (
            (
                "The proxy to the registry requires its own login: add it to the"
                " address of the Docker Engine's proxy"
            ),
            {},
        ),
        Ground.IMMUTABLE: (
            (
                "The tag exists and is immutable: allow moving it in the registry,"
                " or use another tag"
            ),
            {},
        ),
        Ground.POLICY: (
            (
                "A policy of the registry withholds this image, in Harbor until it is"
                " scanned or signed: wait for that, or change the policy"
            ),
            {},
        ),
        Ground.UNSUITED: (
            (
                "The registry does not accept this kind of image: it may be too"
                " old, or configured for other kinds"
            ),
            {},
        ),
        Ground.MISSING: (
            (
                "The repository or a part of the image is missing: push the image"
                " again, or create the repository if the registry requires that"
            ),
            {
                Errand.PUSH: "The repository or a part of the image is missing:"
                " create the repository if the registry requires that",
                Errand.HEAL: "",
                Errand.LOGIN: NO_REGISTRY,
            },
        ),
        Ground.NOT_HERE: (
            (
                "The image is incomplete on this host: rebuild the app with"
                " dokku ps:rebuild"
            ),
            {},
        ),
        Ground.INCOMPLETE: ("", {}),
        Ground.CERTIFICATE: (
            "Check the registry's name, and the Engine's settings for its certificate",
            {},
        ),
        Ground.MALFORMED: (
            "Check the properties server and image-repo of dokku registry:report",
            {Errand.LOGIN: NO_REGISTRY, Errand.TOKEN: _NO_TOKENS},
        ),
        Ground.UNKNOWN: ("", {}),
    }
)


def judge(status: int, codes: frozenset[str] = frozenset(), text: str = "") -> Ground:
    """Return the ground of an answer.

    Args:
        status: The HTTP status; 0 if unknown.
        codes: Codes of an error body.
        text: Its text.
    """
    for row in _ROWS:
        if row.matches(status, codes, text):
            return row.ground
    if status in TEMPORARY or status >= _FIRST_SERVER_ERROR:
        return Ground.BUSY if status == _BUSY else Ground.AWAY
    return Ground.MALFORMED if status else Ground.UNKNOWN


def sentence(ground: Ground, errand: Errand) -> str:
    """Return the hint, without a full stop; empty if there is none."""
    common, special = _SENTENCES[ground]
    return special.get(errand, common)


def error_class(ground: Ground) -> type[errors.RegistrydError]:
    """Return the error class of a ground."""
    return _ERRORS[ground]
