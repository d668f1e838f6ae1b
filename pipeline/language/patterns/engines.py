"""How a pattern is searched: which engine runs it, why, and what it is given.

Four engines (measured on 79-byte lines): none, if the pattern always matches; a test for a literal
(130 ns); Python's `re` where it is proved linear (110 to 220 ns); RE2 (220 to 450 ns).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache

from pipeline.language.patterns.certainty import find_literal, is_certain, is_impossible
from pipeline.language.patterns.exactness import is_byte_exact
from pipeline.language.patterns.linearity import UnprovedError
from pipeline.language.patterns.literals import Required, required_of
from pipeline.language.patterns.printing import BYTES, print_tree
from pipeline.language.patterns.proofs import (
    MAX_PROVED_HEIGHT,
    find_first_run,
    is_anchored,
    is_linear_from_place,
    is_linear_from_runs,
    prove_linear,
)
from pipeline.language.patterns.re2_library import compile_re2
from pipeline.language.patterns.searches import (
    Match,
    Search,
    find_nothing,
    find_then_read,
    read_by_re,
    search_by_re,
    search_by_re2,
    search_characters,
    search_in_turn,
    search_runs,
)
from pipeline.language.patterns.simplify import flatten, make_concat, simplify
from pipeline.language.patterns.splitting import Split, find_split, search_split
from pipeline.language.patterns.tree import Node, Regex

__all__ = ["MAX_PLANS", "Engine", "Match", "Search", "SearchPlan", "plan_search"]

MIN_GUARD_BYTES = 3
"""A shorter literal is in nearly every line, so that a test for it only costs."""


MAX_PLANS = 1024
"""How many are kept: each pattern of a program is asked for once for each function that is made of it."""


class Engine(Enum):
    """What searches for a pattern. The value is its name in `explain`."""

    NONE = "none"
    LITERAL = "literal"
    RE = "re"
    RE2 = "RE2"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchPlan:
    """How one pattern is searched, given the groups that are read.

    `never`: no subject matches. `literal`: for the engine of that name, how to test (`in`,
    `startswith`, `endswith` or `equals`) and for what. `guard`: a text that every match holds, worth
    a test before the search. `group_index`: where in a match a wanted group is. `goes_to_runs`: `re`
    tries the pattern where a run of the set begins with which it begins, such as a word.
    `split`: the halves that `re` searches for one after the other. `reads_with_re`: RE2 only finds
    where the match begins, because it is slow at groups, and `re` reads them.
    """

    engine: Engine
    reason: str
    root: Node
    never: bool = False
    literal: tuple[str, bytes] | None = None
    guard: bytes | None = None
    group_index: dict[int, int] = field(default_factory=dict)
    goes_to_runs: bool = False
    split: Split | None = None
    reads_with_re: bool = False

    @property
    def group_count(self) -> int:
        """How many groups a match has, group 0 apart."""
        return max(self.group_index.values(), default=0)

    @property
    def has_two_steps(self) -> bool:
        """Whether the search is that of `compile_first`, and, where it finds nothing, that of `compile_second`.

        What holds a pattern that begins with a run of a set, such as a word, mostly begins with it.
        Generated code takes the steps itself: a function around them costs as much as a search.
        """
        return self.reads_with_re and find_first_run(flatten(self.root)) is not None

    @property
    def is_exact(self) -> bool:
        """Whether the search over bytes finds the same as one over characters, whatever the subject."""
        return self.root.height <= MAX_PROVED_HEIGHT and is_byte_exact(self.root)

    def compile_first(self, *, ascii_only: bool) -> Search:
        """Return the first of two steps."""
        return read_by_re(self.root) if ascii_only or self.is_exact else self.compile_utf8()

    def compile_second(self, *, ascii_only: bool) -> Search:
        """Return the second of two steps. Where bytes are not exact, the first has done it all."""
        if not ascii_only and not self.is_exact:
            return find_nothing
        return find_then_read(self.root)

    def compile_ascii(self) -> Search:
        """Return the search for subjects that are ASCII."""
        if self.has_two_steps:
            return search_in_turn(self.compile_first(ascii_only=True), self.compile_second(ascii_only=True))
        if self.goes_to_runs:
            return search_runs(self.root)
        if self.split is not None:
            return search_split(self.split)
        if self.reads_with_re:
            return find_then_read(self.root)
        return search_by_re(self.root) if self.engine is Engine.RE else search_by_re2(self.root)

    def compile_utf8(self) -> Search:
        """Return the search for subjects of any bytes."""
        search = self.compile_ascii()
        return search if self.is_exact else search_characters(self.root, search)


@lru_cache(maxsize=MAX_PLANS)
def plan_search(regex: Regex, wanted: frozenset[int], *, in_line: bool = False) -> SearchPlan:
    """Return how to search for a pattern of which the groups in `wanted` (0 is the match) are read.

    `in_line` promises that no subject holds a line feed: each is a line, or a piece of one. The last
    answers are kept, because each variant of a program asks again.
    """
    pieces = simplify(regex.root, wanted, in_line=in_line)
    root = make_concat(pieces)
    index = {number: place for place, number in enumerate(sorted(wanted | {0}))}
    if is_impossible(pieces):
        reason = "nothing can match it"
        return SearchPlan(engine=Engine.RE2, reason=reason, root=root, never=True, group_index=index)
    if not wanted and is_certain(pieces):
        return SearchPlan(engine=Engine.NONE, reason="it always matches", root=root)
    literal = None if wanted else find_literal(pieces)
    if literal is not None:
        return SearchPlan(engine=Engine.LITERAL, reason="it is a plain text", root=root, literal=literal)
    return plan_engine(pieces, wanted, index)


def plan_engine(pieces: Sequence[Node], wanted: frozenset[int], index: dict[int, int]) -> SearchPlan:
    """Return how to search for a pattern that needs an engine: `re` if a proof is found."""
    required = required_of(make_concat(pieces))
    plan = SearchPlan(
        engine=Engine.RE,
        reason="backtracking is proved bounded",
        root=make_concat(pieces),
        guard=find_guard(required),
        group_index=index,
    )
    try:
        prove_linear(pieces)
    except UnprovedError as error:
        return plan_unproved(plan, pieces, wanted, str(error))
    # An attempt at one place fails as fast as the guard, and so does a search that begins with a text.
    is_guarded = not is_anchored(pieces) and len(required.begin) < MIN_GUARD_BYTES
    return plan if is_guarded else replace(plan, guard=None)


def plan_unproved(plan: SearchPlan, pieces: Sequence[Node], wanted: frozenset[int], reason: str) -> SearchPlan:
    """Return how to search for a pattern that is unproved for `reason`, given how it would be by `re`."""
    if 0 not in wanted and is_linear_from_runs(pieces):
        return replace(plan, goes_to_runs=True, reason=f"{plan.reason}, from run to run of what it begins with")
    if 0 not in wanted and (split := find_split(pieces)) is not None:
        shift = 1 if split.is_read_in_second else 0
        index = {number: place + shift for number, place in plan.group_index.items()}
        reason = f"{plan.reason} in each half around a run of any characters"
        return replace(plan, reason=reason, root=split.root, split=split, group_index=index)
    compile_re2(print_tree(plan.root, BYTES), utf8=False)
    reads = bool(wanted) and is_linear_from_place(pieces)
    if reads:
        reason += "; `re` reads the groups from where RE2 finds the match"
    return replace(plan, engine=Engine.RE2, reason=reason, reads_with_re=reads)


def find_guard(required: Required) -> bytes | None:
    """Return a text worth a test before the search: long enough, and not where the search begins anyway.

    A test takes 130 ns. So does a search of `re` that begins with a text and does not find it.
    """
    best = required.best
    if len(best) != 1 or len(best[0]) < MIN_GUARD_BYTES:
        return None
    return best[0] if is_plain_utf8(best[0]) else None


def is_plain_utf8(text: bytes) -> bool:
    """Whether a text stands for itself in every subject: U+FFFD also stands for invalid bytes."""
    return "\ufffd" not in text.decode("utf-8", "replace")
