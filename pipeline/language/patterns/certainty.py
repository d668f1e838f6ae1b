"""What can be known of a pattern without a search."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.language.patterns.exactness import is_byte_exact
from pipeline.language.patterns.literals import required_of
from pipeline.language.patterns.proofs import MAX_PROVED_HEIGHT, is_anchored
from pipeline.language.patterns.simplify import BEGIN, END, make_concat
from pipeline.language.patterns.tree import Anchor, Assertion, CharClass, Empty, Literal, Node, Repeat


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
        if piece == BEGIN and any(lengths[:place]):
            return True
        if piece == END and any(lengths[place:]):
            return True
    return False


def find_literal(pieces: Sequence[Node]) -> tuple[str, bytes] | None:
    """Return how to test for a pattern that is plain text, perhaps at an end of the subject."""
    begins = is_anchored(pieces)
    ends = len(pieces) > begins and pieces[-1] == END
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
