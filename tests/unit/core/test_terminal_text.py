"""What reaches a terminal commands nothing there."""

import json

import pytest

from dokku_registryd.core.text import terminal_text

COMMANDS = "a\x1b]0;pwned\x07\x1b[2J\u009b\u202eb\u2066\u200f\x7f\ud800c"


def test_printable_commands_no_terminal() -> None:
    """Escape sequences, C1 and marks of direction are dropped; lines stay."""
    assert terminal_text.printable(COMMANDS) == "a]0;pwned[2Jbc"
    assert terminal_text.printable("ä\u00a0b\tc\nd") == "ä b c\nd"
    assert terminal_text.printable("a\r\nb") == "a\nb"


def test_json_keeps_what_it_says() -> None:
    """A document for a terminal means what it meant before."""
    document = json.dumps({"a": COMMANDS, "b": "wörd\U000e0001"}, ensure_ascii=False)

    shown = terminal_text.escaped(document)

    assert shown.isprintable()
    assert "wörd" in shown
    assert json.loads(shown) == json.loads(document)


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (0, "x" * 60),
        (60, "x" * 60),
        (59, f"{'x' * 55} ..."),
        (3, f"{'x' * 36} ..."),
    ],
)
def test_cut(columns: int, shown: str) -> None:
    """A line fits the terminal, if that is not too narrow to read anything."""
    assert terminal_text.cut("x" * 60, columns) == shown
