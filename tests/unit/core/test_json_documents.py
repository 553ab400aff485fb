"""JSON that others wrote: what comes out can be used, all else is refused by name."""

import ast
import json
from pathlib import Path

import pytest

import dokku_registryd
from dokku_registryd.core.text import json_documents
from dokku_registryd.core.text.json_documents import MAX_DEPTH, MAX_DIGITS

PACKAGE = Path(dokku_registryd.__file__).parent


def nested(levels: int) -> bytes:
    """Return lists and objects in each other."""
    half = levels // 2
    return (
        b'[{"a":' * half + b"[]" * (levels % 2) + b"0" * (1 - levels % 2) + b"}]" * half
    )


@pytest.mark.parametrize(
    "text",
    [
        "null",
        '"\\ud83d\\ude00 and \\u00e9"',
        '{"é": [1, -2.5, true, {"😀": ""}]}',
        "9" * MAX_DIGITS,
        "-" + "9" * MAX_DIGITS,
        "1e300",
        nested(MAX_DEPTH).decode(),
    ],
)
def test_what_can_be_used(text: str) -> None:
    """Plain documents come out as any parser reads them."""
    assert json_documents.load(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not valid JSON"),
        (b"{", "it is not valid JSON"),
        (b"NaN", "it is not valid JSON"),
        (b'{"a": -Infinity}', "it is not valid JSON"),
        (b'"\xff"', "it is not valid JSON"),
        (b'"\xed\xa0\x80"', "it is not valid JSON"),
        ('{"a": 1}'.encode("utf-16"), "it is not valid JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "it is not valid JSON"),
        (b'"\\ud800"', "it contains a text that is not Unicode"),
        (b'{"a": [{"\\udc00": 1}]}', "it contains a text that is not Unicode"),
        (b'{"a": ["x", "\\udc00\\ud800"]}', "it contains a text that is not Unicode"),
        (b"9" * 401, f"a number has more than {MAX_DIGITS} digits"),
        (
            b"[-" + b"9" * 5000 + b"]",
            f"a number has more than {MAX_DIGITS} digits",
        ),
        (b"1e400", "a number is too large"),
        (nested(MAX_DEPTH + 1), f"it has more than {MAX_DEPTH} levels"),
        (b"[" * 100_000 + b"]" * 100_000, f"it has more than {MAX_DEPTH} levels"),
        (
            b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
            f"it has more than {MAX_DEPTH} levels",
        ),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_what_cannot_be_used(content: bytes, reason: str) -> None:
    """It is refused with the reason, which holds nothing of the content."""
    with pytest.raises(json_documents.MalformedJsonError) as caught:
        json_documents.load(content)

    assert str(caught.value) == reason


def test_nothing_reads_json_beside_it() -> None:
    """Every reader of the core and the adapters goes through these checks."""
    readers = {
        path.name
        for folder in ("core", "adapters")
        for path in (PACKAGE / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in {"load", "loads", "JSONDecoder"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "json"
    }

    assert readers == {"json_documents.py"}


@pytest.mark.parametrize("piece", [b"[],", b"{},", b"1,", b'"",'])
def test_a_document_of_very_many_values_is_refused_unread(piece: bytes) -> None:
    """Megabytes of brackets would become a hundred times as many bytes of memory."""
    content = b"[" + piece * json_documents.MAX_VALUES + b"1]"

    with pytest.raises(json_documents.MalformedJsonError, match="values"):
        json_documents.load(content)
