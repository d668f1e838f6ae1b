r"""A tree becomes the text of a regular expression, for the engine that runs it.

We print every pattern ourselves, so an engine never sees what it would read in its own way: classes
are written out, groups that nobody reads do not capture, escapes are `\xHH`. For `re` we write what
it runs fastest; how fast that is was measured with CPython 3.11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import assert_never

from pipeline.language.patterns.byte_sets import (
    ALL_BYTES,
    HIGH_BYTES,
    byte_ranges,
    is_partial,
    mask_of,
    write_byte_class,
    write_range,
)
from pipeline.language.patterns.classes import fold_char, negate_ranges, normalize_ranges
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
MAX_WRITTEN_OUT = 256
"""A fixed number of rounds is written out up to so many bytes."""

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


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known about repeats of single characters, by the `id` of the node.

    Those in `decided` need never give back what they took; those in `next_chars` take as little as they
    can, and that character follows.
    """

    decided: Set[int] = frozenset()
    next_chars: Mapping[int, str] = field(default_factory=dict)


def print_tree(root: Node, style: Style, hints: Hints | None = None) -> bytes:
    """Return the text of a pattern; every Capture in it captures. With `hints` it is for `re` only."""

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
                fast = None if hints is None else print_repeat(node, parts[0], style, hints)
                text = parts[0].as_atom() + print_counts(node) if fast is None else fast
                return Printed(text, SEQUENCE, node.least == 0 or parts[0].nullable)
            case _:
                assert_never(node)

    return fold(root, combine).text


def print_counts(node: Repeat) -> bytes:
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
    return text if node.greedy or node.least == node.most else text + b"?"


def print_repeat(node: Repeat, part: Printed, style: Style, hints: Hints) -> bytes | None:
    """Return a repeat in a form that `re` runs faster than the usual one, or None."""
    if is_single(node.part):
        if node.least == node.most or (node.greedy and id(node) in hints.decided):
            return part.as_atom() + print_counts(node) + b"+"  # 12 ns less
        char = hints.next_chars.get(id(node))
        return print_jump(node, part, char, style) if char is not None else None
    if fold(node.part, lambda inner, parts: isinstance(inner, Capture) or any(parts)):
        return None
    if node.least == node.most and node.least * len(part.text) <= MAX_WRITTEN_OUT:
        return part.as_sequence() * node.least  # half the time of a counted loop
    if (node.least, node.most) == (0, 1) and not part.nullable:
        return b"(?:%s|)" % part.text if node.greedy else b"(?:|%s)" % part.text
    return None


def is_single(part: Node) -> bool:
    """Whether a part takes one byte of a set or one certain byte: `re` repeats such parts in a tight loop."""
    return isinstance(part, CharClass) or (isinstance(part, Literal) and len(part.text) == 1 and part.text.isascii())


def print_jump(node: Repeat, part: Printed, char: str, style: Style) -> bytes | None:
    """Return a lazy repeat that goes on to the next `char` at once, since what follows begins with it.

    Byte by byte takes 10 ns each, this 1 ns.
    """
    assert isinstance(node.part, CharClass)
    others = style.write_set(subtract_char(node.part.ranges, ord(char)))
    stop = style.write_char(ord(char))
    return b"%s%s*+(?:%s%s*+)*?" % (part.text * node.least, others, stop, others)


def subtract_char(ranges: CharRanges, char: int) -> CharRanges:
    """Return the set without a character."""
    return negate_ranges(normalize_ranges([*negate_ranges(ranges), (char, char)]))


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


def write_set_re(ranges: CharRanges) -> bytes:
    """Return the same for `re` with the flag DOTALL.

    Of 200 bytes a class takes 400 ns, all bytes but one 150 ns, and a dot does not look at them.
    """
    mask = mask_of(ranges)
    if is_partial(ranges) or not mask:
        return write_set_bytes(ranges)
    if mask == ALL_BYTES:
        return b"."
    missing = ALL_BYTES ^ mask
    if missing & (missing - 1) == 0:
        return b"[^%s]" % b"".join(write_range(low, high) for low, high in byte_ranges(missing))
    return write_byte_class(mask)


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
RE = Style(write_char_bytes, write_set_re)
UTF8 = Style(write_char_utf8, write_set_utf8)
