"""The types of the language and their join (spec sections 6.1 and 6.3)."""

from __future__ import annotations

from enum import Enum


class Type(Enum):
    """A known type. The value is its name in diagnostics."""

    INT = "Int"
    FLOAT = "Float"
    STRING = "String"
    BOOL = "Bool"
    PATTERN = "Pattern"
    NONE = "None"


JOINS = {
    frozenset({Type.BOOL, Type.INT}): Type.INT,
    frozenset({Type.BOOL, Type.FLOAT}): Type.FLOAT,
    frozenset({Type.INT, Type.FLOAT}): Type.FLOAT,
    frozenset({Type.BOOL, Type.STRING}): Type.STRING,
    frozenset({Type.INT, Type.STRING}): Type.STRING,
    frozenset({Type.FLOAT, Type.STRING}): Type.STRING,
    frozenset({Type.STRING, Type.PATTERN}): Type.PATTERN,
    frozenset({Type.BOOL, Type.PATTERN}): Type.BOOL,
    frozenset({Type.INT, Type.PATTERN}): Type.BOOL,
}


def join_types(left: Type, right: Type) -> Type | None:
    """Return the type that can hold both, or None when there is no such type."""
    if left is right:
        return left
    return JOINS.get(frozenset({left, right}))
