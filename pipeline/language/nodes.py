"""What a program consists of: a frozen dataclass per construct, each with its span.

Nodes compare by identity, so that the checker can keep facts about them in tables.
The grammar is `grammar.lark`; the meaning of each construct is in spec sections 3 to 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pipeline.language.source import Span


@dataclass(frozen=True, slots=True, eq=False)
class IntLiteral:
    """An integer that fits in 64 signed bits."""

    span: Span
    value: int


@dataclass(frozen=True, slots=True, eq=False)
class FloatLiteral:
    """A finite floating-point number."""

    span: Span
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class StringLiteral:
    """Text between quotes, with `\\"` reduced to a quote and nothing else touched."""

    span: Span
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class PatternLiteral:
    """Text between slashes, with `\\/` reduced to a slash; `span` includes the slashes."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    """A bare identifier: a metric without labels, or a pattern constant."""

    span: Span
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """`name[key, …]`; `a[x][y]` and `a[x, y]` are the same."""

    span: Span
    target: Name
    keys: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """`$name`, `$1` or `$a.b`; `name` is what follows the dollar sign and may be empty.

    `path` are the names on the way to a field of a record. One that `is_quoted`, or is longer than one name, cannot be
    a capture group.
    """

    span: Span
    name: str
    path: tuple[str, ...]
    is_quoted: bool = False

    @property
    def may_be_group(self) -> bool:
        """Whether a pattern could have a group of this name or number."""
        return len(self.path) == 1 and not self.is_quoted


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A call of a builtin; `name_span` covers the function's name only."""

    span: Span
    name: str
    name_span: Span
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Unary:
    """`~operand`, the only prefix operator."""

    span: Span
    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """An operator of two operands, `&&`, `||`, `=~` and `!~` among them.

    A concatenation of patterns is a `+` too: only names tell it from a sum.
    """

    span: Span
    operator: str
    operator_span: Span
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Postfix:
    """`operand++` or `operand--`."""

    span: Span
    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Decode:
    """`decode decoder "delimiter" by columns from subject`, a condition; without `subject` it decodes the line."""

    span: Span
    decoder: str
    decoder_span: Span
    delimiter: StringLiteral | None
    columns: tuple[LabelName, ...]
    subject: Expression | None


Expression: TypeAlias = (
    IntLiteral
    | FloatLiteral
    | StringLiteral
    | PatternLiteral
    | Name
    | Index
    | Capture
    | Call
    | Unary
    | Binary
    | Postfix
    | Decode
)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Statements between braces, or the whole program; `span` includes the braces."""

    span: Span
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionStatement:
    """A primary, perhaps with `++` or `--`, that stands alone on its line."""

    span: Span
    expression: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """`target = value` or `target += value`."""

    span: Span
    operator: str
    target: Expression
    value: Expression


@dataclass(frozen=True, slots=True, eq=False)
class ExemplarLabel:
    """`name = value` after `exemplar`; without a name the label is `trace_id`, and `name_span` that of the value."""

    span: Span
    name: str
    name_span: Span
    value: Expression


@dataclass(frozen=True, slots=True, eq=False)
class ExemplarStatement:
    """`change exemplar label, …`; `exemplar_span` begins with the word."""

    span: Span
    change: ExpressionStatement | Assignment
    exemplar_span: Span
    labels: tuple[ExemplarLabel, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Conditional:
    """`condition { … } else { … }`; the condition of an `otherwise` is None."""

    span: Span
    condition: Expression | None
    block: Block
    else_block: Block | None


@dataclass(frozen=True, slots=True, eq=False)
class LabelName:
    """One name after `by`."""

    span: Span
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class MetricDeclaration:
    """A metric. `kind` is the keyword; `exported` the name after `as`, or None.

    `buckets` is None when the attribute is absent; `limit` is 0 without one.
    `buckets_span` covers the attribute, or is None like it. `help` and `unit` are the texts after these words.
    """

    span: Span
    kind: str
    name: str
    name_span: Span
    hidden: bool
    labels: tuple[LabelName, ...]
    exported: str | None
    buckets: tuple[int | float, ...] | None
    buckets_span: Span | None
    limit: int
    help: StringLiteral | None
    unit: StringLiteral | None


@dataclass(frozen=True, slots=True, eq=False)
class ConstDeclaration:
    """`const NAME pattern`; the pattern is literals and names joined by `+`."""

    span: Span
    name: str
    name_span: Span
    pattern: Expression


@dataclass(frozen=True, slots=True, eq=False)
class DecoratorDefinition:
    """`def name { … next … }`."""

    span: Span
    name: str
    name_span: Span
    block: Block


@dataclass(frozen=True, slots=True, eq=False)
class DecoratorUse:
    """`@name { … }`; `name` is without the at sign, `name_span` with it."""

    span: Span
    name: str
    name_span: Span
    block: Block


@dataclass(frozen=True, slots=True, eq=False)
class Delete:
    """`del target [after duration]`; `after_nanoseconds` is None without `after`."""

    span: Span
    target: Expression
    after_nanoseconds: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Next:
    """Where a decorator's definition runs the block of its use."""

    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Stop:
    """Ends the run for this line."""

    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Begin:
    """`begin { … }`: runs once, when the program is loaded."""

    span: Span
    block: Block


@dataclass(frozen=True, slots=True, eq=False)
class LogFilter:
    """`log_filter name, …`: the only origins whose lines the program gets."""

    span: Span
    names: tuple[str, ...]


Statement: TypeAlias = (
    Block
    | ExpressionStatement
    | Assignment
    | ExemplarStatement
    | Conditional
    | MetricDeclaration
    | ConstDeclaration
    | DecoratorDefinition
    | DecoratorUse
    | Delete
    | Next
    | Stop
    | Begin
    | LogFilter
)

Node: TypeAlias = Expression | Statement | LabelName | ExemplarLabel
