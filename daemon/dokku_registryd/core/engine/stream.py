"""Reads the stream that the Engine answers a push or pull with.

The Engine sends HTTP 200 and then JSON lines; a refusal is one of them, and nothing
follows it. Texts differ between image stores and versions, so the reading of them is
one table here, with the wording of Engine 20.10 (classic store), 26.1 and later
(containerd store).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dokku_registryd import errors
from dokku_registryd.core.auth import logins
from dokku_registryd.core.registry import refusals
from dokku_registryd.core.registry.refusals import Ground
from dokku_registryd.core.text import foreign_text

_DIGEST_LINE: Final = re.compile(
    r"\bdigest: (sha256:[0-9a-f]{64})", re.ASCII | re.IGNORECASE
)
_STATUS: Final = re.compile(
    r"\bstatus(?: code)?:?(?: from \w+ request to)?:? (\d{3})\b"
)
_RESPONSE: Final = re.compile(r"\bhttp (?:response )?(?:status )?(\d{3})\b")
_TITLE: Final = re.compile(r"<title>(\d{3})\b")  # a web page of what stands before it
# Characters of a foreign error text that we pass on: what it is about stands first, and
# why it failed last. With a digest in every address that is far apart.
_FIRST_TEXT: Final = 100
_LAST_TEXT: Final = 300
_READ_LAST: Final = 3072  # characters of what is read at all that come from its end
_BUSY: Final = frozenset({"Preparing", "Waiting", "Pushing"})

# First match wins. What comes first is what also holds words of the later ones: a
# limit is often worded as a denial, and a TLS handshake may time out.
_WORDS: Final[tuple[tuple[str, Ground], ...]] = (
    # containerd 2 passes on the registry's words and drops its status, a fault's too.
    (r"from registry: unavailable", Ground.BUSY),
    (r"from registry: unknown", Ground.AWAY),
    (r"immutable|tag invalid", Ground.IMMUTABLE),
    # The code comes before a colon or alone: a project may be called like it.
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
    # A record that was damaged on the way, or a server that is just being set up.
    (r"bad record mac|tls: (?:internal error|use of closed)", Ground.AWAY),
    (r"does not provide any platform|^missing content", Ground.NOT_HERE),
    (r"unauthorized|no basic auth credentials", Ground.UNAUTHORIZED),
    (r"authentication required|incorrect username", Ground.UNAUTHORIZED),
    (r"denied|forbidden|insufficient_scope", Ground.DENIED),
    (r"authorization failed", Ground.UNAUTHORIZED),
    (r"x509|certificate|tls: |to https client", Ground.CERTIFICATE),
    (r"invalid (?:reference format|repository name)", Ground.MALFORMED),
    (r"(?:name|manifest) unknown|not known to registry", Ground.MISSING),
    # The registry has the manifest and lacks a part of it: it may be on its way.
    (r"blob unknown|unknown blob|content descriptor", Ground.INCOMPLETE),
    (r"not found|does not exist|no such image", Ground.MISSING),
)

# What words mean only while no status says otherwise: it tells that the registry has
# answered, and names of projects are among the words.
_OUTDONE_BY_STATUS: Final = frozenset({Ground.LIMITED, Ground.AWAY})
# What the words of the registry say better than those of the Engine around them.
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
    """Return the error that a line of the stream carries, as it is; empty if none."""
    detail = line.get("errorDetail")
    message = detail.get("message") if isinstance(detail, Mapping) else None
    return str(message or line.get("error") or "")


def digest_of(line: Mapping[str, Any]) -> str:
    """Return the digest that a line reports, empty if none.

    The classic store sends it as `aux`; a status line with it is on every store.
    """
    aux = line.get("aux")
    if isinstance(aux, Mapping) and isinstance(aux.get("Digest"), str):
        return str(aux["Digest"])
    status = str(line.get("status") or "")[: foreign_text.MAX_TEXT]
    found = _DIGEST_LINE.search(status)
    return found[1] if found else ""


def text_of(line: Mapping[str, Any], secrets: Iterable[logins.Secret] = ()) -> str:
    """Return what a person may want to see of a line; empty for progress bars."""
    status = str(line.get("status") or "").strip()
    if not status or line.get("progressDetail") or status in _BUSY:
        return ""
    layer = line.get("id")
    return clean(f"{layer}: {status}" if layer else status, secrets)


def refusal(
    action: str, target: str, text: str, secrets: Iterable[logins.Secret] = ()
) -> errors.RegistrydError:
    """Return the error for a text that the Engine or registry gave.

    A text that nobody has seen before counts as transient: attempts are bounded.

    Args:
        action: What was tried: `push` or `pull`.
        target: The image reference.
        text: The Engine's words.
        secrets: What the Engine was given, and may repeat.
    """
    text = foreign_text.read(text, secrets, last=_READ_LAST)
    ground = _classify(text)
    kind = refusals.error_class(ground)
    advice = refusals.sentence(ground, _ERRANDS.get(action, refusals.Errand.LOOK_UP))
    shown = foreign_text.shorten(text, first=_FIRST_TEXT, last=_LAST_TEXT)
    message = f"cannot {action} {target}: {shown}"
    return kind(f"{message.rstrip('.')}. {advice}" if advice else message)


def clean(text: str, secrets: Iterable[logins.Secret] = ()) -> str:
    """Return a foreign text as `foreign_text.read` does, cut to what is shown."""
    read = foreign_text.read(text, secrets, last=_READ_LAST)
    return foreign_text.shorten(read, first=_FIRST_TEXT, last=_LAST_TEXT)


class Progress:
    """Tells whether a push or pull still gets on.

    A containerd store repeats the same line ten times a second while nothing moves, so
    a line alone is no progress: something in it must have changed.

    Args:
        started: When the transfer began, in seconds of a clock that never runs back.
        stall_seconds: How long it may go without a change.
        deadline_seconds: How long it may take in all.
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
        """Take a line in, and return why the transfer has to end, empty if not."""
        detail = line.get("progressDetail")
        current = detail.get("current") if isinstance(detail, Mapping) else None
        state = (line.get("status"), current)
        layer = str(line.get("id"))
        if self._latest.get(layer) != state:
            self._latest[layer] = state
            self._moved = now
        return self._verdict(now)

    def feel(self, liveness: object, now: float) -> str:
        """Return why the transfer has to end, empty if not.

        Args:
            liveness: Changes as long as bytes move out of the Engine's sight.
            now: The time.
        """
        if liveness != self._liveness:
            self._liveness = liveness
            self._moved = now
        return self._verdict(now)

    def _verdict(self, now: float) -> str:
        if now - self._moved >= self._stall_seconds:
            return f"nothing moved for {self._stall_seconds:g} s"
        if now - self._started >= self._deadline_seconds:
            return f"it took longer than {self._deadline_seconds:g} s"
        return ""


def _classify(text: str) -> Ground:
    words = _words(text)
    found = _STATUS.search(words) or _RESPONSE.search(words) or _TITLE.search(words)
    status = int(found[1]) if found else 0
    ground = refusals.judge(status, text=words)
    if ground in _TELLING or status >= _SERVER_FAULT or status == _LIMIT_STATUS:
        return ground
    outdone = _OUTDONE_BY_STATUS if status else frozenset()
    for pattern, meant in _WORDS:
        if meant not in outdone and re.search(pattern, words):
            return meant
    return ground


def _words(text: str) -> str:
    """Leave out URLs and references: an app may well be called `timeout:500`."""
    return " ".join(
        word for word in text.lower().split() if not re.search(r"[/:][^\s:,]", word)
    )
