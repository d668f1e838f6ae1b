"""Names, types and misuse: nodes become a checked program, or diagnostics.

This half looks at statements and scopes; `inference` looks at expressions. A definition's block is
checked once, at the definition; the block of a use at the use, in a scope that holds what `next`
saw (spec section 5.5). Checks that need every type to be final run last (spec section 13, phase
"generate").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import assert_never

from pipeline.language.builtins import BUILTINS
from pipeline.language.calls import NAME_A_GROUP
from pipeline.language.descriptions import check_description
from pipeline.language.diagnostics import Note
from pipeline.language.exemplars import check_exemplar
from pipeline.language.inference import ExpressionChecker
from pipeline.language.nodes import (
    Assignment,
    Begin,
    Binary,
    Block,
    Call,
    Conditional,
    ConstDeclaration,
    Decode,
    DecoratorDefinition,
    DecoratorUse,
    Delete,
    ExemplarStatement,
    Expression,
    ExpressionStatement,
    Index,
    LogFilter,
    MetricDeclaration,
    Name,
    Next,
    Postfix,
    Statement,
    Stop,
    Unary,
)
from pipeline.language.pattern_uses import find_openings
from pipeline.language.reporting import Reporter
from pipeline.language.scopes import (
    CheckedProgram,
    ConstSymbol,
    DecoratorSymbol,
    MetricSymbol,
    PatternUse,
    Scope,
    Symbol,
)
from pipeline.language.source import Span
from pipeline.language.types import STORABLE, Type, Unknown, agree, describe_type, join_terms, known_type

INVALID_NAME_CHARACTER = re.compile(r"[^A-Za-z0-9_:]|^(?=[0-9])")


def check_program(block: Block, report: Reporter, max_regexp_length: int) -> CheckedProgram:
    """Return the checked program; raises ProgramError with every mistake of the first failing phase."""
    checker = ProgramChecker(block, report, max_regexp_length)
    checker.check_statements(block)
    checker.check_unused()
    report.raise_errors()
    checker.expressions.fields.decide()
    for check in checker.expressions.later:
        check()
    checker.check_metrics()
    report.raise_errors()
    return checker.checked


class ProgramChecker:
    """Walks the statements in textual order."""

    def __init__(self, block: Block, report: Reporter, max_regexp_length: int) -> None:
        self.report = report
        self.checked = CheckedProgram(block)
        self.expressions = ExpressionChecker(report, self.checked, max_regexp_length)
        self.definitions: list[tuple[DecoratorSymbol, Scope]] = []
        self.symbols: list[Symbol] = []

    @property
    def scope(self) -> Scope:
        """The innermost scope."""
        return self.expressions.scope

    @contextmanager
    def enter(self, scope: Scope | None = None) -> Iterator[Scope]:
        """Open a scope (a given one, put inside the current one)."""
        outer = self.expressions.scope
        inner = scope or Scope(None)
        inner.parent = outer
        self.expressions.scope = inner
        yield inner
        self.expressions.scope = outer

    def check_block(self, block: Block, *, incomplete: bool = False) -> None:
        with self.enter(Scope(None, incomplete=incomplete)):
            self.check_statements(block)

    def check_statements(self, block: Block) -> None:
        for statement in block.statements:
            self.check_statement(statement)

    def check_statement(self, node: Statement) -> None:
        match node:
            case Block():
                self.check_block(node)
            case ExpressionStatement():
                self.check_expression_statement(node)
            case Assignment():
                self.check_assignment(node)
            case ExemplarStatement():
                self.check_statement(node.change)
                check_exemplar(node, self.expressions)
            case Conditional():
                self.check_conditional(node)
            case MetricDeclaration():
                self.declare_metric(node)
            case ConstDeclaration():
                self.declare_const(node)
            case DecoratorDefinition():
                self.define_decorator(node)
            case DecoratorUse():
                self.use_decorator(node)
            case Delete():
                self.check_delete(node)
            case Next():
                self.check_next(node)
            case Stop():
                pass
            case Begin():
                self.check_begin(node)
            case LogFilter():
                self.checked.log_filters.append(node)
            case _:
                assert_never(node)

    # Statements

    def check_expression_statement(self, node: ExpressionStatement) -> None:
        if self.expressions.patterns.is_pattern(node.expression, self.scope):
            self.report.error(node.span, "a pattern alone does nothing", hint="write a block after it: `/…/ {`")
            return
        if isinstance(node.expression, Call) and BUILTINS[node.expression.name].result is Type.NONE:
            self.expressions.calls.check(node.expression)
            return
        self.expressions.check(node.expression)

    def check_assignment(self, node: Assignment) -> None:
        metric = self.expressions.check_target(node.target)
        if self.expressions.patterns.is_pattern(node.value, self.scope):
            self.expressions.refuse_pattern(node.value)
            return
        value = self.expressions.check(node.value)
        if metric is None:
            return
        given = known_type(value)
        joined = metric.value_type if given is Type.FIELD else join_terms(metric.value_type, value)
        if given is Type.FIELD:
            self.expressions.fields.fed.append(metric.value_type)
        if joined is None or (given not in (None, Type.FIELD) and known_type(joined) not in STORABLE):
            self.refuse_stored(node.value, given)
            return
        agree(joined, metric.value_type)
        if metric.node.kind == "histogram" and node.operator == "+=":
            self.expressions.warn_histogram(node.target, metric)
        self.expressions.later.append(lambda: self.check_stored(node, metric))

    def refuse_stored(self, value: Expression, given: Type | None) -> None:
        """Refuse to store what no metric can hold (spec section 13, row 28)."""
        if given is Type.NONE or given is None:
            self.expressions.refuse_untyped(value, "it cannot be stored in a metric")
            return
        self.report.error(
            value.span, f"{describe_type(given)} cannot be stored in a metric", hint="use it as a condition instead"
        )

    def check_stored(self, node: Assignment, metric: MetricSymbol) -> None:
        """Refuse a metric of unknown type, and warn of a Float for one that earlier use made Int."""
        held = known_type(metric.value_type)
        if held is None:
            self.expressions.check_readable(node.target, metric)
        elif held is Type.INT and known_type(self.checked.types[node.value]) is Type.FLOAT:
            self.report.warn(
                node.value.span,
                f"this Float fails on every line: metric `{metric.node.name}` holds Ints",
                notes=(Note("an earlier statement gave it an Int; it is declared", metric.name_span),),
                hint="make the first value that the program gives it a Float",
            )

    def check_conditional(self, node: Conditional) -> None:
        with self.enter():
            if node.condition is not None:
                self.check_condition(node.condition)
            self.check_block(node.block)
            if node.else_block is not None:
                self.check_block(node.else_block)

    def check_condition(self, node: Expression) -> None:
        """Check what stands before a block (spec section 7.5)."""
        if self.expressions.patterns.is_pattern(node, self.scope):
            self.expressions.check_line_pattern(node)
            return
        if isinstance(node, Name) and self.scope.find_metric(node.name) is None:
            self.expressions.patterns.check_line(node, self.scope)
            return
        held = known_type(self.expressions.check(node))
        match node:
            case Binary() | Unary() | Postfix() | Decode():
                return
            case Call(name=name) if BUILTINS[name].result is Type.BOOL:
                return
        if held is Type.FIELD:
            self.expressions.fields.refuse_condition(node)
            return
        text = self.report.text_of(node.span)
        other = '""' if held is Type.STRING else "0"
        self.report.error(
            node.span,
            f"`{text}` alone cannot be a condition",
            hint=NAME_A_GROUP if held is Type.NONE else f"compare it, e.g. `{text} != {other}`",
        )

    def check_delete(self, node: Delete) -> None:
        match node.target:
            case Index():
                self.expressions.check_keys(node.target)
            case Name() if (metric := self.scope.find_metric(node.target.name)) is not None:
                self.expressions.use_metric(node.target, metric)
                if metric.is_scalar:
                    self.report.error(
                        node.target.span,
                        f"metric `{node.target.name}` has no labels, so there is nothing to delete",
                        notes=(Note("declared without `by`", metric.name_span),),
                        hint=f"remove it, or start anew with `{node.target.name} = 0`",
                    )
                else:
                    self.expressions.refuse_keys(node.target, metric, 0)
            case Name():
                self.expressions.refuse_name(node.target)
            case _:
                self.expressions.check(node.target)
                self.report.error(
                    node.target.span,
                    "`del` takes a metric with a value for each label",
                    hint="write e.g. `del sessions[$id]`",
                )

    def check_begin(self, node: Begin) -> None:
        before = self.expressions.in_begin
        self.expressions.in_begin = True
        self.check_block(node.block)
        self.expressions.in_begin = before
        self.checked.begins.append(node.block)

    # Declarations

    def declare(self, name: str, symbol: Symbol) -> None:
        """Give `name` a meaning in the innermost scope; a name has one there."""
        self.symbols.append(symbol)
        other = self.scope.names.get(name)
        if other is None:
            self.scope.names[name] = symbol
            return
        symbol.used = True
        self.expressions.declared_twice.add(name)
        self.report.error(
            symbol.name_span,
            f"`{name}` is declared twice",
            notes=(Note("the first declaration is", other.name_span),),
            hint="give one of them another name",
        )

    def declare_metric(self, node: MetricDeclaration) -> None:
        fixed = node.kind == "text" and not node.labels
        symbol = MetricSymbol(
            node,
            Type.STRING if fixed else Unknown(),
            tuple(Unknown() for _ in node.labels),
            len(self.checked.metrics),
        )
        self.checked.metrics.append(symbol)
        self.declare(node.name, symbol)
        if node.buckets is not None and node.kind != "histogram":
            self.report.error(
                node.buckets_span or node.span,
                f"a {node.kind} has no buckets",
                hint=f"write `histogram {node.name}`, or leave the buckets out",
            )

    def declare_const(self, node: ConstDeclaration) -> None:
        symbol = ConstSymbol(node)
        symbol.text = self.expressions.patterns.paste(node.pattern, self.scope)
        if symbol.text == "":
            self.report.error(
                node.pattern.span,
                f"the constant `{node.name}` is an empty pattern",
                hint="write what it shall match; to match every line, write `//` as the condition",
            )
        self.declare(node.name, symbol)

    def define_decorator(self, node: DecoratorDefinition) -> None:
        symbol = DecoratorSymbol(node)
        self.declare(node.name, symbol)
        self.definitions.append((symbol, self.scope))
        self.check_block(node.block)
        self.definitions.pop()
        symbol.complete = True
        if symbol.next_span is None:
            symbol.exported = Scope(None, incomplete=True)
            self.report.error(
                node.name_span,
                f"the decorator `{node.name}` has no `next`",
                hint="write `next` where the block of `@" + node.name + "` shall run",
            )

    def check_next(self, node: Next) -> None:
        if not self.definitions:
            self.report.error(node.span, "`next` outside a decorator", hint="`next` stands in a `def name { … }`, once")
            return
        symbol, outer = self.definitions[-1]
        if symbol.next_span is not None:
            self.report.error(
                node.span,
                f"a second `next` in the decorator `{symbol.node.name}`",
                notes=(Note("the first one is", symbol.next_span),),
                hint="join the conditions of both, e.g. `/…/ || /…/ {`, or define a second decorator",
            )
            return
        symbol.next_span = node.span
        symbol.exported = self.scope.copy_into(None, outer)

    def use_decorator(self, node: DecoratorUse) -> None:
        symbol = self.scope.find_decorator(node.name)
        if symbol is None:
            self.expressions.missing.refuse_decorator(node, self.scope)
            self.check_block(node.block, incomplete=True)
            return
        symbol.used = True
        if not symbol.complete:
            self.report.error(
                node.name_span,
                f"the decorator `@{node.name}` is used inside its own definition",
                notes=(Note("the definition is", symbol.name_span),),
                hint="write the block without it, or move it into a decorator of its own",
            )
            self.check_block(node.block, incomplete=True)
            return
        self.checked.decorators[node] = symbol
        exported = symbol.exported or Scope(None)
        outer = self.scope
        self.expressions.scope = exported.copy_into(outer)
        self.check_block(node.block)
        self.expressions.scope = outer

    # The whole program

    def check_unused(self) -> None:
        """Refuse what is never referred to, and warn of what is never read (spec section 5.2)."""
        for symbol in self.symbols:
            if symbol.used or symbol.node.name in self.expressions.missing.excused:
                continue
            name = symbol.node.name
            match symbol:
                case MetricSymbol():
                    shown, hint = f"metric `{name}`", "use it, or remove the declaration"
                    if not name.isidentifier():
                        hint = f'a quoted name cannot be referred to: write e.g. `{symbol.node.kind} name as "{name}"`'
                case ConstSymbol():
                    shown, hint = f"constant `{name}`", "use it, or remove the definition"
                case DecoratorSymbol():
                    shown, hint = f"decorator `{name}`", f"use it as `@{name} {{ … }}`, or remove the definition"
            self.report.error(symbol.name_span, f"{shown} is never used", hint=hint)
        for use in self.checked.patterns.values():
            self.warn_unread_groups(use)

    def warn_unread_groups(self, use: PatternUse) -> None:
        """Warn of names that the pattern itself gives and nothing reads; those of a constant serve elsewhere."""
        unread = [group.name for group in use.groups if group.name and group.number not in use.wanted]
        places = {name: spans[0] for name in unread if (spans := find_openings(use.node, name))}
        if not places:
            return
        shown = ", ".join(f"`{name}`" for name in places)
        several = len(places) > 1
        self.report.warn(
            next(iter(places.values())),
            f"the capture group{'s' if several else ''} {shown} {'are' if several else 'is'} never read",
            hint=f"write `(?:…)` in place of `(?P<{next(iter(places))}>…)`",
        )

    def check_metrics(self) -> None:
        """Check each metric with its final type, and that no two get one name in exports."""
        places: dict[str, MetricSymbol] = {}
        for symbol in self.checked.metrics:
            node = symbol.node
            self.check_buckets(node)
            check_description(node, self.report)
            if node.kind == "counter" and symbol.is_scalar and known_type(symbol.value_type) is Type.STRING:
                self.report.error(
                    symbol.name_span,
                    f"the counter `{node.name}` would hold text",
                    hint="declare it as `text`, or convert the value with `int()` or `float()`",
                )
            if not symbol.written:
                self.report.warn(
                    symbol.name_span,
                    f"metric `{node.name}` is never written",
                    hint="assign a value to it, or remove it",
                )
            self.check_label_names(symbol)
            self.check_exported_name(symbol, places)

    def check_buckets(self, node: MetricDeclaration) -> None:
        if node.kind != "histogram":
            return
        bounds = node.buckets or ()
        span = node.buckets_span or node.name_span
        if len(bounds) < 2:
            self.report.error(
                span,
                f"the histogram `{node.name}` needs at least two buckets",
                hint="write e.g. `buckets 0.1, 0.5, 1, 5`",
            )
        elif any(low >= high for low, high in pairwise(bounds)):
            self.report.error(span, "the bounds of buckets must ascend", hint="sort them, each once")

    def check_label_names(self, symbol: MetricSymbol) -> None:
        seen: dict[str, tuple[str, Span]] = {}
        for label in symbol.node.labels:
            exported = INVALID_NAME_CHARACTER.sub("_", label.name)
            name, span = seen.setdefault(exported, (label.name, label.span))
            if name != label.name:
                self.report.error(
                    label.span,
                    f"the labels `{name}` and `{label.name}` get the same name `{exported}` in exports",
                    notes=(Note("the other one is", span),),
                    hint="rename one of them",
                )

    def check_exported_name(self, symbol: MetricSymbol, places: dict[str, MetricSymbol]) -> None:
        name = symbol.node.exported or symbol.node.name
        exported = INVALID_NAME_CHARACTER.sub("_", name)
        other = places.setdefault(exported, symbol)
        other_name = other.node.exported or other.node.name
        if other_name != name:
            self.report.error(
                symbol.name_span,
                f"the metrics `{other_name}` and `{name}` get the same name `{exported}` in exports",
                notes=(Note("the other one is declared", other.name_span),),
                hint="rename one of them",
            )
        elif other.node.kind != symbol.node.kind:
            self.report.error(
                symbol.name_span,
                f"metric `{name}` is a {symbol.node.kind} here and a {other.node.kind} elsewhere",
                notes=(Note("the other one is declared", other.name_span),),
                hint="give one of them another name",
            )
