"""What generated code may call: conversions, arithmetic, comparison and text, as spec sections 6.7, 7 and 9 say.

All text is bytes. An Int is a Python int within 64 bits, a Float is a double. A value that an
operation cannot take is a LineError; its text ends up in a log and on a page, so it shows the
guilty text shortened and printable.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final, Generic, NoReturn, TypeVar

from pipeline.errors import LineError
from pipeline.language.diagnostics import printable
from pipeline.metrics import format_go_float, wrap_int64

__all__ = [
    "Memo",
    "divide_float",
    "divide_int",
    "float_text",
    "format_float",
    "format_float_upper",
    "int_text",
    "lower_text",
    "modulo_float",
    "modulo_int",
    "order_numeric_first",
    "parse_float",
    "parse_int",
    "power_float",
    "power_int",
    "raise_no_match",
    "shift_left",
    "shift_right",
    "show_text",
    "strtol",
    "substitute",
    "wrap_int64",
]

Value = TypeVar("Value")

INT_MIN: Final = -(1 << 63)
INT_MAX: Final = (1 << 63) - 1
INT_SAFE_DIGITS: Final = 18
"""Every number of so many digits is within 64 bits."""

MAX_SHOWN_BYTES: Final = 60
MAX_MEMO_ENTRIES: Final = 4096
"""A few hundred kilobytes; label values that are more varied than this are an operator's problem anyway."""
MAX_MEMO_BYTES: Final = 32
"""A longer text is computed anew, so that a stranger's lines cannot fill our memory."""


def show_text(text: bytes) -> str:
    """Return `text` in backticks, shortened, with nothing in it that could drive a terminal."""
    if not text:
        return "an empty text"
    shown = printable(text[:MAX_SHOWN_BYTES].decode("utf-8", "replace"))
    return f"`{shown}…`" if len(text) > MAX_SHOWN_BYTES else f"`{shown}`"


class Memo(dict[bytes, Value], Generic[Value]):
    """Remembers what `compute` made of recent texts; `memo.__getitem__` is the function to call.

    A hit takes 22 ns over an empty call, where a Python function that looks at the text takes 53 ns at
    its best and 210 ns when it converts. When full it starts anew.
    """

    __slots__ = ("compute",)

    def __init__(self, compute: Callable[[bytes], Value]) -> None:
        super().__init__()
        self.compute = compute

    def __missing__(self, text: bytes) -> Value:
        value = self.compute(text)
        if len(text) <= MAX_MEMO_BYTES:
            if len(self) >= MAX_MEMO_ENTRIES:
                self.clear()
            self[text] = value
        return value


# Text to number ----------------------------------------------------------------------------------


def parse_int(text: bytes) -> int:
    """Return the Int that `text` spells: an optional sign and decimal digits, nothing else."""
    if len(text) <= INT_SAFE_DIGITS and text.isdigit():
        return int(text)
    return parse_digits(text, text, 10)


def parse_digits(text: bytes, body: bytes, base: int) -> int:
    """Return what `body`, an optional sign and digits that fit `base`, spells; `text` is for the message."""
    negative = body[:1] == b"-"
    digits = body[1:] if body[:1] in (b"-", b"+") else body
    # `int` also takes white space, underscores and prefixes such as `0x`.
    if not digits or digits.lower().strip(DIGITS[:base]):
        raise LineError(f"{show_text(text)} is not an integer" + ("" if base == 10 else f" in base {base}"))
    significant = digits.lstrip(b"0")
    # 64 bits take at most 64 digits, in base 2; a longer text must not reach `int`, whose time is quadratic.
    magnitude = int(significant or b"0", base) if len(significant) <= 64 else INT_MAX + 2
    value = -magnitude if negative else magnitude
    if not INT_MIN <= value <= INT_MAX:
        raise LineError(f"the integer {show_text(text)} does not fit in 64 bits")
    return value


DIGITS: Final = b"0123456789abcdefghijklmnopqrstuvwxyz"
MAX_BASE: Final = len(DIGITS)


