"""Foreign texts, cleaned for matching, storing and showing.

A registry, its token server, an Engine or a proxy may answer with any text. It is first
cut to a maximum length; then the secrets that it repeats are removed, in all known
spellings; then queries of addresses, some of which contain signatures, and invisible
characters. Only then is it searched for words.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from dokku_registryd.core.auth.logins import Secret

MAX_TEXT: Final = 4096  # characters of one answer's texts that are read
MASK: Final = "***"

# An address is matched as a whole, with or without a query, so each character is read
# once. The text after a last colon is not part of it; Go: `"https://x?y": reason`.
_QUERY: Final = re.compile(
    r"(https?://[^\s?\"'<>]*+)(?:\?[^\s\"'<>]*?(?=:?(?:[\s\"'<>]|$)))?", re.IGNORECASE
)
# Shorter secrets have base64 and hexadecimal spellings that any text may contain.
_LEAST_ENCODED: Final = 6
_LEAST_IN_OURS: Final = 6
# Shorter parts of a secret that the cut has split reveal nothing.
_LEAST_BROKEN: Final = 3


def read(text: str, secrets: Iterable[Secret] = (), *, last: int = 0) -> str:
    """Return a foreign text in one line, safe to match and show.

    Args:
        text: The text, of any length.
        secrets: Secrets to remove.
        last: How many of the `MAX_TEXT` characters to take from its end, if longer.
    """
    spelled = spellings(secrets)
    if len(text) <= MAX_TEXT:
        parts = [mask(text, spelled)]
    else:
        head = mask(text[: MAX_TEXT - last], spelled)
        parts = [_without_broken_end(head, spelled)]
        if last:
            tail = mask(text[-last:], spelled)
            parts.append(_without_broken_start(tail, spelled))
    line = " … ".join(_visible(_QUERY.sub(r"\1", part)) for part in parts)
    # The blank for an invisible character may have completed a secret.
    return mask(line, spelled)


def shorten(text: str, *, first: int, last: int = 0) -> str:
    """Return the beginning of a text, and its end if requested."""
    if len(text) <= first + last:
        return text
    return f"{text[:first]} … {text[-last:]}" if last else f"{text[:first]}..."


def mask(text: str, spelled: Iterable[str]) -> str:
    """Return a text without certain spellings of secrets."""
    for spelling in spelled:
        text = text.replace(spelling, MASK)
    return text


def long_spellings(secrets: Iterable[Secret]) -> list[str]:
    """Return the spellings of secrets that no text of ours has by chance.

    A shorter one may be a usual word: `web`, or the name of a user.
    """
    return spellings(one for one in secrets if len(one.reveal()) >= _LEAST_IN_OURS)


def holds(text: str, secrets: Iterable[Secret]) -> bool:
    """Return whether a text contains a secret in any spelling."""
    return any(spelling in text for spelling in spellings(secrets))


def spellings(secrets: Iterable[Secret]) -> list[str]:
    """Return the spellings of secrets, the longest first.

    Plain; percent-encoded; within JSON, as Python and as Go write it; within HTML; in
    base64 and hexadecimal, also as part of a longer text, as the password in
    `user:password`.
    """
    found = {one for secret in secrets for one in _spell(secret.reveal()) if one}
    return sorted(found, key=lambda text: (-len(text), text))


def _spell(text: str) -> Iterator[str]:
    yield text
    # "Basic ..." and "Bearer ..." are often repeated without the first word.
    scheme, _, value = text.partition(" ")
    if scheme.lower() in {"basic", "bearer"}:
        yield from _spell(value)
        return
    for quoted in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    for is_ascii in (True, False):
        written = json.dumps(text, ensure_ascii=is_ascii)[1:-1]
        yield written
        for mark in "<>&":
            written = written.replace(mark, f"\\u{ord(mark):04x}")
        yield written
        yield written.replace("/", "\\/")
    yield html.escape(text)
    yield html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    yield repr(text)[1:-1]
    raw = text.encode(errors="surrogateescape")
    if len(raw) >= _LEAST_ENCODED:
        yield raw.hex()
        yield raw.hex().upper()
        yield from _base64(raw)


def _base64(raw: bytes) -> Iterator[str]:
    """Yield the base64 spellings of these bytes at any offset."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        # The first and the last character contain bits of neighbours.
        first = -(-before * 8 // 6)
        bits = (before + len(raw)) * 8
        whole = encoded[first : bits // 6]
        yield whole
        yield whole.translate(str.maketrans("+/", "-_"))


def _without_broken_end(text: str, spelled: list[str]) -> str:
    for spelling in spelled:
        for length in range(min(len(spelling), len(text)), _LEAST_BROKEN - 1, -1):
            if text.endswith(spelling[:length]):
                text = text[:-length] + MASK
                break
    return text


def _without_broken_start(text: str, spelled: list[str]) -> str:
    for spelling in spelled:
        for length in range(min(len(spelling), len(text)), _LEAST_BROKEN - 1, -1):
            if text.startswith(spelling[-length:]):
                text = MASK + text[length:]
                break
    return text


def _visible(text: str) -> str:
    marks = (mark if mark.isprintable() else " " for mark in text)
    return " ".join("".join(marks).split())
