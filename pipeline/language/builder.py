"""Turns what the rules of `grammar.lark` match into nodes, from the leaves up.

A method of `Builder` is named like its rule, or like the name after `->`, and gets all that the rule
matched, tokens too. It is called as soon as the rule is complete, so nothing here recurses.

The grammar lets a pattern stand where any value may, and any expression alone on a line. What the
language still forbids of that (spec sections 3.4 and 3.5) is refused here, where more is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn, TypeAlias

from pipeline.language.attributes import Attribute, Buckets, Exemplar, Exported, Help, Labels, Limit, Unit
from pipeline.language.automaton import Token
from pipeline.language.diagnostics import ProgramError
from pipeline.language.literals import LiteralError, read_duration, read_number, read_pattern, read_string
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
    Stop,
    StringLiteral,
    Unary,
)
from pipeline.language.reporting import Reporter
from pipeline.language.source import Span

Children: TypeAlias = list[Any]
"""What a rule matched; the grammar says which nodes and tokens these are."""

LOGICAL = frozenset({"&&", "||"})
MATCHES = frozenset({"=~", "!~"})
RELATIONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
EXEMPLAR_LABEL = "trace_id"
"""What a label of an exemplar is called that the program does not name."""


class Builder:
    """Builds the nodes of one program."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.constants: set[str] = set()
        self.grouped: set[Expression] = set()
        self.patterns: set[Expression] = set()

    # Statements

    def program(self, children: Children) -> Block:
        return Block(Span(0, len(self.reporter.source.text)), without_tokens(children))

    def block(self, children: Children) -> Block:
        return Block(span_of(children[0]) | span_of(children[-1]), without_tokens(children))

    def expression_statement(self, children: Children) -> ExpressionStatement | ExemplarStatement:
        expression: Expression = children[0]
        if expression in self.patterns:
            self.refuse(expression.span, "this pattern has no block", self.suggest_block(expression))
        if isinstance(expression, Decode):
            self.refuse(expression.span, "this `decode` has no block", self.suggest_block(expression))
        if self.is_compound(expression):
            self.refuse(expression.span, "this statement has no effect", self.suggest_effect(expression))
        statement = ExpressionStatement(expression.span, expression)
        return children[1].of(statement) if isinstance(children[1], Exemplar) else statement

    def assignment(self, children: Children) -> Assignment | ExemplarStatement:
        exemplar = children.pop(-2) if isinstance(children[-2], Exemplar) else None
        target: Expression = children[0]
        value: Expression = children[-2]
        if target in self.patterns or (isinstance(target, Binary) and target not in self.grouped):
            self.refuse(target.span, "only a metric can be assigned to", suggest_target(target))
        if value in self.patterns:
            self.refuse(value.span, "a pattern cannot be assigned", "declare it with `const`, without `=`")
        statement = Assignment(target.span | value.span, str(children[1]), target, value)
        return statement if exemplar is None else exemplar.of(statement)

    def exemplar(self, children: Children) -> Exemplar:
        labels: tuple[ExemplarLabel, ...] = without_tokens(children)
        return Exemplar(span_of(children[0]) | labels[-1].span, labels)

    def exemplar_label(self, children: Children) -> ExemplarLabel:
        value: Expression = children[-1]
        if len(children) == 1:
            return ExemplarLabel(value.span, EXEMPLAR_LABEL, value.span, value)
        name: Token = children[0]
        return ExemplarLabel(span_of(name) | value.span, self.check_letters(name), span_of(name), value)

    def conditional(self, children: Children) -> Conditional:
        condition = self.regroup(children[0])
        blocks: tuple[Block, ...] = without_tokens(children[1:])
        else_block = blocks[1] if len(blocks) > 1 else None
        return Conditional(condition.span | blocks[-1].span, condition, blocks[0], else_block)

    def otherwise(self, children: Children) -> Conditional:
        block: Block = children[1]
        return Conditional(span_of(children[0]) | block.span, None, block, None)

    def constant(self, children: Children) -> ConstDeclaration:
        name: Token = children[1]
        pattern: Expression = children[-1]
        self.constants.add(self.check_letters(name))
        return ConstDeclaration(span_of(children[0]) | pattern.span, str(name), span_of(name), pattern)

    def definition(self, children: Children) -> DecoratorDefinition:
        keyword, name, block = children
        return DecoratorDefinition(span_of(keyword) | block.span, self.check_letters(name), span_of(name), block)

    def decorated(self, children: Children) -> DecoratorUse:
        name, block = children
        return DecoratorUse(span_of(name) | block.span, self.check_letters(name)[1:], span_of(name), block)

    def begin(self, children: Children) -> Begin:
        return Begin(span_of(children[0]) | children[1].span, children[1])

    def next(self, children: Children) -> Next:
        return Next(span_of(children[0]))

    def stop(self, children: Children) -> Stop:
        return Stop(span_of(children[0]))

    def delete(self, children: Children) -> Delete:
        target: Expression = children[1]
        span = span_of(children[0]) | span_of(children[-1])
        self.refuse_pattern(target, "a pattern cannot be deleted", "`del` takes a metric with all its labels")
        nanoseconds = self.read_after(children[-1]) if len(children) > 2 else None
        return Delete(span, target, nanoseconds)

    def log_filter(self, children: Children) -> LogFilter:
        names: list[LabelName] = children[1]
        return LogFilter(span_of(children[0]) | names[-1].span, tuple(name.name for name in names))

    # Metrics

    def metric(self, children: Children) -> MetricDeclaration:
        hidden = str(children[0]) == "hidden"
        kind, name, *attributes = children[1:] if hidden else children
        last: dict[type[Attribute], Attribute] = {type(attribute): attribute for attribute in attributes}
        labels, exported = last.get(Labels), last.get(Exported)
        buckets, limit = last.get(Buckets), last.get(Limit)
        help_, unit = last.get(Help), last.get(Unit)
        return MetricDeclaration(
            span=span_of(children[0]) | span_of(children[-1]),
            kind=str(kind),
            name=self.read_name(name),
            name_span=span_of(name),
            hidden=hidden,
            labels=labels.names if isinstance(labels, Labels) else (),
            exported=exported.name if isinstance(exported, Exported) else None,
            buckets=buckets.bounds if isinstance(buckets, Buckets) else None,
            buckets_span=buckets.span if buckets else None,
            limit=limit.limit if isinstance(limit, Limit) else 0,
            help=help_.text if isinstance(help_, Help) else None,
            unit=unit.text if isinstance(unit, Unit) else None,
        )

    def labels(self, children: Children) -> Labels:
        names: list[LabelName] = children[1]
        return Labels(span_of(children[0]) | names[-1].span, tuple(names))

    def exported(self, children: Children) -> Exported:
        return Exported(span_of(children[0]) | span_of(children[1]), read_string(children[1]))

    def buckets(self, children: Children) -> Buckets:
        bounds = tuple(self.read_bound(token) for token in children[1::2])
        return Buckets(span_of(children[0]) | span_of(children[-1]), bounds)

    def limit(self, children: Children) -> Limit:
        value = self.read_bound(children[1])
        if isinstance(value, float):
            self.reporter.error(span_of(children[1]), f"`limit` takes an integer, not `{children[1]}`")
            value = 0
        return Limit(span_of(children[0]) | span_of(children[1]), value)

    def help(self, children: Children) -> Help:
        text = self.string(children[1:])
        # Blanks around it would be lost on the way: the Prometheus format has them between its words.
        return Help(span_of(children[0]) | text.span, replace(text, value=text.value.strip(" ")))

    def unit(self, children: Children) -> Unit:
        text = self.string(children[1:])
        return Unit(span_of(children[0]) | text.span, text)

    def names(self, children: Children) -> list[LabelName]:
        return [LabelName(span_of(token), self.read_name(token)) for token in children[::2]]

    # Expressions

    def binary(self, children: Children) -> Binary:
        left: Expression = children[0]
        operator: Token = children[1]
        right: Expression = children[-1]
        node = Binary(left.span | right.span, str(operator), span_of(operator), left, right)
        if operator == "+" and (left in self.patterns or right in self.patterns):
            self.check_joined(left, right)
            self.patterns.add(node)
        elif operator in MATCHES:
            self.check_match(node)
        elif operator not in LOGICAL:
            self.check_operands(node)
        return node

    def complement(self, children: Children) -> Unary:
        operator, operand = children
        self.refuse_pattern(operand, "a pattern cannot follow `~`", "match a value with `=~`")
        return Unary(span_of(operator) | operand.span, str(operator), operand)

    def step(self, children: Children) -> Postfix:
        operand, operator = children
        self.refuse_pattern(operand, f"a pattern has no `{operator}`", "only a metric can be counted up or down")
        return Postfix(operand.span | span_of(operator), str(operator), operand)

    def index(self, children: Children) -> Index:
        target, _, keys, closing = children
        span = target.span | span_of(closing)
        if isinstance(target, Index) and target not in self.grouped:
            return Index(span, target.target, target.keys + tuple(keys))
        if not isinstance(target, Name) or target in self.grouped:
            hint = "write the index directly after a metric's name"
            if isinstance(target, Capture) and not target.name.isdecimal():
                hint = suggest_field(target, keys[0])
            self.refuse(target.span, "only a metric can be indexed", hint)
        return Index(span, target, tuple(keys))

    def call(self, children: Children) -> Call:
        name: Token = children[0]
        arguments: Sequence[Expression] = children[2] if len(children) > 3 else ()
        return Call(span_of(name) | span_of(children[-1]), str(name), span_of(name), tuple(arguments))

    def arguments(self, children: Children) -> list[Expression]:
        return children[::2]

    def name(self, children: Children) -> Name:
        return Name(span_of(children[0]), self.check_letters(children[0]))

    def capture(self, children: Children) -> Capture:
        token: Token = children[0]
        name = token[1:] if '"' in token else self.check_letters(token)[1:]
        if name.startswith("."):
            self.refuse(span_of(token), "the name of a field does not begin with a dot", f"write `${name[1:]}`")
        path, is_quoted = read_path(name)
        return Capture(span_of(children[0]), name, path, is_quoted)

    def decode(self, children: Children) -> Decode:
        opening, decoder, *rest = children
        last = rest[-1] if rest else decoder
        delimiter = next((part for part in rest[:1] if isinstance(part, Token) and part.type == "STRING"), None)
        columns = next((part for part in rest if isinstance(part, Labels)), None)
        subject: Expression | None = None if isinstance(last, Labels | Token) else last
        if subject is not None:
            self.refuse_pattern(subject, "a pattern cannot be decoded", "`from` takes a text, such as a capture")
        return Decode(
            span_of(opening) | span_of(last),
            self.check_letters(decoder),
            span_of(decoder),
            None if delimiter is None else self.string([delimiter]),
            () if columns is None else columns.names,
            subject,
        )

    def columns(self, children: Children) -> Labels:
        names = tuple(self.names(children[1:]))
        return Labels(span_of(children[0]) | names[-1].span, names)

    def string(self, children: Children) -> StringLiteral:
        return StringLiteral(span_of(children[0]), read_string(children[0]))

    def number(self, children: Children) -> IntLiteral | FloatLiteral:
        span = span_of(children[0])
        self.check_dot(span)
        value = self.read_bound(children[0])
        return FloatLiteral(span, value) if isinstance(value, float) else IntLiteral(span, value)

    def pattern(self, children: Children) -> PatternLiteral:
        text = read_pattern(children[1]) if len(children) > 2 else ""
        node = PatternLiteral(span_of(children[0]) | span_of(children[-1]), text)
        self.patterns.add(node)
        return node

    def group(self, children: Children) -> Expression:
        opening, inner, closing = children
        node: Expression = replace(inner, span=span_of(opening) | span_of(closing))
        self.grouped.add(node)
        if inner in self.patterns:
            self.patterns.add(node)
        return node

    # What the grammar lets pass

    def refuse(self, span: Span, message: str, hint: str) -> NoReturn:
        """Stop parsing: what follows could only mislead."""
        self.reporter.error(span, message, hint=hint)
        raise ProgramError(self.reporter.in_order())

    def refuse_pattern(self, operand: Expression, message: str, hint: str) -> None:
        if operand in self.patterns:
            self.refuse(operand.span, message, hint)

    def check_joined(self, left: Expression, right: Expression) -> None:
        """Refuse to join a pattern with anything but patterns and constants."""
        for part in (left, right):
            if part not in self.patterns and sum_of_names(part) is None:
                self.refuse(
                    part.span,
                    "a pattern can only be joined with patterns and constants",
                    "declare the text as a pattern: `const NAME /…/`",
                )

    def check_match(self, node: Binary) -> None:
        """Refuse a pattern on the left of `=~`, and a bare expression on the right (spec section 3.1)."""
        self.refuse_pattern(
            node.left, f"a pattern stands on the right side of `{node.operator}`", "exchange the two sides"
        )
        right = node.right
        joined = right in self.patterns or sum_of_names(right) is not None
        if self.is_compound(right) and not joined:
            self.refuse(
                right.span,
                f"the right side of `{node.operator}` is more than one value",
                "put it in parentheses",
            )

    def check_operands(self, node: Binary) -> None:
        """Refuse a pattern as an operand of anything but `+`, `&&`, `||` and the right side of `=~`."""
        hint = "match a value with `=~`" if node.operator in RELATIONS else "patterns can only be joined, with `+`"
        for operand in (node.left, node.right):
            self.refuse_pattern(operand, f"a pattern cannot be an operand of `{node.operator}`", hint)

    def is_compound(self, expression: Expression) -> bool:
        """Return whether `expression` has an operator outside parentheses, other than `++` and `--`."""
        return isinstance(expression, Binary | Unary) and expression not in self.grouped

    def regroup(self, condition: Expression) -> Expression:
        """Return the condition with its first operator last, if a pattern or decode comes first (spec section 3.2)."""
        rest: list[tuple[str, Span, Expression]] = []
        first = condition
        while isinstance(first, Binary) and first.operator in LOGICAL and first not in self.grouped:
            rest.append((first.operator, first.operator_span, first.right))
            first = first.left
        if len(rest) < 2 or first in self.grouped or not (self.takes_all(first) or self.joins_constants(first)):
            return condition
        operator, operator_span, right = rest.pop()
        for next_operator, next_span, operand in reversed(rest):
            right = Binary(right.span | operand.span, next_operator, next_span, right, operand)
        return Binary(first.span | right.span, operator, operator_span, first, right)

    def takes_all(self, expression: Expression) -> bool:
        """Return whether what begins a condition with this takes all that follows as its right side."""
        return expression in self.patterns or isinstance(expression, Decode)

    def joins_constants(self, expression: Expression) -> bool:
        """Return whether `expression` is constants joined by `+`: a pattern, though no literal is in it."""
        if not isinstance(expression, Binary):
            return False
        names = sum_of_names(expression)
        return names is not None and self.constants.issuperset(names)

    # What to do instead

    def suggest_block(self, condition: Expression) -> str:
        """Return what to do about a condition without a block, which may stand on the next line."""
        rest = self.reporter.source.text[condition.span.end :].lstrip()
        return "move the `{` up to this line" if rest.startswith("{") else "write `{` after it, on the same line"

    def suggest_effect(self, expression: Expression) -> str:
        """Return what to do about a value that nobody uses."""
        if not isinstance(expression, Binary) or expression.operator not in LOGICAL | MATCHES | RELATIONS:
            return "assign the value to a metric, or remove it"
        if expression.operator == "==" and isinstance(expression.left, Name | Index):
            return f"to assign, write `=`; if it is a condition, {self.suggest_block(expression)}"
        return f"if it is a condition, {self.suggest_block(expression)}"

    # Names and numbers

    def read_name(self, token: Token) -> str:
        return read_string(token) if token.startswith('"') else self.check_letters(token)

    def check_letters(self, token: Token) -> str:
        """Return the text, after refusing signs that Python takes for letters and the language does not."""
        for index, char in enumerate(token if not token.isascii() else ""):
            if char.isalnum() and not (char.isalpha() or char.isdecimal()):
                start = span_of(token).start + index
                self.refuse(Span(start, start + 1), f"unexpected `{char}`", "names have letters, digits and `_`")
        return str(token)

    def check_dot(self, number: Span) -> None:
        """Refuse a name with a dot in it, of which the second half looks like a number."""
        dotted = find_dotted_name(self.reporter.source.text, number.start)
        if dotted:
            self.refuse(dotted, *refuse_letters(self.reporter.source.text[dotted.start : dotted.end]))

    def read_bound(self, token: Token) -> int | float:
        """Return the value of a number; a bad one is reported, and 0 takes its place."""
        try:
            return read_number(token)
        except LiteralError as error:
            self.reporter.error(span_of(token), error.message, hint=error.hint)
            return 0

    def read_after(self, token: Token) -> int:
        """Return the nanoseconds of a duration; a bad one is reported, and 0 takes its place."""
        try:
            return read_duration(token)
        except LiteralError as error:
            self.reporter.error(span_of(token), error.message, hint=error.hint)
            return 0


