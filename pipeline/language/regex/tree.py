"""The tree of a pattern, as a RE2-style parser builds it (spec section 6.6).

Trees may be a thousand levels deep, Python's stack is not. So nothing here or in a pass over a whole
tree calls itself: a node knows its own height, and `fold` walks with a stack of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, TypeVar

from pipeline.errors import PipelineError

CharRanges = tuple[tuple[int, int], ...]
"""A set of characters: ranges of code points, both ends included, ascending, never touching."""


class PatternError(PipelineError):
    """A pattern that cannot be used. `start` and `end` are character offsets in its text."""

    def __init__(self, message: str, start: int, end: int, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.help = hint


class Anchor(Enum):
    """What matches without taking a character. The value is how RE2 spells it."""

    BEGIN_TEXT = r"\A"
    END_TEXT = r"\z"
    BEGIN_LINE = "(?m:^)"
    END_LINE = "(?m:$)"
    WORD_EDGE = r"\b"
    NO_WORD_EDGE = r"\B"


@dataclass(frozen=True, slots=True)
class Empty:
    """Matches nothing, anywhere."""

    children: ClassVar[tuple[Node, ...]] = ()
    height: ClassVar[int] = 1
    nesting: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Literal:
    """Characters in a row. When `fold` is set each stands for all characters of its case orbit."""

    text: str
    fold: bool = False
    children: ClassVar[tuple[Node, ...]] = ()
    height: ClassVar[int] = 1
    nesting: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class CharClass:
    """One character of a set; `.` is one too."""

    ranges: CharRanges
    children: ClassVar[tuple[Node, ...]] = ()
    height: ClassVar[int] = 1
    nesting: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Assertion:
    """An anchor or a word edge."""

    anchor: Anchor
    children: ClassVar[tuple[Node, ...]] = ()
    height: ClassVar[int] = 1
    nesting: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Concat:
    """Two parts or more, one after the other."""

    children: tuple[Node, ...]
    height: int = field(init=False, repr=False)
    nesting: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        measure(self, 1)


@dataclass(frozen=True, slots=True)
class Alternate:
    """Two branches or more; the first that leads to a match counts."""

    children: tuple[Node, ...]
    height: int = field(init=False, repr=False)
    nesting: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        measure(self, 1)


@dataclass(frozen=True, slots=True)
class Repeat:
    """`*`, `+`, `?` and `{n,m}`; `most` is None without an upper bound."""

    part: Node
    least: int
    most: int | None
    greedy: bool = True
    children: tuple[Node, ...] = field(init=False, repr=False)
    height: int = field(init=False, repr=False)
    nesting: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "children", (self.part,))
        measure(self, max(1, self.least if self.most is None else self.most))


@dataclass(frozen=True, slots=True)
class Capture:
    """A group that `$1` or `$name` can read."""

    part: Node
    number: int
    name: str | None = None
    children: tuple[Node, ...] = field(init=False, repr=False)
    height: int = field(init=False, repr=False)
    nesting: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "children", (self.part,))
        measure(self, 1)


Node = Empty | Literal | CharClass | Assertion | Concat | Alternate | Repeat | Capture


def measure(node: Concat | Alternate | Repeat | Capture, factor: int) -> None:
    """Set the node's height, and how often the counts around its innermost part multiply."""
    object.__setattr__(node, "height", 1 + max(child.height for child in node.children))
    object.__setattr__(node, "nesting", factor * max(child.nesting for child in node.children))


@dataclass(frozen=True, slots=True, eq=False)
class Regex:
    """A pattern that has been read. `names` has an entry per group, in order, without group 0."""

    text: str
    root: Node
    names: tuple[str | None, ...]


T = TypeVar("T")


def fold(root: Node, combine: Callable[[Node, list[T]], T]) -> T:
    """Return `combine(node, results of its children)` of the root, worked out from the leaves up."""
    order: list[Node] = []
    pending = [root]
    while pending:
        node = pending.pop()
        order.append(node)
        pending.extend(node.children)
    results: list[T] = []
    for node in reversed(order):
        count = len(node.children)
        parts = results[len(results) - count :]
        del results[len(results) - count :]
        results.append(combine(node, parts))
    return results[0]
