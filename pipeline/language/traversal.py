"""Walks over the nodes of a program without recursion, so that no nesting is too deep for a walk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

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
    Stop,
    StringLiteral,
    Unary,
)


def child_nodes(node: Node) -> tuple[Node, ...]:
    """Return what `node` is made of, in the order of the text."""
    match node:
        case Block():
            return node.statements
        case ExpressionStatement():
            return (node.expression,)
        case Assignment():
            return (node.target, node.value)
        case ExemplarStatement():
            return (node.change, *node.labels)
        case ExemplarLabel():
            return (node.value,)
        case Conditional():
            blocks = (node.block,) if node.else_block is None else (node.block, node.else_block)
            return blocks if node.condition is None else (node.condition, *blocks)
        case MetricDeclaration():
            return node.labels
        case ConstDeclaration():
            return (node.pattern,)
        case DecoratorDefinition() | DecoratorUse() | Begin():
            return (node.block,)
        case Delete():
            return (node.target,)
        case Unary() | Postfix():
            return (node.operand,)
        case Binary():
            return (node.left, node.right)
        case Index():
            return (node.target, *node.keys)
        case Call():
            return node.arguments
        case Decode():
            labels: tuple[Node, ...] = node.columns
            literals: tuple[Node, ...] = () if node.delimiter is None else (node.delimiter,)
            return (*literals, *labels) if node.subject is None else (*literals, *labels, node.subject)
        case IntLiteral() | FloatLiteral() | StringLiteral() | PatternLiteral() | Name() | Capture():
            return ()
        case LabelName() | Next() | Stop() | LogFilter():
            return ()
        case _:
            assert_never(node)


def walk(root: Node) -> Iterator[tuple[Node, Node | None]]:
    """Yield every node with the one it is in, each before all that is in it, in the order of the text."""
    pending: list[tuple[Node, Node | None]] = [(root, None)]
    while pending:
        node, parent = pending.pop()
        yield node, parent
        pending.extend((child, node) for child in reversed(child_nodes(node)))
