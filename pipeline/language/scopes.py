"""What a name means, and where: symbols, scopes, and the facts the checker hands to the generator.

A scope holds one symbol per name (spec section 5.1); capture groups live beside them, under their
names and numbers, so that a metric `x` and a group `$x` coexist.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TypeAlias

from pipeline.decoders import Decoder
from pipeline.language.nodes import (
    Block,
    Call,
    Capture,
    ConstDeclaration,
    Decode,
    DecoratorDefinition,
    DecoratorUse,
    Expression,
    LogFilter,
    MetricDeclaration,
    Name,
)
from pipeline.language.patterns import Group, Regex
from pipeline.language.source import Span
from pipeline.language.types import Type, TypeTerm, Unknown


@dataclass(slots=True, eq=False)
class MetricSymbol:
    """A metric: its unknowns, and whether the program names it, writes it, and says where its counts came from."""

    node: MetricDeclaration
    value_type: TypeTerm
    key_types: tuple[Unknown, ...]
    index: int
    used: bool = False
    written: bool = False
    has_exemplars: bool = False

    @property
    def name_span(self) -> Span:
        """Where the name stands in the declaration."""
        return self.node.name_span

    @property
    def is_scalar(self) -> bool:
        """Whether the metric has no labels."""
        return not self.node.labels


@dataclass(slots=True, eq=False)
class ConstSymbol:
    """A pattern constant: its text, pasted where it is used (spec section 5.4)."""

    node: ConstDeclaration
    text: str | None = None
    used: bool = False

    @property
    def name_span(self) -> Span:
        """Where the name stands in the declaration."""
        return self.node.name_span


@dataclass(slots=True, eq=False)
class DecoratorSymbol:
    """A decorator: what `next` saw, for the blocks of its uses."""

    node: DecoratorDefinition
    exported: Scope | None = None
    next_span: Span | None = None
    complete: bool = False
    used: bool = False

    @property
    def name_span(self) -> Span:
        """Where the name stands in the definition."""
        return self.node.name_span


Symbol: TypeAlias = MetricSymbol | ConstSymbol | DecoratorSymbol


@dataclass(slots=True, eq=False)
class PatternUse:
    """One place where a pattern is matched: what it says, and which groups the program reads.

    `subject` is None when the pattern is matched against the line.
    """

    node: Expression
    text: str
    regex: Regex
    groups: tuple[Group, ...]
    subject: Expression | None
    index: int
    wanted: set[int] = field(default_factory=set)

    @property
    def span(self) -> Span:
        """Where the pattern stands."""
        return self.node.span

    @property
    def local(self) -> str:
        """The local that keeps the match; None after a failure, False before it is tried."""
        return f"m{self.index + 1}"

    def group_type(self, number: int) -> Type:
        """Return the type of group `number`; group 0 is the untyped whole match."""
        return Type.NONE if number == 0 else self.groups[number - 1].type


@dataclass(frozen=True, slots=True, eq=False)
class DecodeUse:
    """One place where something is decoded: the line, if `subject` is None."""

    node: Decode
    decoder: Decoder
    subject: Expression | None
    index: int

    @property
    def span(self) -> Span:
        """Where the decode stands."""
        return self.node.span

    @property
    def local(self) -> str:
        """The local that keeps the record; None after a failure, False before it is tried."""
        return f"r{self.index + 1}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The names after `by`."""
        return tuple(column.name for column in self.node.columns)

    @property
    def delimiter(self) -> str:
        """The text behind the name of the decoder; empty without one. `\\t` is a tab."""
        text = "" if self.node.delimiter is None else self.node.delimiter.value
        return "\t" if text == "\\t" else text

    @property
    def has_any_field(self) -> bool:
        """Whether each name may be that of a field."""
        return self.decoder.fields is None and not self.decoder.has_columns

    def claims(self, capture: Capture) -> bool:
        """Whether `$name` or `$a.b` is a field of this record, be it there or not."""
        first = capture.path[0]
        if capture.may_be_group and (not first or first.isdecimal()):
            return self.decoder.has_columns and first.strip("0") != ""  # `$0` is all that a pattern has matched
        return self.has_any_field or first in (self.decoder.fields or self.columns)


Use: TypeAlias = PatternUse | DecodeUse
"""What is tried on a line: it finds something to read, or does not."""


@dataclass(slots=True, eq=False)
class CaptureSymbol:
    """What `$name` or `$1` reads: groups of patterns, in textual order; the last one tried counts."""

    candidates: list[tuple[PatternUse, int]]
    named: bool
    used: bool = False


