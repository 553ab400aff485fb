"""Numbers: their syntax in a template, and Go's output format."""

import math
import re
from decimal import Decimal

from dokku_registryd.core.gotemplate import quoting

_INTEGER = re.compile(
    r"(?P<sign>[+-]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<binary>[01]+)"
    r"|0[oO]?(?P<octal>[0-7]+)|(?P<decimal>0|[1-9][0-9]*))"
)
_BASES = {"hex": 16, "binary": 2, "octal": 8, "decimal": 10}
_DECIMAL_FLOAT = re.compile(r"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]+)?")
_HEX_FLOAT = re.compile(
    r"[+-]?0[xX](?:[0-9a-fA-F]++\.?[0-9a-fA-F]*+|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+"
)
_HEX_WITHOUT_SIGN = re.compile(r"0[xX][^pP]+")
_LOOKS_LIKE_FLOAT = re.compile(r"[.eEpP]")
_PREFIX = re.compile(r"([+-]?0)[xXbBoO]")
_STRAY_UNDERSCORE = re.compile(r"(?<![0-9])_|_(?![0-9])")
_STRAY_HEX_UNDERSCORE = re.compile(r"(?<![0-9a-fA-F])_|_(?![0-9a-fA-F])")
# Go parses each part without backtracking; an i at its start may become `Inf`.
_PART = (
    r"(?>[iI]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?))"
)
_COMPLEX = re.compile(rf"(?P<real>[+-]?{_PART})(?P<imaginary>[+-]{_PART})i")
_LAST_INT = 2**63 - 1
_LAST_UINT = 2**64 - 1
_MOST_DECIMALS = 20  # of the last uint64; Python itself refuses to read thousands

_PLAIN_EXPONENTS = range(-4, 6)
_MANTISSA_BITS = 53
_LEAST_EXPONENT = -1074
# A float64 has at most 767 significant digits; more would only take time.
_MOST_DIGITS = 800


def parse(text: str) -> int | float | complex | None:
    """Return a number's value; None if an `int` cannot represent it.

    Raises:
        QuotingError: It is not a valid number of a template.
    """
    imaginary = _parse_float(text[:-1]) if text.endswith("i") else None
    if imaginary is not None and math.isfinite(imaginary):
        return complex(0, imaginary)
    integer = _parse_integer(text)
    looks_like_float = bool(_LOOKS_LIKE_FLOAT.search(text))
    if integer is not None:
        if looks_like_float and not _HEX_WITHOUT_SIGN.fullmatch(text):
            return float(integer)
        return integer if integer <= _LAST_INT else None
    number = _parse_float(text)
    if number is None or not math.isfinite(number):
        quoted = quoting.quote_text(text)
        raise quoting.QuotingError(f"illegal number syntax: {quoted}")
    if not looks_like_float:
        raise quoting.QuotingError(f"integer overflow: {quoting.quote_text(text)}")
    return number


def parse_complex(text: str) -> complex:
    """Return the value of a sum such as `1+2i`.

    Raises:
        QuotingError: It is not such a sum.
    """
    found = _COMPLEX.fullmatch(text)
    if found is None:
        raise quoting.QuotingError("syntax error scanning complex number")
    parts = []
    for part in (found["real"], found["imaginary"]):
        number = _parse_float(part)
        if number is None or not math.isfinite(number):
            fault = "invalid syntax" if number is None else "value out of range"
            raise quoting.QuotingError(
                f"strconv.ParseFloat: parsing {quoting.quote_text(part)}: {fault}"
            )
        parts.append(number)
    return complex(*parts)


def format_float(value: float, verb: str, precision: int | None) -> str:
    """Return a number in Go's format for one of the verbs b e f g x, or their capitals.

    Args:
        value: A finite number.
        verb: The letter.
        precision: Digits, or None for as many as tell the number from all others.
    """
    sign = "-" if math.copysign(1, value) < 0 else ""
    size = abs(value)
    match verb.lower():
        case "b":
            text = _binary(size)
        case "x":
            text = _hexadecimal(size, precision)
        case "g" if precision is not None:
            text = f"{size:.{min(precision, _MOST_DIGITS)}g}"
        case _ if precision is not None:
            text = f"{size:.{precision}{verb.lower()}}"
        case lower:
            text = _shortest(size, lower)
    return sign + (text.upper() if verb.isupper() else text)


def _has_stray_underscore(text: str) -> bool:
    bare, has_prefix = _PREFIX.subn(r"\1", text, count=1)
    is_hex = bool(has_prefix) and text.lstrip("+-")[1:2] in {"x", "X"}
    pattern = _STRAY_HEX_UNDERSCORE if is_hex else _STRAY_UNDERSCORE
    return bool(pattern.search(bare))


def _parse_integer(text: str) -> int | None:
    if _has_stray_underscore(text):
        return None
    found = _INTEGER.fullmatch(text.replace("_", ""))
    if found is None or len(found["decimal"] or "") > _MOST_DECIMALS:
        return None
    number = next(
        int(found[name], base) for name, base in _BASES.items() if found[name]
    )
    number = -number if found["sign"] == "-" else number
    most = _LAST_INT if found["sign"] else _LAST_UINT
    return number if -_LAST_INT - 1 <= number <= most else None


def _parse_float(text: str) -> float | None:
    """Return the number, infinity if it is too large, None if it is invalid."""
    if _has_stray_underscore(text):
        return None
    bare = text.replace("_", "")
    if _DECIMAL_FLOAT.fullmatch(bare):
        return float(bare)
    if not _HEX_FLOAT.fullmatch(bare):
        return None
    try:
        return float.fromhex(bare)
    except OverflowError:
        return math.inf


def _shortest(size: float, verb: str) -> str:
    _, digits, exponent = Decimal(repr(size)).normalize().as_tuple()
    if not isinstance(exponent, int):
        raise TypeError(f"not finite: {size}")
    text = "".join(map(str, digits))
    leading = exponent + len(text) - 1 if size else 0
    if verb == "e" or (verb == "g" and leading not in _PLAIN_EXPONENTS):
        fraction = f".{text[1:]}" if text[1:] else ""
        return f"{text[0]}{fraction}e{leading:+03d}"
    return f"{Decimal(repr(size)).normalize():f}"


def _binary(size: float) -> str:
    _, exponent = math.frexp(size)
    exponent = max(exponent - _MANTISSA_BITS, _LEAST_EXPONENT) if size else -1074
    return f"{int(math.ldexp(size, -exponent))}p{exponent:+d}"


def _hexadecimal(size: float, precision: int | None) -> str:
    fraction, exponent = math.frexp(size)
    mantissa = int(math.ldexp(fraction, _MANTISSA_BITS))
    exponent = exponent - 1 if size else 0
    kept = (_MANTISSA_BITS - 1) // 4 if precision is None else precision
    dropped = _MANTISSA_BITS - 1 - 4 * kept
    if dropped > 0:
        mantissa = round(mantissa / 2**dropped)
        exponent += mantissa >> (4 * kept + 1)
        mantissa >>= mantissa >> (4 * kept + 1)
    else:
        mantissa <<= -dropped
    digits = f"{mantissa:0{kept + 1}x}"
    tail = digits[1:] if precision is not None else digits[1:].rstrip("0")
    return f"0x{digits[0]}{'.' if tail else ''}{tail}p{exponent:+03d}"
