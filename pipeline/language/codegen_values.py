"""Expressions become Python expressions.

The checker is loose: a value may be of another type than the operation expects. Which type each
value has at run time is nevertheless known here (`runtime_type`), so every conversion, and every
failure that is certain, is chosen now and nothing is tested on a line (spec section 6.7).

Ints wrap at 64 bits. Sums, differences and products are taken without wrapping as long as only
such operations and metrics see them (the ring of integers modulo 2**64 does not mind), and wrapped
where their value is looked at.
"""

from __future__ import annotations

import ast
import math
from abc import ABC, abstractmethod
from typing import assert_never

from pipeline.language import pyast as py
from pipeline.language.bindings import Bindings
from pipeline.language.codegen_access import GroupAccess, MetricAccess, Test
from pipeline.language.codegen_fields import FieldAccess
from pipeline.language.layouts import Times
from pipeline.language.nodes import (
    Binary,
    Call,
    Capture,
    Decode,
    Expression,
    FloatLiteral,
    Index,
    IntLiteral,
    Name,
    PatternLiteral,
    Postfix,
    StringLiteral,
    Unary,
)
from pipeline.language.operators import OPERATORS, Rule
from pipeline.language.patterns import replacer
from pipeline.language.row_groups import group_metrics
from pipeline.language.scopes import CheckedProgram, MetricSymbol, Use
from pipeline.language.source import SourceFile, Span
from pipeline.language.support import INT_MAX, INT_MIN, Memo, strtol
from pipeline.language.traversal import walk
from pipeline.language.types import Type, known_type

NANOSECONDS = 1_000_000_000
MAX_SHIFT = (1 << 31) - 1
"""Counts from here on are runtime errors (spec section 7.2)."""


