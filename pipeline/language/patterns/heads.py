"""How a line must begin for a pattern to match it: a test of four bytes spares the search on other lines."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.language.patterns.literals import stands_for_itself
from pipeline.language.patterns.proofs import is_anchored
from pipeline.language.patterns.simplify import flatten
from pipeline.language.patterns.tree import (
    Alternate,
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

HEAD_BYTES = 4
"""Programs tell their patterns apart by so many."""
MAX_HEADS = 8


@dataclass(frozen=True, slots=True)
class Begin:
    """The texts that a part can begin with. It is `whole` if they are all that it matches."""

    texts: frozenset[bytes] = frozenset({b""})
    whole: bool = False


NOTHING_KNOWN = Begin()
NO_TEXT = Begin(whole=True)


def find_heads(regex: Regex) -> frozenset[bytes]:
    """Return texts of HEAD_BYTES bytes of which every match begins with one, at the beginning; none if not known."""
    if not is_anchored(flatten(regex.root)):
        return frozenset()
    heads = frozenset(text[:HEAD_BYTES] for text in fold(regex.root, find_begin).texts)
    return heads if all(len(head) == HEAD_BYTES for head in heads) else frozenset()


def find_begin(node: Node, parts: list[Begin]) -> Begin:
    match node:
        case Empty() | Assertion():
            return NO_TEXT
        case Literal(text=text, fold=folded):
            known = all(stands_for_itself(char, folded=folded) for char in text)
            return Begin(frozenset({text.encode()}), whole=True) if known else NOTHING_KNOWN
        case CharClass():
            return NOTHING_KNOWN
        case Capture():
            return parts[0]
        case Concat():
            return join(parts)
        case Alternate():
            texts = frozenset[bytes]().union(*(part.texts for part in parts))
            return limit(texts, whole=all(part.whole for part in parts))
        case Repeat(least=least):
            return Begin(parts[0].texts) if least else NOTHING_KNOWN


def join(parts: list[Begin]) -> Begin:
    """Return what parts in a row begin with."""
    texts = frozenset({b""})
    for part in parts:
        texts = frozenset(text + more for text in texts for more in part.texts)
        if not part.whole or len(texts) > MAX_HEADS:
            return limit(texts, whole=False)
    return Begin(texts, whole=True)


def limit(texts: frozenset[bytes], *, whole: bool) -> Begin:
    return Begin(texts, whole) if len(texts) <= MAX_HEADS else NOTHING_KNOWN
