"""JSON of other programs: auth configs, helpers, registries, token servers, the Engine.

JSON may contain values that the program cannot use: invalid Unicode, endless numbers, a
hundred thousand levels. All code of `core` and `adapters` parses with `load`, so its
results can be converted, compared, encoded and traversed.
"""

import json
from typing import Any, Final

MAX_DEPTH: Final = 64  # manifests, tokens and auth configs have fewer than ten levels
# Each value needs up to a hundred bytes of memory and three bytes in a document.
MAX_VALUES: Final = 200_000
MAX_DIGITS: Final = 20  # of the largest whole number of 64 bits


class MalformedJsonError(ValueError):
    """The content is unusable. The message has the reason, never the content."""


def load(content: bytes) -> Any:
    """Return the parsed JSON document.

    Raises:
        MalformedJsonError: It is not JSON in UTF-8, or exceeds the limits.
    """
    if sum(map(content.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise MalformedJsonError(f"it has more than {MAX_VALUES} values")
    try:
        text = content.decode()
        document = json.loads(
            text, parse_int=_whole, parse_float=_finite, parse_constant=_refuse
        )
    except MalformedJsonError:
        raise
    except ValueError:
        # Without the cause, which contains the content.
        raise MalformedJsonError("it is not valid JSON") from None
    except RecursionError:
        raise MalformedJsonError(f"it has more than {MAX_DEPTH} levels") from None
    # Only an escape can produce half of a pair; the bytes were decoded already.
    _check(document, may_have_halves="\\u" in text)
    return document


def _check(document: Any, *, may_have_halves: bool) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return
        if may_have_halves:
            _check_texts(level)
        level = [
            value
            for container in level
            if isinstance(container, dict | list)
            for value in _values(container)
            if may_have_halves or isinstance(value, dict | list)
        ]
    raise MalformedJsonError(f"it has more than {MAX_DEPTH} levels")


def _check_texts(values: list[Any]) -> None:
    for value in values:
        for text in value if isinstance(value, dict) else [value]:
            if isinstance(text, str) and not _is_unicode(text):
                raise MalformedJsonError("it contains a text that is not Unicode")


def _values(container: dict[str, Any] | list[Any]) -> list[Any]:
    return [*container.values()] if isinstance(container, dict) else container


def _is_unicode(text: str) -> bool:
    return text.isascii() or text.encode(errors="replace").decode() == text


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise MalformedJsonError(f"a number has more than {MAX_DIGITS} digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise MalformedJsonError("a number is too large")
    return number


def _refuse(_name: str) -> float:
    raise MalformedJsonError("it is not valid JSON")