class ValueGenerator(ABC):
    """Generates expressions. `known` holds the patterns and decodes that have surely matched where it stands."""

    def __init__(self, checked: CheckedProgram, source: SourceFile, times: Times) -> None:
        self.checked = checked
        self.source = source
        self.times = times
        self.bindings = Bindings()
        self.metrics = MetricAccess(checked, self.bindings, group_metrics(checked, source))
        self.groups = GroupAccess(checked, self.bindings)
        self.fields = FieldAccess(checked, self.bindings, self.groups, times)
        self.known: frozenset[Use] = frozenset()
        self.tried: list[Use] = []
        self.sets_time = False
        self.last_texts: list[str] = []

    # Places

    def place(self, node: ast.expr, span: Span) -> ast.expr:
        """Give the code the place in the program that it came from."""
        start, end = self.source.position(span.start), self.source.position(span.end)
        node.lineno, node.col_offset = start.line, start.column - 1
        node.end_lineno, node.end_col_offset = end.line, end.column - 1
        return node

    def text(self, node: Expression) -> str:
        """Return the text that a node was written as."""
        return self.source.text[node.span.start : node.span.end]

    # Types

    def runtime_type(self, node: Expression) -> Type:
        """Return the type of the value that the code of `node` yields."""
        match node:
            case IntLiteral() | Unary() | Postfix():
                return Type.INT
            case FloatLiteral():
                return Type.FLOAT
            case StringLiteral() | PatternLiteral():
                return Type.STRING
            case Name():
                return self.value_type(self.checked.metric_names[node])
            case Index(target=target):
                return self.value_type(self.checked.metric_names[target])
            case Capture():
                group = known_type(self.checked.types[node])
                return group if group in (Type.INT, Type.FLOAT, Type.FIELD) else Type.STRING
            case Call(name="bool", arguments=(argument,)) if argument not in self.checked.fields:
                return self.runtime_type(argument)
            case Call() | Binary() | Decode():
                return known_type(self.checked.types[node]) or Type.NONE
            case _:
                assert_never(node)

    def value_type(self, symbol: MetricSymbol) -> Type:
        """Return the type of a metric; one whose type nothing decides is Int (spec section 12.2)."""
        return known_type(symbol.value_type) or Type.INT

    # Values of a wanted type

    def as_type(self, node: Expression, want: Type) -> ast.expr:
        """Return code for the value of `node` where an operation expects `want`."""
        converted = self.checked.conversions.get(node)
        if converted is None:
            return self.coerce(node, self.runtime_type(node), want)
        if converted is not want:
            return self.refuse_value(converted, want, node)
        return self.convert(node, want)

    def convert(self, node: Expression, want: Type) -> ast.expr:
        """Return code for a conversion that the language asks for: `int()`, a mixed sum, a label value."""
        got = self.runtime_type(node)
        if want is Type.STRING and got is Type.FLOAT:
            if isinstance(node, Capture):
                return self.call("float_text", self.group_text(node))
            return self.call("format_float", self.value(node))
        return self.coerce(node, got, want)

    def coerce(self, node: Expression, got: Type, want: Type) -> ast.expr:
        """Return code that takes a value of type `got` as `want`, by the table of spec section 6.7."""
        if got is want:
            return self.value(node)
        if isinstance(node, Capture) and got is Type.FIELD:
            return self.field_value(node, want)
        match got, want:
            case Type.INT, Type.FLOAT:
                if isinstance(node, IntLiteral):
                    return py.constant(float(node.value))
                if isinstance(node, Capture) and self.is_unsigned(node):
                    return self.digits_as_float(node)
                return self.call("float", self.value(node))
            case Type.STRING, Type.INT:
                return self.place(self.call("parse_int", self.value(node)), node.span)
            case Type.STRING, Type.FLOAT:
                return self.place(self.call("parse_float", self.value(node)), node.span)
            case Type.INT, Type.STRING:
                if isinstance(node, IntLiteral):
                    return py.constant(b"%d" % node.value)
                if isinstance(node, Capture):
                    return self.call("int_text", self.group_text(node))
                return self.call("bytes_of", self.value(node))
            case Type.FLOAT, Type.STRING:
                return self.call("format_float_upper", self.value(node))
            case _:
                return self.refuse_value(got, want, node)

    def fail(self, message: str, *nodes: Expression) -> ast.expr:
        """Return code that evaluates `nodes` and then fails on every line."""
        return self.call("fail_value", py.constant(message), *map(self.value, nodes))

    def refuse_value(self, got: Type, want: Type, node: Expression) -> ast.expr:
        """Return code that fails on every line, because the operation cannot take a value of type `got`."""
        article = "an" if want is Type.INT else "a"
        return self.place(self.fail(f"a {got.value} where {article} {want.value} is expected", node), node.span)

    def label_value(self, node: Expression) -> ast.expr:
        """Return code for a label value: text, numbers in their short form."""
        if node in self.checked.conversions:
            return self.as_type(node, Type.STRING)
        return self.convert(node, Type.STRING)

    def call(self, function: str, *arguments: ast.expr) -> ast.expr:
        return py.call(self.bindings.function(function), *arguments)

    # Values

    def value(self, node: Expression) -> ast.expr:
        """Return code for the value of `node`, an Int wrapped to 64 bits."""
        code = self.raw_value(node)
        if self.may_leave_64_bits(node):
            code = self.checked_range(code, py.constant(INT_MIN), "<=", py.constant(INT_MAX), "wrap_int64")
        return self.place(code, node.span)

    def checked_range(self, code: ast.expr, low: ast.expr, operator: str, high: ast.expr, repair: str) -> ast.expr:
        """Return code that calls `repair` on a value outside the range."""
        test = py.between(low, py.walrus("v", code), operator, high)
        return py.choose(test, py.name("v"), self.call(repair, py.name("v")))

    def is_number(self, node: Expression) -> bool:
        """Whether a value is never NaN: a finite one, or one step of arithmetic from that with a literal."""
        match node:
            case Binary(operator="+" | "-" | "*", left=left, right=IntLiteral() | FloatLiteral() as right):
                return self.is_finite(left) and self.is_finite(right)
            case Binary(operator="/", left=left, right=IntLiteral() | FloatLiteral() as right):
                return self.is_finite(left) and right.value != 0
            case _:
                return self.is_finite(node)

    def is_finite(self, node: Expression) -> bool:
        if isinstance(node, FloatLiteral):
            return math.isfinite(node.value)
        is_float_group = isinstance(node, Capture) and self.runtime_type(node) is Type.FLOAT
        return is_float_group or self.runtime_type(node) is Type.INT

    def may_leave_64_bits(self, node: Expression) -> bool:
        match node:
            case Binary(operator="+" | "-" | "*"):
                return self.runtime_type(node) is Type.INT
            case Name() | Index():
                return self.runtime_type(node) is Type.INT
            case Call(name="bool", arguments=(argument,)):
                return self.may_leave_64_bits(argument)
            case _:
                return False

    def raw_value(self, node: Expression) -> ast.expr:
        """Return code for the value of `node`; a sum, product or metric may lie outside 64 bits."""
        match node:
            case IntLiteral() | FloatLiteral():
                return py.constant(node.value)
            case StringLiteral():
                return py.constant(node.value.encode())
            case PatternLiteral():
                return py.constant(node.text.encode())
            case Name() | Index():
                return self.metric_value(node)
            case Capture():
                return self.group_value(node)
            case Call():
                return self.call_value(node)
            case Unary():
                return ast.UnaryOp(ast.Invert(), self.as_type(node.operand, Type.INT))
            case Binary():
                return self.binary_value(node)
            case Decode():
                return self.condition_value(node)
            case Postfix():
                return self.step(node)
            case _:
                assert_never(node)

    # Metrics, groups and fields

    def metric_value(self, node: Name | Index) -> ast.expr:
        if self.metrics.symbol(node).node.kind == "histogram":
            return self.call("fail_value", py.constant("a histogram cannot be read"), self.datum(node))
        return py.attribute(self.datum(node), "value")

    def datum(self, node: Expression) -> ast.expr:
        """Return code for the series that a name or an index stands for, created if it is missing."""
        symbol = self.metrics.symbol(node)
        if isinstance(node, Index):
            return self.metrics.lookup(symbol, self.key(node))
        return self.metrics.scalar(symbol)

    def key(self, node: Index) -> ast.expr:
        """Return code for the tuple of label values."""
        return py.make_tuple(*map(self.label_value, node.keys))

    def step(self, node: Postfix) -> ast.expr:
        """Return code for `++` or `--` inside an expression: the new value."""
        datum = self.datum(node.operand)
        if self.metrics.symbol(node.operand).node.kind == "histogram":
            return self.call("fail_value", py.constant("a histogram can only be assigned to"), datum)
        delta = py.constant(1 if node.operator == "++" else -1)
        return self.call("step_value", datum, delta, py.name("t"))

    def group_value(self, node: Capture) -> ast.expr:
        """Return code for the value of a capture group, a number where its type is one, or for the text of a field."""
        if node in self.checked.fields:
            return self.group_text(node)
        text = self.groups.text(node, self.known)
        match self.runtime_type(node):
            case Type.INT:
                return self.place(self.groups.number(node, text, self.groups.int_of), node.span)
            case Type.FLOAT:
                return self.place(self.groups.number(node, text, self.groups.float_of), node.span)
            case _:
                return self.place(text, node.span)

    def digits_as_float(self, node: Capture) -> ast.expr:
        """Return code for the Float of an Int group without a minus."""
        text = self.groups.text(node, self.known)
        return self.place(self.groups.number(node, text, self.groups.float_of_digits), node.span)

    def group_text(self, node: Capture) -> ast.expr:
        """Return code for the text of a capture group, whatever its type, or of a field."""
        if node in self.checked.fields:
            return self.field_value(node, Type.STRING)
        return self.place(self.groups.text(node, self.known), node.span)

    def field_value(self, node: Capture, want: Type) -> ast.expr:
        """Return code for a field as what its use demands."""
        return self.place(self.fields.value(node, want, self.known), node.span)

    # Calls

    def call_value(self, node: Call) -> ast.expr:
        arguments = node.arguments
        match node.name:
            case "bool":
                held = arguments[0]
                if isinstance(held, Capture) and held in self.checked.fields:
                    return self.field_value(held, Type.BOOL)
                return self.raw_value(held)
            case "defined":
                return self.fields.defined(arguments[0], self.known)
            case "float":
                return self.convert(arguments[0], Type.FLOAT)
            case "getfilename":
                return py.name("origin")
            case "int":
                return self.convert(arguments[0], Type.INT)
            case "len":
                return self.call("len", self.as_type(arguments[0], Type.STRING))
            case "string":
                return self.convert(arguments[0], Type.STRING)
            case "strtol":
                return self.parsed_in_base(arguments[0], arguments[1])
            case "subst":
                return self.substitution(node)
            case "timestamp":
                return py.binary(py.name("t"), "//", py.constant(NANOSECONDS))
            case "tolower":
                return self.groups.lowered(arguments[0], self.as_type(arguments[0], Type.STRING))
            case _:
                raise AssertionError(node.name)

    def parsed_in_base(self, text: Expression, base: Expression) -> ast.expr:
        """Return code for `strtol`; with a literal base its recent results are remembered."""
        code = self.as_type(text, Type.STRING)
        if not isinstance(base, IntLiteral):
            return self.call("strtol", code, self.as_type(base, Type.INT))
        number = base.value
        memo = Memo(lambda text: strtol(text, number))
        name = f"strtol_{number}".replace("-", "minus_")
        return py.call(self.bindings.add(name, lambda _: memo.__getitem__), code)

    def substitution(self, node: Call) -> ast.expr:
        old, new, text = node.arguments
        regex = self.checked.replaced_patterns.get(node)
        new_code, text_code = self.as_type(new, Type.STRING), self.as_type(text, Type.STRING)
        if regex is None:
            return self.call("substitute", self.as_type(old, Type.STRING), new_code, text_code)
        replace = replacer(regex)
        name = self.bindings.add(f"replace{node.span.start}", lambda _: replace)
        return py.call(name, text_code, new_code)

    def set_time(self, node: Call) -> list[ast.stmt]:
        """Return code for `strptime` and `settime`.

        Consecutive lines share a second, so the last text of a place and its time are kept in locals.
        """
        self.sets_time = True
        text = node.arguments[0]
        if node.name == "settime":
            if isinstance(text, Call) and text.name == "len":
                return [py.statement(self.fail("`settime` does not take the value of `len`", text))]
            if isinstance(text, Capture) and text in self.checked.fields:
                return [py.assign("t", self.place(self.fields.convert("field_time", text, self.known), node.span))]
            if self.runtime_type(text) is not Type.INT:
                return [py.statement(self.fail(f"`settime` takes an Int, not a {self.runtime_type(text).value}", text))]
            return [py.assign("t", py.binary(self.value(text), "*", py.constant(NANOSECONDS)))]
        layout = node.arguments[1]
        assert isinstance(layout, StringLiteral)
        parse = self.times.make_strptime(layout.value)
        number = len(self.last_texts) + 1
        name = self.bindings.add(f"strptime{number}", lambda _: parse)
        last_text, last_time = f"text{number}", f"time{number}"
        self.last_texts.append(last_text)
        code = self.group_text(text) if isinstance(text, Capture) else self.as_type(text, Type.STRING)
        parsed = self.place(py.call(name, py.name("s"), py.name("now")), node.span)
        renewal = [py.assign(last_time, parsed), py.assign(last_text, py.name("s"))]
        return [
            py.assign("s", code),
            py.conditional(py.compare(py.name("s"), "!=", py.name(last_text)), renewal, []),
            py.assign("t", py.name(last_time)),
        ]

    # Operators

    def binary_value(self, node: Binary) -> ast.expr:
        operator = OPERATORS[node.operator]
        match operator.rule:
            case Rule.ARITHMETIC:
                return self.arithmetic(node)
            case Rule.BITWISE:
                function = operator.functions[Type.INT]
                if node.operator == ">>" and isinstance(node.right, IntLiteral) and 0 <= node.right.value < MAX_SHIFT:
                    return ast.BinOp(self.as_type(node.left, Type.INT), ast.RShift(), py.constant(node.right.value))
                left, right = self.as_type(node.left, Type.INT), self.as_type(node.right, Type.INT)
                return self.apply(function, left, right)
            case Rule.COMPARISON:
                return self.comparison(node)
            case Rule.LOGIC | Rule.MATCH:
                return self.condition_value(node)
            case _:
                assert_never(operator.rule)

    def condition_value(self, node: Expression) -> ast.expr:
        """Return code for a condition as a value."""
        code = self.test(node, undecided=True).code
        return py.constant(code) if isinstance(code, bool) else code

    def apply(self, function: str, left: ast.expr, right: ast.expr) -> ast.expr:
        """Return code for an operator of Python, or a call."""
        if function in py.BINARY_OPERATORS:
            return py.binary(left, function, right)
        return self.call(function, left, right)

    def arithmetic(self, node: Binary) -> ast.expr:
        want = known_type(self.checked.joins[node]) or Type.INT
        function = OPERATORS[node.operator].functions[want]
        if want is Type.INT and function in ("+", "-", "*"):
            return py.binary(self.raw_int(node.left), function, self.raw_int(node.right))
        if function in ("divide_int", "modulo_int") and isinstance(node.right, IntLiteral) and node.right.value > 0:
            return self.divided(node, function, node.right.value)
        left, right = self.as_type(node.left, want), self.as_type(node.right, want)
        divisor = right.value if isinstance(right, ast.Constant) else None
        if function == "divide_float" and isinstance(divisor, float) and divisor:
            function = "/"
        if function in ("+", "-", "*", "/") and want is Type.FLOAT:
            left = self.without_float(left, node.left) if self.runtime_type(node.right) is Type.FLOAT else left
            right = self.without_float(right, node.right) if self.runtime_type(node.left) is Type.FLOAT else right
        return self.apply(function, left, right)

    def divided(self, node: Binary, function: str, divisor: int) -> ast.expr:
        """Return code for an Int divided by a positive literal: Python's operators round down, the language to zero."""
        operator = "//" if function == "divide_int" else "%"
        left = self.as_type(node.left, Type.INT)
        if self.is_unsigned(node.left):
            return py.binary(left, operator, py.constant(divisor))
        below = py.binary(py.negative(py.name("v")), operator, py.constant(divisor))
        value = py.binary(py.name("v"), operator, py.constant(divisor))
        return py.choose(py.compare(py.walrus("v", left), ">=", py.constant(0)), value, py.negative(below))

    def is_unsigned(self, node: Expression) -> bool:
        """Whether an Int is never below zero."""
        if isinstance(node, Capture) and self.runtime_type(node) is Type.INT:
            return not any(group.signed for group in self.groups.shapes(node))
        return isinstance(node, IntLiteral) and node.value >= 0

    def without_float(self, code: ast.expr, node: Expression) -> ast.expr:
        """Return code for an operand whose Int Python makes a float by itself, as the other operand is one."""
        match code:
            case ast.Call(func=ast.Name(id="float"), args=[number]) if self.runtime_type(node) is Type.INT:
                return number
            case _:
                return code

    def reads_metric(self, node: Expression) -> bool:
        """Whether a value is made of that of a metric: unwrapped, it could grow with each line."""
        return any(isinstance(part, Name) and part in self.checked.metric_names for part, _ in walk(node))

    def raw_int(self, node: Expression) -> ast.expr:
        """Return code for an Int that need not be wrapped."""
        if self.runtime_type(node) is Type.INT and node not in self.checked.conversions:
            return self.place(self.raw_value(node), node.span)
        return self.as_type(node, Type.INT)

    def comparison(self, node: Binary) -> ast.expr:
        match node:
            case Binary(operator=">" | "!=", left=Call(name="len", arguments=(text,)), right=IntLiteral(value=0)):
                if node.left not in self.checked.conversions:
                    return self.as_type(text, Type.STRING)  # it is true unless it is empty
        want = known_type(self.checked.joins[node]) or Type.INT
        if want is not Type.STRING and Type.FIELD in (self.runtime_type(node.left), self.runtime_type(node.right)):
            return self.fields.comparison(node, self.known, self.value)
        if want is Type.BOOL:
            return self.fail("two Bools cannot be compared", node.left, node.right)
        left, right = self.as_type(node.left, want), self.as_type(node.right, want)
        operator = node.operator
        if want is Type.STRING and not self.is_plain_text(node.left):
            left, right = self.call("order_numeric_first", left, right), py.constant(0)
        if (
            want is not Type.INT
            and operator in ("<=", ">=")
            and not (want is Type.STRING and self.is_plain_text(node.left))
        ):
            # Not a number is neither less nor greater: the language has these two as negations.
            return py.negate(py.compare(left, ">" if operator == "<=" else "<", right))
        return py.compare(left, operator, right)

    def is_plain_text(self, node: Expression) -> bool:
        """Whether text on the left makes a comparison go by bytes only (spec section 7.3)."""
        while isinstance(node, Binary) and node.operator == "+" and node not in self.checked.conversions:
            node = node.left
        if node in self.checked.conversions or isinstance(node, StringLiteral | Capture):
            return True
        return isinstance(node, Name) and self.metrics.symbol(node).node.kind == "text"

    @abstractmethod
    def test(self, node: Expression, *, undecided: bool) -> Test:
        """Return the code of a condition. A Float or a text counts as `undecided` (spec section 7.4)."""
