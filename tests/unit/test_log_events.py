"""The list of log events, compared with the code and with its page."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import dokku_registryd
from dokku_registryd import logs
from dokku_registryd.core.status import log_events
from support import status_tables

PACKAGE = Path(dokku_registryd.__file__).parent
LOGGERS = {"log", "_log"}
NAMED = re.compile(r"\b_?log\b|\bget_logger\b")
"""What the text of a module has that logs: parsing all of them takes long."""
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


@dataclass(frozen=True)
class Line:
    """One call of a logger in the code."""

    place: str
    level: str
    event: ast.expr | None
    fields: tuple[str, ...]

    @property
    def name(self) -> str:
        """The event's name, empty if the code does not spell it out."""
        if isinstance(self.event, ast.Constant) and isinstance(self.event.value, str):
            return self.event.value
        return ""


def is_logger(node: ast.expr) -> bool:
    """Tell whether an expression is a logger: `log`, `self._log`, `log.bind(...)`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in LOGGERS
        case ast.Call(func=ast.Attribute(value=inner, attr="bind" | "unbind" | "new")):
            return is_logger(inner)
        case ast.Call(func=ast.Attribute(attr="get_logger")):
            return True
    return False


def lines_in(source: str, place: str) -> Iterator[Line]:
    """Give every call of a logger in a module."""
    if not NAMED.search(source):
        return
    tree = ast.parse(source)
    chosen = dict(chosen_methods(tree))
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=logger, attr=level)) if (
                level in LEVELS and is_logger(logger)
            ):
                levels = [level]
            case ast.Call(func=ast.Name(id=name)) if name in chosen:
                levels = chosen[name]
            case _:
                continue
        for level in levels:
            # `log.log(level, event)` has its event behind the level.
            arguments = node.args[1:] if level == "log" else node.args
            yield Line(
                place=f"{place}:{node.lineno}",
                level="error" if level == "exception" else level,
                event=arguments[0] if arguments else None,
                fields=tuple(word.arg for word in node.keywords if word.arg),
            )


def chosen_methods(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """Give variables that hold a logger's method, as in `write = log.info`."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                options = (
                    [value.body, value.orelse]
                    if isinstance(value, ast.IfExp)
                    else [value]
                )
                levels = [
                    option.attr
                    for option in options
                    if isinstance(option, ast.Attribute)
                    and option.attr in LEVELS
                    and is_logger(option.value)
                ]
                if levels:
                    yield name, levels


def loggers_in(source: str) -> Iterator[str]:
    """Give the name of every variable that a module gets a logger into."""
    if not NAMED.search(source):
        return
    for node in ast.walk(ast.parse(source)):
        match node:
            case (
                ast.Assign(targets=[target], value=ast.Call(func=function))
                | ast.AnnAssign(target=target, value=ast.Call(func=function))
            ) if ast.unparse(function) in {"structlog.get_logger", "get_logger"}:
                yield ast.unparse(target).rpartition(".")[2]


@pytest.fixture(scope="module")
def written() -> list[Line]:
    """Give every call of a logger in the package."""
    return [
        line
        for path in sorted(PACKAGE.rglob("*.py"))
        for line in lines_in(path.read_text(), str(path.relative_to(PACKAGE)))
    ]


def test_loggers_are_recognised() -> None:
    """Every logger has a name by which these tests find its lines."""
    names = {
        name for path in PACKAGE.rglob("*.py") for name in loggers_in(path.read_text())
    }

    assert names <= LOGGERS


def test_event_names_are_spelled_out(written: list[Line]) -> None:
    """No event name is computed, so a search for one finds it."""
    assert [line.place for line in written if not line.name] == []


def test_lines_are_listed(written: list[Line]) -> None:
    """Every line has a listed event, level and fields."""
    wrong = [
        f"{line.place} {line.level} {line.name} {', '.join(line.fields)}"
        for line in written
        if line.name and not is_listed(line)
    ]

    assert wrong == [], "core/status/log_events.py has no such event, level or field"


def is_listed(line: Line) -> bool:
    """Tell whether EVENTS allows a line."""
    event = logs.EVENTS.get(line.name)
    if event is None or line.level not in {*event.levels, "log"}:
        return False
    own = set(line.fields) - {"exc_info"}
    return all(event.allows(field) for field in own)


def test_listed_events_are_used(written: list[Line]) -> None:
    """No listed event is unused."""
    used = {line.name for line in written} | {"library.warned"}

    unused = [name for name in logs.EVENTS if name not in used]

    assert unused == [], "no line has these events of core/status/log_events.py"


def test_names_have_their_form() -> None:
    """An event is named by a noun and a past participle, at a level that exists."""
    irregular = {"lost", "kept", "rebuilt", "overtaken"}
    states = {"ready", "draining", "suspicious", "live", "incomplete", "silent"}
    for name, event in logs.EVENTS.items():
        noun, _, happened = name.partition(".")
        assert noun.isalpha(), name
        participle = happened.rpartition("_")[2]
        assert participle.endswith("ed") or participle in irregular | states, (
            f"{name}: not a noun and what happened to it, as in job.finished; another"
            " participle or a state has its place in this test"
        )
        assert set(event.levels) <= logs.PRIORITIES.keys(), name
        assert event.meaning.endswith("."), name


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('log.info("job.queued", app=1)', [("info", "job.queued", ("app",))]),
        ('self._log.exception("x.y")', [("error", "x.y", ())]),
        ('log.bind(a=1).warning("x.y", **more)', [("warning", "x.y", ())]),
        ('log.log(level, "x.y", b=1)', [("log", "x.y", ("b",))]),
        (
            'write = log.error if bad else log.info\nwrite("x.y", a=1)',
            [("error", "x.y", ("a",)), ("info", "x.y", ("a",))],
        ),
        ("log.info(name)", [("info", "", ())]),
        ('log.info(f"x.{y}")', [("info", "", ())]),
        ("log.info()", [("info", "", ())]),
        ('parser.error("x")', []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_scan(code: str, expected: list[tuple[str, str, tuple[str, ...]]]) -> None:
    """The scan sees each form in which this code logs."""
    found = [(line.level, line.name, line.fields) for line in lines_in(code, "")]

    assert found == expected


def test_page() -> None:
    """The page says what the list says: `make pages`."""
    page = status_tables.EVENTS.read_text()

    assert page == log_events.render(), "run make pages"
