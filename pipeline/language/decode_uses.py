"""Where something is decoded: which decoder, its columns, the fields that can be read from there on, and their types.

A field has no type of its own. It becomes what its use demands, and fixes no unknown type; a metric that nothing but
fields is assigned to holds Floats.
"""

from __future__ import annotations

from pipeline.decoders import DECODERS, Decoder
from pipeline.language.calls import Expressions
from pipeline.language.diagnostics import Note, suggest
from pipeline.language.nodes import Binary, Decode, Expression
from pipeline.language.operators import Operator, Rule
from pipeline.language.scopes import DecodeUse, Scope
from pipeline.language.types import Type, TypeTerm, Unknown, agree, known_type, resolve

MAX_DELIMITER_BYTES = 1
"""What separates the columns of a line is one byte."""


class FieldChecker:
    """Checks decodes, declares their fields in the scope that the checker of expressions is in, and joins their types.

    `fed` are the types of metrics that fields are assigned to, and of those that are computed with fields.
    """

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.report = expressions.report
        self.checked = expressions.checked
        self.fed: list[TypeTerm] = []

    # Types

    def check_decode(self, node: Decode) -> TypeTerm:
        """Check what is decoded, and declare its fields."""
        if node.subject is not None:
            self.check_subject(node.subject)
        if self.expressions.in_begin:
            self.expressions.scope.incomplete = True
            self.report.error(
                node.span, "`begin` has no line to decode", hint="move the `decode` out of the `begin` block"
            )
        else:
            self.declare(node, self.expressions.scope)
        return Type.BOOL

    def check_subject(self, subject: Expression) -> None:
        """Refuse what is no text and cannot become one."""
        term = self.expressions.check(subject)
        if known_type(term) is Type.BOOL:
            self.report.error(subject.span, "a Bool cannot be decoded", hint="`from` takes a text, such as a capture")
        elif not agree(Type.STRING, term):
            self.expressions.refuse_untyped(subject, "it cannot be decoded")

    def decide(self) -> None:
        """Let metrics that fields are assigned to hold Floats, or texts, where nothing else has decided."""
        fed = {resolve(term) for term in self.fed}
        for metric in self.checked.metrics:
            if metric.node.kind == "text" and resolve(metric.value_type) in fed:
                agree(Type.STRING, metric.value_type)
        for term in self.fed:
            if known_type(term) is None:
                agree(Type.FLOAT, term)

    def join(self, node: Binary, operator: Operator, left: TypeTerm, right: TypeTerm) -> TypeTerm:
        """Join a field with the other operand: it becomes what that is. Two fields are added as Floats."""
        is_left = known_type(left) is Type.FIELD
        operand, other = (node.right, resolve(right)) if is_left else (node.left, resolve(left))
        if other in (Type.NONE, Type.BOOL):
            self.refuse_operand(operand, other)
            return Unknown()
        if isinstance(other, Unknown):
            self.fed.append(other)
        if operator.rule is Rule.COMPARISON:
            self.checked.joins[node] = other
            return other
        joined = Type.FLOAT if other is Type.FIELD else other
        self.checked.joins[node] = joined
        self.expressions.later.append(lambda: self.expressions.check_operation(node, operator, joined))
        return joined

    def refuse_operand(self, operand: Expression, other: TypeTerm) -> None:
        if other is Type.NONE:
            self.expressions.refuse_untyped(operand, "it does not go together with a field")
            return
        self.report.error(
            operand.span,
            "a Bool does not go together with a field",
            hint="let it be a condition of its own, joined with `&&` or `||`",
        )

    def refuse_condition(self, node: Expression) -> None:
        """Refuse a field that stands alone where a condition is due."""
        text = self.report.text_of(node.span)
        hint = f'compare it, e.g. `{text} != "…"`, or write `defined({text})`'
        self.report.error(node.span, f"`{text}` alone cannot be a condition", hint=hint)

    # Names

    def declare(self, node: Decode, scope: Scope) -> None:
        """Make the fields readable in `scope`."""
        decoder = DECODERS.get(node.decoder)
        if decoder is None:
            scope.incomplete = True
            self.refuse_decoder(node)
            return
        self.check_delimiter(node, decoder)
        self.check_columns(node, decoder)
        use = DecodeUse(node, decoder, node.subject, len(self.checked.decodes))
        self.checked.decodes[node] = use
        scope.decodes.append(use)

    def refuse_decoder(self, node: Decode) -> None:
        """Report a decoder that there is not."""
        names = ", ".join(f"`{name}`" for name in sorted(DECODERS))
        self.report.error(
            node.decoder_span,
            f"there is no decoder `{node.decoder}`",
            hint=suggest(node.decoder, list(DECODERS)) or f"the decoders are {names}",
        )

    def check_delimiter(self, node: Decode, decoder: Decoder) -> None:
        """Refuse a delimiter of what has no columns, and one that can be none."""
        if node.delimiter is None:
            return
        text = node.delimiter.value
        if not decoder.has_columns:
            self.report.error(
                node.delimiter.span, f"`decode {node.decoder}` has no delimiter", hint="leave the text out"
            )
        elif text != "\\t" and (len(text.encode()) != MAX_DELIMITER_BYTES or text in '"\r'):
            self.report.error(
                node.delimiter.span,
                "a delimiter is one ASCII character, and no quote or line break",
                hint='write e.g. `";"`, or `"\\t"` for a tab',
            )

    def check_columns(self, node: Decode, decoder: Decoder) -> None:
        """Refuse columns of what has none, and two of one name."""
        if node.columns and not decoder.has_columns:
            self.report.error(
                node.columns[0].span | node.columns[-1].span,
                f"`decode {node.decoder}` has no columns to be named",
                hint="leave `by` and the names out: its fields have names",
            )
            return
        first = {column.name: column for column in reversed(node.columns)}
        for column in node.columns:
            if first[column.name] is not column:
                self.report.error(
                    column.span,
                    f"two columns are named `{column.name}`",
                    notes=(Note("the first one is", first[column.name].span),),
                    hint="give each column a name of its own",
                )
