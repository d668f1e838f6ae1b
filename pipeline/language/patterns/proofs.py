"""Which proof shows that `re` searches for a pattern in linear time, if any does.

What a match of the pattern cannot fail on any more, such as `.*` at its end, is proved by itself: an
attempt that gets there goes back no further.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

from pipeline.language.patterns.ambiguity import prove_unambiguous
from pipeline.language.patterns.classes import contains_char, negate_ranges
from pipeline.language.patterns.linearity import Prover, UnprovedError, has_assertion
from pipeline.language.patterns.printing import Hints
from pipeline.language.patterns.simplify import BEGIN, inner_of, make_concat
from pipeline.language.patterns.tree import Anchor, Assertion, CharClass, Concat, Literal, Node, Repeat, fold

MAX_PROVED_HEIGHT = 60
"""The proof and the compiler of `re` work by recursion; nobody writes patterns so deep."""


def prove_linear(pieces: Sequence[Node]) -> None:
    """Raise UnprovedError unless `re` searches for the pattern in linear time, with the same result."""
    prove_readable(pieces)
    prove_parts(pieces, anchored=is_anchored(pieces))


def is_linear_from_place(pieces: Sequence[Node]) -> bool:
    """Whether `re` takes linear time once it is known where the match begins."""
    try:
        prove_readable(pieces)
        prove_parts(pieces, anchored=True)
    except UnprovedError:
        return False
    return True


def is_linear_from_runs(pieces: Sequence[Node]) -> bool:
    """Whether `re` takes linear time to try the pattern where it can begin, which is where a run of a set does.

    If it begins with a run of a set and matches from amid such a run, it matches from the beginning of
    the run as well. So it is enough to look behind characters that are not of the set.
    """
    first = find_first_run(pieces)
    if first is None or not is_linear_from_place(pieces):
        return False
    try:
        prove_linear([outside_of(first), *pieces])
    except UnprovedError:
        return False
    return True


def find_first_run(pieces: Sequence[Node]) -> CharClass | None:
    """Return the set of which a pattern begins with a run, None if it begins with something else."""
    first = inner_of(pieces[0]) if pieces else None
    if not isinstance(first, Repeat) or not first.least or first.most is not None:
        return None
    return first.part if isinstance(first.part, CharClass) else None


def outside_of(part: CharClass) -> CharClass:
    return CharClass(negate_ranges(part.ranges))


def go_to_runs(pieces: Sequence[Node]) -> tuple[list[Node], Hints]:
    """Return the same pattern for an attempt at the beginning of the subject that goes on from run to run."""
    first = find_first_run(pieces)
    assert first is not None
    start = Repeat(outside_of(first), 0, None)
    run, gap = Repeat(first, 1, None), Repeat(outside_of(first), 1, None)
    hints = find_hints(make_concat(pieces))
    decided = {*hints.decided, *map(id, (start, run, gap))}
    return [start, Repeat(make_concat((run, gap)), 0, None, greedy=False), *pieces], replace(hints, decided=decided)


def find_hints(root: Node) -> Hints:
    """Return what lets `re` run the repeats of a pattern faster."""
    prover = Prover(root, trusts_loops=True)
    with suppress(UnprovedError):  # its parts are proved one by one, and what is decided stays so
        prover.prove()
    return Hints(prover.decided, find_next_chars(root))


def find_next_chars(root: Node) -> dict[int, str]:
    """Return the ASCII character behind each repeat, by the `id` of the node, that takes as little as it can."""
    found: dict[int, str] = {}

    def visit(node: Node, _: list[None]) -> None:
        if isinstance(node, Concat):
            for piece, following in pairwise(node.children):
                inner = inner_of(piece)
                if isinstance(inner, Repeat) and (char := find_next_char(inner, following)) is not None:
                    found[id(inner)] = char

    fold(root, visit)
    return found


def find_next_char(node: Repeat, following: Node) -> str | None:
    """Return the ASCII character that ends a lazy repeat of a set which holds it; None if it is no such repeat."""
    if node.greedy or node.most is not None or not isinstance(node.part, CharClass):
        return None
    if not isinstance(following, Literal) or following.fold:
        return None
    char = following.text[0]
    return char if char.isascii() and contains_char(node.part.ranges, ord(char)) else None


def is_anchored(pieces: Sequence[Node]) -> bool:
    """Whether a match can only begin at the beginning of the subject."""
    return bool(pieces) and pieces[0] == BEGIN


def prove_readable(pieces: Sequence[Node]) -> None:
    """Raise UnprovedError unless `re` reads the pattern as the language does, and the proofs can walk it."""
    root = make_concat(pieces)
    if root.height > MAX_PROVED_HEIGHT:
        raise UnprovedError("it is nested too deep")
    if fold(root, has_no_word_edge):
        raise UnprovedError(r"`re` reads `\B` in another way")


def has_no_word_edge(node: Node, parts: list[bool]) -> bool:
    return (isinstance(node, Assertion) and node.anchor is Anchor.NO_WORD_EDGE) or any(parts)


def prove_parts(pieces: Sequence[Node], *, anchored: bool) -> None:
    """Raise UnprovedError unless one attempt, or those at all places together, take linear time."""
    end = find_sure_end(pieces)
    if end < len(pieces):
        prove_search(pieces[end:], anchored=True)
    if end:
        prove_search(pieces[:end], anchored=anchored)


def find_sure_end(pieces: Sequence[Node]) -> int:
    """Return where the pieces begin that match wherever they are tried, because they may match nothing."""
    root = make_concat(pieces)
    prover = Prover(root)
    end = len(pieces)
    while end and prover.spans[id(pieces[end - 1])].nullable and not fold(pieces[end - 1], has_assertion):
        end -= 1
    return end


def prove_search(pieces: Sequence[Node], *, anchored: bool) -> None:
    root = make_concat(pieces)
    prover = Prover(root)
    try:
        prover.prove()
        if not anchored:
            prover.check_restarts(pieces)
    except UnprovedError:
        prove_by_automaton(root, anchored=anchored)


def prove_by_automaton(root: Node, *, anchored: bool) -> None:
    """Raise UnprovedError unless the automaton shows that `re` takes linear time."""
    Prover(root, trusts_loops=True).prove()
    prove_unambiguous(root, anchored=anchored)
