"""Statements become Python statements: the body of the loop over lines.

A decorator's block is written out at each use, with the block of the use in the place of `next`.
The flag behind `otherwise` (spec section 8.1) is only kept where a later `otherwise` can see it.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import assert_never

from pipeline.language import pyast as py
from pipeline.language.codegen_access import Test, reset_match
from pipeline.language.codegen_conditions import ConditionGenerator, as_code
from pipeline.language.line_counts import LineCounter
from pipeline.language.nodes import (
    Assignment,
    Begin,
    Block,
    Call,
    Capture,
    Conditional,
    ConstDeclaration,
    DecoratorDefinition,
    DecoratorUse,
    Delete,
    ExemplarStatement,
    Expression,
    ExpressionStatement,
    FloatLiteral,
    Index,
    IntLiteral,
    LogFilter,
    MetricDeclaration,
    Name,
    Next,
    Postfix,
    Statement,
    Stop,
    StringLiteral,
)
from pipeline.language.scopes import MetricSymbol, Use
from pipeline.language.source import Span
from pipeline.language.types import Type
from pipeline.metrics import divide_bounds

# A definition that uses others twice doubles with each level; no program that people write comes near.
MAX_EXPANSIONS = 10_000

MAX_EXACT_FLOAT = 2.0**53
"""Every Int up to here is a Float."""
MAX_COMPARED_BOUNDS = 32
"""The bounds of more buckets are looked up, so that the code does not grow with them."""


class ExpansionError(Exception):
    """A decorator use that would write out more than MAX_EXPANSIONS blocks."""

    def __init__(self, span: Span) -> None:
        super().__init__()
        self.span = span


class StatementGenerator:
    """Generates statements; `values` generates the expressions in them. Histograms may all be `native`, or none."""

    def __init__(self, values: ConditionGenerator, *, uses_otherwise: bool, native: bool = False) -> None:
        self.values = values
        self.checked = values.checked
        self.uses_otherwise = uses_otherwise
        self.native = native
        self.lines = LineCounter()
        self.bodies: list[Block] = []
        self.expansions = 0

    def block(self, statements: Sequence[Statement], *, seen_later: bool = False) -> list[ast.stmt]:
        """Return the code of statements on one level.

        `seen_later` tells that an `otherwise` after them, on the same level, may look at the flag.
        """
        code: list[ast.stmt] = []
        for place, statement in enumerate(statements):
            later = self.uses_otherwise and (seen_later or looks_at_flag(statements[place + 1 :]))
            code += self.statement(statement, seen_later=later)
        return code

    def statement(self, node: Statement, *, seen_later: bool) -> list[ast.stmt]:
        """Return the code of one statement, each piece with its place in the program."""
        code = self.generate(node, seen_later=seen_later)
        start, end = (self.values.source.position(offset) for offset in (node.span.start, node.span.end))
        for piece in code:
            if not hasattr(piece, "lineno"):
                piece.lineno, piece.col_offset = start.line, start.column - 1
                piece.end_lineno, piece.end_col_offset = end.line, end.column - 1
        return code

    def generate(self, node: Statement, *, seen_later: bool) -> list[ast.stmt]:
        match node:
            case Block(statements=statements):
                return self.block(statements, seen_later=seen_later)
            case ExpressionStatement(expression=Postfix() as expression):
                return [*self.lines.mark_line(), *self.with_resets(self.step(expression))]
            case ExpressionStatement(expression=expression):
                return self.with_resets(self.evaluate(expression))
            case Assignment():
                return [*self.lines.mark_line(), *self.with_resets(self.assignment(node))]
            case ExemplarStatement():
                return [*self.lines.mark_line(), *self.with_resets(self.exemplar(node))]
            case Conditional():
                return self.conditional(node, seen_later=seen_later)
            case DecoratorUse():
                return self.decorator(node, seen_later=seen_later)
            case Delete():
                return [*self.lines.mark_line(), *self.with_resets(self.deletion(node))]
            case Next():
                return self.next_block(seen_later=seen_later)
            case Stop():
                return [ast.Continue()]
            case MetricDeclaration() | ConstDeclaration() | DecoratorDefinition() | Begin() | LogFilter():
                return []
            case _:
                assert_never(node)

    def with_resets(self, code: list[ast.stmt]) -> list[ast.stmt]:
        """Put before the code of a condition or statement that the matches of its patterns are forgotten."""
        tried, self.values.tried = self.values.tried, []
        return [*(reset_match(use) for use in tried if use in self.values.groups.uncertain), *code]

    # Changes

    def evaluate(self, node: Expression) -> list[ast.stmt]:
        """Return the code of an expression that stands alone."""
        match node:
            case Call(name="strptime" | "settime"):
                return self.values.set_time(node)
            case IntLiteral() | FloatLiteral() | StringLiteral():
                return []
            case Capture() | Name() | Index():
                return [py.statement(self.values.value(node))]
            case _:
                return [py.statement(as_code(self.values.test(node, undecided=True).code))]

    def target(self, node: Expression) -> tuple[list[ast.stmt], ast.expr]:
        """Return the code that finds the series to change, and the local that then holds it."""
        symbol = self.values.metrics.symbol(node)
        found = self.values.datum(node)
        if isinstance(found, ast.Name):
            return [], found
        if isinstance(node, Index):
            return [py.assign("d", found)], py.name("d")
        name = self.values.metrics.scalars[symbol]
        missing = py.compare(py.name(name), "is", py.constant(None))
        creation = py.assign(name, self.values.metrics.new_scalar(symbol))
        return [py.conditional(missing, [creation], [])], py.name(name)

    def stamp(self, target: ast.expr) -> ast.stmt:
        return py.set_attribute(target, "time", py.name("t"))

    def step(self, node: Postfix) -> list[ast.stmt]:
        if self.values.metrics.symbol(node.operand).node.kind == "histogram":
            return [py.statement(self.values.step(node))]
        code, target = self.target(node.operand)
        operator = "+" if node.operator == "++" else "-"
        return [*code, py.add_to_attribute(target, "value", operator, py.constant(1)), self.stamp(target)]

    def assignment(self, node: Assignment, *, noted: bool = False) -> list[ast.stmt]:
        """Return the code that changes or observes; if it is `noted`, the local `x` holds the value afterwards."""
        symbol = self.values.metrics.symbol(node.target)
        want = self.values.value_type(symbol)
        code, target = self.target(node.target)
        if symbol.node.kind == "histogram":
            return [*code, *self.observation(node, symbol, target, want, noted=noted)]
        if want is Type.INT and not self.values.reads_metric(node.value):
            value = self.values.raw_int(node.value)
        else:
            value = self.values.as_type(node.value, want)
        if node.operator == "=":
            return [*code, py.set_attribute(target, "value", self.kept(symbol, value, want)), self.stamp(target)]
        written = self.values.text(node.value)
        if noted or "++" in written or "--" in written:
            # The value may change the target itself, and Python reads a target before the value.
            code.append(py.assign("x", value))
            value = py.name("x")
        if want is Type.STRING:
            joined = py.binary(py.attribute(target, "value"), "+", value)
            return [*code, py.set_attribute(target, "value", self.kept(symbol, joined, want)), self.stamp(target)]
        return [*code, py.add_to_attribute(target, "value", "+", value), self.stamp(target)]

    def kept(self, symbol: MetricSymbol, value: ast.expr, want: Type) -> ast.expr:
        """Return the code for what a series keeps of a value: texts have a limit."""
        return py.call(self.values.metrics.member(symbol, "cut_text"), value) if want is Type.STRING else value

    def observation(
        self, node: Assignment, symbol: MetricSymbol, target: ast.expr, want: Type, *, noted: bool
    ) -> list[ast.stmt]:
        """Return the code that counts a value in its bucket (spec section 12.5), or in both of its buckets.

        If it is `noted`, the locals `x` and `b` hold the value and the place of its bucket afterwards.
        """
        if node.operator == "+=" or want is Type.STRING:
            message = "a histogram can only be assigned to" if node.operator == "+=" else "a histogram observes numbers"
            return [py.statement(self.values.fail(message, node.value))]
        bounds = divide_bounds(symbol.node.buckets or ())[1]
        value = self.observed_digits(node.value, want, bounds)
        if value is None:
            value = self.values.as_type(node.value, want)
            if want is Type.INT:
                bounds = tuple(int(bound) if bound.is_integer() else bound for bound in bounds)
        place = find_bucket(bounds) if len(bounds) <= MAX_COMPARED_BOUNDS else self.bisection(symbol)
        before = [py.assign("x", value)]
        if noted:
            before.append(py.assign("b", place))
            place = py.name("b")
        counts = ast.Subscript(py.attribute(target, "counts"), place, ast.Store())
        count: ast.stmt = ast.AugAssign(counts, ast.Add(), py.constant(1))
        if want is Type.FLOAT and not self.values.is_number(node.value):
            # Not a number is in no bucket, and is the only value that differs from itself.
            count = py.conditional(py.compare(py.name("x"), "==", py.name("x")), [count], [])
        by_powers = py.attribute(py.attribute(target, "native"), "observe")
        return [
            *before,
            count,
            *([py.statement(py.call(by_powers, py.name("x")))] if self.native else []),
            py.add_to_attribute(target, "count", "+", py.constant(1)),
            py.add_to_attribute(target, "total", "+", py.name("x")),
            self.stamp(target),
        ]

    def observed_digits(self, node: Expression, want: Type, bounds: Sequence[float]) -> ast.expr | None:
        """Return code for an Int group as the Float that the sum takes it for; None if that could miss its bucket.

        It cannot where the bounds are so small that Floats near them are exact.
        """
        if want is not Type.INT or not isinstance(node, Capture) or node in self.checked.conversions:
            return None
        if self.values.runtime_type(node) is not Type.INT:
            return None
        is_exact = all(abs(bound) < MAX_EXACT_FLOAT for bound in bounds)
        return self.values.digits_as_float(node) if is_exact and self.values.is_unsigned(node) else None

    def bisection(self, symbol: MetricSymbol) -> ast.expr:
        index = symbol.index
        bounds = self.values.bindings.add(
            f"bounds_{self.values.metrics.name(symbol)}", lambda environment: environment.metrics[index].bounds
        )
        return self.values.call("bisect_left", py.name(bounds), py.name("x"))

    def exemplar(self, node: ExemplarStatement) -> list[ast.stmt]:
        """Return the code of a change, and behind it what keeps its exemplar: that may fail, and the change stays."""
        if isinstance(node.change, Assignment):
            target = node.change.target
            code, value = self.assignment(node.change, noted=True), py.name("x")
        else:
            assert isinstance(node.change.expression, Postfix)
            target = node.change.expression.operand
            code, value = self.step(node.change.expression), py.constant(1)
        symbol = self.values.metrics.symbol(target)
        series = py.name("d") if isinstance(target, Index) else self.values.metrics.scalar(symbol)
        place = py.name("b") if symbol.node.kind == "histogram" else py.constant(0)
        names = py.make_tuple(*(py.constant(label.name) for label in node.labels))
        texts = py.make_tuple(*(self.exemplar_value(label.value) for label in node.labels))
        note = py.make_tuple(names, texts, value, py.name("t"))
        return [*code, py.statement(py.call(self.values.metrics.member(symbol, "keep_exemplar"), series, place, note))]

    def exemplar_value(self, node: Expression) -> ast.expr:
        """Return code for the value of a label: of a group its text, as the zeros before a number are part of an id."""
        return self.values.group_text(node) if isinstance(node, Capture) else self.values.label_value(node)

    def deletion(self, node: Delete) -> list[ast.stmt]:
        assert isinstance(node.target, Index)
        symbol = self.values.metrics.symbol(node.target)
        key = self.values.key(node.target)
        after = node.after_nanoseconds
        if after is None or after <= 0:
            return [py.statement(py.call(self.values.metrics.member(symbol, "delete"), key))]
        return [py.statement(py.call(self.values.metrics.member(symbol, "expire_after"), key, py.constant(after)))]

    # Blocks

    def conditional(self, node: Conditional, *, seen_later: bool) -> list[ast.stmt]:
        test = Test(py.negate(py.name("matched")))
        if node.condition is not None:
            test = self.values.test(node.condition, undecided=True)
        tried, self.values.tried = self.values.tried, []
        before = self.lines.is_marked
        with self.lines.branch(holds=node.condition is not None):
            body = self.given(test.if_true, node.block, seen_later=False)
        entered, self.lines.is_marked = self.lines.is_marked, before
        if has_otherwise(node.block.statements) and self.uses_otherwise:
            body = [py.assign("matched", py.constant(value=False)), *body]
        if seen_later and not (body and isinstance(body[-1], ast.Continue)):
            body = [*body, py.assign("matched", py.constant(value=True))]
        otherwise = []
        if node.else_block is not None:
            with self.lines.branch(holds=False):
                otherwise = self.given(test.if_false, node.else_block, seen_later=seen_later)
        self.values.tried = tried
        ends = ((body, entered), (otherwise, self.lines.is_marked))
        if isinstance(test.code, bool):
            self.lines.join(ends[0 if test.code else 1])
            return self.with_resets(body if test.code else otherwise)
        self.lines.join(*ends)
        return self.with_resets([py.conditional(test.code, body, otherwise)])

    def given(self, matched: frozenset[Use], block: Block, *, seen_later: bool) -> list[ast.stmt]:
        """Return the code of a block that is entered only when what is in `matched` has matched."""
        before = self.values.known
        self.values.known = before | matched
        code = self.block(block.statements, seen_later=seen_later)
        self.values.known = before
        return code

    def decorator(self, node: DecoratorUse, *, seen_later: bool) -> list[ast.stmt]:
        self.expansions += 1
        if self.expansions > MAX_EXPANSIONS:
            raise ExpansionError(node.span)
        self.bodies.append(node.block)
        code = self.block(self.checked.decorators[node].node.block.statements, seen_later=seen_later)
        self.bodies.pop()
        return code

    def next_block(self, *, seen_later: bool) -> list[ast.stmt]:
        """Return the code of the block of the use that is being written out."""
        body = self.bodies.pop()
        code = self.block(body.statements, seen_later=seen_later)
        self.bodies.append(body)
        return code


def find_bucket(bounds: Sequence[float], first: int = 0) -> ast.expr:
    """Return code for the place of the bucket that the number in `x` is in, `first` being that of the first one.

    With literals it takes half the time of `bisect_left`, which also compares Ints with Floats.
    """
    if not bounds:
        return py.constant(first)
    middle = len(bounds) // 2
    below = find_bucket(bounds[:middle], first)
    above = find_bucket(bounds[middle + 1 :], first + middle + 1)
    return py.choose(py.compare(py.name("x"), "<=", py.constant(bounds[middle])), below, above)


def looks_at_flag(statements: Sequence[Statement]) -> bool:
    """Whether an `otherwise` on the level of these statements looks at the flag, or one may come there by a decorator.

    The block of a conditional has a flag of its own.
    """
    return any(
        isinstance(statement, DecoratorUse | Next)
        or (isinstance(statement, Block) and looks_at_flag(statement.statements))
        or (isinstance(statement, Conditional) and (statement.condition is None or else_looks_at_flag(statement)))
        for statement in statements
    )


def else_looks_at_flag(node: Conditional) -> bool:
    return node.else_block is not None and looks_at_flag(node.else_block.statements)


def has_otherwise(statements: Sequence[Statement]) -> bool:
    """Whether an `otherwise` is among these statements and their blocks, or may come there by a decorator."""
    return any(
        (isinstance(statement, Conditional) and statement.condition is None)
        or isinstance(statement, DecoratorUse | Next)
        or has_otherwise(inner_statements(statement))
        for statement in statements
    )


def says_otherwise(statements: Sequence[Statement]) -> bool:
    """Whether `otherwise` is written anywhere in these statements, definitions included."""
    return any(
        (isinstance(statement, Conditional) and statement.condition is None)
        or says_otherwise(inner_statements(statement))
        for statement in statements
    )


def inner_statements(statement: Statement) -> tuple[Statement, ...]:
    """Return the statements in the blocks of a statement."""
    match statement:
        case Conditional(block=block, else_block=else_block):
            return block.statements + (else_block.statements if else_block is not None else ())
        case Block(statements=statements):
            return statements
        case DecoratorDefinition(block=block) | DecoratorUse(block=block) | Begin(block=block):
            return block.statements
        case _:
            return ()
