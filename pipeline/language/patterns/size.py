"""How large a pattern is once its counts are written out, so that RE2 never has to refuse one."""

from __future__ import annotations

from pipeline.language.patterns.tree import Assertion, Capture, CharClass, Empty, Literal, Node, Repeat, fold

MAX_INSTRUCTIONS = 3_000_000
"""`\\pL{1000}` is counted as 2.6 million; RE2 compiles it to 1.1 million, in half a second and 45 MB (measured)."""

RANGE_INSTRUCTIONS = 4
"""A range of characters beyond ASCII takes several sequences of bytes, but most of them are shared."""


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
