"""The operators: a row each, with how its operands are typed and what it makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pipeline.language.types import Type


class Rule(Enum):
    """How an operator types its operands and its result (spec section 6.4)."""

    ARITHMETIC = "both operands become their join, which is the result"
    COMPARISON = "both operands become their join; the result is Bool"
    BITWISE = "both operands agree with Int, which is the result"
    LOGIC = "both operands agree with Bool, which is the result"
    MATCH = "the right operand is a pattern; the result is Bool"


@dataclass(frozen=True, slots=True)
class Operator:
    """One binary operator. `functions` names, per type of the operands, what generated code does.

    A value that is a Python operator (`+`, `<`) is written in place; any other is a function of
    `support`. An absent type is a compile error (spec section 13, row 28).
    """

    symbol: str
    rule: Rule
    summary: str
    functions: dict[Type, str]


def compare(symbol: str, summary: str) -> Operator:
    """Return the row of a comparison; Float and String comparisons have rules of their own."""
    return Operator(symbol, Rule.COMPARISON, summary, {Type.INT: symbol, Type.FLOAT: symbol, Type.STRING: symbol})


OPERATORS = {
    operator.symbol: operator
    for operator in (
        Operator("+", Rule.ARITHMETIC, "sum; joins Strings", {Type.INT: "+", Type.FLOAT: "+", Type.STRING: "+"}),
        Operator("-", Rule.ARITHMETIC, "difference", {Type.INT: "-", Type.FLOAT: "-"}),
        Operator("*", Rule.ARITHMETIC, "product", {Type.INT: "*", Type.FLOAT: "*"}),
        Operator(
            "/",
            Rule.ARITHMETIC,
            "quotient; of Ints truncated toward zero",
            {Type.INT: "divide_int", Type.FLOAT: "divide_float"},
        ),
        Operator(
            "%",
            Rule.ARITHMETIC,
            "remainder, with the sign of the dividend",
            {Type.INT: "modulo_int", Type.FLOAT: "modulo_float"},
        ),
        Operator("**", Rule.ARITHMETIC, "power", {Type.INT: "power_int", Type.FLOAT: "power_float"}),
        compare("<", "less"),
        compare("<=", "less or equal"),
        compare(">", "greater"),
        compare(">=", "greater or equal"),
        compare("==", "equal"),
        compare("!=", "not equal"),
        Operator("&", Rule.BITWISE, "bitwise and", {Type.INT: "&"}),
        Operator("|", Rule.BITWISE, "bitwise or", {Type.INT: "|"}),
        Operator("^", Rule.BITWISE, "bitwise exclusive or", {Type.INT: "^"}),
        Operator("<<", Rule.BITWISE, "shift left", {Type.INT: "shift_left"}),
        Operator(">>", Rule.BITWISE, "shift right, keeping the sign", {Type.INT: "shift_right"}),
        Operator("&&", Rule.LOGIC, "both hold; the right side is tried only if the left holds", {}),
        Operator("||", Rule.LOGIC, "one of both holds; the right side is tried only if the left does not", {}),
        Operator("=~", Rule.MATCH, "the text matches the pattern", {}),
        Operator("!~", Rule.MATCH, "the text does not match the pattern", {}),
    )
}
