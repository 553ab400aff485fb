"""Parses the stream in which the Engine answers a push or pull.

The Engine sends HTTP 200 and then JSON lines; a refusal is one of them, and the last.
Texts differ between image stores and versions, so one table here matches the wording of
Engine 20.10 (classic store), 26.1 and later (containerd store).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dokku_registryd import errors
from dokku_registryd.core.auth import logins
from dokku_registryd.core.registry import refusals
from dokku_registryd.core.registry.refusals import Ground
from dokku_registryd.core.text import foreign_text

# What containerd 2 puts before the registry's text; it drops status and code.
_PREFIX: Final = "error from registry: "
_DIGEST_LINE: Final = re.compile(
    r"\bdigest: (sha256:[0-9a-f]{64})", re.ASCII | re.IGNORECASE
)
_STATUS: Final = re.compile(
    r"\bstatus(?: code)?:?(?: from \w+ request to)?:? (\d{3})\b"
)
_RESPONSE: Final = re.compile(r"\bhttp (?:response )?(?:status )?(\d{3})\b")
_TITLE: Final = re.compile(r"<title>(\d{3})\b")  # a web page of a reverse proxy
# The length of a foreign error text to show: its subject is at the beginning, and its
# reason at the end. With a digest in every address both are far apart.
_FIRST_TEXT: Final = 100
_LAST_TEXT: Final = 300
_READ_LAST: Final = 3072  # characters to read from its end
_BUSY: Final = frozenset({"Preparing", "Waiting", "Pushing"})

# The first match wins. Earlier rows also contain words of later ones: a limit is often
# worded as a denial, and a TLS handshake may time out.
_WORDS: Final[tuple[tuple[str, Ground], ...]] = (
    (r"from registry: unavailable", Ground.BUSY),
    (r"from registry: unknown", Ground.AWAY),
    (r"immutable|tag invalid", Ground.IMMUTABLE),
    # The code is followed by a colon or alone: a project may have the same name.
    (
        (
            r"(?:^|: )toomanyrequests:|(?:^|from registry: )toomanyrequests\b"
            r"|too many requests|rate limit"
        ),
        Ground.LIMITED,
    ),
    (
        r"refused|reset by peer|broken pipe|unreachable|no route to host|\beof\b",
        Ground.AWAY,
    ),
    (r"timeout|timed out|deadline exceeded", Ground.AWAY),
    (
        r"no such host|name resolution|server misbehaving|unavailable|bad gateway",
        Ground.AWAY,
    ),
    # A record was damaged on the way, or a server is just being set up.
    (r"bad record mac|tls: (?:internal error|use of closed)", Ground.AWAY),
    (r"does not provide any platform|^missing content", Ground.NOT_HERE),
    (r"unauthorized|no basic auth", Ground.UNAUTHORIZED),
    (r"authentication required|incorrect username", Ground.UNAUTHORIZED),
    # "Method not allowed" is about the request, not about who sent it. ECR knows the
    # login: "User: … is not authorized to perform: ecr:PutImage".
    (
        (
            r"denied|forbidden|insufficient_scope|(?<!method )\bnot allowed\b"
            r"|\bnot authorized to\b"
        ),
        Ground.DENIED,
    ),
    (r"authorization failed|\bnot authorized\b", Ground.UNAUTHORIZED),
    (r"x509|certificate|tls: |to https client", Ground.CERTIFICATE),
    (r"invalid (?:reference format|repository name)", Ground.MALFORMED),
    (r"(?:name|manifest) unknown|not known to registry", Ground.MISSING),
    # The registry has the manifest but lacks a part of it: it may be on its way.
    (r"blob unknown|unknown blob|content descriptor", Ground.INCOMPLETE),
    (r"not found|does not exist|no such image", Ground.MISSING),
)

# Words that only count without a status: with a status the registry has answered, and
# names of projects may contain these words.
_OUTDONE_BY_STATUS: Final = frozenset({Ground.LIMITED, Ground.AWAY})
# Words of the registry that say more than those of the Engine around them.
_TELLING: Final = frozenset(
    {
        Ground.READ_ONLY,
        Ground.PROXY,
        Ground.EXPIRED,
        Ground.QUOTA,
        Ground.TOO_LARGE,
        Ground.DISABLED,
        Ground.UNSUITED,
    }
)
_LIMIT_STATUS: Final = 429
_SERVER_FAULT: Final = 500
_ERRANDS: Final[Mapping[str, refusals.Errand]] = {
    "push": refusals.Errand.PUSH,
    "pull": refusals.Errand.HEAL,
}


def error_of(line: Mapping[str, Any]) -> str:
    """Return the raw error of a line of the stream; empty if there is none."""
    detail = line.get("errorDetail")
    message = detail.get("message") if isinstance(detail, Mapping) else None
    return str(message or line.get("error") or "")


def digest_of(line: Mapping[str, Any]) -> str:
    """Return the digest that a line reports, empty if none.

    The classic store sends it as `aux`; every store sends a status line with it.
    """
    aux = line.get("aux")
    if isinstance(aux, Mapping) and isinstance(aux.get("Digest"), str):
        return str(aux["Digest"])
    status = str(line.get("status") or "")[: foreign_text.MAX_TEXT]
    found = _DIGEST_LINE.search(status)
    return found[1] if found else ""


def text_of(line: Mapping[str, Any], secrets: Iterable[logins.Secret] = ()) -> str:
    """Return the text to show of a line; empty for progress bars."""
    status = str(line.get("status") or "").strip()
    if not status or line.get("progressDetail") or status in _BUSY:
        return ""
    layer = line.get("id")
    return clean(f"{layer}: {status}" if layer else status, secrets)


def refusal(
    action: str, target: str, text: str, secrets: Iterable[logins.Secret] = ()
) -> errors.RegistrydError:
    """Return the error for a text of the Engine or registry.

    An unknown text counts as transient: the number of attempts is limited.

    Args:
        action: `push` or `pull`.
        target: The image reference.
        text: The Engine's text.
        secrets: Secrets that the Engine was given, and may repeat.
    """
    text = foreign_text.read(text, secrets, last=_READ_LAST)
    ground = _classify(text)
    kind = refusals.error_class(ground)
    advice = refusals.sentence(ground, _ERRANDS.get(action, refusals.Errand.LOOK_UP))
    shown = foreign_text.shorten(text, first=_FIRST_TEXT, last=_LAST_TEXT)
    message = f"cannot {action} {target}: {shown}"
    return kind(f"{message.rstrip('.')}. {advice}" if advice else message)


def clean(text: str, secrets: Iterable[logins.Secret] = ()) -> str:
    """Return a foreign text as `foreign_text.read` does, shortened for output."""
    read = foreign_text.read(text, secrets, last=_READ_LAST)
    return foreign_text.shorten(read, first=_FIRST_TEXT, last=_LAST_TEXT)


class Progress:
    """Detects a push or pull that makes no progress.

    A containerd store repeats the same line ten times a second while nothing moves, so
    a line alone is not progress: its content must have changed.

    Args:
        started: When the transfer began, in monotonic seconds.
        stall_seconds: How long it may make no progress.
        deadline_seconds: How long it may take in total.
    """

    def __init__(
        self, *, started: float, stall_seconds: float, deadline_seconds: float
    ) -> None:
        self._started = started
        self._moved = started
        self._stall_seconds = stall_seconds
        self._deadline_seconds = deadline_seconds
        self._latest: dict[str, tuple[object, object]] = {}
        self._liveness: object = None

    def note(self, line: Mapping[str, Any], now: float) -> str:
        """Process a line; return why the transfer has to end, or empty."""
        detail = line.get("progressDetail")
        current = detail.get("current") if isinstance(detail, Mapping) else None
        state = (line.get("status"), current)
        layer = str(line.get("id"))
        if self._latest.get(layer) != state:
            self._latest[layer] = state
            self._moved = now
        return self._verdict(now)

    def feel(self, liveness: object, now: float) -> str:
        """Return why the transfer has to end, or empty.

        Args:
            liveness: Changes while bytes move that the Engine does not see.
            now: The time.
        """
        if liveness != self._liveness:
            self._liveness = liveness
            self._moved = now
        return self._verdict(now)

    def _verdict(self, now: float) -> str:
        if now - self._moved >= self._stall_seconds:
            return f"no progress for {self._stall_seconds:g} s"
        if now - self._started >= self._deadline_seconds:
            return f"it took longer than {self._deadline_seconds:g} s"
        return ""


def _classify(text: str) -> Ground:
    words = _words(text)
    found = _STATUS.search(words) or _RESPONSE.search(words) or _TITLE.search(words)
    status = int(found[1]) if found else 0
    ground = refusals.judge(status, text=words.removeprefix(_PREFIX))
    if ground in _TELLING or status >= _SERVER_FAULT or status == _LIMIT_STATUS:
        return ground
    outdone = _OUTDONE_BY_STATUS if status else frozenset()
    for pattern, meant in _WORDS:
        if meant not in outdone and re.search(pattern, words):
            return meant
    return ground


def _words(text: str) -> str:
    """Remove URLs and references: an app may be called `timeout:500`."""
    return " ".join(
        word for word in text.lower().split() if not re.search(r"[/:][^\s:,]", word)
    )
