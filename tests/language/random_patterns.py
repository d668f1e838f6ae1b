"""Random patterns and subjects, and what RE2 itself finds, for tests of the searches we make of a pattern."""

from __future__ import annotations

import re

import re2
from hypothesis import strategies as st

ASCII_ATOMS = (
    "a",
    "b",
    "1",
    " ",
    '"',
    "ab",
    r"\.",
    ".",
    "[ab]",
    "[^a]",
    '[^"]',
    r"\d",
    r"\S",
    r"\w",
    r"\s",
    "[a1]",
    r"\W",
)
OTHER_ATOMS = (
    "é",
    "ü",
    "[é-ü]",
    "[^é]",
    r"\n",
    "(?s:.)",
    "[[:alpha:]]",
    r"[\x{1f600}]",
    "(?i:k)",
    "(?i:aS)",
    "(?i:[^k])",
)
RARE_ATOMS = (r"\pL", r"[^\n]", r"[\x{fffd}]", r"[a\x{fffd}]")
ANCHORS = ("^", "$", r"\b", r"\B", "(?m:^)", "(?m:$)")
SUFFIXES = ("*", "+", "?", "*", "+", "{2}", "{1,2}", "{0,2}", "{2,}", "*?", "+?", "??", "{1,3}?")

ASCII_CHARS = 'ab1 ".k-:\nsA'
CHARS = (*ASCII_CHARS, "é", "ü", "\u212a", "\u017f", "\U0001f600", "\ufffd")
WILD_BYTES = b"\x80\xbf\xc3\xa9\xe4\xf0\x9f\xff\xc0\xed\xa0\xf4\x90"

LONE_SURROGATE = re.compile("[\udc80-\udcff]")


def atoms() -> st.SearchStrategy[str]:
    return st.sampled_from((*ASCII_ATOMS * 3, *OTHER_ATOMS, *RARE_ATOMS))


def extend(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return patterns made of smaller ones."""
    opening = st.sampled_from(("(", "(?:"))
    # RE2 is at odds with itself about repeats whose body prefers to match nothing, so a byte is in each body.
    repeated = st.builds("{}{}{}){}".format, opening, parts, st.sampled_from(ASCII_ATOMS), st.sampled_from(SUFFIXES))
    single = st.builds("{}{}".format, st.sampled_from(tuple(set(ASCII_ATOMS) - {"ab"})), st.sampled_from(SUFFIXES))
    choice = st.builds("{}{})".format, opening, st.lists(parts | st.just(""), min_size=2, max_size=3).map("|".join))
    row = st.lists(parts | single, min_size=2, max_size=4).map("".join)
    return st.one_of(row, single, repeated, choice, parts.map("({})".format), st.sampled_from(ANCHORS))


def patterns() -> st.SearchStrategy[str]:
    """Return patterns that RE2 reads as we do; none that pyre2 rewrites."""
    inner = st.recursive(atoms(), extend, max_leaves=10)
    return st.builds("{}{}{}".format, st.sampled_from(("", "", "^")), inner, st.sampled_from(("", "", "", "$")))


def ascii_subjects() -> st.SearchStrategy[bytes]:
    return st.text(st.sampled_from(ASCII_CHARS), max_size=12).map(str.encode)


def any_subjects() -> st.SearchStrategy[bytes]:
    """Return subjects with characters of all lengths, and bytes that are not valid UTF-8."""
    byte = st.sampled_from(WILD_BYTES).map(lambda code: bytes((code,)))
    return st.lists(st.sampled_from(CHARS).map(str.encode) | byte, max_size=10).map(b"".join)


def find_with_re2(pattern: str, subject: bytes, groups: int) -> list[bytes | None] | None:
    """Return the groups that RE2 finds, each byte that is not valid UTF-8 counting as U+FFFD."""
    text = subject.decode("utf-8", "surrogateescape")
    compiled = re2.compile(pattern, re2.ASCII)
    match = compiled.search(LONE_SURROGATE.sub("\ufffd", text))
    if match is None:
        return None
    spans = [match.span(group) for group in range(groups + 1)]
    return [None if start < 0 else text[start:end].encode("utf-8", "surrogateescape") for start, end in spans]
