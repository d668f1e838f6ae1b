"""What a backslash in a pattern means, and what to write instead of one that means nothing here."""

from __future__ import annotations

from pipeline.language.regex.classes import (
    MAX_CHAR,
    PERL_CLASSES,
    find_unicode_class,
    fold_ranges,
    negate_ranges,
)
from pipeline.language.regex.tree import CharRanges, PatternError

CONTROLS = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
OCTAL = "01234567"

ESCAPE_HELP = {
    "B": "outside of the class, `\\B` is where no word begins or ends",
    "b": "a backspace is written `\\x08`",
    "C": "a pattern matches characters; write `.` or `(?s:.)`",
    "c": "write the character by its number, such as `\\x01`",
    "e": "write `\\x1b`",
    "E": "only `\\Q` begins what `\\E` ends",
    "G": "a search always begins at the start of the text; write `^`",
    "h": "write `[ \\t]`",
    "H": "write `[^ \\t]`",
    "K": "capture what follows in a group instead",
    "N": "write `.`",
    "Q": "write a backslash before each character instead",
    "R": "write `\\r?\\n`",
    "u": "write the character by its number, such as `\\x{20ac}`",
    "U": "write the character by its number, such as `\\x{20ac}`",
    "V": "write `[^\\n]`",
    "X": "write `.`, which is one character without its accents",
    "Z": "write `$`",
    "z": "outside of the class, `\\z` is the end of the text",
    "A": "outside of the class, `\\A` is the start of the text",
}


def read_escape(text: str, start: int) -> tuple[int, int]:
    """Return the character that the escape at `start` stands for, and where it ends."""
    if start + 1 >= len(text):
        raise PatternError(
            "a pattern cannot end with a backslash", start, start + 1, "a backslash itself is written `\\\\`"
        )
    char = text[start + 1]
    if char in CONTROLS:
        return ord(CONTROLS[char]), start + 2
    if char == "x":
        return read_hexadecimal(text, start)
    if char in OCTAL and (char == "0" or text[start + 2 : start + 3] in tuple(OCTAL)):
        end = start + 2
        while end < start + 4 and text[end : end + 1] in tuple(OCTAL):
            end += 1
        return int(text[start + 1 : end], 8), end
    if char.isascii() and not char.isalnum():
        return ord(char), start + 2
    if char.isdecimal() and char.isascii():
        raise PatternError(
            "backreferences are not part of the pattern language",
            start,
            start + 2,
            f"capture both texts and compare them; the character itself is written `\\x0{char}`",
        )
    escape = text[start : start + 2]
    advice = ESCAPE_HELP.get(char, f"write `{char}` without the backslash" if not char.isascii() else "")
    raise PatternError(f"`{escape}` has no meaning in a pattern", start, start + 2, advice)


def read_hexadecimal(text: str, start: int) -> tuple[int, int]:
    r"""Read `\x41` or `\x{10FFFF}`."""
    end = start + 4
    digits = text[start + 2 : end]
    if digits[:1] == "{":
        close = text.find("}", start)
        end = len(text) if close < 0 else close + 1
        digits = text[start + 3 : end - 1] if close >= 0 else ""
    elif len(digits) != 2:
        digits = ""
    if digits and all(digit in "0123456789abcdefABCDEF" for digit in digits) and int(digits, 16) <= MAX_CHAR:
        return int(digits, 16), end
    raise PatternError(
        f"`{text[start:end]}` is not a character",
        start,
        min(end, len(text)),
        "write two hexadecimal digits, `\\x41`, or up to `10ffff` in braces, `\\x{20ac}`",
    )


def read_class_escape(text: str, start: int, fold: bool) -> tuple[CharRanges, int] | None:
    r"""Read `\d`, `\pN`, `\p{Greek}` and the like; None when something else is at `start`."""
    if text[start : start + 1] != "\\" or start + 1 >= len(text):
        return None
    letter = text[start + 1]
    if letter in "pP":
        return read_unicode_class(text, start, fold)
    ranges = PERL_CLASSES.get(letter.lower())
    if ranges is None:
        return None
    ranges = fold_ranges(ranges) if fold else ranges
    return negate_ranges(ranges) if letter.isupper() else ranges, start + 2


def read_unicode_class(text: str, start: int, fold: bool) -> tuple[CharRanges, int]:
    end = start + 3
    name = text[start + 2 : end]
    if name == "{":
        close = text.find("}", start)
        if close < 0:
            raise PatternError(f"`{text[start:end]}` has no closing `}}`", start, end, "write `\\p{Greek}`")
        end = close + 1
        name = text[start + 3 : close]
    negated = text[start + 1] == "P"
    if name.startswith("^"):
        negated, name = not negated, name[1:]
    ranges = find_unicode_class(name)
    if ranges is None:
        raise PatternError(
            f"`{text[start:end]}` is not a class of characters",
            start,
            min(end, len(text)),
            "write a category, such as `\\pL` or `\\p{Lu}`, or a script, such as `\\p{Greek}`",
        )
    ranges = fold_ranges(ranges) if fold else ranges
    return negate_ranges(ranges) if negated else ranges, end
