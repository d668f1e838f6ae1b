"""Whether a pattern over bytes finds the same in a subject of any bytes as one over characters.

On ASCII it always does. Beyond it, a character is several bytes, and an invalid byte is a character
of its own. A set that holds all characters beyond ASCII takes all their bytes too; the difference
shows only where characters are counted, or where a match could end amid one. Neither happens under
an unbounded repeat when what follows begins with ASCII or is the end, and that is how such sets are
nearly always used: `\\S+ `, `[^"]*"`, `.*`.
"""

from __future__ import annotations

from typing import assert_never

from pipeline.language.patterns.byte_sets import HIGH_BYTES, is_partial, mask_of
from pipeline.language.patterns.classes import REPLACEMENT, fold_char
from pipeline.language.patterns.linearity import NOTHING, Follow, Prover
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
    Repeat,
)


def is_byte_exact(root: Node) -> bool:
    """Return whether the byte form of the pattern is exact for subjects of any bytes."""
    return Judge(root).judge(root, NOTHING)


class Judge:
    """Walks a pattern from the right to the left, as the proof of linearity does."""

    def __init__(self, root: Node) -> None:
        self.prover = Prover(root)

    def judge(self, node: Node, follow: Follow) -> bool:
        match node:
            case Literal(text=text, fold=folded):
                return all(is_same_in_bytes(char, folded=folded) for char in text)
            case CharClass(ranges=ranges):
                return mask_of(ranges) & HIGH_BYTES == 0
            case Assertion(anchor=anchor):
                return anchor is not Anchor.NO_WORD_EDGE
            case Empty():
                return True
            case Capture(part=part):
                return self.judge(part, follow)
            case Alternate(children=children):
                return all(self.judge(branch, follow) for branch in children)
            case Concat(children=children):
                for child in reversed(children):
                    if not self.judge(child, follow):
                        return False
                    follow = self.prover.before(child, follow)
                return True
            case Repeat(part=part):
                if isinstance(part, CharClass) and mask_of(part.ranges) & HIGH_BYTES:
                    return not is_partial(part.ranges) and is_boundless(node) and follow.first & HIGH_BYTES == 0
                first = self.prover.spans[id(part)].first if node.most != 1 else 0
                return self.judge(part, Follow(first | follow.first))
            case _:
                assert_never(node)


def is_boundless(node: Repeat) -> bool:
    """Whether a repeat takes as much as there is, or, being lazy, may take nothing."""
    return node.most is None and node.least <= (1 if node.greedy else 0)


def is_same_in_bytes(char: str, *, folded: bool) -> bool:
    """Whether a character of a literal is matched by its own bytes and nothing else."""
    code = ord(char)
    if code == REPLACEMENT or 0xD800 <= code < 0xE000:
        return False
    return not folded or all(other < 0x80 for other in fold_char(code)) or fold_char(code) == (code,)
