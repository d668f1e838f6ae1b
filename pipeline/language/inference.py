"""Types and names of expressions: the half of the checker that looks at values.

Every expression gets a type term; an unknown is fixed by the first operation, in textual order,
that relates it to a known type (spec section 6.3). What depends on how an unknown ends up is
checked when the whole program has been seen (`later`). A mistake yields a fresh unknown, which
agrees with everything, so that one mistake gives one message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from pipeline.language.calls import NAME_A_GROUP, CallChecker
from pipeline.language.decode_uses import FieldChecker
from pipeline.language.diagnostics import Note
from pipeline.language.missing_names import MissingNames
from pipeline.language.nodes import (
    Binary,
    Call,
    Capture,
    Decode,
    Expression,
    FloatLiteral,
    Index,
    IntLiteral,
    Name,
    PatternLiteral,
    Postfix,
    StringLiteral,
    Unary,
)
from pipeline.language.operators import OPERATORS, Operator, Rule
from pipeline.language.pattern_uses import PatternChecker
from pipeline.language.reporting import Reporter
from pipeline.language.scopes import CheckedProgram, MetricSymbol, Scope
from pipeline.language.traversal import walk
from pipeline.language.types import (
    STORABLE,
    Type,
    TypeTerm,
    Unknown,
    agree,
    describe_type,
    join_terms,
    join_types,
    known_type,
    resolve,
)


class ExpressionChecker:
    """Checks expressions in the scope that the statement checker keeps in `scope`."""

    def __init__(self, report: Reporter, checked: CheckedProgram, max_regexp_length: int) -> None:
        self.report = report
        self.checked = checked
        self.scope = Scope(None)
        self.in_begin = False
        self.later: list[Callable[[], None]] = []
        self.missing = MissingNames(report, checked.block)
        self.patterns = PatternChecker(report, checked, self.missing, max_regexp_length)
        self.calls = CallChecker(self)
        self.fields = FieldChecker(self)
        self.told: set[TypeTerm | MetricSymbol] = set()
        self.declared_twice: set[str] = set()

    def check(self, node: Expression) -> TypeTerm:
        """Return the type of an expression that stands for a value."""
        self.checked.types[node] = term = self.infer(node)
        return term

    def infer(self, node: Expression) -> TypeTerm:
        match node:
            case IntLiteral():
                return Type.INT
            case FloatLiteral():
                return Type.FLOAT
            case StringLiteral():
                return Type.STRING
            case PatternLiteral():
                return self.refuse_pattern(node)
            case Name():
                return self.check_name(node)
            case Index():
                return self.check_index(node)
            case Capture():
                return self.check_capture(node)
            case Call():
                return self.calls.check_value(node)
            case Unary():
                return self.check_complement(node)
            case Binary():
                return self.check_binary(node)
            case Postfix():
                return self.check_step(node)
            case Decode():
                return self.fields.check_decode(node)
            case _:
                assert_never(node)

    def refuse_pattern(self, node: Expression) -> TypeTerm:
        self.use_names(node)
        self.report.error(
            node.span,
            "a pattern is not a value",
            hint="match a text against it with `=~`, or let it stand as a condition of its own",
        )
        return Unknown()

    # Names

    def check_name(self, node: Name) -> TypeTerm:
        metric = self.scope.find_metric(node.name)
        if metric is None:
            return self.refuse_name(node)
        self.use_metric(node, metric)
        if not metric.is_scalar:
            return self.refuse_keys(node, metric, 0)
        self.later.append(lambda: self.check_readable(node, metric))
        return metric.value_type

    def use_metric(self, node: Name, metric: MetricSymbol) -> None:
        metric.used = True
        self.checked.metric_names[node] = metric

    def use_names(self, node: Expression) -> None:
        """Count the names in a refused expression as used."""
        for part, _ in walk(node):
            if isinstance(part, Name):
                symbol = self.scope.find_metric(part.name) or self.scope.find_const(part.name)
                if symbol is not None:
                    symbol.used = True

    def refuse_name(self, node: Name) -> TypeTerm:
        if self.scope.find_const(node.name) is not None:
            return self.refuse_pattern(node)
        self.missing.refuse_metric(node, self.scope)
        return Unknown()

    def refuse_keys(self, node: Name | Index, metric: MetricSymbol, given: int) -> TypeTerm:
        wanted = [label.name for label in metric.node.labels]
        name = metric.node.name
        if name in self.declared_twice:  # this may be about the other one
            return Unknown()
        count = f"{len(wanted)} label{'' if len(wanted) == 1 else 's'}" if wanted else "no labels"
        if wanted:
            keys = "".join(f"[${label}]" if label.isidentifier() else "[…]" for label in wanted)
            note = Note(f"declared `by {', '.join(wanted)}`", metric.name_span)
            self.report.error(
                node.span,
                f"metric `{name}` takes {count}, not {given}",
                label=f"the label `{wanted[given]}` has no value" if given < len(wanted) else "",
                notes=(note,),
                hint=f"write `{name}{keys}`",
            )
        else:
            self.report.error(
                node.span,
                f"metric `{name}` takes no labels, not {given}",
                notes=(Note("declared without `by`", metric.name_span),),
                hint=f"write `{name}`, or add `by` and label names to its declaration",
            )
        return Unknown()

    def check_readable(self, node: Expression, metric: MetricSymbol) -> None:
        """Refuse to read a metric that nothing gave a storable type (spec section 13, row 29), once."""
        name = metric.node.name
        value_type = known_type(metric.value_type)
        reason = resolve(metric.value_type) if value_type is None else metric
        if value_type not in STORABLE and reason in self.told:
            return
        if value_type not in STORABLE:
            self.told.add(reason)
        if value_type is None:
            self.report.error(
                node.span,
                f"the type of metric `{name}` is not known here",
                notes=(Note("declared", metric.name_span),),
                hint="nothing gives it a value of a known type: assign to it, or compare it with a number",
            )
        elif value_type not in STORABLE:
            self.report.error(
                node.span,
                f"metric `{name}` is used like {describe_type(value_type)}, and a metric holds numbers or text",
                notes=(Note("declared", metric.name_span),),
                hint="assign a number or a text to it before this",
            )
        if metric.node.kind == "histogram":
            self.report.warn(
                node.span,
                f"reading the histogram `{name}` fails on every line",
                hint="a histogram can only be assigned to: each assignment observes one value",
            )

    def check_index(self, node: Index) -> TypeTerm:
        metric = self.check_keys(node)
        if metric is None:
            return Unknown()
        self.later.append(lambda: self.check_readable(node, metric))
        return metric.value_type

    def check_keys(self, node: Index) -> MetricSymbol | None:
        """Check the keys and return the metric, or None after a mistake."""
        terms = [self.check(key) for key in node.keys]
        metric = self.scope.find_metric(node.target.name)
        if metric is None:
            self.refuse_name(node.target)
            return None
        self.use_metric(node.target, metric)
        if len(terms) != len(metric.key_types):
            self.refuse_keys(node, metric, len(terms))
            return None
        for key, label, want, got in zip(node.keys, metric.node.labels, metric.key_types, terms, strict=True):
            if not agree(want, got):
                self.refuse_key(key, label.name, want, got)
        return metric

    def refuse_key(self, key: Expression, label: str, want: TypeTerm, got: TypeTerm) -> None:
        other = known_type(want)
        if known_type(got) is Type.NONE and other is not None:
            self.refuse_untyped(key, f"it cannot be a value of `{label}`: another one is {describe_type(other)}")
            return
        self.report.error(
            key.span, f"another value of the label `{label}` is `$0`, which has no type", hint=NAME_A_GROUP
        )

    def check_target(self, node: Expression) -> MetricSymbol | None:
        """Return the metric that a statement changes, or None after a mistake."""
        match node:
            case Index():
                metric = self.check_keys(node)
            case Name() if (metric := self.scope.find_metric(node.name)) is not None:
                self.use_metric(node, metric)
                if not metric.is_scalar:
                    self.refuse_keys(node, metric, 0)
                    return None
            case Name() if (const := self.scope.find_const(node.name)) is not None:
                const.used = True
                self.report.error(
                    node.span,
                    f"the constant `{node.name}` cannot be changed",
                    notes=(Note("defined", const.name_span),),
                    hint="declare a metric under another name, e.g. `gauge value`, and change that",
                )
                return None
            case Name():
                self.refuse_name(node)
                return None
            case _:
                self.check(node)
                self.report.error(
                    node.span,
                    f"`{self.report.text_of(node.span)}` is not a metric",
                    label="only a metric can be changed",
                    hint="declare a metric, e.g. `gauge value`, and change that",
                )
                return None
        if metric is not None:
            self.checked.types[node] = metric.value_type
            metric.written = True
        return metric

    def check_capture(self, node: Capture) -> TypeTerm:
        symbol = self.scope.find_group_or_fields(node)
        if not symbol:
            self.missing.refuse_capture(node, self.scope)
            return Unknown()
        if self.in_begin:
            self.report.error(
                node.span, "`begin` has no line, so a capture group has no value", hint="write a literal value"
            )
            return Unknown()
        if isinstance(symbol, tuple):
            self.checked.fields[node] = symbol
            return Type.FIELD
        symbol.used = True
        candidates = tuple(symbol.candidates)
        for use, number in candidates:
            use.wanted.add(number)
        self.checked.captures[node] = symbol
        self.checked.capture_candidates[node] = candidates
        group_types = [use.group_type(number) for use, number in candidates]
        joined = group_types[0]
        for group_type in group_types[1:]:
            joined = join_types(joined, group_type) or Type.NONE
        return joined

    # Operators

    def check_complement(self, node: Unary) -> TypeTerm:
        term = self.check(node.operand)
        if not agree(Type.INT, term):
            self.refuse_untyped(node.operand, "`~` cannot take it")
        return Type.BOOL

    def check_step(self, node: Postfix) -> TypeTerm:
        metric = self.check_target(node.operand)
        if metric is None:
            return Unknown()
        name = metric.node.name
        if not agree(Type.INT, metric.value_type) or known_type(metric.value_type) is not Type.INT:
            held = known_type(metric.value_type)
            target = self.report.text_of(node.operand.span)
            other = f"{target} += 1.0" if node.operator == "++" else f"{target} = {target} - 1.0"
            self.report.error(
                node.span,
                f"`{node.operator}` needs an Int, and metric `{name}` holds a {held.value if held else 'value'}",
                notes=(Note("declared", metric.name_span),),
                hint=f"write `{other}`" if held is Type.FLOAT else "count in a metric of its own, e.g. `counter lines`",
            )
        if metric.node.kind == "histogram":
            self.warn_histogram(node, metric)
        return Type.INT

    def warn_histogram(self, node: Expression, metric: MetricSymbol) -> None:
        self.report.warn(
            node.span,
            f"this fails on every line: the histogram `{metric.node.name}` can only be assigned to",
            hint=f"write `{metric.node.name} = value` to observe a value",
        )

    def check_binary(self, node: Binary) -> TypeTerm:
        operator = OPERATORS[node.operator]
        match operator.rule:
            case Rule.ARITHMETIC:
                if self.patterns.is_pattern(node, self.scope):
                    return self.refuse_pattern(node)
                return self.check_arithmetic(node, operator)
            case Rule.COMPARISON:
                self.check_arithmetic(node, operator)
                return Type.BOOL
            case Rule.BITWISE:
                for operand in (node.left, node.right):
                    term = self.check(operand)
                    if not agree(Type.INT, term):
                        self.refuse_untyped(operand, f"`{node.operator}` cannot take it")
                return Type.INT
            case Rule.LOGIC:
                self.check_logic(node.left)
                with self.patterns.perhaps_tried(node.operator == "||"):
                    self.check_logic(node.right)
                return Type.BOOL
            case Rule.MATCH:
                self.check(node.left)
                self.patterns.check_match(node, self.scope)
                return Type.BOOL
            case _:
                assert_never(operator.rule)

    def check_logic(self, node: Expression) -> None:
        """Check one side of `&&` or `||`: a pattern, or anything that can be taken as a Bool."""
        if self.patterns.is_pattern(node, self.scope):
            self.check_line_pattern(node)
            return
        term = self.check(node)
        if self.is_undecided(node, term):
            text = self.report.text_of(node.span)
            self.report.error(
                node.span,
                f"`{text}` is used as a Bool, which a metric cannot hold",
                hint=f"compare it, e.g. `{text} != 0`",
            )
        elif known_type(term) is Type.FIELD:
            self.fields.refuse_condition(node)
        elif not agree(Type.BOOL, term):
            self.refuse_untyped(node, "it is neither true nor false")

    def is_undecided(self, node: Expression, term: TypeTerm) -> bool:
        """Whether the type is that of a metric, which nothing decides so far: Bool cannot become it."""
        return known_type(term) is None and any(part in self.checked.metric_names for part, _ in walk(node))

    def check_line_pattern(self, node: Expression) -> None:
        """Check a pattern that is matched against the line."""
        self.checked.types[node] = Type.BOOL
        if self.in_begin:
            self.use_names(node)
            self.scope.incomplete = True
            self.report.error(
                node.span, "`begin` has no line to match", hint="move the pattern out of the `begin` block"
            )
            return
        self.patterns.check_line(node, self.scope)

    def check_arithmetic(self, node: Binary, operator: Operator) -> TypeTerm:
        """Join the operands; the result is what both become (spec section 6.4)."""
        left, right = self.check(node.left), self.check(node.right)
        if Type.FIELD in (known_type(left), known_type(right)):
            self.check_divisor(node, operator)
            return self.fields.join(node, operator, left, right)
        joined = join_terms(left, right)
        if joined is None or known_type(joined) is Type.NONE:
            compared = operator.rule is Rule.COMPARISON
            return self.refuse_untyped(
                node.left if known_type(left) is Type.NONE else node.right,
                "it cannot be compared" if compared else f"`{node.operator}` cannot take it",
            )
        for operand, term in ((node.left, left), (node.right, right)):
            if known_type(joined) is Type.BOOL and self.is_undecided(operand, term):
                self.report.error(
                    operand.span,
                    f"`{self.report.text_of(operand.span)}` is used as a Bool, which a metric cannot hold",
                    hint="let the other side be a condition of its own, joined with `&&` or `||`",
                )
                return Unknown()
            self.convert(operand, term, joined)
            agree(joined, term)
        self.check_divisor(node, operator)
        self.checked.joins[node] = joined
        self.later.append(lambda: self.check_operation(node, operator, joined))
        return joined

    def check_divisor(self, node: Binary, operator: Operator) -> None:
        if operator.symbol in ("/", "%") and isinstance(node.right, IntLiteral) and node.right.value == 0:
            divides = operator.symbol == "/"
            self.report.error(
                node.right.span,
                "division by zero" if divides else "remainder of a division by zero",
                hint=f"write another number; dividing by `0.0` gives {'infinity' if divides else 'NaN'}",
            )

    def convert(self, operand: Expression, term: TypeTerm, joined: TypeTerm) -> None:
        """Note the conversion of an operand whose known type is not the join."""
        got, want = known_type(term), known_type(joined)
        if got is None or want is None or got is want:
            return
        self.checked.conversions[operand] = want
        if got not in STORABLE:
            self.later.append(lambda: self.refuse_conversion(operand, got, want))

    def refuse_conversion(self, operand: Expression, got: Type, want: Type) -> None:
        self.report.error(
            operand.span,
            f"{describe_type(got)} cannot become {describe_type(want)}",
            hint="a Bool can only be a condition, or be joined with `&&` and `||`",
        )

    def check_operation(self, node: Binary, operator: Operator, joined: TypeTerm) -> None:
        """Refuse an operator that its operands' type does not have (spec section 13, row 28)."""
        operands = known_type(joined)
        if operands is None or operands in operator.functions or self.report.has_error_within(node.span):
            return
        if operands is Type.BOOL and operator.rule is Rule.COMPARISON:
            self.report.warn(
                node.span, "comparing two Bools fails on every line", hint="join the conditions with `&&` and `||`"
            )
            return
        self.report.error(
            node.operator_span,
            f"`{node.operator}` does not work on {describe_type(operands)}",
            hint="convert the text first, e.g. with `int()` or `float()`"
            if operands is Type.STRING
            else "a Bool can only be a condition, or be joined with `&&` and `||`",
        )

    def refuse_untyped(self, node: Expression, consequence: str) -> TypeTerm:
        """Refuse `$0` where a value of some type is needed: only Type.NONE joins with no other (spec section 6.3)."""
        self.report.error(
            node.span, f"`{self.report.text_of(node.span)}` has no type, so {consequence}", hint=NAME_A_GROUP
        )
        return Unknown()
