"""Constant folding: arithmetic on number literals is done once, at compile time (spec section 4)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, assert_never

from pipeline.language.nodes import (
    Assignment,
    Begin,
    Binary,
    Block,
    Call,
    Capture,
    Conditional,
    ConstDeclaration,
    Decode,
    DecoratorDefinition,
    DecoratorUse,
    Delete,
    ExemplarLabel,
    ExemplarStatement,
    Expression,
    ExpressionStatement,
    FloatLiteral,
    Index,
    IntLiteral,
    LabelName,
    LogFilter,
    MetricDeclaration,
    Name,
    Next,
    Node,
    PatternLiteral,
    Postfix,
    Statement,
    Stop,
    StringLiteral,
    Unary,
)
from pipeline.language.reporting import Reporter
from pipeline.language.source import SourceFile
from pipeline.language.support import (
    divide_float,
    divide_int,
    modulo_float,
    modulo_int,
    power_float,
    power_int,
)
from pipeline.language.traversal import walk
from pipeline.metrics import wrap_int64

FoldInts: TypeAlias = Callable[[int, int], int]
FoldFloats: TypeAlias = Callable[[float, float], float]

ARITHMETIC: dict[str, tuple[FoldInts, FoldFloats]] = {
    "+": (lambda left, right: wrap_int64(left + right), operator.add),
    "-": (lambda left, right: wrap_int64(left - right), operator.sub),
    "*": (lambda left, right: wrap_int64(left * right), operator.mul),
    "/": (divide_int, divide_float),
    "%": (modulo_int, modulo_float),
    "**": (power_int, power_float),
}
"""What each operator does to two Ints, and to two Floats."""

DIVISIONS = {"/": "division", "%": "remainder of a division"}


def fold_constants(program: Block, source: SourceFile) -> Block:
    """Return the program with every operation on two number literals replaced by its value.

    Raises ProgramError with all divisions of a literal by a literal zero.
    """
    folder = Folder(Reporter(source))
    for node, _ in reversed(list(walk(program))):  # a node comes after all that is in it
        folder.visit(node)
    folder.reporter.raise_errors()
    return folder.blocks.get(program, program)


class Folder:
    """Keeps what has changed: a node that holds nothing new stays the same object."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.expressions: dict[Expression, Expression] = {}
        self.statements: dict[Statement, Statement] = {}
        self.blocks: dict[Block, Block] = {}

    def expression(self, node: Expression) -> Expression:
        return self.expressions.get(node, node)

    def visit(self, node: Node) -> None:
        """Note what becomes of `node`; everything in it has been visited."""
        match node:
            case Block():
                self.visit_block(node)
            case Binary() | Unary() | Postfix() | Index() | Call() | Decode():
                self.visit_expression(node)
            case ExpressionStatement() | Assignment() | Delete():
                self.visit_simple(node)
            case ExemplarStatement():
                self.visit_exemplar(node)
            case Conditional() | DecoratorDefinition() | DecoratorUse() | Begin():
                self.visit_compound(node)
            case IntLiteral() | FloatLiteral() | StringLiteral() | PatternLiteral() | Name() | Capture():
                pass
            case ConstDeclaration() | MetricDeclaration() | LabelName() | ExemplarLabel() | LogFilter():
                pass
            case Next() | Stop():
                pass
            case _:
                assert_never(node)

    def visit_block(self, node: Block) -> None:
        statements = tuple(self.statements.get(statement, statement) for statement in node.statements)
        if statements != node.statements:
            self.blocks[node] = replace(node, statements=statements)

    def visit_simple(self, node: ExpressionStatement | Assignment | Delete) -> None:
        match node:
            case ExpressionStatement():
                if node.expression in self.expressions:
                    self.statements[node] = replace(node, expression=self.expression(node.expression))
            case Assignment():
                if node.target in self.expressions or node.value in self.expressions:
                    target, value = self.expression(node.target), self.expression(node.value)
                    self.statements[node] = replace(node, target=target, value=value)
            case Delete():
                if node.target in self.expressions:
                    self.statements[node] = replace(node, target=self.expression(node.target))
            case _:
                assert_never(node)

    def visit_exemplar(self, node: ExemplarStatement) -> None:
        change = self.statements.get(node.change, node.change)
        assert isinstance(change, ExpressionStatement | Assignment)
        labels = tuple(
            replace(label, value=self.expression(label.value)) if label.value in self.expressions else label
            for label in node.labels
        )
        if change is not node.change or labels != node.labels:
            self.statements[node] = replace(node, change=change, labels=labels)

    def visit_compound(self, node: Conditional | DecoratorDefinition | DecoratorUse | Begin) -> None:
        block = self.blocks.get(node.block, node.block)
        if not isinstance(node, Conditional):
            if block is not node.block:
                self.statements[node] = replace(node, block=block)
            return
        condition = node.condition and self.expression(node.condition)
        else_block = node.else_block and self.blocks.get(node.else_block, node.else_block)
        if condition is not node.condition or block is not node.block or else_block is not node.else_block:
            self.statements[node] = replace(node, condition=condition, block=block, else_block=else_block)

    def visit_expression(self, node: Binary | Unary | Postfix | Index | Call | Decode) -> None:
        match node:
            case Binary():
                self.visit_binary(node)
            case Unary() | Postfix():
                if node.operand in self.expressions:
                    self.expressions[node] = replace(node, operand=self.expression(node.operand))
            case Index():
                if not self.expressions.keys().isdisjoint(node.keys):
                    self.expressions[node] = replace(node, keys=tuple(map(self.expression, node.keys)))
            case Call():
                if not self.expressions.keys().isdisjoint(node.arguments):
                    self.expressions[node] = replace(node, arguments=tuple(map(self.expression, node.arguments)))
            case Decode():
                if node.subject in self.expressions:
                    self.expressions[node] = replace(node, subject=self.expression(node.subject))
            case _:
                assert_never(node)

    def visit_binary(self, node: Binary) -> None:
        left, right = self.expression(node.left), self.expression(node.right)
        if (
            node.operator in ARITHMETIC
            and isinstance(left, IntLiteral | FloatLiteral)
            and isinstance(right, IntLiteral | FloatLiteral)
        ):
            if node.operator in DIVISIONS and right.value == 0:
                self.reporter.error(
                    node.span,
                    f"{DIVISIONS[node.operator]} by zero",
                    hint="write a divisor other than zero",
                )
            else:
                self.expressions[node] = compute(node, left, right)
        elif left is not node.left or right is not node.right:
            self.expressions[node] = replace(node, left=left, right=right)


def compute(node: Binary, left: IntLiteral | FloatLiteral, right: IntLiteral | FloatLiteral) -> Expression:
    """Return the literal that stands for the operation. Any Float makes it a Float."""
    fold_ints, fold_floats = ARITHMETIC[node.operator]
    if isinstance(left, IntLiteral) and isinstance(right, IntLiteral):
        return IntLiteral(node.span, fold_ints(left.value, right.value))
    return FloatLiteral(node.span, fold_floats(float(left.value), float(right.value)))
