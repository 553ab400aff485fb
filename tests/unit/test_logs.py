"""Log lines: their form for each reader, and what never stands in one."""

import io
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from dokku_registryd import logs
from dokku_registryd.core.auth import logins

PLANTED = "hunter2-planted"

Lines = Callable[..., list[dict[str, Any]]]


class Terminal(io.StringIO):
    """A stream that calls itself a terminal."""

    def isatty(self) -> bool:
        """Claim to be one."""
        return True


class FullDisk(io.StringIO):
    """A stream that takes nothing."""

    def write(self, text: str) -> int:
        """Refuse, as a full disk does."""
        raise OSError(28, "No space left on device")


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers = root.handlers[:]
    yield
    root.handlers[:] = handlers
    structlog.reset_defaults()


@pytest.fixture
def lines() -> Lines:
    """Configure JSON lines, log by a function, return what was written."""

    def written(
        log_it: Callable[[Any], object], **options: Any
    ) -> list[dict[str, Any]]:
        stream = io.StringIO()
        defaults = {"log_format": "json", "level": "debug", "under_journal": False}
        logs.configure(stream=stream, **{**defaults, **options})
        log_it(structlog.get_logger())
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    return written


def test_json_line(lines: Lines) -> None:
    """A line has event, level, UTC time and its fields."""
    (line,) = lines(lambda log: log.info("job.queued", app="web"), strict=True)

    timestamp = line.pop("timestamp")
    assert line == {"event": "job.queued", "level": "info", "app": "web"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", timestamp)


def test_level(lines: Lines) -> None:
    """What lies below the level is not written."""

    def log_it(log: Any) -> None:
        log.info("job.queued")
        log.warning("engine.lost", error="x")

    assert [line["event"] for line in lines(log_it, level="warning")] == ["engine.lost"]


@pytest.mark.parametrize(
    ("log_format", "stream", "is_json"),
    [
        ("auto", io.StringIO, True),
        ("auto", Terminal, False),
        ("console", io.StringIO, False),
        ("json", Terminal, True),
    ],
    ids=["auto-pipe", "auto-terminal", "console-pipe", "json-terminal"],
)
def test_format(log_format: str, stream: type[io.StringIO], is_json: bool) -> None:
    """People on a terminal get the console form unless they ask otherwise."""
    target = stream()
    logs.configure(
        log_format=log_format, level="info", stream=target, under_journal=False
    )

    structlog.get_logger().info("job.queued", app="web")

    assert target.getvalue().startswith("{") == is_json
    assert "job.queued" in target.getvalue()


@pytest.mark.parametrize(
    ("level", "prefix"),
    [
        ("debug", "<7>"),
        ("info", "<6>"),
        ("warning", "<4>"),
        ("error", "<3>"),
        ("critical", "<2>"),
    ],
)
def test_priority_for_the_journal(level: str, prefix: str) -> None:
    """Under journald each line begins with its priority."""
    stream = io.StringIO()
    logs.configure(log_format="json", level="debug", stream=stream, under_journal=True)

    getattr(structlog.get_logger(), level)("some.event")

    assert stream.getvalue().startswith(prefix + '{"event": "some.event"')


def test_priority_on_every_line_of_a_traceback() -> None:
    """A line that is printed over several lines keeps its priority on each."""
    stream = io.StringIO()
    logs.configure(
        log_format="console", level="info", stream=stream, under_journal=True
    )

    try:
        int("no number")
    except ValueError:
        structlog.get_logger().exception("job.finished")

    written = stream.getvalue().splitlines()
    assert len(written) > 2
    assert all(line.startswith("<3>") for line in written)


def test_journal_is_recognised(tmp_path: Path) -> None:
    """JOURNAL_STREAM must name the very stream that is written to."""
    with (tmp_path / "log").open("w") as stream:
        status = os.fstat(stream.fileno())
        own = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        other = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"}

        assert logs.is_under_journal(own, stream)
        assert not logs.is_under_journal(other, stream)
        assert not logs.is_under_journal({}, stream)
    assert not logs.is_under_journal(own, io.StringIO())


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_traceback_has_no_values(log_format: str) -> None:
    """A traceback is printed without the values of local variables."""
    stream = Terminal()
    logs.configure(
        log_format=log_format, level="info", stream=stream, under_journal=False
    )

    def fail(password: str) -> None:
        raise ValueError(f"{len(password)} letters")

    try:
        fail(PLANTED)
    except ValueError:
        structlog.get_logger().exception("job.finished")

    assert "15 letters" in stream.getvalue()
    assert "Traceback" in stream.getvalue()
    assert PLANTED not in stream.getvalue()


@pytest.mark.parametrize(
    "field",
    [
        {"value": logins.Secret(PLANTED)},
        {"value": [logins.Secret(PLANTED)]},
        {"value": {"inner": {"password": PLANTED}}},
        {"value": logins.AuthConfig(domain="r", password=logins.Secret(PLANTED))},
        {"password": PLANTED},
        {"secret": PLANTED},
        {"identity_token": PLANTED},
        {"auth": PLANTED},
        {"auth_config": {"x": PLANTED}},
        {"Authorization": PLANTED},
        {"error": f"Get https://ci:{PLANTED}@r.example/v2/: EOF"},
        {"error": f"PUT https://r.example/v2/x?_state={PLANTED}&digest=1: 500"},
        {"error": f"sent Authorization: Bearer {PLANTED}-and-more"},
        {"error": ValueError(f"https://{PLANTED}@r.example/")},
    ],
    ids=lambda field: "-".join(field) + f"-{type(next(iter(field.values()))).__name__}",
)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_secret_in_a_field(field: dict[str, Any], log_format: str) -> None:
    """No form of a secret that is handed to a logger is written."""
    stream = io.StringIO()
    logs.configure(
        log_format=log_format, level="info", stream=stream, under_journal=False
    )

    structlog.get_logger().info("some.event", **field)

    assert "some.event" in stream.getvalue()
    assert "***" in stream.getvalue()
    assert PLANTED not in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "r.example:5000/org/web:3@sha256:" + "a" * 64,
        "https://r.example/v2/org/web/manifests/3",
        "no basic auth credentials",
        'Bearer realm="https://auth.example/token"',
    ],
    ids=["reference", "url", "prose", "challenge"],
)
def test_harmless_text(text: str) -> None:
    """What holds no secret is written as it is."""
    assert logs.redact(text) == text


