"""Locals that were made for values and turned out to be read nowhere are taken out again."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

MADE_LOCAL = re.compile(r"g\d+")
UNUSED = "_"


def drop_unused(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Return the code without assignments to locals that nothing reads."""
    read = {
        node.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    cleaner = Cleaner(read)
    for statement in body:
        cleaner.visit(statement)
    return list(body)


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
