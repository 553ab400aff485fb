"""Draws results.json as docs/performance.svg: pairs of bars, ours and the reference."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

from bench import figures

TARGET: Final = Path(__file__).parents[1] / "docs" / "performance.svg"
_WIDTH, _LEFT, _BAR = 860, 430, 300
_TOP, _STEP, _THICK = 44, 34, 11
_OURS, _THEIRS, _TEXT = "#1f6feb", "#b6bec9", "#57606a"
_FONT: Final = "font-family='system-ui, sans-serif' font-size='12'"


def draw() -> None:
    """Write the drawing."""
    rows = json.loads(figures.RESULTS.read_text())["rows"]
    compared = [row for row in rows if row["reference"]]
    height = _TOP + _STEP * len(compared) + 10
    size = f"width='{_WIDTH}' height='{height}' viewBox='0 0 {_WIDTH} {height}'"
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' {size} role='img' {_FONT}>",
        "<title>What a user waits for, and what the alternative takes</title>",
        f"<rect width='{_WIDTH}' height='{height}' fill='#ffffff'/>",
        *_legend(),
    ]
    for at, row in enumerate(compared):
        parts += _pair(row, _TOP + at * _STEP)
    TARGET.write_text("\n".join([*parts, "</svg>"]) + "\n")


def _legend() -> Iterator[str]:
    for x, colour, word in ((_LEFT, _OURS, "ours"), (_LEFT + 70, _THEIRS, "reference")):
        yield f"<rect x='{x}' y='14' width='11' height='11' fill='{colour}'/>"
        yield _text(x + 17, 24, word)
    yield _text(_LEFT + 160, 24, "(each pair on a scale of its own)")


def _pair(row: Mapping[str, Any], y: int) -> Iterator[str]:
    ours, theirs = row["ours"]["median"], row["reference"]["median"]
    most = max(ours, theirs)
    yield _text(_LEFT - 10, y + 15, row["name"], anchor="end")
    for offset, value, colour, what in (
        (0, ours, _OURS, ""),
        (_THICK + 1, theirs, _THEIRS, f" {row['reference_name']}"),
    ):
        width = max(1.0, _BAR * value / most)
        yield (
            f"<rect x='{_LEFT}' y='{y + offset}' width='{width:.1f}'"
            f" height='{_THICK}' fill='{colour}'/>"
        )
        label = f"{value:.3g}" if value < 1000 else f"{value:.0f}"  # noqa: PLR2004
        text = f"{label} {row['unit']}{what}"
        yield (
            f"<text x='{_LEFT + width + 6:.1f}' y='{y + offset + 10}' font-size='10'"
            f" fill='{_TEXT}'>{escape(text)}</text>"
        )


def _text(x: int, y: int, text: str, *, anchor: str = "start") -> str:
    return (
        f"<text x='{x}' y='{y}' text-anchor='{anchor}' fill='#24292f'>"
        f"{escape(text)}</text>"
    )


if __name__ == "__main__":
    draw()
