"""Prints one value by one directive, as https://pkg.go.dev/fmt describes.

Texts are decoded bytes (see `quoting`), so that widths count characters.
"""

from dataclasses import dataclass, replace

from dokku_registryd.core.gotemplate import budget, numbers, quoting, values
from dokku_registryd.core.gotemplate.values import Value

_BASES = {"b": "b", "o": "o", "O": "o", "x": "x", "X": "X", "d": "d", "v": "d"}
_PREFIXES = {"b": "0b", "o": "0", "O": "0", "x": "0x", "X": "0X"}
_FLOAT_VERBS = "beEfFgGxXv"
_SIX_DIGITS = 6
_LEAST_CODE_DIGITS = 4
_UINT_SIZE = 2**64


@dataclass(frozen=True, slots=True)
class Directive:
    """One `%` of a format: flags, width, precision and the verb.

    `%#v` and `%+v` have flags of their own, because `#` and `+` mean something else
    in the complaint about a verb that does not fit.
    """

    verb: str = "v"
    flags: frozenset[str] = frozenset()
    width: int = 0
    precision: int | None = None


GO_SYNTAX = "%#v"
FIELD_NAMES = "%+v"
_PLAIN = Directive()


def print_one(value: Value) -> bytes:
    """Return a value as an action prints it."""
    return values.NO_VALUE if value is None else join((value,))


def join(given: tuple[Value, ...]) -> bytes:
    """Return values as `print` does: a blank only between two that are no strings."""
    parts: list[str] = []
    for position, value in enumerate(given):
        is_text = isinstance(value, bytes)
        if position and not is_text and not isinstance(given[position - 1], bytes):
            parts.append(" ")
        parts.append(show(value, _PLAIN))
    return quoting.restore("".join(parts))


def join_line(given: tuple[Value, ...]) -> bytes:
    """Return values as `println` does."""
    line = " ".join(show(value, _PLAIN) for value in given)
    return quoting.restore(f"{line}\n")


def show(value: Value, directive: Directive) -> str:
    """Return a value in the form that a directive asks for.

    Raises:
        LimitError: The form is too long.
    """
    budget.check_length(directive.width)
    if directive.verb in "pw":
        return _complain(value, directive)
    if directive.verb == "T" and value is not None:
        value, directive = values.type_name(value).encode(), _as_string(directive)
    match value:
        case None | bool():
            return _word(value, directive)
        case bytes():
            return _string(quoting.decode(value), directive)
        case int() | values.Byte():
            return _integer(value, directive)
        case float() | complex():
            return _number(value, directive)
        case values.Data():
            return _data(value, directive)


def name_and_show(value: Value, directive: Directive = _PLAIN) -> str:
    """Return a value with its type, as error texts quote it."""
    if value is None:
        return "<nil>"
    return f"{values.type_name(value)}={show(value, replace(directive, verb='v'))}"


def _as_string(directive: Directive) -> Directive:
    return replace(directive, verb="s")


def _complain(value: Value, directive: Directive) -> str:
    return f"%!{directive.verb}({name_and_show(value, directive)})"


def _pad(text: str, directive: Directive) -> str:
    if "-" in directive.flags:
        return text.ljust(directive.width)
    return text.rjust(directive.width, "0" if "0" in directive.flags else " ")


def _word(value: bool | None, directive: Directive) -> str:  # noqa: FBT001
    word, verbs = "<nil>", "vT"
    if value is not None:
        word, verbs = "true" if value else "false", "vt"
    if directive.verb not in verbs:
        return _complain(value, directive)
    return _pad(word, directive)


def _data(value: values.Data, directive: Directive) -> str:
    shown = [(name, show(field, directive)) for name, field in value.fields]
    named = [f"{name}:{text}" for name, text in shown]
    if GO_SYNTAX in directive.flags:
        return f"{values.type_name(value)}{{{', '.join(named)}}}"
    parts = named if FIELD_NAMES in directive.flags else [text for _, text in shown]
    return f"{{{' '.join(parts)}}}"


def _string(text: str, directive: Directive) -> str:
    is_go_syntax = GO_SYNTAX in directive.flags
    match directive.verb:
        case "x" | "X":
            return _pad(_hexadecimal(text, directive), directive)
        case "s" | "v" if not is_go_syntax:
            return _pad(text[: directive.precision], directive)
        case "q" | "v":
            return _pad(_quoted(text[: directive.precision], directive), directive)
    return _complain(quoting.restore(text), directive)


