"""A pattern that matches at the beginning of a line, as one that stays in the line wherever that stands in a text."""

from __future__ import annotations

from pipeline.language.patterns.linearity import UnprovedError
from pipeline.language.patterns.printing import RE, print_tree
from pipeline.language.patterns.proofs import find_hints, is_anchored, prove_linear
from pipeline.language.patterns.simplify import (
    BEGIN,
    LINE_FEED,
    drop_captures,
    flatten,
    forget_line_feeds,
    make_concat,
    rebuild,
)
from pipeline.language.patterns.tree import Alternate, Anchor, Assertion, CharClass, Literal, Node, Regex, fold

NO_GROUPS: frozenset[int] = frozenset()
EDGES = (Anchor.WORD_EDGE,)
"""Assertions that are as true before a line feed as at the end."""


def print_line_beginning(regex: Regex) -> bytes | None:
    """Return what `re` is to match where a line of ASCII begins, None if that is not known to be the same and linear.

    It never takes a line feed. Captures are left out.
    """
    rest = take_anchor(keep_in_line(forget_line_feeds(drop_captures(regex.root, NO_GROUPS))))
    if rest is None or fold(rest, may_leave_line):
        return None
    try:
        prove_linear([BEGIN, *flatten(rest)])
    except UnprovedError:
        return None
    return b"(?:%b)" % print_tree(rest, RE, find_hints(rest))


def take_anchor(root: Node) -> Node | None:
    """Return what follows the anchor that stands at the beginning, of each branch if there are several; else None."""
    match root:
        case Alternate(children=branches):
            rests = [take_anchor(branch) for branch in branches]
            return None if None in rests else Alternate(tuple(rest for rest in rests if rest is not None))
        case _:
            pieces = flatten(root)
            return make_concat(pieces[1:]) if is_anchored(pieces) else None


def keep_in_line(root: Node) -> Node:
    """Return a tree whose classes hold no line feed; one that holds nothing else stays as it is."""

    def replace(node: Node, _: list[Node]) -> Node | None:
        if not isinstance(node, CharClass):
            return None
        ranges = tuple(part for first, last in node.ranges for part in cut_range(first, last))
        return CharClass(ranges) if ranges else None

    return rebuild(root, replace)


def cut_range(first: int, last: int) -> list[tuple[int, int]]:
    """Return a range of characters without the line feed."""
    if not first <= LINE_FEED <= last:
        return [(first, last)]
    sides = ((first, LINE_FEED - 1), (LINE_FEED + 1, last))
    return [(begin, end) for begin, end in sides if begin <= end]


def may_leave_line(node: Node, parts: list[bool]) -> bool:
    """Whether a part could take a line feed, or asks where the text begins or ends."""
    match node:
        case Literal(text=text):
            return "\n" in text
        case CharClass(ranges=ranges):
            return any(first <= LINE_FEED <= last for first, last in ranges)
        case Assertion(anchor=anchor):
            return anchor not in EDGES
        case _:
            return any(parts)
