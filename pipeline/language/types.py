"""The types of the language and their join (spec sections 6.1 and 6.3)."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias


class Type(Enum):
    """A known type. The value is its name in diagnostics."""

    INT = "Int"
    FLOAT = "Float"
    STRING = "String"
    BOOL = "Bool"
    PATTERN = "Pattern"
    NONE = "None"
    FIELD = "field"
    """That of a field of a record: it becomes what its use demands, and is no type of anything else."""


STORABLE = frozenset({Type.INT, Type.FLOAT, Type.STRING})
"""What a metric can hold."""


def describe_type(value_type: Type) -> str:
    """Return how a message names a value of the type."""
    if value_type is Type.NONE:
        return "`$0`, which has no type"
    return f"a{'n' if value_type is Type.INT else ''} {value_type.value}"


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
    if Type.FIELD in (left, right):
        other = right if left is Type.FIELD else left
        return other if other in STORABLE else None
    return JOINS.get(frozenset({left, right}))


class Unknown:
    """A type that use has yet to fix: once bound it stands for what it is bound to."""

    __slots__ = ("bound",)

    def __init__(self) -> None:
        self.bound: Type | Unknown | None = None


TypeTerm: TypeAlias = Type | Unknown


def resolve(term: TypeTerm) -> TypeTerm:
    """Return what `term` stands for now: a known type, or an unknown that is not bound."""
    while isinstance(term, Unknown) and term.bound is not None:
        term = term.bound
    return term


def known_type(term: TypeTerm) -> Type | None:
    """Return the known type `term` stands for, or None while it is unknown."""
    resolved = resolve(term)
    return resolved if isinstance(resolved, Type) else None


def join_terms(left: TypeTerm, right: TypeTerm) -> TypeTerm | None:
    """Return the join of two terms (an unknown joins with anything), or None on a mismatch."""
    left, right = resolve(left), resolve(right)
    if isinstance(left, Unknown):
        return right
    if isinstance(right, Unknown):
        return left
    return join_types(left, right)


def agree(want: TypeTerm, got: TypeTerm) -> bool:
    """Fix an unknown to the other type; of two known types ask only that a join exists.

    It never changes a known type: that is why `g = 1` and then `g = 1.5` compiles (spec section 6.3). A field
    fixes nothing.
    """
    want, got = resolve(want), resolve(got)
    if want is got or (Type.FIELD in (want, got) and not (isinstance(want, Type) and isinstance(got, Type))):
        return True
    if isinstance(got, Unknown):
        got.bound = want
        return True
    if isinstance(want, Unknown):
        want.bound = got
        return True
    return join_types(want, got) is not None
