"""Compiled searches: what is called with a subject, and returns a match or None.

Where one engine does it all, a search is a bound method of that engine with nothing around it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Protocol

from pipeline.language.patterns.byte_sets import is_partial
from pipeline.language.patterns.classes import fold_char
from pipeline.language.patterns.printing import BYTES, RE, UTF8, print_tree
from pipeline.language.patterns.proofs import find_hints, go_to_runs, has_no_word_edge, is_anchored
from pipeline.language.patterns.re2_library import MatchLike, compile_re2
from pipeline.language.patterns.repair import RepairedMatch, flatten_subject, repair
from pipeline.language.patterns.simplify import drop_captures, flatten, make_concat
from pipeline.language.patterns.tree import CharClass, Literal, Node, fold


class Match(Protocol):
    """A match: the text of group `index`, or None if it took no part."""

    def __getitem__(self, index: int, /) -> bytes | None: ...

    def groups(self) -> tuple[bytes | None, ...]: ...


Search = Callable[[bytes], Match | None]
Find = Callable[[bytes], MatchLike | None]


# By `re` -----------------------------------------------------------------------------------------------


def search_by_re(root: Node) -> Callable[..., re.Match[bytes] | None]:
    """Return the search by `re` alone; it can be told where to begin and end."""
    return read_by_re(root) if is_anchored(flatten(root)) else compile_re(print_for_re(root)).search


def read_by_re(root: Node) -> Callable[..., re.Match[bytes] | None]:
    """Return what tries the pattern at one place only: the beginning of the subject, or where it is told to."""
    pieces = flatten(root)
    return compile_re(print_for_re(make_concat(pieces[1:]) if is_anchored(pieces) else root)).match


def search_runs(root: Node) -> Search:
    """Return the search by `re` alone for a pattern that begins with a run of a set."""
    pieces, hints = go_to_runs(flatten(root))
    return compile_re(print_tree(make_concat(pieces), RE, hints)).match


def print_for_re(root: Node) -> bytes:
    return print_tree(root, RE, find_hints(root))


@lru_cache(maxsize=1024)
def compile_re(text: bytes) -> re.Pattern[bytes]:
    """Return the pattern for Python's engine, where the end of the subject is spelled `\\Z`."""
    return re.compile(text.replace(b"(?:\\z)", b"(?:\\Z)"), re.DOTALL)


# By RE2 ------------------------------------------------------------------------------------------------


def search_by_re2(root: Node) -> Search:
    """Return the search by RE2 alone."""
    search: Search = compile_re2(print_tree(root, BYTES), utf8=False).search
    return search


def find_then_read(root: Node) -> Search:
    """Return a search in two steps: RE2 finds where the match begins, and `re` reads its groups from there.

    RE2 takes 1.4 µs to find the match of a line of 200 bytes, and 5.8 µs when it has to read groups.
    """
    find: Find = compile_re2(print_tree(drop_captures(root, frozenset()), BYTES), utf8=False).search
    read = read_by_re(root)

    def search(subject: bytes) -> Match | None:
        found = find(subject)
        return None if found is None else read(subject, found.span(0)[0])

    return search


# Steps -------------------------------------------------------------------------------------------------


def search_in_turn(first: Search, second: Search) -> Search:
    """Return the search that goes on with `second` where `first` finds nothing."""

    def search(subject: bytes) -> Match | None:
        match = first(subject)
        return second(subject) if match is None else match

    return search


def find_nothing(_: bytes) -> None:
    """Search for what is nowhere."""


# Over characters ---------------------------------------------------------------------------------------


def search_characters(root: Node, find_ascii: Search) -> Search:
    """Return the search for subjects of any bytes, given the one for subjects that are ASCII."""
    if fold(root, has_no_word_edge) and not fold(root, tells_beyond_ascii):
        return FlatSearch(find_ascii, compile_re2(print_tree(root, BYTES), utf8=False).search)
    return Utf8Search(find_ascii, compile_re2(print_tree(root, UTF8), utf8=True).search)


def tells_beyond_ascii(node: Node, parts: list[bool]) -> bool:
    """Whether the pattern tells characters beyond ASCII from each other."""
    match node:
        case Literal(text=text, fold=folded):
            return any(ord(other) >= 0x80 for char in text for other in case_texts(char, folded=folded))
        case CharClass(ranges=ranges):
            return is_partial(ranges)
        case _:
            return any(parts)


def case_texts(char: str, *, folded: bool) -> Iterable[str]:
    return map(chr, fold_char(ord(char))) if folded else (char,)


class Utf8Search:
    """The search over characters. Subjects with invalid bytes, which are rare, go the long way.

    One line that is not ASCII makes its whole batch so; the others are spared (785 ns, not 3,090).
    """

    __slots__ = ("find", "find_ascii")

    def __init__(self, find_ascii: Search, find: Find) -> None:
        self.find_ascii = find_ascii
        self.find = find

    def __call__(self, subject: bytes) -> Match | None:
        if subject.isascii():
            return self.find_ascii(subject)
        try:
            subject.decode()
        except UnicodeDecodeError:
            repaired, offsets = repair(subject)
            match = self.find(repaired)
            return None if match is None else RepairedMatch(match, subject, offsets)
        return self.find(subject)


class FlatSearch:
    r"""The search over characters for a pattern with `\B` that takes all beyond ASCII alike.

    RE2 also finds a place without word edge between the bytes of a character. Here each character is
    one byte.
    """

    __slots__ = ("find", "find_ascii")

    def __init__(self, find_ascii: Search, find: Find) -> None:
        self.find_ascii = find_ascii
        self.find = find

    def __call__(self, subject: bytes) -> Match | None:
        if subject.isascii():
            return self.find_ascii(subject)
        flat, offsets = flatten_subject(subject)
        match = self.find(flat)
        return None if match is None else RepairedMatch(match, subject, offsets)
