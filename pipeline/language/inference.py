"""Types and names of expressions: the half of the checker that looks at values.

Every expression gets a type term; an unknown is fixed by the first operation, in textual order,
that relates it to a known type (spec section 6.3). What depends on how an unknown ends up is
checked when the whole program has been seen (`later`). A mistake yields a fresh unknown, which
agrees with everything, so that one mistake gives one message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from pipeline.language.builtins import BUILTINS, Builtin, Parameter
from pipeline.language.diagnostics import Note, suggest
from pipeline.language.layouts import LayoutError, check_layout
from pipeline.language.nodes import (
    Binary,
    Call,
    Capture,
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
from pipeline.language.types import Type, TypeTerm, Unknown, agree, join_terms, join_types, known_type

STORABLE = {Type.INT, Type.FLOAT, Type.STRING}


class ExpressionChecker:
    """Checks expressions in the scope that the statement checker keeps in `scope`."""

    def __init__(self, report: Reporter, checked: CheckedProgram, max_regexp_length: int) -> None:
        self.report = report
        self.checked = checked
        self.scope = Scope(None)
        self.in_begin = False
        self.later: list[Callable[[], None]] = []
        self.patterns = PatternChecker(report, checked, max_regexp_length)

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
                return self.check_call_value(node)
            case Unary():
                return self.check_complement(node)
            case Binary():
                return self.check_binary(node)
            case Postfix():
                return self.check_step(node)
            case _:
                assert_never(node)

    def refuse_pattern(self, node: Expression) -> TypeTerm:
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

    def refuse_name(self, node: Name) -> TypeTerm:
        const = self.scope.find_const(node.name)
        if const is not None:
            const.used = True
            return self.refuse_pattern(node)
        if self.scope.find_capture(node.name) is not None:
            hint = f"write `${node.name}` for the capture group"
        else:
            hint = suggest(node.name, self.scope.visible_names()) or f"declare it first, e.g. `counter {node.name}`"
        self.report.error(node.span, f"`{node.name}` is not declared", hint=hint)
        return Unknown()

    def refuse_keys(self, node: Name | Index, metric: MetricSymbol, given: int) -> TypeTerm:
        wanted = [label.name for label in metric.node.labels]
        name = metric.node.name
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
        """Refuse to read a metric that nothing gave a storable type (spec section 13, row 29)."""
        name = metric.node.name
        value_type = known_type(metric.value_type)
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
                f"metric `{name}` is used as a {value_type.value}, which a metric cannot hold",
                notes=(Note("declared", metric.name_span),),
                hint=f"compare it, e.g. `{name} != 0`",
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
        for key, want, got in zip(node.keys, metric.key_types, terms, strict=True):
            if not agree(want, got):
                self.refuse_mismatch(key, want, got, "the label was given another type before")
        return metric

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
        symbol = self.scope.find_capture(str(int(node.name)) if node.name.isdecimal() else node.name)
        if symbol is None:
            return self.refuse_capture(node)
        if self.in_begin:
            self.report.error(
                node.span, "`begin` has no line, so a capture group has no value", hint="write a literal value"
            )
            return Unknown()
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

    def refuse_capture(self, node: Capture) -> TypeTerm:
        known = self.scope.visible_captures()
        hint = suggest(node.name, [name for name in known if not name.isdecimal()])
        if hint:
            hint = hint.replace("`", "`$", 1)
        elif known:
            hint = "the groups in scope are " + ", ".join(f"`${name}`" for name in sorted(set(known)))
        else:
            hint = "put the statement inside the block of the pattern that captures it"
        self.report.error(node.span, f"no pattern in scope has a capture group `${node.name}`", hint=hint)
        return Unknown()

    # Operators

    def check_complement(self, node: Unary) -> TypeTerm:
        term = self.check(node.operand)
        if not agree(Type.INT, term):
            self.refuse_mismatch(node.operand, Type.INT, term, "`~` takes an Int")
        return Type.BOOL

    def check_step(self, node: Postfix) -> TypeTerm:
        metric = self.check_target(node.operand)
        if metric is None:
            return Unknown()
        name = metric.node.name
        if not agree(Type.INT, metric.value_type) or known_type(metric.value_type) is not Type.INT:
            held = known_type(metric.value_type)
            self.report.error(
                node.span,
                f"`{node.operator}` needs an Int, and metric `{name}` holds a {held.value if held else 'value'}",
                notes=(Note("declared", metric.name_span),),
                hint=f"write `{name} += 1.0`" if held is Type.FLOAT and node.operator == "++" else "",
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
                        self.refuse_mismatch(operand, Type.INT, term, f"`{node.operator}` takes Ints")
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
        if not agree(Type.BOOL, term):
            self.refuse_mismatch(node, Type.BOOL, term, "this is neither true nor false")

    def check_line_pattern(self, node: Expression) -> None:
        """Check a pattern that is matched against the line."""
        self.checked.types[node] = Type.BOOL
        if self.in_begin:
            self.report.error(
                node.span, "`begin` has no line to match", hint="move the pattern out of the `begin` block"
            )
            return
        self.patterns.check_line(node, self.scope)

    def check_arithmetic(self, node: Binary, operator: Operator) -> TypeTerm:
        """Join the operands; the result is what both become (spec section 6.4)."""
        left, right = self.check(node.left), self.check(node.right)
        joined = join_terms(left, right)
        if joined is None:
            self.refuse_mismatch(node, left, right, f"`{node.operator}` cannot join them")
            return Unknown()
        for operand, term in ((node.left, left), (node.right, right)):
            self.convert(operand, term, joined)
            agree(joined, term)
        if operator.symbol in ("/", "%") and isinstance(node.right, IntLiteral) and node.right.value == 0:
            self.report.error(node.right.span, "division by zero", hint="write `0.0` for a Float quotient of infinity")
        self.checked.joins[node] = joined
        self.later.append(lambda: self.check_operation(node, operator, joined))
        return joined

    def convert(self, operand: Expression, term: TypeTerm, joined: TypeTerm) -> None:
        """Note the conversion of an operand whose known type is not the join."""
        got, want = known_type(term), known_type(joined)
        if got is None or want is None or got is want:
            return
        self.checked.conversions[operand] = want
        if got not in STORABLE:
            self.later.append(lambda: self.refuse_conversion(operand, got, want))

    def refuse_conversion(self, operand: Expression, got: Type, want: Type) -> None:
        self.report.error(operand.span, f"a {got.value} cannot be converted to {want.value}")

    def check_operation(self, node: Binary, operator: Operator, joined: TypeTerm) -> None:
        """Refuse an operator that its operands' type does not have (spec section 13, row 28)."""
        operands = known_type(joined)
        if operands is None or operands in operator.functions:
            return
        if operands is Type.BOOL and operator.rule is Rule.COMPARISON:
            self.report.warn(node.span, "comparing two Bools fails on every line")
            return
        self.report.error(
            node.operator_span,
            f"`{node.operator}` does not work on a {operands.value}"
            if operands is not Type.NONE
            else f"`{node.operator}` does not work on `$0`, which has no type",
            hint="convert the text first, e.g. with `int()` or `float()`" if operands is Type.STRING else "",
        )

    def refuse_mismatch(self, node: Expression, want: TypeTerm, got: TypeTerm, label: str) -> None:
        names = [
            term.value if term is not Type.NONE else "a text without type"
            for term in map(known_type, (want, got))
            if term
        ]
        self.report.error(
            node.span,
            f"type mismatch: {' and '.join(names)}",
            label=label,
            hint="`$0` can only be a label value or be matched with `=~`: name a group instead"
            if Type.NONE in (known_type(want), known_type(got))
            else "",
        )

    # Calls

    def check_call_value(self, node: Call) -> TypeTerm:
        result = self.check_call(node)
        if result is not Type.NONE:
            return result
        self.report.error(
            node.span, f"`{node.name}` gives no value", hint="write the call as a statement of its own, on its own line"
        )
        return Unknown()

    def check_call(self, node: Call) -> TypeTerm:
        builtin = BUILTINS[node.name]
        if len(node.arguments) != len(builtin.parameters):
            for argument in node.arguments:
                if not self.patterns.is_pattern(argument, self.scope):
                    self.check(argument)
            count = len(builtin.parameters)
            self.report.error(
                node.span,
                f"`{node.name}` takes {count or 'no'} argument{'' if count == 1 else 's'}, not {len(node.arguments)}",
                hint=f"write `{builtin.signature}`",
            )
            return builtin.result
        for parameter, argument in zip(builtin.parameters, node.arguments, strict=True):
            self.check_argument(node, builtin, parameter, argument)
        return builtin.result

    def check_argument(self, node: Call, builtin: Builtin, parameter: Parameter, argument: Expression) -> None:
        match parameter:
            case Parameter.TEXT_OR_PATTERN if self.patterns.is_pattern(argument, self.scope):
                self.patterns.check_replaced(node, argument, self.scope)
            case Parameter.STRING | Parameter.TEXT_OR_PATTERN:
                self.check_agreement(builtin, argument, Type.STRING)
            case Parameter.INT:
                self.check_agreement(builtin, argument, Type.INT)
            case Parameter.EXACT_STRING:
                self.check_exact_string(builtin, argument)
            case Parameter.GROUP:
                self.check_group_argument(builtin, argument)
            case Parameter.LAYOUT:
                self.check_layout_argument(argument)
            case Parameter.ANY:
                self.check(argument)
                self.later.append(lambda: self.check_conversion_call(node, argument))
            case _:
                assert_never(parameter)

    def check_agreement(self, builtin: Builtin, argument: Expression, want: Type) -> None:
        term = self.check(argument)
        if not agree(want, term):
            self.refuse_mismatch(argument, want, term, f"`{builtin.name}` takes a {want.value} here")

    def check_exact_string(self, builtin: Builtin, argument: Expression) -> None:
        term = self.check(argument)
        got = known_type(term)
        if got is not None and got is not Type.STRING:
            shown = "a text without type" if got is Type.NONE else f"a value of type {got.value}"
            self.report.error(
                argument.span,
                f"`{builtin.name}` takes a String, not {shown}",
                hint=f"write `{builtin.name}(string({self.report.text_of(argument.span)}))`" if got in STORABLE else "",
            )
        agree(Type.STRING, term)

    def check_group_argument(self, builtin: Builtin, argument: Expression) -> None:
        if isinstance(argument, Capture):
            self.check(argument)
            return
        self.check(argument)
        self.report.error(
            argument.span,
            f"`{builtin.name}` takes a capture group",
            hint=f"write `{builtin.name}($name)` with the name of a group",
        )

    def check_layout_argument(self, argument: Expression) -> None:
        if not isinstance(argument, StringLiteral):
            self.check(argument)
            self.report.error(
                argument.span,
                "the layout of `strptime` must be a text in quotes",
                hint='write it as the reference time looks, e.g. `"Jan _2 15:04:05"`',
            )
            return
        self.checked.types[argument] = Type.STRING
        try:
            check_layout(argument.value)
        except LayoutError as error:
            self.report.error(argument.span, error.message, hint=error.help)

    def check_conversion_call(self, node: Call, argument: Expression) -> None:
        """Refuse what `int`, `float` and `string` cannot convert (spec section 9)."""
        got = known_type(self.checked.types[argument])
        if node.name == "bool" or (got in STORABLE and not (node.name == "int" and got is Type.FLOAT)):
            return
        shown = "a value of unknown type" if got is None else "`$0`" if got is Type.NONE else f"a {got.value}"
        self.report.error(
            argument.span,
            f"`{node.name}` cannot convert {shown}",
            hint="a Float has no integer form: keep it a Float" if got is Type.FLOAT else "",
        )
