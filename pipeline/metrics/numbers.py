"""Floats as Go writes them: the FMT_G of spec section 6.7.

Every layer that turns a Float into text (label values, conversions, formats) comes here.
Python's `repr` gives the same shortest digits that round-trip; only the form differs: Go goes over
to an exponent from 1e6 on, Python from 1e16 on, and Python keeps a trailing `.0`.
"""

from __future__ import annotations

from math import copysign, inf

PLAIN_LIMIT = 1e6
"""From this magnitude on an exponent is written."""
PLAIN_FLOOR = 1e-4
"""Below this magnitude an exponent is written."""


def format_go_float(value: float, exponent: str = "e") -> str:
    """Return `value` in FMT_G; `exponent` is the letter before the exponent, `e` or `E`.

    An int is taken as the nearest double. Whole numbers below a million come first because
    nearly every value of a scrape is one.
    """
    if -PLAIN_LIMIT < value < PLAIN_LIMIT:
        whole = int(value)
        if whole == value:
            return str(whole) if whole or copysign(1.0, value) > 0 else "-0"
        if not -PLAIN_FLOOR < value < PLAIN_FLOOR:
            return repr(value)
    return format_unusual(float(value), exponent)


def format_unusual(value: float, exponent: str) -> str:
    """Return FMT_G of a value that is not finite or needs an exponent."""
    if value != value:
        return "NaN"
    if value in (inf, -inf):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        return text.replace("e", exponent)
    sign = "-" if value < 0 else ""
    whole, _, fraction = text.removeprefix("-").partition(".")
    digits = (whole + fraction).rstrip("0")
    point = "." if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}{digits[1:]}{exponent}+{len(whole) - 1:02d}"
