"""Patterns of the form `A.*B`, of which each half is proved alone where the whole is not.

The run between the halves takes as much as it can, so `B` is matched where it last can be, whatever `A`
does: that is one search. Then `A` is searched for in what stands before that place. Neither has to try
again for the sake of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pipeline.language.patterns.linearity import UnprovedError, has_assertion
from pipeline.language.patterns.proofs import is_anchored, prove_linear
from pipeline.language.patterns.searches import Match, read_by_re, search_by_re
from pipeline.language.patterns.simplify import BEGIN, has_capture, inner_of, is_rest, make_concat
from pipeline.language.patterns.tree import Capture, Empty, Literal, Node, Repeat, fold

MARK = Capture(Empty(), -1)
"""A group that tells where the second half was found; it stands behind the text that this begins with."""


class PlacedMatch(Match, Protocol):
    """What `re` returns for a match."""

    def start(self, group: int = 0, /) -> int: ...

    def end(self, group: int = 0, /) -> int: ...


@dataclass(frozen=True, slots=True)
class Split:
    """The two halves of a pattern, and the run of any characters between them.

    `nested` are the halves of the first half, if it is searched for in the same way.
    """

    first: tuple[Node, ...]
    between: Node
    second: tuple[Node, ...]
    nested: Split | None = None

    @property
    def run(self) -> Repeat:
        """What is between the halves, captured or not."""
        run = inner_of(self.between)
        assert isinstance(run, Repeat)
        return run

    def count_between(self) -> int:
        """Return how many groups hold just the run between the halves."""
        return fold(self.between, lambda node, counts: sum(counts) + isinstance(node, Capture))

    @property
    def begins_with(self) -> bytes:
        """The text that the second half begins with."""
        begin = self.second[0]
        return begin.text.encode() if isinstance(begin, Literal) and not begin.fold else b""

    @property
    def marked(self) -> tuple[Node, ...]:
        """The second half with its mark."""
        place = 1 if self.begins_with else 0
        return (*self.second[:place], MARK, *self.second[place:])

    @property
    def marked_root(self) -> Node:
        """The run between the halves and the marked second half."""
        run = self.run
        return make_concat((Repeat(run.part, run.least, run.most), *self.marked))

    @property
    def is_read_in_second(self) -> bool:
        """Whether groups are read, and all of them in the second half."""
        return any(map(has_capture, self.second)) and not any(map(has_capture, (*self.first, self.between)))

    @property
    def joins(self) -> bool:
        """Whether groups are read that neither the match of the first half nor that of the second has all."""
        in_second = any(map(has_capture, self.second)) and not self.is_read_in_second
        return in_second or self.count_between() > 0

    @property
    def root(self) -> Node:
        """The whole pattern; with the mark if the match of the second half stands for the whole one."""
        return make_concat((*self.first, self.between, *(self.marked if self.is_read_in_second else self.second)))


def find_split(pieces: Sequence[Node]) -> Split | None:
    """Return halves of which each takes linear time, the second as short as possible; None if there are none."""
    for place in range(len(pieces) - 2, 0, -1):
        split = Split(tuple(pieces[:place]), pieces[place], tuple(pieces[place + 1 :]))
        if is_greedy_rest(split.between) and is_proved([BEGIN, split.run, *split.second]):
            return prove_first(split)
    return None


def prove_first(split: Split) -> Split | None:
    """Return the halves if the first one takes linear time as well. It must not look at what follows it."""
    begin = split.first[1:] if is_anchored(split.first) else split.first
    if not begin or fold(make_concat(begin), has_assertion):
        return None
    if is_proved(split.first):
        return split
    nested = find_split(split.first)
    return None if nested is None else replace(split, nested=nested)


def is_greedy_rest(node: Node) -> bool:
    inner = inner_of(node)
    return is_rest(node) and isinstance(inner, Repeat) and inner.greedy


def is_proved(pieces: Sequence[Node]) -> bool:
    try:
        prove_linear(pieces)
    except UnprovedError:
        return False
    return True


class JoinedMatch:
    """The matches of both halves as one."""

    __slots__ = ("between", "first", "second")

    def __init__(self, first: FirstMatch, between: Groups, second: PlacedMatch) -> None:
        self.first = first
        self.between = between
        self.second = second

    def groups(self) -> Groups:
        """Return the texts of all groups."""
        return (*self.first.groups(), *self.between, *self.second.groups()[1:])

    def __getitem__(self, index: int) -> bytes | None:
        return self.groups()[index - 1]

    def end(self) -> int:
        """Return where the match ends."""
        return self.second.end()


FirstMatch = PlacedMatch | JoinedMatch
FindFirst = Callable[[bytes, int, int], FirstMatch | None]
Groups = tuple[bytes | None, ...]


def search_split(split: Split) -> Callable[[bytes], Match | None]:
    """Return the search for a split pattern."""
    return search_halves(split, find_first_of(split), joins=split.joins)


def find_first_of(split: Split) -> FindFirst:
    """Return what searches for the first half, and is told where to begin and end."""
    if split.nested is None:
        return search_by_re(make_concat(split.first))
    find = search_halves(split.nested, find_first_of(split.nested), joins=True)
    return lambda subject, start, end: find(subject[start:end])


def search_halves(split: Split, find_first: FindFirst, *, joins: bool) -> Callable[[bytes], Any]:
    """Return the search for halves. With `joins` it returns a JoinedMatch, else the match that has the groups."""
    find_second = read_by_re(split.marked_root)
    least = split.run.least
    before_mark = len(split.begins_with) + least
    captures_between = split.count_between()
    is_read_in_second = split.is_read_in_second

    def search(subject: bytes) -> Match | None:
        second = find_second(subject)
        if second is None:
            return None
        end = second.start(1) - before_mark
        first = find_first(subject, 0, end)
        if first is None:
            return None
        if joins:
            return JoinedMatch(first, (subject[first.end() : end + least],) * captures_between, second)
        return second if is_read_in_second else first

    return search