def strtol(text: bytes, base: int) -> int:
    """Return the Int that `text` spells in `base`, which has no prefix: `0x1f` is not hexadecimal."""
    if not 2 <= base <= MAX_BASE:
        raise LineError(f"the base {base} of strtol is not between 2 and {MAX_BASE}")
    return parse_digits(text, text, base)


# How Go writes numbers: single underscores between digits (and after `0x`); a hexadecimal one needs its `p` exponent.
DECIMAL_DIGITS: Final = rb"(?:[0-9](?:_?[0-9])*+)"
HEX_DIGITS: Final = rb"(?:[0-9a-f](?:_?[0-9a-f])*+)"
DECIMAL_FLOAT: Final = re.compile(
    rb"[+-]?(?:D(?:\.D?)?|\.D)(?:e[+-]?D)?".replace(b"D", DECIMAL_DIGITS),
    re.IGNORECASE,
)
HEX_FLOAT: Final = re.compile(
    rb"[+-]?0x(?:_?H(?:\.H?)?|\.H)p[+-]?D".replace(b"H", HEX_DIGITS).replace(b"D", DECIMAL_DIGITS),
    re.IGNORECASE,
)
WORD_FLOAT: Final = re.compile(rb"[+-]?inf(?:inity)?|nan", re.IGNORECASE)


def parse_float(text: bytes) -> float:
    """Return the Float that `text` spells, by the rules of Go's ParseFloat."""
    value = read_float(text)
    if value is not None:
        return value
    if DECIMAL_FLOAT.fullmatch(text) or HEX_FLOAT.fullmatch(text):
        raise LineError(f"the number {show_text(text)} is too large for a Float")
    raise LineError(f"{show_text(text)} is not a number")


def read_float(text: bytes) -> float | None:
    """Return the Float that `text` spells, or None if it spells none or one that is too large."""
    try:
        value = float(text)
    except ValueError:
        return read_hex_float(text)
    # A finite value differs from Go's reading only by white space around it; `+nan` and overflow are errors in Go.
    if value - value == 0.0:
        return value if text[0] > 32 and text[-1] > 32 else None
    return value if WORD_FLOAT.fullmatch(text) else None


def read_hex_float(text: bytes) -> float | None:
    """Return the hexadecimal Float that `text` spells, such as `0x1.8p1`, or None."""
    if not HEX_FLOAT.fullmatch(text):
        return None
    try:
        return float.fromhex(text.replace(b"_", b"").decode("ascii"))
    except OverflowError:
        return None


# Number to text ----------------------------------------------------------------------------------


def format_float(value: float) -> bytes:
    """Return FMT_G: what a label, `string()` and a concatenation make of a Float."""
    return format_go_float(value).encode("ascii")


def format_float_upper(value: float) -> bytes:
    """Return FMT_G with a capital E: what text metrics, `=~` and text builtins make of a Float."""
    return format_go_float(value, "E").encode("ascii")


def compute_int_text(text: bytes) -> bytes:
    """Return the canonical text of the Int that `text` spells; nearly always that is `text` itself."""
    if text.isdigit() and text[0] != 48 and len(text) <= INT_SAFE_DIGITS:
        return text
    return b"%d" % parse_int(text)


def compute_float_text(text: bytes) -> bytes:
    """Return the canonical text of the Float that `text` spells."""
    return format_float(parse_float(text))


int_text: Final[Callable[[bytes], bytes]] = Memo(compute_int_text).__getitem__
"""What a label makes of a captured Int: `007` becomes `7`."""
float_text: Final[Callable[[bytes], bytes]] = Memo(compute_float_text).__getitem__
"""What a label makes of a captured Float: `12.80` becomes `12.8`."""


# Arithmetic --------------------------------------------------------------------------------------


