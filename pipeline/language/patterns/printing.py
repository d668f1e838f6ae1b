r"""A tree becomes the text of a regular expression, for the engine that runs it.

We print every pattern ourselves, so an engine never sees what it would read in its own way: classes
are written out, groups that nobody reads do not capture, escapes are `\xHH`.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import assert_never

from pipeline.language.patterns.byte_sets import HIGH_BYTES, is_partial, mask_of, write_byte_class
from pipeline.language.patterns.classes import fold_char, normalize_ranges
from pipeline.language.patterns.tree import (
    Alternate,
    Assertion,
    Capture,
    CharClass,
    CharRanges,
    Concat,
    Empty,
    Literal,
    Node,
    Repeat,
    fold,
)

PLAIN = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz _-:/=<>,;!@%&'\"~")
NEVER = rb"[^\x00-\xff]"
SURROGATES = (0xD800, 0xDFFF)

# How tightly a printed piece holds together.
BRANCHES, SEQUENCE, ATOM = range(3)


@dataclass(frozen=True, slots=True)
class Printed:
    """A piece of text, how tightly it holds together, and whether it may match nothing."""

    text: bytes
    strength: int
    nullable: bool = False

    def as_atom(self) -> bytes:
        return self.text if self.strength == ATOM else b"(?:%s)" % self.text

    def as_sequence(self) -> bytes:
        return self.text if self.strength >= SEQUENCE else b"(?:%s)" % self.text


@dataclass(frozen=True, slots=True)
class Style:
    """What differs between engines: how characters and sets are written."""

    write_char: Callable[[int], bytes]
    write_set: Callable[[CharRanges], bytes]


def print_tree(root: Node, style: Style, possessive: Set[int] = frozenset()) -> bytes:
    """Return the text of a pattern; every Capture in it captures.

    `possessive` holds the `id` of each repeat of a set that need never give back what it took.
    """

    def combine(node: Node, parts: list[Printed]) -> Printed:
        match node:
            case Empty():
                return Printed(b"", SEQUENCE, nullable=True)
            case Literal(text=literal, fold=folded):
                chars = [print_char(ord(char), style, folded=folded) for char in literal]
                return Printed(b"".join(chars), ATOM if len(literal) == 1 and literal.isascii() else SEQUENCE)
            case CharClass(ranges=ranges):
                return Printed(style.write_set(ranges), ATOM)
            case Assertion(anchor=anchor):
                return Printed(b"(?:%s)" % anchor.value.encode(), ATOM, nullable=True)
            case Concat():
                text = b"".join(part.as_sequence() for part in parts)
                return Printed(text, SEQUENCE, all(part.nullable for part in parts))
            case Alternate():
                text = b"|".join(part.text for part in parts)
                return Printed(text, BRANCHES, any(part.nullable for part in parts))
            case Capture():
                return Printed(b"(%s)" % parts[0].text, ATOM, parts[0].nullable)
            case Repeat(least=0, most=None) if parts[0].nullable:
                # Go reads `x*` as `(?:x+)?` where x may match nothing; RE2 finds other matches for the two.
                lazy = b"" if node.greedy else b"?"
                return Printed(b"(?:%s+%s)?%s" % (parts[0].as_atom(), lazy, lazy), SEQUENCE, nullable=True)
            case Repeat():
                counts = print_counts(node, possessive=id(node) in possessive)
                return Printed(parts[0].as_atom() + counts, SEQUENCE, node.least == 0 or parts[0].nullable)
            case _:
                assert_never(node)

    return fold(root, combine).text


def print_counts(node: Repeat, *, possessive: bool) -> bytes:
    """Return the operator of a repeat."""
    match node.least, node.most:
        case 0, None:
            text = b"*"
        case 1, None:
            text = b"+"
        case 0, 1:
            text = b"?"
        case least, most if least == most:
            text = b"{%d}" % least
        case _:
            text = b"{%d,%s}" % (node.least, b"" if node.most is None else b"%d" % node.most)
    if node.least == node.most:
        return text
    if not node.greedy:
        return text + b"?"
    return text + b"+" if possessive and isinstance(node.part, CharClass) else text


def print_char(char: int, style: Style, *, folded: bool) -> bytes:
    """Return a character of a literal; if it has cases that count, all of them."""
    if not folded or len(fold_char(char)) == 1:
        return style.write_char(char)
    return style.write_set(normalize_ranges((other, other) for other in fold_char(char)))


# Over bytes ----------------------------------------------------------------------------------------


def write_char_bytes(char: int) -> bytes:
    """Return a character as its bytes in UTF-8."""
    if SURROGATES[0] <= char <= SURROGATES[1]:
        return NEVER
    if chr(char) in PLAIN:
        return chr(char).encode()
    return b"".join(b"\\x%02x" % byte for byte in chr(char).encode())


def write_set_bytes(ranges: CharRanges) -> bytes:
    """Return a set as a class of bytes; of a set that holds some characters beyond ASCII, its ASCII part."""
    mask = mask_of(ranges)
    if is_partial(ranges):
        mask &= ~HIGH_BYTES
    return write_byte_class(mask) if mask else NEVER


# Over characters in UTF-8 --------------------------------------------------------------------------


def write_char_utf8(char: int) -> bytes:
    """Return a character for RE2 reading UTF-8."""
    if SURROGATES[0] <= char <= SURROGATES[1]:
        return write_set_utf8(())
    if char < 0x80:
        return write_char_bytes(char)
    return chr(char).encode()


def write_set_utf8(ranges: CharRanges) -> bytes:
    """Return a set as a class of characters for RE2 reading UTF-8."""
    if not ranges:
        return rb"[^\x00-\x{10ffff}]"
    return b"[%s]" % b"".join(b"\\x{%x}-\\x{%x}" % pair for pair in ranges)


BYTES = Style(write_char_bytes, write_set_bytes)
UTF8 = Style(write_char_utf8, write_set_utf8)
