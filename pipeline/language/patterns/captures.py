"""What a capture group can hold (spec section 6.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import reduce

from pipeline.language.patterns.classes import contains_char
from pipeline.language.patterns.tree import (
    Alternate,
    Capture,
    CharClass,
    CharRanges,
    Concat,
    Literal,
    Node,
    Regex,
    Repeat,
    fold,
)
from pipeline.language.types import Type, join_types


@dataclass(frozen=True, slots=True)
class Group:
    """One capture group. An optional one may take no part in a match.

    `longest` is the most characters that it can hold, None without a bound; `signed` tells whether a
    minus can be among them.
    """

    number: int
    name: str | None
    type: Type
    optional: bool
    longest: int | None
    signed: bool


class Alphabet(IntEnum):
    """Which characters a tree is over; each alphabet contains the ones before it."""

    SIGNS = 0
    DIGITS = 1
    FLOATS = 2
    OTHER = 3


ALPHABETS = (
    (Alphabet.SIGNS, frozenset(map(ord, "+-"))),
    (Alphabet.DIGITS, frozenset(map(ord, "+-0123456789"))),
    (Alphabet.FLOATS, frozenset(map(ord, "+-0123456789.eE"))),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What the type of a group depends on: its alphabet, its dots once repeats are expanded, its form."""

    alphabet: Alphabet
    dots: int = 0
    is_class: bool = False
    branches: tuple[Type, ...] = ()

    @property
    def type(self) -> Type:
        """The type of a group with this content, by the rules of the specification in their order."""
        if self.branches:
            return reduce(join_branches, self.branches)
        return self.plain_type

    @property
    def plain_type(self) -> Type:
        match self.alphabet:
            case Alphabet.DIGITS if not self.is_class:
                return Type.INT
            case Alphabet.FLOATS if self.dots <= 1:
                return Type.FLOAT
            case _:
                return Type.STRING


def join_branches(left: Type, right: Type) -> Type:
    joined = join_types(left, right)
    assert joined is not None, "numbers and texts always join"
    return joined


def capture_groups(regex: Regex) -> tuple[Group, ...]:
    """Return the groups in the order of their numbers, without group 0."""
    types: dict[int, Type] = {}
    extents: dict[int, Extent] = {}
    optional = find_optional(regex.root)

    def examine(node: Node, parts: list[Shape]) -> Shape:
        if isinstance(node, Capture):
            types[node.number] = parts[0].type
        return find_shape(node, parts)

    def measure(node: Node, parts: list[Extent]) -> Extent:
        if isinstance(node, Capture):
            extents[node.number] = parts[0]
        return find_extent(node, parts)

    fold(regex.root, examine)
    fold(regex.root, measure)
    return tuple(
        Group(number, name, types[number], number in optional, extents[number].longest, extents[number].signed)
        for number, name in enumerate(regex.names, 1)
    )


def find_optional(root: Node) -> frozenset[int]:
    """Return the numbers of the groups that a match can pass by."""
    optional: set[int] = set()
    pending = [(root, False)]
    while pending:
        node, skipped = pending.pop()
        if isinstance(node, Capture) and skipped:
            optional.add(node.number)
        skipped = skipped or isinstance(node, Alternate) or (isinstance(node, Repeat) and node.least == 0)
        pending.extend((child, skipped) for child in node.children)
    return frozenset(optional)


@dataclass(frozen=True, slots=True)
class Extent:
    """How many characters a part matches at most, None without a bound, and whether a minus may be one of them."""

    longest: int | None
    signed: bool


def find_extent(node: Node, parts: list[Extent]) -> Extent:
    signed = any(part.signed for part in parts)
    lengths = [part.longest for part in parts if part.longest is not None]
    bounded = len(lengths) == len(parts)
    match node:
        case Literal(text=text):
            return Extent(len(text), "-" in text)
        case CharClass(ranges=ranges):
            return Extent(1, contains_char(ranges, ord("-")))
        case Repeat(most=most):
            return Extent(lengths[0] * most if bounded and most is not None else None, signed)
        case Alternate():
            return Extent(max(lengths) if bounded else None, signed)
        case _:
            return Extent(sum(lengths) if bounded else None, signed)


def find_shape(node: Node, parts: list[Shape]) -> Shape:
    match node:
        case Literal(text=text):
            ranges = tuple((ord(char), ord(char)) for char in text)
            return Shape(find_alphabet(ranges), text.count("."))
        case CharClass(ranges=ranges):
            return Shape(find_alphabet(ranges), any(low <= 0x2E <= high for low, high in ranges), is_class=True)
        case Repeat(least=least, most=most):
            return repeat_shape(parts[0], least, most)
        case Capture():
            return Shape(parts[0].alphabet, parts[0].dots)
        case Concat():
            return Shape(max(part.alphabet for part in parts), sum(part.dots for part in parts))
        case Alternate():
            branches = tuple(part.plain_type for part in parts)
            return Shape(max(part.alphabet for part in parts), sum(part.dots for part in parts), branches=branches)
        case _:
            return Shape(Alphabet.OTHER)


def repeat_shape(part: Shape, least: int, most: int | None) -> Shape:
    """Return the shape of the copies that a repeat stands for; one copy is the part itself."""
    if most == 0:
        return Shape(Alphabet.OTHER)
    if least == most == 1:
        return part
    return Shape(part.alphabet, part.dots * max(1, least if most is None else most))


def find_alphabet(ranges: CharRanges) -> Alphabet:
    for alphabet, chars in ALPHABETS:
        if all(high - low < len(chars) and chars.issuperset(range(low, high + 1)) for low, high in ranges):
            return alphabet
    return Alphabet.OTHER
