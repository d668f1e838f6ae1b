"""Sets of characters: algebra, the classes that have names, and case folding.

Categories come from `unicodedata`. Scripts are not in the standard library, so RE2 is asked which
characters of all there are it takes. Either costs a quarter of a second or more (measured), so it
happens once, when a pattern needs it.
Surrogates are never in a text that was decoded, so whether a set holds them makes no difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import groupby

from pipeline.language.regex.re2_library import find_all
from pipeline.language.regex.tree import CharRanges, PatternError

MAX_CHAR = 0x10FFFF
REPLACEMENT = 0xFFFD
"""What a byte counts as that is not part of valid UTF-8."""

ANY: CharRanges = ((0, MAX_CHAR),)
NOT_LINE_FEED: CharRanges = ((0, 9), (11, MAX_CHAR))

DIGIT: CharRanges = ((0x30, 0x39),)
SPACE: CharRanges = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
WORD: CharRanges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
PERL_CLASSES = {"d": DIGIT, "s": SPACE, "w": WORD}

POSIX_CLASSES: dict[str, CharRanges] = {
    "alnum": ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)),
    "alpha": ((0x41, 0x5A), (0x61, 0x7A)),
    "ascii": ((0x00, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "digit": DIGIT,
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "upper": ((0x41, 0x5A),),
    "word": WORD,
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}

CATEGORY_ALIASES = {
    "letter": "L",
    "uppercaseletter": "Lu",
    "lowercaseletter": "Ll",
    "titlecaseletter": "Lt",
    "modifierletter": "Lm",
    "otherletter": "Lo",
    "mark": "M",
    "combiningmark": "M",
    "nonspacingmark": "Mn",
    "spacingmark": "Mc",
    "enclosingmark": "Me",
    "number": "N",
    "decimalnumber": "Nd",
    "digit": "Nd",
    "letternumber": "Nl",
    "othernumber": "No",
    "punctuation": "P",
    "punct": "P",
    "connectorpunctuation": "Pc",
    "dashpunctuation": "Pd",
    "openpunctuation": "Ps",
    "closepunctuation": "Pe",
    "initialpunctuation": "Pi",
    "finalpunctuation": "Pf",
    "otherpunctuation": "Po",
    "symbol": "S",
    "mathsymbol": "Sm",
    "currencysymbol": "Sc",
    "modifiersymbol": "Sk",
    "othersymbol": "So",
    "separator": "Z",
    "spaceseparator": "Zs",
    "lineseparator": "Zl",
    "paragraphseparator": "Zp",
    "other": "C",
    "control": "Cc",
    "cntrl": "Cc",
    "format": "Cf",
    "surrogate": "Cs",
    "privateuse": "Co",
    "unassigned": "Cn",
}
CATEGORY_GROUPS = frozenset("LMNPSZC")
SCRIPT_NAME = re.compile(r"[A-Z][A-Za-z]*(_[A-Z][a-z]*)*")

ORBIT_END = 0x20000
"""No character above this has another case."""

NOT_FOLDED = frozenset({0x130, 0x131})
"""Dotted capital I and dotless small i: folding them depends on the language, so it is not done."""


def normalize_ranges(ranges: Iterable[tuple[int, int]]) -> CharRanges:
    """Return the same set with its ranges sorted and joined."""
    result: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(result[-1][1], high))
        else:
            result.append((low, high))
    return tuple(result)


def negate_ranges(ranges: CharRanges) -> CharRanges:
    """Return every character that is not in the set."""
    result: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if start < low:
            result.append((start, low - 1))
        start = high + 1
    if start <= MAX_CHAR:
        result.append((start, MAX_CHAR))
    return tuple(result)


def contains_char(ranges: CharRanges, char: int) -> bool:
    """Return whether the character is in the set."""
    return any(low <= char <= high for low, high in ranges)


@cache
def case_orbits() -> dict[int, tuple[int, ...]]:
    """Return, for every character that has other cases, all of them, ascending (simple folding)."""
    orbits: dict[int, set[int]] = {}
    for char in range(ORBIT_END):
        if char in NOT_FOLDED:
            continue
        text = chr(char)
        for other in (text.lower(), text.upper(), text.title(), text.casefold()):
            if len(other) == 1 and other != text:
                orbit = orbits.setdefault(char, {char}) | orbits.setdefault(ord(other), {ord(other)})
                for member in orbit:
                    orbits[member] = orbit
    return {char: tuple(sorted(orbit)) for char, orbit in orbits.items()}


def fold_char(char: int) -> tuple[int, ...]:
    """Return all cases of a character, itself too, ascending."""
    if char < 0x80 and not chr(char).isalpha():
        return (char,)
    return case_orbits().get(char, (char,))


@lru_cache(maxsize=256)
def fold_ranges(ranges: CharRanges) -> CharRanges:
    """Return the set together with all other cases of its characters."""
    if all(high < 0x41 or (low >= 0x5B and high < 0x61) or (low >= 0x7B and high < 0x80) for low, high in ranges):
        return ranges
    added: list[tuple[int, int]] = []
    for char, orbit in case_orbits().items():
        if contains_char(ranges, char):
            added.extend((other, other) for other in orbit)
    return normalize_ranges([*ranges, *added])


@lru_cache(maxsize=256)
def find_unicode_class(name: str) -> CharRanges | None:
    r"""Return the set that `\p{name}` stands for, or None when there is no such category or script.

    As in Go since 1.25, names may be long (`Letter`) and their case, spaces, `_` and `-` do not matter.
    """
    loose = "".join(char for char in name.lower() if char not in " _-")
    special = {"any": ANY, "ascii": POSIX_CLASSES["ascii"]}.get(loose)
    if special is not None:
        return special
    if loose == "assigned":
        return negate_ranges(unicode_categories()["Cn"])
    if loose in ("lc", "casedletter"):
        return unite_categories(("Lu", "Ll", "Lt"))
    category = CATEGORY_ALIASES.get(loose, loose.capitalize())
    if category in unicode_categories():
        return unicode_categories()[category]
    if category in CATEGORY_GROUPS:
        members = (member for member in unicode_categories() if member[0] == category and member != "Cn")
        return unite_categories(members)
    words = name.replace("-", "_").replace(" ", "_").split("_")
    for candidate in (name, "_".join(word.capitalize() for word in words)):
        if SCRIPT_NAME.fullmatch(candidate) and (ranges := find_script(candidate)) is not None:
            return ranges
    return None


@cache
def unicode_categories() -> dict[str, CharRanges]:
    """Return the characters of every two-letter category."""
    found: dict[str, list[tuple[int, int]]] = {}
    start = 0
    for category, run in groupby(map(unicodedata.category, map(chr, range(MAX_CHAR + 1)))):
        end = start + sum(1 for _ in run)
        found.setdefault(category, []).append((start, end - 1))
        start = end
    return {category: tuple(ranges) for category, ranges in found.items()}


def unite_categories(names: Iterable[str]) -> CharRanges:
    """Return the characters of several two-letter categories."""
    return normalize_ranges(pair for name in names for pair in unicode_categories()[name])


@lru_cache(maxsize=256)
def find_script(name: str) -> CharRanges | None:
    """Return the characters of a script that RE2 knows under this exact name."""
    found: list[tuple[int, int]] = []
    try:
        runs = find_all(rb"[\p{%s}]+" % name.encode(), all_characters())
    except PatternError:
        return None
    for run in runs:
        text = run.decode()
        found.append((ord(text[0]), ord(text[-1])))
    return normalize_ranges(found)


@cache
def all_characters() -> bytes:
    """Return every character in UTF-8, in order."""
    text = "".join(map(chr, range(0xD800))) + "".join(map(chr, range(0xE000, MAX_CHAR + 1)))
    return text.encode()
