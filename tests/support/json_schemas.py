"""The schemas of `--format json` (docs/schemas), and the page that shows them.

All JSON that a test reads from a verb is checked here, so an undocumented key or value
fails the test that comes across it first. `python -m support.json_schemas` renders the
tables of docs/json.md.
"""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema

DOCS: Final = Path(__file__).parents[2] / "docs"
FOLDER: Final = DOCS / "schemas"
PAGE: Final = DOCS / "json.md"
BEGIN: Final = "<!-- from docs/schemas -->\n"
VERBS: Final = tuple(sorted(path.stem for path in FOLDER.iterdir()))


@functools.cache
def load(verb: str) -> dict[str, Any]:
    """Return the schema of a verb's output."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{verb}.json").read_text())
    return loaded


def check(verb: str, document: object) -> None:
    """Fail unless a document has exactly the form that is documented for a verb."""
    _validator(verb).validate(document)


@functools.cache
def _validator(verb: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(load(verb))


def parse(verb: str, text: str) -> Any:
    """Return the output of a verb after checking it."""
    document = json.loads(text)
    check(verb, document)
    return document


def render() -> str:
    """Return the tables of docs/json.md."""
    return "\n".join("\n".join(_section(verb)) for verb in VERBS)


def _section(verb: str) -> Iterator[str]:
    schema = load(verb)
    yield f"## {verb}\n"
    yield f"{schema['description']} ([schema](schemas/{verb}.json))\n"
    yield "| key | type | meaning |"
    yield "|---|---|---|"
    yield from _rows(schema, "")
    yield ""


def _rows(schema: dict[str, Any], place: str) -> Iterator[str]:
    if "items" in schema:
        yield from _rows(schema["items"], f"{place}[]")
        return
    for name, part in schema.get("properties", {}).items():
        key = f"{place}.{name}" if place else name
        yield f"| `{key}` | {_type(part)} | {part['description']} |"
        yield from _rows(part, key)


def _type(part: dict[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(f"`{json.dumps(value)}`" for value in part["enum"])
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    items = f"array of {part['items']['type']}s" if "items" in part else ""
    return " or ".join(items if kind == "array" else kind for kind in kinds)


if __name__ == "__main__":
    text = PAGE.read_text()
    PAGE.write_text(text.partition(BEGIN)[0] + BEGIN + "\n" + render())
