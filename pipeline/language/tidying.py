"""What is left to do when values are shared: locals that nothing reads go, and tests that exclude each other chain."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

MADE_LOCAL = re.compile(r"g\d+")
"""A local that holds one shared value. It is assigned to in one place only."""
UNUSED = "_"


def tidy(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Return the code without assignments to made locals that nothing reads, and with tests chained."""
    read = {
        node.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    cleaner = Cleaner(read)
    for statement in body:
        cleaner.visit(statement)
    return chain_tests(body)


class Cleaner(ast.NodeTransformer):
    """Drops assignments inside expressions, in place."""

    def __init__(self, read: set[str]) -> None:
        self.read = read

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        node.value = self.visit(node.value)
        return node.value if self.is_unused(node.target) else node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Store) and self.is_unused(node):
            node.id = UNUSED
        return node

    def is_unused(self, node: ast.Name) -> bool:
        return MADE_LOCAL.fullmatch(node.id) is not None and node.id not in self.read


def chain_tests(statements: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Put a test whether a value is one text behind the `else` of the test before, if that was for another text."""
    chained: list[ast.stmt] = []
    local, texts = "", set[object]()
    last: ast.If | None = None
    for statement in statements:
        if isinstance(statement, ast.If):
            statement.body = chain_tests(statement.body)
            statement.orelse = chain_tests(statement.orelse)
        tested, text, is_read = compared(statement)
        if last is not None and is_read and tested == local and text not in texts:
            last.orelse = [statement]
        else:
            chained.append(statement)
            local, texts = tested, set()
        texts.add(text)
        last = statement if tested and isinstance(statement, ast.If) else None
    return chained


def compared(statement: ast.stmt) -> tuple[str, object, bool]:
    """Return the made local and the constant that a conditional compares; whether the local was made before.

    The local is empty for all other statements.
    """
    match statement:
        case ast.If(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Constant(value=text)]), orelse=[]):
            is_made_here = isinstance(left, ast.NamedExpr)
            name = left.target if isinstance(left, ast.NamedExpr) else left
            if isinstance(name, ast.Name) and MADE_LOCAL.fullmatch(name.id):
                return name.id, text, not is_made_here
    return "", None, False
