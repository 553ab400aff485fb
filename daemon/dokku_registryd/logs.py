"""Log lines: configures structlog, for terminals and for journald.

All log lines pass `_redacted`, from our own modules (structlog) and from libraries (the
standard library's logging, warnings and above). `core.status.log_events` has the
allowed events.
"""

import contextlib
import logging
import os
import re
import threading
from collections.abc import Mapping
from typing import Any, Final, TextIO

import structlog

from dokku_registryd.core.auth import logins
from dokku_registryd.core.status import log_events
from dokku_registryd.core.text import foreign_text

EventFields = log_events.EventFields
EVENTS = log_events.EVENTS

MASK: Final = "***"
# Syslog's numbers; journald takes `<N>` from the front of a line as its PRIORITY.
PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_MAX_TEXT: Final = 16 << 10  # characters of one value; tracebacks are shorter
_MAX_LIBRARY_TEXT: Final = 300
# Keys that structlog itself adds to a line.
OWN_FIELDS: Final = frozenset({"event", "level", "timestamp", "exc_info", "exception"})

_SECRET_WORDS: Final = frozenset(
    {"password", "passwd", "secret", "token", "auth", "authorization"}
)
_USERINFO = re.compile(r"(?<=://)[^\s/?#\"'@]*@")
# The Engine puts upload URLs into its errors, with the upload's state in the query.
# Matched with or without a query, so that each character is read once.
_QUERY = re.compile(r"(?P<url>://[^\s?#\"'<>]*+)(?P<query>\?[^\s\"'<>]*+)?")
_AUTHORIZATION = re.compile(
    r"(?P<scheme>\b(?:basic|bearer)\s+)[a-z0-9+/=._~-]{16,}", re.IGNORECASE
)


def configure(
    *,
    log_format: str,
    level: str,
    stream: TextIO,
    under_journal: bool,
    strict: bool = False,
) -> None:
    """Send all log lines to a stream; may be called again.

    Args:
        log_format: `json`, `console`, or `auto`: console on a terminal, else JSON.
        level: The minimum level.
        stream: The output; its errors are ignored.
        under_journal: Whether journald reads the stream, see `is_under_journal`.
        strict: Raise for lines that are not in `EVENTS`; for tests.
    """
    if log_format == "auto":
        log_format = "console" if stream.isatty() else "json"
    render = _console(stream) if log_format == "console" else _json()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *([_checked] if strict else []),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # As text: the structured form would contain local variables, and logins.
            structlog.processors.format_exc_info,
            _redacted,
            _with_priority(render) if under_journal else render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=_LineWriter(stream).as_factory,
        cache_logger_on_first_use=False,
    )
    _route_libraries()


def is_under_journal(environ: Mapping[str, str], stream: TextIO) -> bool:
    """Return whether systemd connected this stream to the journal."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file behind the stream
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def redact(value: object) -> object:
    """Return a value safe to print: without secrets and logins in URLs."""
    match value:
        case None | bool() | int() | float():
            return value
        case logins.Secret():
            return MASK
        case Mapping():
            return {str(key): _field(str(key), item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redact(item) for item in value]
        case _:
            return _redact_text(str(value))


class _LineWriter:
    """The end of the chain: writes whole lines, and never fails its caller."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._lock = threading.Lock()

    def as_factory(self, *_names: object) -> "_LineWriter":
        return self

    def write(self, line: str) -> None:
        encoded = f"{line}\n".encode(self._encoding, "backslashreplace")
        # A full disk or a closed stream must not fail the job that logs.
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(encoded.decode(self._encoding))
            self._stream.flush()

    debug = info = warning = error = critical = write


class _LibraryLines(logging.Handler):
    """Passes log lines of libraries to structlog, so that they are redacted too.

    The text of an exception may contain an unreadable answer with a login: only the
    library's own message and the type of the exception are used.
    """

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        words = f"{record.msg} ({kind.__name__})" if kind else record.getMessage()
        structlog.get_logger().log(
            min(record.levelno // 10 * 10, logging.CRITICAL),
            "library.warned",
            logger=record.name,
            message=foreign_text.shorten(
                foreign_text.read(words), first=_MAX_LIBRARY_TEXT
            ),
        )


def _route_libraries() -> None:
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, _LibraryLines)]:
        root.removeHandler(handler)
    root.addHandler(_LibraryLines(logging.WARNING))


def _json() -> structlog.typing.Processor:
    return structlog.processors.JSONRenderer()


def _console(stream: TextIO) -> structlog.typing.Processor:
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty() and "NO_COLOR" not in os.environ,
        # Never rich's formatter, which prints local variables.
        exception_formatter=structlog.dev.plain_traceback,
    )


def _with_priority(render: structlog.typing.Processor) -> structlog.typing.Processor:
    def prefixed(logger: Any, name: str, line: structlog.typing.EventDict) -> str:
        prefix = f"<{PRIORITIES[line['level']]}>"
        return prefix + str(render(logger, name, line)).replace("\n", f"\n{prefix}")

    return prefixed


def _redacted(
    _logger: Any, _name: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    # Event and level come first, for readers of the journal.
    first = {key: line[key] for key in ("event", "level")}
    return {key: _field(key, value) for key, value in {**first, **line}.items()}


def _checked(
    _logger: Any, name: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    event = EVENTS.get(line["event"])
    if event is None:
        raise ValueError(f"log event {line['event']!r} is not in EVENTS")
    if name not in event.levels:
        raise ValueError(f"{line['event']} may not be logged as {name}")
    unknown = [key for key in line if key not in OWN_FIELDS and not event.allows(key)]
    if unknown:
        raise ValueError(f"{line['event']} has no fields {', '.join(unknown)}")
    return line


def _field(key: str, value: object) -> object:
    is_secret = not _SECRET_WORDS.isdisjoint(key.lower().split("_"))
    return MASK if is_secret else redact(value)


def _redact_text(text: str) -> str:
    if len(text) > _MAX_TEXT:
        text = f"{text[:_MAX_TEXT]}..."
    text = _USERINFO.sub(f"{MASK}@", text)
    text = _QUERY.sub(_without_query, text)
    return _AUTHORIZATION.sub(rf"\g<scheme>{MASK}", text)


def _without_query(found: re.Match[str]) -> str:
    return f"{found['url']}?{MASK}" if found["query"] else found["url"]