def _hexadecimal(text: str, directive: Directive) -> str:
    content = quoting.restore(text)[: directive.precision]
    prefix = f"0{directive.verb}" if "#" in directive.flags and content else ""
    if " " in directive.flags:
        digits = f" {prefix}".join(f"{byte:02x}" for byte in content)
    else:
        digits = content.hex()
    return prefix + (digits.upper() if directive.verb == "X" else digits)


def _quoted(text: str, directive: Directive) -> str:
    if "#" in directive.flags and quoting.can_be_raw(text):
        return f"`{text}`"
    return quoting.quote_text(text, only_ascii="+" in directive.flags)


def _integer(value: int | values.Byte, directive: Directive) -> str:
    number = value.value if isinstance(value, values.Byte) else value
    match directive.verb:
        case "v" if isinstance(value, values.Byte) and GO_SYNTAX in directive.flags:
            flags = directive.flags | {"#"}
            return _digits(number, replace(directive, verb="x", flags=flags))
        case "c":
            return _pad(values.character(number), directive)
        case "q":
            only_ascii = "+" in directive.flags
            shown = values.character(number)
            return _pad(
                quoting.quote_text(shown, mark="'", only_ascii=only_ascii), directive
            )
        case "U":
            return _code_point(number, directive)
        case verb if verb in _BASES:
            return _digits(number, directive)
    return _complain(value, directive)


def _digits(number: int, directive: Directive) -> str:
    flags, verb = directive.flags, directive.verb
    sign = "-" if number < 0 else _sign(flags)
    least = directive.precision
    if least is None:
        is_filled = "0" in flags and "-" not in flags
        least = directive.width - len(sign) if is_filled else 0
    elif least == 0 == number:
        return " " * directive.width
    budget.check_length(least)
    digits = f"{abs(number):{_BASES[verb]}}".rjust(least, "0")
    if "#" in flags:
        is_marked = verb in "oO" and digits.startswith("0")
        digits = ("" if is_marked else _PREFIXES.get(verb, "")) + digits
    if verb == "O":
        digits = f"0o{digits}"
    return _pad(sign + digits, replace(directive, flags=flags - {"0"}))


def _sign(flags: frozenset[str]) -> str:
    if "+" in flags:
        return "+"
    return " " if " " in flags else ""


def _code_point(number: int, directive: Directive) -> str:
    least = max(directive.precision or 0, _LEAST_CODE_DIGITS)
    budget.check_length(least)
    text = f"U+{number % _UINT_SIZE:0{least}X}"
    shown = values.character(number)
    is_character = number >= 0 and ord(shown) == number
    if "#" in directive.flags and is_character and shown.isprintable():
        text += f" '{shown}'"
    return _pad(text, replace(directive, flags=directive.flags - {"0"}))


def _number(value: complex, directive: Directive) -> str:
    if directive.verb not in _FLOAT_VERBS:
        return _complain(value, directive)
    if isinstance(value, float):
        return _float(value, directive)
    with_sign = replace(directive, flags=directive.flags | {"+"})
    real, imaginary = _float(value.real, directive), _float(value.imag, with_sign)
    return f"({real}{imaginary}i)"


def _float(value: float, directive: Directive) -> str:
    flags = directive.flags
    verb = {"v": "g", "F": "f"}.get(directive.verb, directive.verb)
    precision = directive.precision
    if precision is None and verb in "eEf":
        precision = _SIX_DIGITS
    budget.check_length(precision or 0)
    text = numbers.format_float(value, verb, precision)
    is_negative = text.startswith("-")
    sign, size = ("-", text[1:]) if is_negative else (_sign(flags), text)
    if "#" in flags and verb != "b":
        size = _with_point(size, verb, directive.precision)
    if "0" in flags and "-" not in flags:
        size = size.rjust(directive.width - len(sign), "0")
    return _pad(sign + size, directive)


def _with_point(size: str, verb: str, precision: int | None) -> str:
    """Add the point and the zeros that `#` asks for."""
    mark = "p" if verb in "xX" else "e"
    at = size.lower().find(mark)
    mantissa, tail = (size, "") if at < 0 else (size[:at], size[at:])
    wanted = _SIX_DIGITS if precision is None else precision
    wanted = wanted if verb in "gGx" else 0
    # As Go counts: a leading zero only where it is alone, and the x of a prefix.
    digits = len(mantissa.replace(".", "").lstrip("0")) or int(mantissa == "0")
    point = "" if "." in mantissa else "."
    return f"{mantissa}{point}{'0' * (wanted - digits)}{tail}"
