"""How large a pattern is once its counts are written out, so that RE2 never has to refuse one."""

from __future__ import annotations

from pipeline.language.regex.tree import Assertion, Capture, CharClass, Empty, Literal, Node, Repeat, fold

MAX_INSTRUCTIONS = 1_000_000
"""RE2 needs some ten bytes for an instruction, and as much again to match backwards."""

RANGE_INSTRUCTIONS = 12
"""A range of characters beyond ASCII can take several sequences of up to four bytes."""


def count_instructions(root: Node) -> int:
    """Return an upper bound for the instructions of RE2's program."""
    return fold(root, count_node)


def count_node(node: Node, parts: list[int]) -> int:
    total = sum(parts)
    match node:
        case Literal(text=text, fold=folds):
            return len(text) * (3 * RANGE_INSTRUCTIONS if folds else 4)
        case CharClass(ranges=ranges):
            return 1 + sum(1 if high < 0x80 else RANGE_INSTRUCTIONS for _, high in ranges)
        case Repeat(least=least, most=most):
            return (total + 2) * max(1, least if most is None else most)
        case Empty() | Assertion():
            return 1
        case Capture():
            return total + 2
        case _:
            return total + len(parts)
