"""What surely runs, and what surely holds, in the code for a line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import TypeGuard

ROW_FUNCTION = re.compile(r"row\d+")
"""What looks up the series that several metrics have for the same label values."""


def matched(test: ast.expr) -> Iterator[str]:
    """Yield the locals that surely hold a match when a condition is true."""
    match test:
        case ast.NamedExpr(target=ast.Name(id=name)):
            yield name
        case ast.BoolOp(op=ast.And(), values=operands):
            for operand in operands:
                yield from matched(operand)


def surely_run(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the pieces of code that run whenever a piece of code does."""
    yield node
    match node:
        case ast.If(test=part) | ast.IfExp(test=part):
            yield from surely_run(part)
        case ast.BoolOp(values=[part, *_]):
            yield from surely_run(part)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from surely_run(child)


def surely_read(node: ast.AST, name: str) -> Iterator[object]:
    """Yield the indexes of the groups that a piece of code reads whenever it runs."""
    for piece in surely_run(node):
        match piece:
            case ast.Subscript(value=ast.Name(id=found), slice=ast.Constant(value=index)) if found == name:
                yield index


def is_row(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and bool(ROW_FUNCTION.fullmatch(node.func.id))


def list_later_rows(statements: Sequence[ast.stmt]) -> list[frozenset[str]]:
    """Return for each statement the rows that those behind it surely ask for, as text."""
    later = frozenset[str]()
    rows: list[frozenset[str]] = []
    for statement in reversed(statements):
        rows.append(later)
        later |= {ast.dump(piece) for piece in surely_run(statement) if is_row(piece)}
    return rows[::-1]
