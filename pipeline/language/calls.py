"""Calls of builtin functions: how many arguments there are, and what each may be (spec section 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, assert_never

from pipeline.language.builtins import BUILTINS, Builtin, Parameter
from pipeline.language.layouts import LayoutError, check_layout, find_doubt
from pipeline.language.nodes import Binary, Call, Capture, Expression, StringLiteral
from pipeline.language.operators import Operator
from pipeline.language.pattern_uses import PatternChecker
from pipeline.language.reporting import Reporter
from pipeline.language.scopes import CheckedProgram, Scope
from pipeline.language.types import STORABLE, Type, TypeTerm, Unknown, agree, describe_type, known_type

NAME_A_GROUP = "name a group in the pattern, e.g. `(?P<text>…)`, and use that"


class Expressions(Protocol):
    """What calls need from the checker of expressions, which needs them."""

    report: Reporter
    checked: CheckedProgram
    scope: Scope
    later: list[Callable[[], None]]
    patterns: PatternChecker
    in_begin: bool

    def check(self, node: Expression) -> TypeTerm: ...

    def refuse_untyped(self, node: Expression, consequence: str) -> TypeTerm: ...

    def use_names(self, node: Expression) -> None: ...

    def check_operation(self, node: Binary, operator: Operator, joined: TypeTerm) -> None: ...


class CallChecker:
    """Checks calls; their arguments are expressions like any other."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.report = expressions.report
        self.checked = expressions.checked

    def check_value(self, node: Call) -> TypeTerm:
        result = self.check(node)
        if result is not Type.NONE:
            return result
        self.report.error(
            node.span, f"`{node.name}` gives no value", hint="write the call as a statement of its own, on its own line"
        )
        return Unknown()

    def check(self, node: Call) -> TypeTerm:
        builtin = BUILTINS[node.name]
        if len(node.arguments) != len(builtin.parameters):
            for argument in node.arguments:
                if self.expressions.patterns.is_pattern(argument, self.expressions.scope):
                    self.expressions.use_names(argument)
                else:
                    self.expressions.check(argument)
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
            case Parameter.TEXT_OR_PATTERN if self.expressions.patterns.is_pattern(argument, self.expressions.scope):
                self.expressions.patterns.check_replaced(node, argument, self.expressions.scope)
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
                self.expressions.check(argument)
                self.expressions.later.append(lambda: self.check_conversion_call(node, argument))
            case _:
                assert_never(parameter)

    def check_agreement(self, builtin: Builtin, argument: Expression, want: Type) -> None:
        term = self.expressions.check(argument)
        if not agree(want, term):
            self.expressions.refuse_untyped(argument, f"`{builtin.name}` cannot take it")

    def check_exact_string(self, builtin: Builtin, argument: Expression) -> None:
        term = self.expressions.check(argument)
        got = known_type(term)
        if got is Type.NONE:
            self.expressions.refuse_untyped(argument, f"`{builtin.name}` cannot take it")
        elif got not in (None, Type.STRING, Type.FIELD):
            self.report.error(
                argument.span,
                f"`{builtin.name}` takes a String, not {describe_type(got)}",
                hint=f"write `{builtin.name}(string({self.report.text_of(argument.span)}))`" if got in STORABLE else "",
            )
        agree(Type.STRING, term)

    def check_group_argument(self, builtin: Builtin, argument: Expression) -> None:
        if isinstance(argument, Capture):
            self.expressions.check(argument)
            return
        self.expressions.check(argument)
        self.report.error(
            argument.span,
            f"`{builtin.name}` takes a capture group",
            hint=f"write `{builtin.name}($name)` with the name of a group",
        )

    def check_layout_argument(self, argument: Expression) -> None:
        if not isinstance(argument, StringLiteral):
            self.expressions.check(argument)
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
            return
        doubt = find_doubt(argument.value)
        if doubt is not None:
            message, hint = doubt
            self.report.warn(argument.span, message, hint=hint)

    def check_conversion_call(self, node: Call, argument: Expression) -> None:
        """Refuse what `int`, `float` and `string` cannot convert (spec section 9)."""
        got = known_type(self.checked.types[argument])
        if (
            node.name == "bool"
            or got is Type.FIELD
            or (got in STORABLE and not (node.name == "int" and got is Type.FLOAT))
        ):
            return
        if got is None:  # a metric is read in there, and what is wrong with it has been told
            return
        if got is Type.NONE:
            self.expressions.refuse_untyped(argument, f"`{node.name}` cannot convert it")
            return
        self.report.error(
            argument.span,
            f"`{node.name}` cannot convert {describe_type(got)}",
            hint="a Float has no integer form: keep it a Float"
            if got is Type.FLOAT
            else "a Bool can only be a condition: put what depends on it into a block",
        )
