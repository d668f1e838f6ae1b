r"""The proof that Python's backtracking engine runs a pattern in linear time.

The idea: if, wherever a repeat could go on or stop, the next byte tells which, there is nothing to
try again. For every repeat with a choice, what it repeats and what may follow it must begin with
different bytes; then a repeat that stops early cannot lead to a match, and the choice of the engine
is the only one. A lazy repeat is then the same as a greedy one. Branches of an alternation must
exclude each other by a byte at some fixed distance. A choice outside of unbounded repeats that is not
decided this way only multiplies the work, and is let pass while the product stays small.

Where the rest of the pattern matches anywhere (`.*`), or further on whenever it does (`.*$`), a repeat
of single bytes before it need not give anything back either: `:\s+(.*)`.

That bounds one attempt. A search without an anchor makes an attempt at every byte; see `check_restarts`.

Subjects hold no line feeds (they are lines, or parts of them). Matching stays exact when they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from operator import or_
from typing import TypeGuard, assert_never

from pipeline.language.patterns.byte_sets import ALL_BYTES, LINE_FEED, mask_of, mask_of_char
from pipeline.language.patterns.simplify import inner_of
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
    fold,
)

MAX_CHOICES = 16
"""How many ways an attempt may go in all; a factor of the running time."""
MAX_SHORT_REPEAT = 32
"""A repeat of at most so many rounds counts as bounded."""
MAX_LOOK_AHEAD = 16
"""How many fixed bytes of branches are compared."""


class UnprovedError(Exception):
    """The proof did not succeed; its text says why, as a sentence's end: "because …"."""


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes that a part may begin with, and whether it may match nothing."""

    first: int
    nullable: bool


END = 0
"""In a head, the end of the subject: no byte."""


class Rest(Enum):
    """What is known of all that follows, down to the end of the pattern."""

    SURE = "it can match nothing, so it matches anywhere"
    AT_END = "it matches at the end of the subject only"
    CLOSED = "where it matches, it also matches from any byte further on"
    OPEN = "nothing is known"


@dataclass(frozen=True, slots=True)
class Follow:
    """The bytes that may come after a part. What follows may also be the end, which is no byte.

    `head` holds the sets of bytes at fixed distances, as far as they are known.
    """

    first: int
    head: tuple[int, ...] = ()
    rest: Rest = Rest.OPEN


NOTHING = Follow(0, rest=Rest.SURE)


class Prover:
    """Walks a pattern from the right to the left. Choices multiply in `choices`."""

    def __init__(self, root: Node, *, trusts_loops: bool = False) -> None:
        """With `trusts_loops`, repeats of single characters are somebody else's to prove."""
        self.trusts_loops = trusts_loops
        self.spans: dict[int, Span] = {}
        fold(root, self.measure)
        self.root = root
        self.choices = 1
        self.decided: set[int] = set()

    def prove(self) -> None:
        """Raise UnprovedError unless every attempt of a match takes linear time."""
        self.visit(self.root, NOTHING, looped=False)
        if self.choices > MAX_CHOICES:
            raise UnprovedError("it leaves too many choices open")

    def measure(self, node: Node, parts: list[Span]) -> Span:
        span = self.span_of(node, parts)
        self.spans[id(node)] = span
        return span

    def span_of(self, node: Node, parts: list[Span]) -> Span:
        match node:
            case Empty():
                return Span(0, nullable=True)
            case Literal(text=text, fold=folded):
                return Span(mask_of_char(text[0], fold=folded), nullable=False)
            case CharClass(ranges=ranges):
                return Span(mask_of(ranges), nullable=False)
            case Assertion(anchor=anchor):
                # At the end no byte follows; all other anchors look at bytes in their own way.
                return Span(0, nullable=True) if anchor is Anchor.END_TEXT else Span(ALL_BYTES, nullable=True)
            case Alternate():
                return Span(unite(part.first for part in parts), any(part.nullable for part in parts))
            case Repeat(least=least, most=most):
                return Span(parts[0].first if most != 0 else 0, least == 0 or parts[0].nullable)
            case Capture():
                return parts[0]
            case Concat():
                first, nullable = 0, True
                for part in parts:
                    if nullable:
                        first |= part.first
                        nullable = part.nullable
                return Span(first, nullable)
            case _:
                assert_never(node)

    def visit(self, node: Node, follow: Follow, *, looped: bool) -> None:
        match node:
            case Concat(children=children):
                end = follow.head
                for place in range(len(children) - 1, -1, -1):
                    self.visit(children[place], follow, looped=looped)
                    first = self.before(children[place], follow).first
                    rest = self.rest_before(children[place], follow.rest)
                    follow = Follow(first, tuple(self.head_of(children[place:], end)), rest)
            case Alternate():
                self.visit_alternate(node, follow, looped=looped)
            case Repeat():
                self.visit_repeat(node, follow, looped=looped)
            case Capture(part=part):
                self.visit(part, follow, looped=looped)
            case _:
                pass

    def before(self, node: Node, follow: Follow) -> Follow:
        """Return what may come before a part given what comes after it."""
        span = self.spans[id(node)]
        return Follow(span.first | follow.first) if span.nullable else Follow(span.first)

    def rest_before(self, node: Node, rest: Rest) -> Rest:
        """Return what is known of a part together with the rest after it."""
        inner = inner_of(node)
        takes_any_number = is_class_repeat(inner) and self.spans[id(inner)].nullable and inner.most is None
        if rest in (Rest.AT_END, Rest.CLOSED):
            return Rest.CLOSED if takes_any_number else Rest.OPEN
        if rest is Rest.OPEN:
            return Rest.OPEN
        if inner == Assertion(Anchor.END_TEXT):
            return Rest.AT_END
        return Rest.SURE if self.spans[id(node)].nullable and not fold(node, has_assertion) else Rest.OPEN

    def visit_alternate(self, node: Alternate, follow: Follow, *, looped: bool) -> None:
        for branch in node.children:
            self.visit(branch, follow, looped=looped)
        heads = [self.head(branch, follow) for branch in node.children]
        for place, head in enumerate(heads):
            for other in heads[place + 1 :]:
                if not exclude(head, other):
                    if looped:
                        raise UnprovedError("branches of an alternation inside a repeat can match the same text")
                    self.choices *= len(heads)
                    return

    def head(self, node: Node, follow: Follow) -> list[int]:
        """Return the sets of bytes that stand at fixed distances from where a branch begins."""
        span = self.spans[id(node)]
        if span.nullable:
            return [span.first | follow.first]
        return self.head_of([node])

    def head_of(self, pieces: Sequence[Node], after: Sequence[int] = ()) -> list[int]:
        """Return the sets of bytes at fixed distances from where pieces begin that stand in a row.

        `after` are those that follow the last piece.
        """
        masks: list[int] = []
        pending = list(reversed(pieces))
        while pending and len(masks) < MAX_LOOK_AHEAD:
            piece = pending.pop()
            match piece:
                case Literal(text=text, fold=folded):
                    for char in text:
                        masks.append(mask_of_char(char, fold=folded))
                        if ord(char) >= 0x80:
                            return masks
                case CharClass(ranges=ranges):
                    masks.append(mask_of(ranges))
                    if ranges[-1][1] >= 0x80:
                        return masks
                case Concat(children=children):
                    pending.extend(reversed(children))
                case Capture(part=part):
                    pending.append(part)
                case Repeat(part=part, least=least, most=most) if least and least <= MAX_LOOK_AHEAD:
                    if least != most:
                        pending, after = [], ()
                    pending.extend([part] * least)
                case Alternate() if not self.spans[id(piece)].nullable:
                    masks.append(self.spans[id(piece)].first)
                    return masks
                case Assertion(anchor=Anchor.END_TEXT):
                    return [*masks, END]
                case Empty() | Assertion():
                    pass
                case _:
                    return masks
        return [*masks, *after][:MAX_LOOK_AHEAD]

    def visit_repeat(self, node: Repeat, follow: Follow, *, looped: bool) -> None:
        unbounded = node.most is None or node.most > MAX_SHORT_REPEAT
        part = self.spans[id(node.part)]
        if node.least == node.most:
            again = Follow(part.first | follow.first) if (node.most or 0) > 1 else follow
            self.visit(node.part, again, looped=looped or (node.most or 0) > 1)
            return
        if part.nullable and unbounded:
            raise UnprovedError("what a repeat repeats can match nothing")
        self.visit(node.part, Follow(part.first | follow.first), looped=looped or node.most != 1)
        if part.first & follow.first == 0 and (node.greedy or follow.first):
            self.decided.add(id(node))
            return
        if node.greedy and isinstance(node.part, CharClass) and follow.rest in (Rest.SURE, Rest.CLOSED):
            # If the rest matches after a shorter run, it also does after the longest one.
            self.decided.add(id(node))
            return
        if not looped and (self.ends_near(node, follow) or self.is_trusted(node)):
            return
        if unbounded or looped:
            raise UnprovedError("where a repeat may end, it could also go on")
        self.choices *= 1 + (node.most or 0) - node.least

    def is_trusted(self, node: Repeat) -> bool:
        return self.trusts_loops and node.most is None and isinstance(node.part, CharClass | Literal)

    def ends_near(self, node: Repeat, follow: Follow) -> bool:
        """Whether only few of the places where a repeat of single bytes may end can lead on.

        What follows has a byte, or the end, at a fixed distance that the repeat cannot take. A run of
        the repeat's bytes ends somewhere, so only that near to its end can what follows match: `\\S+" `
        takes up to the last quote before a space. The places farther in fail after that distance.
        """
        if not isinstance(node.part, CharClass) or not node.greedy or node.most is not None:
            return False
        taken = mask_of(node.part.ranges)
        ways = 0
        for mask in follow.head:
            ways += mask & ~taken != 0 or mask == END
            if mask & taken == 0:
                self.choices *= max(1, ways)
                return True
        return False

    # Searches without an anchor

    def check_restarts(self, pieces: Sequence[Node]) -> None:
        """Raise UnprovedError unless attempts at all places together take linear time.

        The fixed beginning of the pattern has a byte that no unbounded repeat further on can take.
        While a repeat runs over the subject no other attempt gets past the beginning there, so at
        each byte only so many attempts are under way as the pattern has fixed bytes. A repeat at
        the very end does not count: an attempt that reaches it succeeds.
        """
        taken = self.taken_by_repeats(pieces)
        if taken and not any(mask & taken == 0 for mask in self.head_of(pieces)):
            raise UnprovedError("a search could begin again at every byte that a repeat takes")

    def taken_by_repeats(self, pieces: Sequence[Node]) -> int:
        """Return the bytes that unbounded repeats can take, but for one at the end that cannot fail."""
        last = pieces[-1]
        rest = list(pieces)
        if isinstance(last, Assertion) and last.anchor is Anchor.END_TEXT and len(rest) > 1:
            part = inner_of(rest[-2])
            if is_class_repeat(part) and self.spans[id(part)].first | LINE_FEED == ALL_BYTES:
                rest = rest[:-2]
        elif is_class_repeat(inner_of(last)):
            rest = rest[:-1]
        taken = 0
        pending: list[Node] = rest
        while pending:
            node = pending.pop()
            if isinstance(node, Repeat) and (node.most is None or node.most > MAX_SHORT_REPEAT):
                taken |= fold(
                    node.part, lambda inner, parts: self.spans[id(inner)].first | unite(parts) | all_of(inner)
                )
            pending.extend(node.children)
        return taken


def has_assertion(node: Node, parts: list[bool]) -> bool:
    return isinstance(node, Assertion) or any(parts)


def is_class_repeat(node: Node) -> TypeGuard[Repeat]:
    """Whether the node repeats a single character of a set."""
    return isinstance(node, Repeat) and isinstance(node.part, CharClass)


def all_of(node: Node) -> int:
    """Return all bytes of a literal."""
    if isinstance(node, Literal):
        return unite(mask_of_char(char, fold=node.fold) for char in node.text)
    return 0


def exclude(left: Sequence[int], right: Sequence[int]) -> bool:
    """Whether a byte at some fixed distance tells two branches apart."""
    return any(ours & theirs == 0 for ours, theirs in zip(left, right, strict=False))


def unite(masks: Iterable[int]) -> int:
    """Return the union of sets."""
    return reduce(or_, masks, 0)
