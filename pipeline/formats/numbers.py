"""Numbers as each format writes them, on top of FMT_G (`format_go_float`)."""

from __future__ import annotations

from math import isfinite

from pipeline.metrics import format_go_float, wrap_int64

JSON_FLOOR = 1e-6
JSON_LIMIT = 1e21
"""Go's JSON writes an exponent below the one and from the other on; so does ECMAScript."""


def format_sample(value: float | bytes) -> str:
    """Return a Prometheus sample value: FMT_G of the nearest double, 0 for a text.

    Negative zero is `0`, not the `-0` of FMT_G, because that is what mtail's client library writes.
    An Int that has outgrown 64 bits is wrapped.
    """
    if not value or isinstance(value, bytes):
        return "0"
    if isinstance(value, int):
        value = wrap_int64(value)
    return format_go_float(value)


def format_json_number(value: float) -> str:
    """Return a JSON value. NaN and the infinities, which JSON cannot write, are strings.

    mtail fails the whole document instead. A string says which one it was, and a reader that
    expects a number fails on that series only. An Int that has outgrown 64 bits is wrapped.
    """
    if isinstance(value, int):
        return str(wrap_int64(value))
    if not isfinite(value):
        return f'"{format_go_float(value)}"'
    if value == 0 or JSON_FLOOR <= abs(value) < JSON_LIMIT:
        return expand_float(value)
    return repr(value).replace("e-0", "e-")


def expand_float(value: float) -> str:
    """Return the shortest digits that round-trip, without an exponent and without a trailing `.0`.

    `repr` has an exponent below 1e-4 and from 1e16 on. There it has at most 17 digits, so what
    follows them are zeros: as many as the exponent says, not those of the exact value.
    """
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    mantissa, _, exponent = text.partition("e")
    sign = "-" if value < 0 else ""
    digits = mantissa.removeprefix("-").replace(".", "")
    point = 1 + int(exponent)
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return sign + digits.ljust(point, "0")
