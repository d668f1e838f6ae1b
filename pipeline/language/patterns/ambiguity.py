"""A second proof of linear time, on the automaton of a pattern.

A backtracking engine tries, one after the other, the paths through the automaton that the subject
allows. It takes linear time if the number of paths to any state over any text is bounded. Without
nested repeats that number can only grow with the text if some text leads from one repeat to itself,
from it to another repeat, and from that one to itself (A. Weber and H. Seidl, "On the degree of
ambiguity of finite automata", 1991): then the border between the two may lie anywhere. So for each
pair of repeats we look for a path between them whose every byte both repeats could take.

How large the bound is follows from the fixed stretches between repeats, and is limited too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import assert_never

from pipeline.language.patterns.byte_sets import ALL_BYTES, mask_of, mask_of_char
from pipeline.language.patterns.linearity import MAX_CHOICES, UnprovedError
from pipeline.language.patterns.tree import (
    Alternate,
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

MAX_STATES = 600
MAX_PATHS = 64
"""How many ways from one repeat to the next are looked at."""


@dataclass(frozen=True, slots=True)
class Automaton:
    """The states are the characters of the pattern; `masks` says which bytes each takes.

    `first` and `last` are the states where it may begin and end, `edges` which state may follow
    which, `loops` the states that repeat without bound. Anchors are left out: that only adds paths.
    """

    masks: tuple[int, ...] = ()
    first: frozenset[int] = frozenset()
    last: frozenset[int] = frozenset()
    nullable: bool = True
    edges: frozenset[tuple[int, int]] = frozenset()
    loops: frozenset[int] = frozenset()

    def then(self, other: Automaton) -> Automaton:
        """Return this one followed by the other."""
        shifted = other.shift(len(self.masks))
        joints = frozenset((end, begin) for end in self.last for begin in shifted.first)
        return Automaton(
            limit_states(self.masks + shifted.masks),
            self.first | shifted.first if self.nullable else self.first,
            self.last | shifted.last if shifted.nullable else shifted.last,
            self.nullable and shifted.nullable,
            self.edges | shifted.edges | joints,
            self.loops | shifted.loops,
        )

    def beside(self, other: Automaton) -> Automaton:
        """Return the choice between this one and the other."""
        shifted = other.shift(len(self.masks))
        return Automaton(
            limit_states(self.masks + shifted.masks),
            self.first | shifted.first,
            self.last | shifted.last,
            self.nullable or shifted.nullable,
            self.edges | shifted.edges,
            self.loops | shifted.loops,
        )

    def shift(self, count: int) -> Automaton:
        """Return the same with its states numbered from `count`; `masks` keeps its own places."""
        return Automaton(
            self.masks,
            frozenset(state + count for state in self.first),
            frozenset(state + count for state in self.last),
            self.nullable,
            frozenset((start + count, end + count) for start, end in self.edges),
            frozenset(state + count for state in self.loops),
        )

    def optional(self) -> Automaton:
        """Return the same, or nothing."""
        return replace(self, nullable=True)

    def repeat(self) -> Automaton:
        """Return any number of this one, which must be a single character."""
        if len(self.masks) != 1 or self.loops:
            raise UnprovedError("it repeats more than one character without bound, and not in a way that is decided")
        return Automaton(self.masks, self.first, self.last, self.nullable, frozenset({(0, 0)}), frozenset({0}))


def limit_states(masks: tuple[int, ...]) -> tuple[int, ...]:
    if len(masks) > MAX_STATES:
        raise UnprovedError("it is too large to be looked through")
    return masks


def build(node: Node, parts: list[Automaton]) -> Automaton:
    """Return the automaton of a node from those of its children."""
    match node:
        case Empty() | Assertion():
            return Automaton()
        case Literal(text=text, fold=folded):
            result = Automaton()
            for char in text:
                result = result.then(single(mask_of_char(char, fold=folded)))
            return result
        case CharClass(ranges=ranges):
            return single(mask_of(ranges))
        case Capture():
            return parts[0]
        case Concat():
            result = parts[0]
            for part in parts[1:]:
                result = result.then(part)
            return result
        case Alternate():
            result = parts[0]
            for part in parts[1:]:
                result = result.beside(part)
            return result
        case Repeat():
            return build_repeat(node, parts[0])
        case _:
            assert_never(node)


def single(mask: int) -> Automaton:
    """Return the automaton of one character."""
    return Automaton((mask,), frozenset({0}), frozenset({0}), nullable=False)


def build_repeat(node: Repeat, part: Automaton) -> Automaton:
    """Return the automaton of a repeat: copies, then optional copies or a loop."""
    result = Automaton()
    for _ in range(node.least if node.most is not None else max(0, node.least - 1)):
        result = result.then(part)
    if node.most is None:
        return result.then(part.repeat() if node.least else part.repeat().optional())
    tail = Automaton()
    for _ in range(node.most - node.least):
        tail = part.then(tail).optional()
    return result.then(tail)


def prove_unambiguous(root: Node, *, anchored: bool) -> None:
    """Raise UnprovedError unless the number of paths is bounded, and small.

    Without an anchor the search may also begin anywhere: that is one more repeat, of any byte,
    before the pattern.
    """
    automaton = fold(root, build)
    if not anchored:
        automaton = single(ALL_BYTES).repeat().optional().then(automaton)
    followers: list[list[int]] = [[] for _ in automaton.masks]
    for start, end in automaton.edges:
        followers[start].append(end)
    choices = 1
    for start in automaton.loops:
        for end in automaton.loops:
            if start != end and reaches(automaton, followers, start, end):
                raise UnprovedError("the border between two of its repeats may lie anywhere")
        choices *= max((ways(automaton, start, path) for path in paths(automaton, followers, start)), default=1)
        if choices > MAX_CHOICES:
            raise UnprovedError("it leaves too many choices open")


def reaches(automaton: Automaton, followers: list[list[int]], start: int, end: int) -> bool:
    """Whether some text that both repeats take leads from the one to the other."""
    shared = automaton.masks[start] & automaton.masks[end]
    seen = {start}
    pending = [start]
    while pending:
        for state in followers[pending.pop()]:
            if state not in seen and automaton.masks[state] & shared:
                if state == end:
                    return True
                seen.add(state)
                pending.append(state)
    return False


def paths(automaton: Automaton, followers: list[list[int]], start: int) -> Iterator[list[int]]:
    """Yield the ways from a repeat to the next one, without the start."""
    count = 0
    pending = [[state] for state in followers[start] if state != start]
    while pending:
        path = pending.pop()
        if path[-1] in automaton.loops:
            count += 1
            if count > MAX_PATHS:
                raise UnprovedError("it leaves too many choices open")
            yield path
            continue
        pending.extend([*path, state] for state in followers[path[-1]])
        if len(pending) > MAX_PATHS:
            raise UnprovedError("it leaves too many choices open")


def ways(automaton: Automaton, start: int, path: list[int]) -> int:
    """Return how many places near each other may be the end of a repeat, as far as the next one can tell.

    If the repeat cannot take the byte at some distance, its end is no farther than that from the end
    of the run of its bytes. If the next repeat cannot take the byte, two ends that are farther apart
    than what is left of the way would need it to.
    """
    taken, next_taken = automaton.masks[start], automaton.masks[path[-1]]
    bounds = [len(path)]
    for distance, state in enumerate(path):
        mask = automaton.masks[state]
        if mask & taken == 0:
            bounds.append(1 + sum(1 for before in path[:distance] if automaton.masks[before] & ~taken))
        if mask & next_taken == 0:
            bounds.append(max(1, len(path) - 1 - distance))
    return min(bounds)