def divide_int(left: int, right: int) -> int:
    """Return the quotient, truncated toward zero."""
    if right == 0:
        raise LineError(f"division of {left} by zero")
    if (left >= 0) == (right > 0):
        return wrap_int64(left // right)  # the smallest Int divided by -1 wraps to itself
    return -(-left // right)


def modulo_int(left: int, right: int) -> int:
    """Return the remainder, which has the sign of `left`."""
    if right == 0:
        raise LineError(f"remainder of {left} by zero")
    remainder = abs(left) % abs(right)
    return remainder if left >= 0 else -remainder


def power_int(left: int, right: int) -> int:
    """Return the power as doubles give it, truncated toward zero; the smallest Int if that is out of range."""
    value = power_float(float(left), float(right))
    return int(value) if INT_MIN <= value < INT_MAX else INT_MIN  # as a double INT_MAX is 2 ** 63


def divide_float(left: float, right: float) -> float:
    """Return the IEEE quotient: by zero it is infinite, or not a number."""
    try:
        return left / right
    except ZeroDivisionError:
        if left == 0.0 or left != left:
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)


def modulo_float(left: float, right: float) -> float:
    """Return C's fmod, which has the sign of `left`."""
    try:
        return math.fmod(left, right)
    except ValueError:  # an infinite dividend, or zero as divisor
        return math.nan


def power_float(left: float, right: float) -> float:
    """Return C's pow: no complex numbers, and what is too large is infinite."""
    try:
        return math.pow(left, right)
    except OverflowError:
        return -math.inf if left < 0.0 and is_odd(right) else math.inf
    except ValueError:  # zero to a negative power is infinite, a negative number to a fraction is nothing
        if left != 0.0:
            return math.nan
        return math.copysign(math.inf, left) if is_odd(right) else math.inf


def is_odd(value: float) -> bool:
    """Return whether `value` is an odd whole number."""
    return math.fmod(value, 2.0) in (1.0, -1.0)


MAX_SHIFT: Final = (1 << 31) - 2


def shift_left(value: int, count: int) -> int:
    """Return `value << count` in 64 bits; by 64 and more it is zero."""
    check_shift(count)
    return wrap_int64(value << count) if count < 64 else 0


def shift_right(value: int, count: int) -> int:
    """Return `value >> count`, filled with the sign."""
    check_shift(count)
    return value >> count


def check_shift(count: int) -> None:
    """Raise LineError for a count that no shift takes."""
    if not 0 <= count <= MAX_SHIFT:
        raise LineError(f"the shift count {count} is " + ("negative" if count < 0 else "too large"))


# Comparison --------------------------------------------------------------------------------------


def order_numeric_first(left: bytes, right: bytes) -> float:
    """Return -1, 0 or 1 for left before, equal to or after right; NaN if one is the number NaN.

    Both are compared as Floats if both read as such, as bytes otherwise (section 7.3).
    Generated code tests the result: `< 0`, `> 0`, `== 0`, `!= 0`, and, so that NaN comes out as the
    language has it, `not … > 0` for `<=` and `not … < 0` for `>=`.
    """
    first = read_float(left)
    second = None if first is None else read_float(right)
    if first is None or second is None:
        return (left > right) - (left < right)
    if first != first or second != second:
        return math.nan
    return (first > second) - (first < second)


def raise_no_match(name: str) -> NoReturn:
    """Say that the capture group `name`, without its dollar sign, has no value on this line."""
    raise LineError(f"the pattern of `${name}` was not tried or did not match on this line")


# Text --------------------------------------------------------------------------------------------


def substitute(old: bytes, new: bytes, text: bytes) -> bytes:
    """Return `text` with every `old` replaced; an empty `old` stands before every character and at the end."""
    if old or text.isascii():
        return text.replace(old, new)
    return new.join([b"", *(char.encode("utf-8", "surrogateescape") for char in split_characters(text)), b""])


def lower_text(text: bytes) -> bytes:
    """Return `text` with each character mapped to one lower-case character; an invalid byte becomes U+FFFD."""
    if text.isascii():
        return text.lower()
    # Python maps these two by the full rules: to two characters, and by what stands around it.
    chars = split_characters(text).replace("\u0130", "i").replace("\u03a3", "\u03c3").lower()
    return ESCAPED_BYTE.sub("\ufffd", chars).encode()


ESCAPED_BYTE: Final = re.compile("[\udc80-\udcff]")


def split_characters(text: bytes) -> str:
    """Return the characters of `text`; a byte that is part of none is a character of its own, a surrogate."""
    return text.decode("utf-8", "surrogateescape")