@dataclass(slots=True, eq=False)
class Scope:
    """The names one block, conditional or decorator use adds to what surrounds it.

    It is incomplete when a mistake keeps capture groups from being known.
    """

    parent: Scope | None
    names: dict[str, Symbol] = field(default_factory=dict)
    captures: dict[str, CaptureSymbol] = field(default_factory=dict)
    decodes: list[DecodeUse] = field(default_factory=list)
    incomplete: bool = False

    def outward(self) -> Iterator[Scope]:
        """Yield this scope and those around it, innermost first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def find_metric(self, name: str) -> MetricSymbol | None:
        """Return the innermost metric of that name."""
        for scope in self.outward():
            if isinstance(symbol := scope.names.get(name), MetricSymbol):
                return symbol
        return None

    def find_const(self, name: str) -> ConstSymbol | None:
        """Return the innermost pattern constant of that name."""
        for scope in self.outward():
            if isinstance(symbol := scope.names.get(name), ConstSymbol):
                return symbol
        return None

    def find_decorator(self, name: str) -> DecoratorSymbol | None:
        """Return the innermost decorator of that name."""
        for scope in self.outward():
            if isinstance(symbol := scope.names.get(name), DecoratorSymbol):
                return symbol
        return None

    def find_capture(self, name: str) -> CaptureSymbol | None:
        """Return the innermost capture group of that name or number."""
        for scope in self.outward():
            if (symbol := scope.captures.get(name)) is not None:
                return symbol
        return None

    def find_group_or_fields(self, node: Capture) -> CaptureSymbol | tuple[DecodeUse, ...]:
        """Return the innermost capture group, or decodes, that a capture reads; no decodes if there is nothing."""
        name = str(int(node.name)) if node.name.isdecimal() else node.name
        for scope in self.outward():
            if node.may_be_group and (symbol := scope.captures.get(name)) is not None:
                return symbol
            if uses := tuple(use for use in scope.decodes if use.claims(node)):
                return uses
        return ()

    def copy_into(self, parent: Scope | None, outer: Scope | None = None) -> Scope:
        """Return a copy of this scope and those around it, up to the one inside `outer`, put inside `parent`."""
        copied = Scope(parent)
        scopes = list(takewhile(lambda scope: scope is not outer, self.outward()))
        for scope in reversed(scopes):
            if scope.names or scope.captures or scope.decodes or scope.incomplete:
                copied = Scope(
                    copied, dict(scope.names), dict(scope.captures), list(scope.decodes), incomplete=scope.incomplete
                )
        return copied

    def lacks_groups(self) -> bool:
        """Return whether a mistake may be why a capture group is not visible here."""
        return any(scope.incomplete for scope in self.outward())

    def visible_symbols(self) -> list[tuple[str, Symbol]]:
        """Return all visible names, for "did you mean"."""
        return [item for scope in self.outward() for item in scope.names.items()]

    def visible_decodes(self) -> list[DecodeUse]:
        """Return what was decoded here, innermost first."""
        return [use for scope in self.outward() for use in scope.decodes]

    def visible_captures(self) -> list[str]:
        """Return the names of all visible capture groups."""
        return [name for scope in self.outward() for name in scope.captures]


@dataclass(slots=True, eq=False)
class CheckedProgram:
    """A program that may be generated: its nodes, and what the checker found out about them."""

    block: Block
    types: dict[Expression, TypeTerm] = field(default_factory=dict)
    conversions: dict[Expression, Type] = field(default_factory=dict)
    joins: dict[Expression, TypeTerm] = field(default_factory=dict)
    metrics: list[MetricSymbol] = field(default_factory=list)
    metric_names: dict[Name, MetricSymbol] = field(default_factory=dict)
    captures: dict[Capture, CaptureSymbol] = field(default_factory=dict)
    capture_candidates: dict[Capture, tuple[tuple[PatternUse, int], ...]] = field(default_factory=dict)
    fields: dict[Capture, tuple[DecodeUse, ...]] = field(default_factory=dict)
    patterns: dict[Expression, PatternUse] = field(default_factory=dict)
    decodes: dict[Decode, DecodeUse] = field(default_factory=dict)
    replaced_patterns: dict[Call, Regex] = field(default_factory=dict)
    decorators: dict[DecoratorUse, DecoratorSymbol] = field(default_factory=dict)
    log_filters: list[LogFilter] = field(default_factory=list)
    begins: list[Block] = field(default_factory=list)