@pytest.mark.parametrize(
    ("level", "event"),
    [("warning", "library.warned"), ("error", "library.warned"), ("info", None)],
)
def test_library_lines(lines: Lines, level: str, event: str | None) -> None:
    """Libraries are heard from warning on, in our form and redacted."""

    def log_it(_log: Any) -> None:
        logger = logging.getLogger("urllib3.connectionpool")
        getattr(logger, level)("retrying %s", f"https://ci:{PLANTED}@r.example/")

    written = lines(log_it, strict=True)

    assert [line["event"] for line in written] == ([event] if event else [])
    for line in written:
        assert line["level"] == level
        assert line["logger"] == "urllib3.connectionpool"
        assert line["message"] == "retrying https://***@r.example/"


def test_what_a_library_could_not_read_is_left_out(lines: Lines) -> None:
    """A header that is none may repeat a login, so only its kind of error is told."""

    def log_it(_log: Any) -> None:
        error = ValueError(f"unparsed data: {PLANTED}")
        logging.getLogger("urllib3.connectionpool").warning(
            "Failed to parse headers (url=%s): %s", "x", error, exc_info=error
        )

    (line,) = lines(log_it, strict=True)

    assert line["message"] == "Failed to parse headers (url=%s): %s (ValueError)"
    assert PLANTED not in json.dumps(line)


def test_a_line_of_a_library_is_short(lines: Lines) -> None:
    """However long a text is that a library passes on, a line of the log is not."""
    written = lines(lambda _: logging.getLogger("urllib3").warning("a\x1b" * 60_000))

    assert len(json.dumps(written[0])) < 500
    assert "\x1b" not in written[0]["message"]


def test_configured_twice(lines: Lines) -> None:
    """A second configuration replaces the first; nothing is written twice."""
    lines(lambda log: log)

    written = lines(lambda _: logging.getLogger("docker").warning("x"))

    assert len(written) == 1


@pytest.mark.parametrize(
    ("level", "event", "fields"),
    [
        ("info", "job.invented", {}),
        ("info", "job.queued", {"colour": "red"}),
        ("error", "job.queued", {}),
    ],
    ids=["event", "field", "level"],
)
def test_strict(lines: Lines, level: str, event: str, fields: dict[str, str]) -> None:
    """Strictly, a line that EVENTS does not know is refused; else it is written."""

    def log_it(log: Any) -> None:
        getattr(log, level)(event, **fields)

    with pytest.raises(ValueError, match=re.escape(event)):
        lines(log_it, strict=True)
    assert len(lines(log_it)) == 1


def test_context_on_any_line(lines: Lines) -> None:
    """What a line is about may be bound once and stand on every line."""

    def log_it(log: Any) -> None:
        log.bind(job_id="1", app="web", reference="r/x:1").info("daemon.reloaded")

    assert lines(log_it, strict=True)[0]["app"] == "web"


def test_stream_fails() -> None:
    """A log that cannot be written does not fail the job that logs."""
    logs.configure(
        log_format="json", level="info", stream=FullDisk(), under_journal=False
    )

    structlog.get_logger().info("job.queued")


def test_text_outside_unicode() -> None:
    """A file name outside UTF-8 is written escaped."""
    stream = io.StringIO()
    logs.configure(
        log_format="console", level="info", stream=stream, under_journal=False
    )

    structlog.get_logger().warning("trigger.rejected", file="a\udcffb")

    assert "a\\udcffb" in stream.getvalue()
