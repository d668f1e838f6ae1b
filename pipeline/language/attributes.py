"""Parts of statements that are no nodes of their own: what the builder makes of them before it has the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pipeline.language.nodes import (
    Assignment,
    ExemplarLabel,
    ExemplarStatement,
    ExpressionStatement,
    LabelName,
    StringLiteral,
)
from pipeline.language.source import Span


@dataclass(frozen=True, slots=True)
class Labels:
    """The attribute `by`."""

    span: Span
    names: tuple[LabelName, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """The attribute `as`."""

    span: Span
    name: str


@dataclass(frozen=True, slots=True)
class Buckets:
    """The attribute `buckets`."""

    span: Span
    bounds: tuple[int | float, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """The attribute `limit`."""

    span: Span
    limit: int


@dataclass(frozen=True, slots=True)
class Help:
    """The attribute `help`."""

    span: Span
    text: StringLiteral


@dataclass(frozen=True, slots=True)
class Unit:
    """The attribute `unit`."""

    span: Span
    text: StringLiteral


@dataclass(frozen=True, slots=True)
class Exemplar:
    """What may follow a statement that counts."""

    span: Span
    labels: tuple[ExemplarLabel, ...]

    def of(self, change: ExpressionStatement | Assignment) -> ExemplarStatement:
        """Return the whole statement."""
        return ExemplarStatement(change.span | self.span, change, self.span, self.labels)


Attribute: TypeAlias = Labels | Exported | Buckets | Limit | Help | Unit
