"""Short ways to write nodes of Python's syntax tree."""

from __future__ import annotations

import ast
from typing import TypeVar

BINARY_OPERATORS: dict[str, type[ast.operator]] = {
    "+": ast.Add,
    "-": ast.Sub,
    "*": ast.Mult,
    "/": ast.Div,
    "//": ast.FloorDiv,
    "%": ast.Mod,
    "&": ast.BitAnd,
    "|": ast.BitOr,
    "^": ast.BitXor,
}

COMPARISONS: dict[str, type[ast.cmpop]] = {
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
    "==": ast.Eq,
    "!=": ast.NotEq,
    "in": ast.In,
    "is": ast.Is,
    "is not": ast.IsNot,
}

AnyNode = TypeVar("AnyNode", ast.expr, ast.stmt)


def name(identifier: str) -> ast.expr:
    """Read a local."""
    return ast.Name(identifier, ast.Load())


def constant(value: bytes | int | float | str | bool | None) -> ast.expr:
    """Write a literal."""
    return ast.Constant(value)


def call(function: str | ast.expr, *arguments: ast.expr) -> ast.expr:
    """Call a local, or any expression."""
    target = name(function) if isinstance(function, str) else function
    return ast.Call(target, list(arguments), [])


def attribute(value: ast.expr, member: str) -> ast.expr:
    """Read an attribute."""
    return ast.Attribute(value, member, ast.Load())


def subscript(value: ast.expr, index: int) -> ast.expr:
    """Read an item."""
    return ast.Subscript(value, ast.Constant(index), ast.Load())


def head(value: ast.expr, length: int) -> ast.expr:
    """Read the first items."""
    return ast.Subscript(value, ast.Slice(upper=ast.Constant(length)), ast.Load())


def make_tuple(*items: ast.expr) -> ast.expr:
    """Write a tuple."""
    return ast.Tuple(list(items), ast.Load())


def walrus(identifier: str, value: ast.expr) -> ast.expr:
    """Assign inside an expression."""
    return ast.NamedExpr(ast.Name(identifier, ast.Store()), value)


def binary(left: ast.expr, operator: str, right: ast.expr) -> ast.expr:
    """Apply an arithmetic or bitwise operator."""
    return ast.BinOp(left, BINARY_OPERATORS[operator](), right)


def compare(left: ast.expr, operator: str, right: ast.expr) -> ast.expr:
    """Compare two values."""
    return ast.Compare(left, [COMPARISONS[operator]()], [right])


def between(low: ast.expr, value: ast.expr, operator: str, high: ast.expr) -> ast.expr:
    """Write `low <operator> value <operator> high`."""
    comparison = COMPARISONS[operator]
    return ast.Compare(low, [comparison(), comparison()], [value, high])


def choose(test: ast.expr, value: ast.expr, otherwise: ast.expr) -> ast.expr:
    """Write `value if test else otherwise`."""
    return ast.IfExp(test, value, otherwise)


def both(left: ast.expr, right: ast.expr) -> ast.expr:
    """Write `left and right`."""
    return ast.BoolOp(ast.And(), [left, right])


def either(left: ast.expr, right: ast.expr) -> ast.expr:
    """Write `left or right`."""
    return ast.BoolOp(ast.Or(), [left, right])


def negate(value: ast.expr) -> ast.expr:
    """Write `not value`."""
    return ast.UnaryOp(ast.Not(), value)


def negative(value: ast.expr) -> ast.expr:
    """Write `-value`."""
    return ast.UnaryOp(ast.USub(), value)


def assign(identifier: str, value: ast.expr) -> ast.stmt:
    """Set a local."""
    return ast.Assign([ast.Name(identifier, ast.Store())], value)


def add(identifier: str, value: ast.expr) -> ast.stmt:
    """Change a local in place."""
    return ast.AugAssign(ast.Name(identifier, ast.Store()), ast.Add(), value)


def set_attribute(target: ast.expr, member: str, value: ast.expr) -> ast.stmt:
    """Set an attribute."""
    return ast.Assign([ast.Attribute(target, member, ast.Store())], value)


def add_to_attribute(target: ast.expr, member: str, operator: str, value: ast.expr) -> ast.stmt:
    """Change an attribute in place."""
    return ast.AugAssign(ast.Attribute(target, member, ast.Store()), BINARY_OPERATORS[operator](), value)


def statement(value: ast.expr) -> ast.stmt:
    """Evaluate and drop."""
    return ast.Expr(value)


def conditional(test: ast.expr, body: list[ast.stmt], otherwise: list[ast.stmt]) -> ast.stmt:
    """Write an `if`; an empty body becomes `pass`."""
    return ast.If(test, body or [ast.Pass()], otherwise)
