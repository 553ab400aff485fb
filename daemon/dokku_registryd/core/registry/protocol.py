"""Requests to registries, and the parts of their answers: headers and bodies.

Source: the OCI distribution specification 1.1
(https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md). All input is
untrusted: each parser returns None or an empty value for invalid input.
"""

import email.utils
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from dokku_registryd.core.auth.logins import Secret
from dokku_registryd.core.registry import addresses
from dokku_registryd.core.text import foreign_text, json_documents

MANIFEST_TYPES: Final = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
MAX_ERROR_TEXT: Final = 300  # characters of a foreign text that a message may hold
_EPOCH_DIGITS: Final = 10  # from 2001 to 2286

_LINK = re.compile(r"<([^<>]*)>((?:[^,\"]|\"[^\"]*\")*)")
_REL_NEXT = re.compile(r";\s*rel\s*=\s*\"?next\"?\s*(?:;|$)", re.IGNORECASE)
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,128}")
_UPLOADED = re.compile(r"(?:bytes=)?0-([0-9]{1,18})", re.ASCII)
_HEADER_VALUE = re.compile(r"[\x20-\x7e]+")
_MAX_TAG: Final = 128  # characters; OCI specification, "Pulling manifests"
_MAX_ERRORS: Final = 32  # of one body that are read; the first one has the reason
MAX_HEADER: Final = 16 << 10  # characters; a challenge has some hundred


class SizedBody(Protocol):
    """A body that is sent in pieces, and can be sent again."""

    def __len__(self) -> int:
        """Return its length in bytes."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield its pieces from the first byte on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request."""

    method: str
    url: str
    """Without a scheme (`//host/...`) the host's usual scheme is used."""
    purpose: str
    """The operation, for messages: `read the manifest of r.example/web:3`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    authorization: Secret | None = None
    body: bytes | SizedBody | None = None
    pieces: Iterable[bytes] | None = None
    """A streamed body: it has no length, and can be sent only once."""
    is_upload: bool = False
    """Whether it may take as long as a push, as long as it makes progress."""
    max_bytes: int
    """The maximum size of the answer."""
    wants_body: bool = True
    """Whether to read the body of a success; without it the connection is closed."""
    consume: "Callable[[Reply, Iterator[bytes]], object] | None" = None
    """Called with the answer 200 or 206, without a body, and with the pieces of its
    body, which may have any length and take as long as a push."""
    most_seconds: float | None = None
    """A shorter timeout than that of other requests."""
    certificates_of: str = ""
    """The registry whose certificates apply if the host of `url` has none."""
    named_by: str = ""
    """The registry that has named the host of `url`; empty if the operator has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP answer, read to its end."""

    status: int
    url: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """The codes and the text of an error body (OCI specification, "Error Codes")."""

    codes: tuple[str, ...] = ()
    text: str = ""


def parse_retry_after(value: str, now: float) -> float | None:
    """Return the seconds to wait: from a number, or until an HTTP date.

    A number with ten digits is a time in seconds since the epoch: Docker documented it
    so for Hub until 2025 (docker/docs#22916).
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        if len(text) == _EPOCH_DIGITS:
            return max(0.0, float(text) - now)
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def parse_offset(header: str) -> int | None:
    """Return how many bytes of an upload a Range header states; None if it is invalid.

    It has the first and the last byte (OCI specification, "Pushing a blob in chunks").
    distribution says `0-0` for an upload without bytes.
    """
    found = _UPLOADED.fullmatch(header)
    if found is None:
        return None
    last = int(found[1])
    return last + 1 if last else 0


def next_page(header: str, url: str) -> str | None:
    """Return the address of the next page from a Link header, if any.

    It may be relative (OCI specification, "Listing Tags"). The caller decides whether
    to follow it.
    """
    for target, parameters in _LINK.findall(header[:MAX_HEADER]):
        if _REL_NEXT.search(parameters.strip()):
            return addresses.resolve(url, str(target))
    return None


def parse_digest(text: str) -> str | None:
    """Return the digest in a header; None if it is invalid."""
    bare = text.strip()
    return bare if _DIGEST.fullmatch(bare) else None


def media_type(content_type: str, body: bytes) -> str | None:
    """Return the media type of a manifest, from the header or from the body."""
    stated = content_type.partition(";")[0].strip().lower()
    if stated in MANIFEST_TYPES:
        return stated
    written = load_object(body).get("mediaType")
    return written if isinstance(written, str) and written in MANIFEST_TYPES else None


def parse_tags(body: bytes) -> list[str] | None:
    """Return the names of one page; None if the body is not a page of a list.

    `null` means none, and so does a repository's name alone. Long names are omitted.
    """
    content = load_object(body)
    names = content.get("tags")
    if names is None:
        return [] if content.keys() & {"tags", "name"} else None
    if not isinstance(names, list):
        return None
    return [name for name in names if isinstance(name, str) and len(name) <= _MAX_TAG]


def parse_error(body: bytes, secrets: Iterable[Secret] = ()) -> ErrorBody:
    """Parse an error body, and clean its codes and text for output.

    All codes together have at most `MAX_ERROR_TEXT` characters, and so have all texts.
    """
    hidden = tuple(secrets)
    content = load_object(body)
    entries = (
        _error_entries(content) if content else [("", body.decode(errors="replace"))]
    )
    found: list[tuple[str, str]] = []
    for code, text in itertools.islice(entries, _MAX_ERRORS):
        found.append((clean(code, hidden), clean(text, hidden)))
    codes = [code for code, _ in found if code]
    texts = [text for _, text in found if text]
    in_turn = [part for entry in found for part in entry]
    if any(
        foreign_text.holds("".join(parts), hidden)
        for parts in (in_turn, codes, texts, [*codes, *texts])
    ):
        # A secret that is spread over several of them.
        return ErrorBody(text=foreign_text.MASK)
    return ErrorBody(codes=tuple(_first(codes)), text=_shown("; ".join(texts)))


def clean(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Return a foreign text as `foreign_text.read` does, shortened for output."""
    return _shown(foreign_text.read(text, secrets))


def is_header_value(text: str) -> bool:
    """Return whether a text is valid in a header: visible ASCII on one line."""
    return bool(_HEADER_VALUE.fullmatch(text))


def load_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object; an empty one for other input."""
    try:
        content = json_documents.load(body)
    except json_documents.MalformedJsonError:
        return {}
    return content if isinstance(content, dict) else {}


def _shown(text: str) -> str:
    return foreign_text.shorten(text, first=MAX_ERROR_TEXT)


def _first(codes: Iterable[str]) -> Iterator[str]:
    """Yield as many codes as fit into the output."""
    left = MAX_ERROR_TEXT
    for code in codes:
        left -= len(code) + 1
        if left < 0:
            return
        yield code


def _error_entries(content: dict[str, Any]) -> Iterable[tuple[str, str]]:
    errors = content.get("errors")
    for entry in errors if isinstance(errors, list) else [content]:
        if isinstance(entry, dict):
            text = _text(entry, "message", "error_description", "details", "detail")
            # Nexus has its reason there, beside the code's usual message.
            reason = _text(entry, "detail")
            is_more = bool(reason) and reason not in text
            yield (
                _text(entry, "code", "error", "__type"),
                f"{text}: {reason}" if is_more else text,
            )


def _text(entry: dict[str, Any], *names: str) -> str:
    for name in names:
        if isinstance(entry.get(name), str) and entry[name]:
            return str(entry[name])
    return ""
