r"""How the lines begin and end that a pattern matches.

How they begin is a regular expression over bytes for a scan of many lines at once.

The answer may be wider than the pattern and never narrower, and it never looks beyond a line feed. It
ends with something of a fixed length, because a scan reports every place where a match may end. A character
beyond ASCII is any one to four of the high bytes, so that the answer holds for lines of any bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.language.patterns.branches import concatenate
from pipeline.language.patterns.byte_sets import HIGH_BYTES, LINE_FEED, mask_of, write_byte_class
from pipeline.language.patterns.classes import REPLACEMENT, fold_char
from pipeline.language.patterns.literals import required_of
from pipeline.language.patterns.tree import (
    Alternate,
    Anchor,
    Assertion,
    Capture,
    CharClass,
    CharRanges,
    Concat,
    Empty,
    Literal,
    Node,
    Regex,
    Repeat,
    fold,
)

MAX_COUNT = 64
"""Repeats are counted no further; a scan would have to keep so many places in mind."""
MAX_PREFIX_BYTES = 400
MIN_PIECES = 2
"""Less, such as one digit, is at the beginning of too many lines."""
MIN_TEXT_BYTES = 3
"""A text of so many bytes at the beginning needs nothing behind it."""


@dataclass(frozen=True, slots=True)
class Widened:
    """The text of a piece. `wide`: it is a class of bytes, of which one character may take up to four.

    A piece that is not `solid` may match nothing.
    """

    text: bytes
    wide: bool = False
    solid: bool = True

    @property
    def once(self) -> bytes:
        return self.text + b"{1,4}" if self.wide else self.text


def find_prefix(regex: Regex) -> bytes | None:
    """Return how every line begins that the pattern matches, `^` left out; None if too little is known."""
    pieces = list_pieces(regex.root)
    if not is_anchored(pieces):
        return None
    known: list[tuple[Node, Widened]] = []
    for piece in pieces[1:]:
        widened = fold(piece, widen)
        if widened is None or sum(len(text.once) for _, text in known) + len(widened.once) > MAX_PREFIX_BYTES:
            break
        known.append((piece, widened))
    while known and not known[-1][1].solid:
        known.pop()
    least = 1 if begins_with_text(pieces) else MIN_PIECES
    if sum(widened.solid for _, widened in known) < least:
        return None
    return b"".join(widened.once for _, widened in known[:-1]) + shorten(*known[-1])


def prefers_prefix(regex: Regex) -> bool:
    """Whether a pattern says more by how its lines begin than by a text anywhere in them: it begins with that text."""
    pieces = list_pieces(regex.root)
    return is_anchored(pieces) and begins_with_text(pieces)


def is_anchored(pieces: Sequence[Node]) -> bool:
    return bool(pieces) and pieces[0] in (Assertion(Anchor.BEGIN_TEXT), Assertion(Anchor.BEGIN_LINE))


def begins_with_text(pieces: Sequence[Node]) -> bool:
    """Whether the piece behind the `^` is a text, or one of several, and long enough."""
    if len(pieces) < 2 or not isinstance(pieces[1], Literal | Alternate):
        return False
    texts = required_of(pieces[1]).best
    return bool(texts) and min(map(len, texts)) >= MIN_TEXT_BYTES


def required_suffix(regex: Regex) -> bytes:
    """Return the text in which every line ends that the pattern matches; empty if it is not known."""
    pieces = list_pieces(regex.root)
    if not pieces or pieces[-1] not in (Assertion(Anchor.END_TEXT), Assertion(Anchor.END_LINE)):
        return b""
    return required_of(concatenate(pieces[:-1])).end if pieces[:-1] else b""


def list_pieces(root: Node) -> list[Node]:
    """Return what stands one after the other in a pattern, groups opened."""
    pieces: list[Node] = []
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, Concat | Capture):
            pending.extend(reversed(node.children))
        elif not isinstance(node, Empty):
            pieces.append(node)
    return pieces


def shorten(piece: Node, widened: Widened) -> bytes:
    """Return the least that must be there of a piece at the end."""
    part = fold(piece.part, widen) if isinstance(piece, Repeat) else None
    if part is None or not isinstance(piece, Repeat):
        return widened.text
    return part.text + b"{%d}" % min(piece.least, MAX_COUNT)


def widen(node: Node, parts: list[Widened | None]) -> Widened | None:
    """Return the text of a node, None if it has none."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    match node:
        case Empty() | Assertion():
            return Widened(b"(?:)", solid=False)
        case Literal(text=text, fold=folded):
            return widen_literal(text, folded=folded)
        case CharClass(ranges=ranges):
            return widen_class(ranges)
        case Capture():
            return known[0]
        case Concat():
            return Widened(b"(?:%s)" % b"".join(part.once for part in known), solid=any(part.solid for part in known))
        case Alternate():
            return Widened(b"(?:%s)" % b"|".join(part.once for part in known), solid=all(part.solid for part in known))
        case Repeat(least=least, most=most):
            repeat = b"(?:%s)" % print_repeat(known[0], least, most)
            return Widened(repeat, solid=least > 0 and known[0].solid)


def widen_literal(text: str, *, folded: bool) -> Widened | None:
    """Return the bytes of a literal; what stands for invalid bytes too has none that are certain."""
    chars = []
    for char in text:
        cases = sorted(fold_char(ord(char))) if folded else [ord(char)]
        if any(case == REPLACEMENT or 0xD800 <= case < 0xE000 or case == ord("\n") for case in cases):
            return None
        written = [b"".join(b"\\x%02x" % byte for byte in chr(case).encode()) for case in cases]
        chars.append(written[0] if len(written) == 1 else b"(?:%s)" % b"|".join(written))
    return Widened(b"".join(chars)) if len(text) == 1 and not folded else Widened(b"(?:%s)" % b"".join(chars))


def widen_class(ranges: CharRanges) -> Widened | None:
    """Return a class of bytes."""
    mask = mask_of(ranges) & ~LINE_FEED
    return Widened(write_byte_class(mask), wide=bool(mask & HIGH_BYTES)) if mask else None


def print_repeat(part: Widened, least: int, most: int | None) -> bytes:
    """Return a repeat. Of a wide class it counts bytes: as many as characters, or more."""
    upper = b"" if part.wide or most is None or most > MAX_COUNT else b"%d" % most
    return part.text + b"{%d,%s}" % (min(least, MAX_COUNT), upper)
