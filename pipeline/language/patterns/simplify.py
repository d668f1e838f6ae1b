"""A pattern without what its match does not depend on, as pieces in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.language.patterns.branches import concatenate
from pipeline.language.patterns.classes import ANY, normalize_ranges
from pipeline.language.patterns.tree import (
    Alternate,
    Anchor,
    Assertion,
    Capture,
    CharClass,
    Concat,
    Empty,
    Node,
    Repeat,
    fold,
)

BEGIN = Assertion(Anchor.BEGIN_TEXT)
END = Assertion(Anchor.END_TEXT)
LINE_FEED = ord("\n")


def simplify(root: Node, wanted: frozenset[int], *, in_line: bool) -> list[Node]:
    """Return the pieces of a pattern of which the groups in `wanted` (0 is the match) are read.

    `in_line` promises that no subject holds a line feed.
    """
    root = drop_captures(root, wanted)
    pieces = flatten(forget_line_feeds(root) if in_line else root)
    pieces = trim_end(pieces)
    if 0 not in wanted:
        pieces = trim_pieces(pieces, cuts_begin=not wanted)
    return anchor_pieces(pieces)


def flatten(root: Node) -> list[Node]:
    """Return the pieces that the pattern consists of, in order."""
    pieces = list(root.children) if isinstance(root, Concat) else [root]
    return [piece for piece in pieces if not isinstance(piece, Empty)]


def make_concat(pieces: Sequence[Node]) -> Node:
    """Return the pieces one after the other."""
    return concatenate(pieces) if pieces else Empty()


def inner_of(node: Node) -> Node:
    """Return what is inside of captures around a part."""
    while isinstance(node, Capture):
        node = node.part
    return node


def has_capture(node: Node) -> bool:
    return fold(node, lambda inner, parts: isinstance(inner, Capture) or any(parts))


# The whole tree --------------------------------------------------------------------------------------


def rebuild(root: Node, replace: Callable[[Node, list[Node]], Node | None]) -> Node:
    """Return the tree with each node that `replace` gives something for replaced by that."""

    def combine(node: Node, parts: list[Node]) -> Node:
        if (other := replace(node, parts)) is not None:
            return other
        match node:
            case Capture(number=number, name=name):
                return Capture(parts[0], number, name)
            case Concat():
                return concatenate(parts)
            case Alternate():
                return Alternate(tuple(parts))
            case Repeat(least=least, most=most, greedy=greedy):
                return Repeat(parts[0], least, most, greedy)
            case _:
                return node

    return fold(root, combine)


def drop_captures(root: Node, wanted: frozenset[int]) -> Node:
    """Return the tree without the groups that nobody reads."""

    def replace(node: Node, parts: list[Node]) -> Node | None:
        return parts[0] if isinstance(node, Capture) and node.number not in wanted else None

    return rebuild(root, replace)


def forget_line_feeds(root: Node) -> Node:
    """Return a tree that matches the same in subjects without line feeds, and is easier to search for.

    `.` takes any character then, which `re` need not look at, and the ends of lines are those of the subject.
    """

    def replace(node: Node, _: list[Node]) -> Node | None:
        match node:
            case CharClass(ranges=ranges):
                joined = normalize_ranges([*ranges, (LINE_FEED, LINE_FEED)])
                return CharClass(joined) if len(joined) < len(ranges) else node
            case Assertion(anchor=Anchor.BEGIN_LINE):
                return BEGIN
            case Assertion(anchor=Anchor.END_LINE):
                return END
            case _:
                return None

    return rebuild(root, replace)


# The ends ----------------------------------------------------------------------------------------------


def is_rest(node: Node) -> bool:
    """Whether a piece, captured or not, is a run of any characters."""
    inner = inner_of(node)
    return isinstance(inner, Repeat) and inner.part == CharClass(ANY) and inner.most is None


def trim_end(pieces: list[Node]) -> list[Node]:
    """Cut the anchor behind a run of any characters: taken greedily, it ends there."""
    if len(pieces) < 2 or pieces[-1] != END or not is_rest(pieces[-2]):
        return pieces
    return [*pieces[:-2], make_greedy(pieces[-2])]


def make_greedy(node: Node) -> Node:
    """Return a repeat, captured or not, that takes as much as it can."""

    def replace(inner: Node, parts: list[Node]) -> Node | None:
        return Repeat(parts[0], inner.least, inner.most) if isinstance(inner, Repeat) else None

    return rebuild(node, replace)


def trim_pieces(pieces: list[Node], *, cuts_begin: bool) -> list[Node]:
    """Cut what decides nothing: optional text at the end, and, if no group is read, at the beginning."""
    pieces = list(pieces)
    while pieces and (shorter := shorten(pieces[-1])) is not pieces[-1]:
        pieces[-1:] = flatten(shorter)
    while cuts_begin and pieces and (shorter := shorten(pieces[0])) is not pieces[0]:
        pieces[:1] = flatten(shorter)
    return flatten(concatenate(pieces)) if pieces else []


def shorten(piece: Node) -> Node:
    """Return the least that a repeat at the edge of a pattern must match; other pieces as they are."""
    if not isinstance(piece, Repeat) or piece.least == piece.most or has_capture(piece):
        return piece
    if piece.least == 0:
        return Empty()
    return piece.part if piece.least == 1 else Repeat(piece.part, piece.least, piece.least)


def anchor_pieces(pieces: list[Node]) -> list[Node]:
    """Put an anchor before a run of any characters: if it matches further on, it matches from the beginning."""
    return [BEGIN, *pieces] if pieces and is_rest(pieces[0]) else pieces
