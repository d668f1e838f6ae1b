"""Values that the code for a line computes more than once are computed once.

The generator writes an expression wherever the program has one: the text of a capture group, its
number, the tuple of label values. Here the first of two equal expressions leaves its value in a local,
and the second reads it. That is done with expressions that change nothing and depend on nothing but
locals. A value is at hand where its expression has surely been evaluated, until a local that it
depends on is assigned to.

What depends on nothing but the origin of a batch is computed once, in front of the loop.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.language import pyast as py
from pipeline.language.code_flow import is_row, list_later_rows, matched, surely_read
from pipeline.language.tidying import tidy

MADE_FUNCTION = re.compile(r"(?:decode|field|find|read|replace|row)\d+|decode\d+_text|strtol_\d+|tolower_line")
"""Functions made for one program that depend on their arguments only: searches, decodes, fields, replacements, rows."""
SAFE_FUNCTION = re.compile(r"(?:find|read)\d+|len|tolower")
"""Functions that fail on no text, so that they can be called before a line asks for it."""
SAFE_METHODS = frozenset({"encode", "find", "get", "startswith", "endswith"})
SCRATCH = "v"
"""The local that the test of a selection sets and its branches read, so that no value of a whole selection depends on
it."""

# Measured for matches of 2 to 9 groups: all at once take 10 ns and 16 ns for each, one alone takes 24 ns.
UNPACK_NANOSECONDS = 10
UNPACK_NANOSECONDS_EACH = 16
READ_NANOSECONDS = 24


@dataclass(frozen=True, slots=True)
class Value:
    """An expression that changes nothing. Equal expressions have the same number.

    `locals` are those that it depends on. A `safe` one cannot fail, and needs no line. One that
    `sets_scratch` must be computed where it stands, because what follows reads the scratch.
    """

    number: int
    locals: frozenset[str] = frozenset()
    safe: bool = True
    sets_scratch: bool = False


Known = dict[int, str]
"""The values at hand, by number, each with the local that holds it."""
Visited = tuple[ast.expr, Value | None]
"""An expression with its values shared, and what is known of it if it changes nothing."""


class Sharer:
    """Walks over the code for one line in the order in which it runs.

    `pure` are the functions that depend on nothing but their arguments. `groups` says how many groups
    the matches in some locals have. `fixed` collects what is computed in front of the loop.
    """

    def __init__(self, pure: frozenset[str], groups: Mapping[str, int]) -> None:
        self.pure = pure
        self.groups = groups
        self.fixed: list[ast.stmt] = []
        self.fixed_locals: Known = {}
        self.numbers: dict[tuple[object, ...], int] = {}
        self.locals_of: dict[int, frozenset[str]] = {}
        self.made = 0
        self.has_rows = False

    def share(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Return the code for one line with its values shared."""
        self.has_rows = any(is_row(piece) for statement in body for piece in ast.walk(statement))
        return tidy(self.block(body, {}))

    # Statements

    def block(self, statements: Sequence[ast.stmt], known: Known) -> list[ast.stmt]:
        shared: list[ast.stmt] = []
        later_rows = list_later_rows(statements) if self.has_rows else [frozenset[str]()] * len(statements)
        for statement, later in zip(statements, later_rows, strict=True):
            if later and isinstance(statement, ast.If):
                shared += self.look_ahead(statement, later, known)
            self.statement(statement, known)
            shared.append(statement)
        return shared

    def look_ahead(self, node: ast.If, later: frozenset[str], known: Known) -> list[ast.stmt]:
        """Return code that finds the rows that a conditional may need, and what follows needs anyway."""
        wanted = {ast.dump(call): call for call in ast.walk(node) if is_row(call)}
        code: list[ast.stmt] = []
        for text, call in wanted.items():
            if text in later and self.is_ready(call, known):
                value, _ = self.visit(copy.deepcopy(call), known)
                code.append(ast.copy_location(py.statement(value), node))
        return code

    def is_ready(self, call: ast.Call, known: Known) -> bool:
        """Whether a row can be looked up without computing a label value, which might fail."""
        (key,) = call.args
        assert isinstance(key, ast.Tuple)
        items = [self.visit(copy.deepcopy(item), dict(known))[0] for item in key.elts]
        return all(isinstance(item, ast.Name | ast.Constant) for item in items)

    def statement(self, node: ast.stmt, known: Known) -> None:
        """Share the values in a statement, in place."""
        match node:
            case ast.Assign(targets=[target]):
                node.value, _ = self.visit(node.value, known)
                self.target(target, known)
            case ast.AugAssign(target=ast.Name()):
                node.value, _ = self.visit(node.value, known)
                self.target(node.target, known)
            case ast.AugAssign():
                self.target(node.target, known)
                node.value, _ = self.visit(node.value, known)
            case ast.Expr():
                node.value, _ = self.visit(node.value, known)
            case ast.If():
                self.conditional(node, known)

    def target(self, node: ast.expr, known: Known) -> None:
        match node:
            case ast.Name(id=name):
                forget(name, known, self.locals_of)
            case ast.Subscript():
                node.slice, _ = self.visit(node.slice, known)
            case ast.Attribute():
                node.value, _ = self.visit(node.value, known)

    def conditional(self, node: ast.If, known: Known) -> None:
        node.test, if_true, if_false = self.condition(node.test, known)
        unpacking = [self.unpack(name, if_true) for name in matched(node.test) if self.pays(name, node.body)]
        node.body = [*unpacking, *self.block(node.body, if_true)]
        node.orelse = self.block(node.orelse, if_false)
        known.clear()
        leaves = isinstance(node.body[-1], ast.Continue)
        known.update(if_false if leaves else meet(if_true, if_false))

    # Groups read all at once

    def pays(self, name: str, body: Sequence[ast.stmt]) -> bool:
        """Whether so many groups of a match are surely read that it pays to read them all at once."""
        count = self.groups.get(name, 0)
        if READ_NANOSECONDS * count <= UNPACK_NANOSECONDS + UNPACK_NANOSECONDS_EACH * count:
            return False
        read = {index for statement in body for index in surely_read(statement, name)}
        return READ_NANOSECONDS * len(read) > UNPACK_NANOSECONDS + UNPACK_NANOSECONDS_EACH * count

    def unpack(self, name: str, known: Known) -> ast.stmt:
        """Return code that reads all groups of a match."""
        match = self.number(("name", name), frozenset({name}))
        targets: list[ast.expr] = []
        for index in range(1, self.groups[name] + 1):
            local = self.new_local("g")
            place = self.number(("constant", "int", str(index)), frozenset())
            known[self.number(("item", match, place), frozenset({name}))] = local
            targets.append(ast.Name(local, ast.Store()))
        return ast.Assign([ast.Tuple(targets, ast.Store())], py.call(py.attribute(py.name(name), "groups")))

    # Conditions

    def condition(self, node: ast.expr, known: Known) -> tuple[ast.expr, Known, Known]:
        """Return a condition with what is known when it is true, and when it is false."""
        match node:
            case ast.BoolOp(op=ast.And()):
                if_true, other = self.operands(node, known)
                return node, if_true, other
            case ast.BoolOp(op=ast.Or()):
                if_false, other = self.operands(node, known)
                return node, other, if_false
            case ast.UnaryOp(op=ast.Not()):
                node.operand, if_true, if_false = self.condition(node.operand, known)
                return node, if_false, if_true
            case _:
                node, _ = self.visit(node, known)
                return node, dict(known), dict(known)

    def operands(self, node: ast.BoolOp, known: Known) -> tuple[Known, Known]:
        """Share the values in operands; return what is known when all were reached and held, and otherwise."""
        goes_on_if = isinstance(node.op, ast.And)
        left: Known | None = None
        for place, operand in enumerate(node.values):
            node.values[place], if_true, if_false = self.condition(operand, known)
            known, away = (if_true, if_false) if goes_on_if else (if_false, if_true)
            left = away if left is None else meet(left, away)
        return known, left or {}

    # Expressions

    def visit(self, node: ast.expr, known: Known) -> Visited:
        """Return the expression with its values shared. Its nodes are changed, so they must stand in one place."""
        match node:
            case ast.Constant(value=value):
                number = self.number(("constant", type(value).__name__, repr(value)), frozenset())
                return node, Value(number)
            case ast.Name(id=name):
                names = frozenset() if name == SCRATCH else frozenset({name})
                return node, Value(self.number(("name", name), names), names, safe=name == "origin")
            case ast.NamedExpr():
                return self.assignment(node, known)
            case ast.Attribute():
                node.value, _ = self.visit(node.value, known)
                return node, None
            case _:
                return self.keep(node, self.compound(node, known), known)

    def assignment(self, node: ast.NamedExpr, known: Known) -> Visited:
        node.value, value = self.visit(node.value, known)
        assert isinstance(node.target, ast.Name)
        if node.target.id == SCRATCH and value is not None:
            return node, self.value_of("scratch", [value], safe=False, sets_scratch=True)
        forget(node.target.id, known, self.locals_of)
        return node, None

    def compound(self, node: ast.expr, known: Known) -> Value | None:
        """Share the values in an expression, and return what is known of the whole."""
        match node:
            case ast.Call(func=function):
                parts = self.visit_all(node.args, known)
                if isinstance(function, ast.Attribute):
                    function.value, subject = self.visit(function.value, known)
                    is_pure = function.attr in SAFE_METHODS
                    return self.value_of(function.attr, [subject, *parts]) if is_pure else None
                assert isinstance(function, ast.Name)
                is_pure = function.id in self.pure or MADE_FUNCTION.fullmatch(function.id) is not None
                is_safe = SAFE_FUNCTION.fullmatch(function.id) is not None
                return self.value_of(function.id, parts, safe=is_safe) if is_pure else None
            case ast.Subscript(slice=ast.Slice(upper=ast.Constant(value=int(length)))):
                node.value, subject = self.visit(node.value, known)
                return self.value_of(f"head {length}", [subject], safe=False)
            case ast.Set():
                return self.value_of("set", self.visit_all(node.elts, known), safe=False)
            case ast.Subscript(value=ast.Call()):
                node.value, _ = self.visit(node.value, known)
                return None  # the places of a row are filled
            case ast.Subscript():
                node.value, subject = self.visit(node.value, known)
                node.slice, index = self.visit(node.slice, known)
                return self.value_of("item", [subject, index], safe=False)
            case ast.Tuple():
                return self.value_of("tuple", self.visit_all(node.elts, known))
            case ast.BinOp(op=operator):
                node.left, left = self.visit(node.left, known)
                node.right, right = self.visit(node.right, known)
                return self.value_of(type(operator).__name__, [left, right], safe=False)
            case ast.UnaryOp(op=operator):
                node.operand, part = self.visit(node.operand, known)
                return self.value_of(type(operator).__name__, [part])
            case ast.Compare(ops=operators):
                node.left, left = self.visit(node.left, known)
                parts = self.visit_all(node.comparators, known)
                return self.value_of("".join(type(each).__name__ for each in operators), [left, *parts])
            case ast.BoolOp():
                return self.choice(node, known)
            case ast.IfExp():
                return self.selection(node, known)
            case _:
                raise AssertionError(node)

    def visit_all(self, nodes: list[ast.expr], known: Known) -> list[Value | None]:
        """Share the values in expressions that are all evaluated, one after the other."""
        values: list[Value | None] = []
        for place, node in enumerate(nodes):
            nodes[place], value = self.visit(node, known)
            values.append(value)
        return values

    def choice(self, node: ast.BoolOp, known: Known) -> Value | None:
        """Share the values in operands of `and` or `or`, of which only the first is surely evaluated."""
        parts: list[Value | None] = []
        reached = known
        for place, operand in enumerate(node.values):
            node.values[place], part = self.visit(operand, reached)
            parts.append(part)
            if place:
                restrict(known, reached)
            reached = dict(known)
        return self.value_of(type(node.op).__name__, parts)

    def selection(self, node: ast.IfExp, known: Known) -> Value | None:
        node.test, test = self.visit(node.test, known)
        reached, other = dict(known), dict(known)
        node.body, body = self.visit(node.body, reached)
        node.orelse, orelse = self.visit(node.orelse, other)
        restrict(known, reached)
        restrict(known, other)
        value = self.value_of("if", [test, body, orelse], safe=False)
        return None if value is None else replace(value, sets_scratch=False)

    # Values

    def number(self, description: tuple[object, ...], names: frozenset[str]) -> int:
        number = self.numbers.setdefault(description, len(self.numbers))
        self.locals_of[number] = names
        return number

    def value_of(
        self, kind: str, parts: Sequence[Value | None], *, safe: bool = True, sets_scratch: bool = False
    ) -> Value | None:
        """Return what is known of an expression made of others; nothing if one of them changes something."""
        values = [part for part in parts if part is not None]
        if len(values) < len(parts):
            return None
        names = frozenset[str]().union(*(value.locals for value in values))
        number = self.number((kind, *(value.number for value in values)), names)
        return Value(
            number,
            names,
            safe=safe and all(value.safe for value in values),
            sets_scratch=sets_scratch or any(value.sets_scratch for value in values),
        )

    def keep(self, node: ast.expr, value: Value | None, known: Known) -> Visited:
        """Return code that reads the value where it is at hand, and else also leaves it in a local."""
        if value is None or not value.locals or value.sets_scratch:
            return node, value
        held = known.get(value.number) or self.fixed_locals.get(value.number)
        if held is not None:
            return ast.copy_location(py.name(held), node), value
        if value.safe and value.locals == {"origin"}:
            local = self.fixed_locals[value.number] = self.new_local("fixed")
            self.fixed.append(py.assign(local, node))
            return ast.copy_location(py.name(local), node), value
        local = known[value.number] = self.new_local("g")
        return ast.copy_location(py.walrus(local, node), node), value

    def new_local(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}{self.made}"


def forget(name: str, known: Known, locals_of: Mapping[int, frozenset[str]]) -> None:
    """Drop what depends on a local that is assigned to."""
    for number in [number for number in known if name in locals_of[number]]:
        del known[number]


def meet(one: Known, other: Known) -> Known:
    """Return what is known either way."""
    return {number: local for number, local in one.items() if other.get(number) == local}


def restrict(known: Known, other: Known) -> None:
    """Drop what is not known any more after something that may have been evaluated."""
    for number in [number for number, local in known.items() if other.get(number) != local]:
        del known[number]