def span_of(child: Token | Node | Attribute) -> Span:
    """Return where a token or a node stands."""
    if isinstance(child, Token):
        return Span(child.start, child.end)
    return child.span


def without_tokens(children: Children) -> tuple[Any, ...]:
    return tuple(child for child in children if not isinstance(child, Token))


def read_path(name: str) -> tuple[tuple[str, ...], bool]:
    """Return the names on the way to what a capture reads, and whether the first one is in quotes."""
    if name.isalnum() or '"' not in name:
        return tuple(name.split(".")), False
    parts = re.findall(r'"(?:[^"\\]|\\.)*"|[^."]+', name)
    return tuple(read_string(part) if part[0] == '"' else part for part in parts), name[0] == '"'


def sum_of_names(expression: Expression) -> list[str] | None:
    """Return the names that `expression` adds up, or None if it has anything else."""
    names = []
    while isinstance(expression, Binary) and expression.operator == "+" and isinstance(expression.right, Name):
        names.append(expression.right.name)
        expression = expression.left
    return [*names, expression.name] if isinstance(expression, Name) else None


def suggest_target(target: Expression) -> str:
    """Return what to do about an assignment to something else than a metric."""
    if isinstance(target, Binary) and target.operator in LOGICAL:
        return "compare with `==`, or put the assignment into the block of the condition"
    if isinstance(target, PatternLiteral):
        return "match a value with `=~`"
    return "write the metric alone to the left of the `=`"


def suggest_field(table: Capture, key: Expression) -> str:
    """Return what to write in place of a field within another one in brackets, as other languages have it."""
    name = str(key.value) if isinstance(key, StringLiteral | IntLiteral) else "id"
    name = name if re.fullmatch(r"\w+", name) else f'"{name}"'
    return f"a field within another one is written `${table.name}.{name}`"


def find_dotted_name(text: str, offset: int) -> Span | None:
    """Return the place of a name with dots in it, if one of them is at `offset`."""
    first = re.search(r"\$[\w.]*\Z|[^\W\d]\w*\Z", text[:offset]) if text.startswith(".", offset) else None
    name = re.compile(r"\$?[\w.]+").match(text, first.start()) if first else None
    return Span(*name.span()) if name else None


def refuse_letters(name: str) -> tuple[str, str]:
    """Return a message and a hint about a name with other characters than a name can have."""
    if name.startswith("$"):
        fixed = re.sub(r"\.{2,}", ".", name).rstrip(".")
        return "one dot stands before each name within a field", f"write `{fixed}`"
    fixed = re.sub(r"\W", "_", name)
    return "a name has only letters, digits and `_`", f"write `{fixed}`"
