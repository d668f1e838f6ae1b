"""How a pattern is searched: which engine runs it, why, and what it is given.

Four engines (measured on 79-byte lines): none, if the pattern always matches; a test for a literal
(130 ns); Python's `re` where it is proved linear (110 to 220 ns); RE2 (220 to 450 ns).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Protocol

from pipeline.language.patterns.ambiguity import prove_unambiguous
from pipeline.language.patterns.branches import concatenate
from pipeline.language.patterns.byte_sets import is_partial
from pipeline.language.patterns.classes import fold_char
from pipeline.language.patterns.exactness import is_byte_exact
from pipeline.language.patterns.linearity import Prover, UnprovedError
from pipeline.language.patterns.literals import Required, required_of
from pipeline.language.patterns.printing import BYTES, UTF8, print_tree
from pipeline.language.patterns.re2_library import MatchLike, compile_re2
from pipeline.language.patterns.repair import RepairedMatch, flatten_subject, repair
from pipeline.language.patterns.tree import (
    Alternate,
    Anchor,
    Assertion,
    Capture,
    CharClass,
    Concat,
    Empty,
    Literal,
    Node,
    Regex,
    Repeat,
    fold,
)

MAX_PROVED_HEIGHT = 60
"""The proof and the compiler of `re` work by recursion; nobody writes patterns so deep."""
MIN_GUARD_BYTES = 3
"""A shorter literal is in nearly every line, so that a test for it only costs."""


class Engine(Enum):
    """What searches for a pattern. The value is its name in `explain`."""

    NONE = "none"
    LITERAL = "literal"
    RE = "re"
    RE2 = "RE2"


class Match(Protocol):
    """A match: the text of group `index`, or None if it took no part."""

    def __getitem__(self, index: int, /) -> bytes | None: ...


Search = Callable[[bytes], Match | None]


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """How one pattern is searched, given the groups that are read.

    `never`: no subject matches. `literal`: for the engine of that name, how to test (`in`,
    `startswith`, `endswith` or `equals`) and for what. `guard`: a text that every match holds, worth
    a test before the search. `group_index`: where in a match a wanted group is. `reads_with_re`: RE2
    only finds where the match begins, because it is slow at groups, and `re` reads them.
    """

    engine: Engine
    reason: str
    root: Node
    never: bool = False
    literal: tuple[str, bytes] | None = None
    guard: bytes | None = None
    group_index: dict[int, int] = field(default_factory=dict)
    reads_with_re: bool = False

    def compile_ascii(self) -> Search:
        """Return the search for subjects that are ASCII."""
        return compile_bytes(self.root, backtracks=self.engine is Engine.RE, reads_with_re=self.reads_with_re)

    def compile_utf8(self) -> Search:
        """Return the search for subjects of any bytes."""
        if self.root.height <= MAX_PROVED_HEIGHT and is_byte_exact(self.root):
            return self.compile_ascii()
        if fold(self.root, has_no_word_edge) and not fold(self.root, tells_beyond_ascii):
            return FlatSearch(self.compile_ascii(), compile_re2(print_tree(self.root, BYTES), utf8=False).search)
        return Utf8Search(self.compile_ascii(), compile_re2(print_tree(self.root, UTF8), utf8=True).search)


def plan_search(regex: Regex, wanted: frozenset[int]) -> SearchPlan:
    """Return how to search for a pattern of which the groups in `wanted` (0 is the match) are read."""
    pieces = trim_pieces(flatten(drop_captures(regex.root, wanted)), wanted)
    root = make_concat(pieces)
    index = {number: place for place, number in enumerate(sorted(wanted | {0}))}
    if is_impossible(pieces):
        return SearchPlan(Engine.RE2, "nothing can match it", root, never=True, group_index=index)
    if not wanted and is_certain(pieces):
        return SearchPlan(Engine.NONE, "it always matches", root)
    literal = None if wanted else find_literal(pieces)
    if literal is not None:
        return SearchPlan(Engine.LITERAL, "it is a plain text", root, literal=literal)
    required = required_of(root)
    guard = find_guard(required)
    try:
        prove_linear(root, pieces)
    except UnprovedError as error:
        compile_re2(print_tree(root, BYTES), utf8=False)
        reads = bool(wanted) and is_linear_from_place(root)
        reason = f"{error}; `re` reads the groups from where RE2 finds the match" if reads else str(error)
        return SearchPlan(Engine.RE2, reason, root, guard=guard, group_index=index, reads_with_re=reads)
    guard = None if len(required.begin) >= MIN_GUARD_BYTES else guard
    return SearchPlan(Engine.RE, "backtracking is proved bounded", root, guard=guard, group_index=index)


def prove_readable(root: Node) -> None:
    """Raise UnprovedError unless `re` reads the pattern as the language does, and the proofs can walk it."""
    if root.height > MAX_PROVED_HEIGHT:
        raise UnprovedError("it is nested too deep")
    if fold(root, has_no_word_edge):
        raise UnprovedError(r"`re` reads `\B` in another way")


def prove_linear(root: Node, pieces: Sequence[Node]) -> None:
    """Raise UnprovedError unless `re` searches for the pattern in linear time, with the same result."""
    prove_readable(root)
    prover = Prover(root)
    try:
        prover.prove()
        if pieces and not is_anchored(pieces):
            prover.check_restarts(pieces)
    except UnprovedError:
        prove_by_automaton(root, anchored=is_anchored(pieces))


def prove_by_automaton(root: Node, *, anchored: bool) -> None:
    """Raise UnprovedError unless the automaton shows that `re` takes linear time."""
    Prover(root, trusts_loops=True).prove()
    prove_unambiguous(root, anchored=anchored)


def is_linear_from_place(root: Node) -> bool:
    """Whether `re` takes linear time once it is known where the match begins."""
    try:
        prove_readable(root)
        prove_by_automaton(root, anchored=True)
    except UnprovedError:
        return False
    return True


def has_no_word_edge(node: Node, parts: list[bool]) -> bool:
    return (isinstance(node, Assertion) and node.anchor is Anchor.NO_WORD_EDGE) or any(parts)


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


# Simplification ------------------------------------------------------------------------------------


def drop_captures(root: Node, wanted: frozenset[int]) -> Node:
    """Return the tree without the groups that nobody reads."""

    def combine(node: Node, parts: list[Node]) -> Node:
        match node:
            case Capture(number=number, name=name):
                return Capture(parts[0], number, name) if number in wanted else parts[0]
            case Concat():
                return concatenate(parts)
            case Alternate():
                return Alternate(tuple(parts))
            case Repeat(least=least, most=most, greedy=greedy):
                return Repeat(parts[0], least, most, greedy)
            case _:
                return node

    return fold(root, combine)


def flatten(root: Node) -> list[Node]:
    """Return the pieces that the pattern consists of, in order."""
    pieces = list(root.children) if isinstance(root, Concat) else [root]
    return [piece for piece in pieces if not isinstance(piece, Empty)]


def make_concat(pieces: Sequence[Node]) -> Node:
    """Return the pieces one after the other."""
    return concatenate(pieces) if pieces else Empty()


def trim_pieces(pieces: list[Node], wanted: frozenset[int]) -> list[Node]:
    """Cut what decides nothing: optional text at the end, and, if no group is read, at the beginning."""
    pieces = list(pieces)
    if 0 in wanted:
        return pieces
    while pieces and (shorter := shorten(pieces[-1])) is not pieces[-1]:
        pieces[-1:] = flatten(shorter)
    while not wanted and pieces and (shorter := shorten(pieces[0])) is not pieces[0]:
        pieces[:1] = flatten(shorter)
    return flatten(concatenate(pieces)) if pieces else []


def shorten(piece: Node) -> Node:
    """Return the least that a repeat at the edge of a pattern must match; other pieces as they are."""
    if not isinstance(piece, Repeat) or piece.least == piece.most or has_capture(piece):
        return piece
    if piece.least == 0:
        return Empty()
    return piece.part if piece.least == 1 else Repeat(piece.part, piece.least, piece.least)


def has_capture(node: Node) -> bool:
    return fold(node, lambda inner, parts: isinstance(inner, Capture) or any(parts))


# What can be known without a search ----------------------------------------------------------------


def is_anchored(pieces: Sequence[Node]) -> bool:
    """Whether a match can only begin at the beginning of the subject."""
    return bool(pieces) and pieces[0] == Assertion(Anchor.BEGIN_TEXT)


def is_certain(pieces: Sequence[Node]) -> bool:
    """Whether every subject matches."""
    anchors = {piece.anchor for piece in pieces if isinstance(piece, Assertion)}
    if not all(isinstance(piece, Assertion) or may_be_empty(piece) for piece in pieces):
        return False
    return anchors in (set(), {Anchor.BEGIN_TEXT}) or (len(pieces) == 1 and anchors == {Anchor.END_TEXT})


def may_be_empty(node: Node) -> bool:
    """Whether a piece matches nothing, anywhere."""
    return isinstance(node, Empty) or (isinstance(node, Repeat) and node.least == 0)


def is_impossible(pieces: Sequence[Node]) -> bool:
    """Whether no subject matches: text before the beginning, or after the end, or of no character."""
    lengths = [isinstance(piece, Literal | CharClass) for piece in pieces]
    for place, piece in enumerate(pieces):
        if isinstance(piece, CharClass) and not piece.ranges:
            return True
        if piece == Assertion(Anchor.BEGIN_TEXT) and any(lengths[:place]):
            return True
        if piece == Assertion(Anchor.END_TEXT) and any(lengths[place:]):
            return True
    return False


def find_literal(pieces: Sequence[Node]) -> tuple[str, bytes] | None:
    """Return how to test for a pattern that is plain text, perhaps at an end of the subject."""
    begins = is_anchored(pieces)
    ends = len(pieces) > begins and pieces[-1] == Assertion(Anchor.END_TEXT)
    middle = pieces[1 if begins else 0 : len(pieces) - 1 if ends else len(pieces)]
    if any(isinstance(piece, Assertion) for piece in middle):
        return None
    if make_concat(middle).height > MAX_PROVED_HEIGHT or not is_byte_exact(make_concat(middle)):
        return None
    text = required_of(make_concat(middle)).exact
    if text is None or (not text and not (begins and ends)):
        return None
    how = {(False, False): "in", (True, False): "startswith", (False, True): "endswith", (True, True): "equals"}
    return how[begins, ends], text


def find_guard(required: Required) -> bytes | None:
    """Return a text worth a test before the search: long enough, and not where the search begins anyway.

    A test takes 130 ns. So does a search of `re` that begins with a text and does not find it.
    """
    best = required.best
    if len(best) != 1 or len(best[0]) < MIN_GUARD_BYTES:
        return None
    return best[0] if is_plain_utf8(best[0]) else None


def is_plain_utf8(text: bytes) -> bool:
    """Whether a text stands for itself in every subject: U+FFFD also stands for invalid bytes."""
    return "\ufffd" not in text.decode("utf-8", "replace")


# Compiled searches ---------------------------------------------------------------------------------


def compile_bytes(root: Node, *, backtracks: bool, reads_with_re: bool) -> Search:
    """Return the search over bytes: if one engine does it all, a bound method with nothing around it."""
    pieces = flatten(root)
    if reads_with_re:
        bare = print_tree(drop_captures(root, frozenset()), BYTES)
        rest = make_concat(pieces[1:]) if is_anchored(pieces) else root
        find, read = compile_re2(bare, utf8=False).search, compile_re(print_tree(rest, BYTES)).match
        return read_or_search(find, read) if may_begin_anywhere(pieces[0]) else search_then_read(find, read)
    if not backtracks:
        search: Search = compile_re2(print_tree(root, BYTES), utf8=False).search
        return search
    decided = find_decided(root)
    if is_anchored(pieces):
        return compile_re(print_tree(make_concat(pieces[1:]), BYTES, decided)).match
    return compile_re(print_tree(root, BYTES, decided)).search


def find_decided(root: Node) -> Set[int]:
    """Return the `id` of each repeat that the next byte ends, so that it need never give anything back."""
    prover = Prover(root, trusts_loops=True)
    prover.prove()
    return prover.decided


def search_then_read(
    find: Callable[[bytes], MatchLike | None], read: Callable[[bytes, int], re.Match[bytes] | None]
) -> Search:
    """Return a search in two steps: where the match begins, then its groups from there.

    RE2 takes 1.4 µs to find the match of a line of 200 bytes, and 5.8 µs when it has to read groups.
    """

    def search(subject: bytes) -> Match | None:
        found = find(subject)
        return None if found is None else read(subject, found.span(0)[0])

    return search


def read_or_search(
    find: Callable[[bytes], MatchLike | None], read: Callable[[bytes, int], re.Match[bytes] | None]
) -> Search:
    """Return the same search for a pattern that mostly matches from the beginning: that is tried first."""

    def search(subject: bytes) -> Match | None:
        match = read(subject, 0)
        if match is not None:
            return match
        found = find(subject)
        return None if found is None else read(subject, found.span(0)[0])

    return search


def may_begin_anywhere(piece: Node) -> bool:
    """Whether a pattern begins with a repeat of a set, such as a word: what holds it mostly begins with it."""
    while isinstance(piece, Capture):
        piece = piece.part
    return isinstance(piece, Repeat) and isinstance(piece.part, CharClass)


@lru_cache(maxsize=1024)
def compile_re(text: bytes) -> re.Pattern[bytes]:
    """Return the pattern for Python's engine, where the end of the subject is spelled `\\Z`."""
    return re.compile(text.replace(b"(?:\\z)", b"(?:\\Z)"))


class Utf8Search:
    """The search over characters. Subjects with invalid bytes, which are rare, go the long way.

    One line that is not ASCII makes its whole batch so; the others are spared (785 ns, not 3,090).
    """

    __slots__ = ("find", "find_ascii")

    def __init__(self, find_ascii: Search, find: Callable[[bytes], MatchLike | None]) -> None:
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

    def __init__(self, find_ascii: Search, find: Callable[[bytes], MatchLike | None]) -> None:
        self.find_ascii = find_ascii
        self.find = find

    def __call__(self, subject: bytes) -> Match | None:
        if subject.isascii():
            return self.find_ascii(subject)
        flat, offsets = flatten_subject(subject)
        match = self.find(flat)
        return None if match is None else RepairedMatch(match, subject, offsets)
