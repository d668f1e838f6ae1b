"""Conditions become Python conditions, with what is known where they hold.

A pattern that has surely matched needs no test where its groups are read, so each condition tells
which patterns have matched when it is true, and which when it is false.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache, lru_cache

from pipeline.language import pyast as py
from pipeline.language.bindings import Environment
from pipeline.language.codegen_access import Test
from pipeline.language.codegen_values import ValueGenerator
from pipeline.language.guards import NO_HITS, Hits
from pipeline.language.layouts import Times
from pipeline.language.nodes import Binary, Capture, Decode, Expression
from pipeline.language.patterns import HEAD_BYTES, MAX_PLANS, Engine, SearchPlan, find_heads
from pipeline.language.scopes import CheckedProgram, DecodeUse, PatternUse, Use
from pipeline.language.source import SourceFile
from pipeline.language.types import Type

MIN_HEADS = 2
"""The beginning of the line is cut off for so many patterns: that takes 30 ns, a search in vain 60 ns, a test 10 ns."""


class ConditionGenerator(ValueGenerator):
    """Generates conditions, and all other expressions.

    `hits` knows which texts the sieve has looked for in the line; a condition that needs one of them
    is tried only where it was found.
    """

    def __init__(self, checked: CheckedProgram, source: SourceFile, times: Times, hits: Hits = NO_HITS) -> None:
        super().__init__(checked, source, times)
        self.hits = hits
        on_line = [use for use in checked.patterns.values() if use.subject is None]
        self.tests_heads = sum(bool(find_heads(use.regex)) for use in on_line) >= MIN_HEADS

    def test(self, node: Expression, *, undecided: bool) -> Test:
        """Return the code of a condition. A Float or a text counts as `undecided` (spec section 7.4)."""
        use = self.checked.patterns.get(node)
        if use is not None:
            return self.search(use)
        if isinstance(node, Decode):
            return self.decode(self.checked.decodes[node])
        if isinstance(node, Binary):
            match node.operator:
                case "&&":
                    return self.conjunction(node)
                case "||":
                    return self.disjunction(node)
                case "=~":
                    return self.search(self.checked.patterns[node.right])
                case "!~":
                    found = self.search(self.checked.patterns[node.right])
                    code = not found.code if isinstance(found.code, bool) else py.negate(found.code)
                    return Test(code, frozenset(), found.if_true)
        if isinstance(node, Binary) and (mask := self.hits.comparison_mask(self.checked, node, self.known)):
            return Test(py.both(test_hits(mask), self.value(node)))
        if self.runtime_type(node) in (Type.BOOL, Type.INT):
            return Test(self.value(node))
        held = py.make_tuple(self.value(node))
        return Test(held if undecided else py.negate(held))

    def conjunction(self, node: Binary) -> Test:
        left = self.test(node.left, undecided=True)
        right = self.test_given(node.right, left.if_true, undecided=True)
        if left.code is False or right.code is True:
            code = left.code
        elif left.code is True:
            code = right.code
        else:
            code = py.both(as_code(left.code), as_code(right.code))
        return Test(code, left.if_true | right.if_true, left.if_false & right.if_false)

    def disjunction(self, node: Binary) -> Test:
        left = self.test(node.left, undecided=False)
        right = self.test_given(node.right, left.if_false, undecided=False)
        if left.code is True or right.code is False:
            code = left.code
        elif left.code is False:
            code = right.code
        else:
            code = py.either(as_code(left.code), as_code(right.code))
        return Test(code, left.if_true & right.if_true, left.if_false | right.if_false)

    def test_given(self, node: Expression, matched: frozenset[Use], *, undecided: bool) -> Test:
        """Return the code of the right side, reached only when the patterns in `matched` have matched."""
        before = self.known
        self.known = before | matched
        test = self.test(node, undecided=undecided)
        self.known = before
        return test

    def decode(self, use: DecodeUse) -> Test:
        """Return code that decodes, keeps the record, and sets the time if the record says one."""
        self.tried.append(use)
        if use.subject is None:
            record = self.fields.decode_line(use)
        elif isinstance(use.subject, Capture):
            record = py.call(self.fields.reader(use), self.group_text(use.subject))
        else:
            record = py.call(self.fields.reader(use), self.as_type(use.subject, Type.STRING))
        code = py.compare(py.walrus(use.local, record), "is not", py.constant(None))
        if use.decoder.read_time is not None:
            self.sets_time = True
            clock = py.call(self.fields.clock(use), py.name(use.local), py.name("now"), py.name("t"))
            # Whatever the time is, a tuple holds.
            code = py.both(code, py.make_tuple(py.walrus("t", clock)))
        return Test(self.place(code, use.span), frozenset({use}))

    def search(self, use: PatternUse) -> Test:
        """Return code that tries a pattern and keeps its match if the program reads it."""
        plan = self.groups.plan(use)
        self.tried.append(use)
        subject = py.name("line") if use.subject is None else self.as_type(use.subject, Type.STRING)
        if plan.never and use not in self.groups.uncertain:
            return Test(self.after(use, False))
        if plan.engine is Engine.NONE and not use.wanted:
            return Test(self.after(use, True))
        found = frozenset[Use]({use})
        mask = self.hits.mask(self.checked, use, self.known) if use not in self.groups.uncertain else 0
        if plan.literal is None or use.wanted:
            code = self.search_code(use, plan, subject)
        elif mask and plan.literal[0] == "in" and use.subject is None:
            return Test(self.place(test_hits(mask), use.span), found)
        else:
            code = literal_test(subject, *plan.literal)
        guard = test_hits(mask) if mask else self.guard(use, plan)
        code = code if guard is None else py.both(guard, code)
        return Test(self.place(code, use.span), found)

    def guard(self, use: PatternUse, plan: SearchPlan) -> ast.expr | None:
        """Return code that tests the line for what a match needs, where that costs less than to search in vain."""
        if use.subject is not None or use in self.groups.uncertain:
            return None
        heads = find_heads(use.regex) if self.tests_heads else frozenset[bytes]()
        if heads:
            return head_test(heads)
        return None if plan.guard is None else literal_test(py.name("line"), "in", plan.guard)

    def search_code(self, use: PatternUse, plan: SearchPlan, subject: ast.expr) -> ast.expr:
        """Return code that searches, and keeps the match if groups are read."""
        two_steps = plan.has_two_steps and use.subject is None
        of_line = use.subject is None or self.groups.is_ascii_with_line(use.subject)
        maker = search_maker(plan, second=two_steps, of_line=of_line)
        code = py.call(self.bindings.add(f"find{use.index + 1}", maker), subject)
        if two_steps:
            first = py.call(self.bindings.add(f"read{use.index + 1}", first_maker(plan)), subject)
            code = py.either(first, code)
        return py.walrus(use.local, code) if use.wanted else code

    def after(self, use: PatternUse, outcome: bool) -> ast.expr | bool:
        """Return an outcome that is certain; the subject of `=~` is still evaluated, as it may fail."""
        if use.subject is None or (isinstance(use.subject, Capture) and self.runtime_type(use.subject) is Type.STRING):
            return outcome
        held = py.make_tuple(self.as_type(use.subject, Type.STRING))
        return held if outcome else py.negate(held)


@lru_cache(maxsize=MAX_PLANS)
def search_maker(plan: SearchPlan, *, second: bool, of_line: bool) -> Callable[[Environment], object]:
    """Return what makes the search of a plan, or the second step of it.

    A subject that is not `of_line` may hold any characters where the line is ASCII.
    """
    if second:
        return remember(lambda ascii_only: plan.compile_second(ascii_only=ascii_only))
    if not of_line:
        return remember(lambda _ascii_only: plan.compile_utf8())
    return remember(lambda ascii_only: plan.compile_ascii() if ascii_only else plan.compile_utf8())


@lru_cache(maxsize=MAX_PLANS)
def first_maker(plan: SearchPlan) -> Callable[[Environment], object]:
    """Return what makes the first step of a search."""
    return remember(lambda ascii_only: plan.compile_first(ascii_only=ascii_only))


def remember(compile_search: Callable[[bool], object]) -> Callable[[Environment], object]:
    """Return what makes a search once for each kind of lines: a program is bound each time that its metrics move."""
    compile_once = cache(compile_search)
    return lambda environment: compile_once(environment.ascii_lines)


def test_hits(mask: int) -> ast.expr:
    """Return code that tests whether the line holds one of the texts of `mask`."""
    return py.binary(py.name("found"), "&", py.constant(mask))


def head_test(heads: frozenset[bytes]) -> ast.expr:
    """Return code that tests whether the line begins with one of the texts, which are all of one length."""
    head = py.head(py.name("line"), HEAD_BYTES)
    first, *others = sorted(heads)
    if not others:
        return py.compare(head, "==", py.constant(first))
    return py.compare(head, "in", ast.Set([py.constant(text) for text in (first, *others)]))


def as_code(code: ast.expr | bool) -> ast.expr:
    """Return a certain outcome as code."""
    return py.constant(code) if isinstance(code, bool) else code


def literal_test(subject: ast.expr, how: str, literal: bytes) -> ast.expr:
    """Return code that tests a subject for a literal."""
    match how:
        case "in":
            # `in` takes twice as long: it first tries to read the literal as the number of a byte.
            found = py.call(py.attribute(subject, "find"), py.constant(literal))
            return py.compare(found, ">=", py.constant(0))
        case "equals":
            return py.compare(subject, "==", py.constant(literal))
        case "startswith" | "endswith":
            return py.call(py.attribute(subject, how), py.constant(literal))
        case _:
            raise AssertionError(how)
