"""Arithmetic on number literals is done at compile time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.language.diagnostics import ProgramError
from pipeline.language.nodes import Assignment, Binary, Block, FloatLiteral, IntLiteral, Node
from pipeline.language.optimizer import fold_constants
from pipeline.language.parser import parse
from pipeline.language.source import SourceFile
from pipeline.language.traversal import walk


def fold(text: str) -> Block:
    source = SourceFile("a.mtail", text)
    return fold_constants(parse(source), source)


def fold_value(text: str) -> Node:
    """Return what becomes of `text` as the value of an assignment."""
    (statement,) = fold(f"g = {text}\n").statements
    assert isinstance(statement, Assignment)
    return statement.value


def find_operators(program: Block) -> list[str]:
    return [node.operator for node, _ in walk(program) if isinstance(node, Binary)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("5 - -1", 6),
        ("2 ** 3 ** 2", 64),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / -2", -3),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("9223372036854775807 + 1", -(2**63)),
        ("-9223372036854775808 - 1", 2**63 - 1),
        ("9223372036854775807 * 2", -2),
        ("-9223372036854775808 / -1", -(2**63)),
        ("2 ** -1", 0),
        ("2 ** 63", -(2**63)),
        ("-2 ** 63", -(2**63)),
        ("3 ** 39", int(3.0**39)),
        ("0 / 5", 0),
    ],
)
def test_ints_give_an_int(text: str, value: int) -> None:
    """Division truncates, the rest wraps at 64 bits, and powers go through doubles (section 7.1)."""
    node = fold_value(text)
    assert isinstance(node, IntLiteral)
    assert node.value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 0.5", 1.5),
        ("0.5 - 1", -0.5),
        ("2 * 1.5", 3.0),
        ("7 / 2.", 3.5),
        ("7 % 2.5", 2.0),
        ("-7.5 % 2", -1.5),
        ("2. ** -1", 0.5),
        ("1e308 * 10", math.inf),
        ("10. ** 400", math.inf),
        ("(1 + 1) / 4.0", 0.5),
    ],
)
def test_any_float_gives_a_float(text: str, value: float) -> None:
    """With the true remainder, which upstream gets wrong for an Int and a Float."""
    node = fold_value(text)
    assert isinstance(node, FloatLiteral)
    assert node.value == value


def test_power_without_a_value_is_not_a_number() -> None:
    """As in C."""
    node = fold_value("-1.0 ** 0.5")
    assert isinstance(node, FloatLiteral)
    assert math.isnan(node.value)


def test_literal_spans_what_it_stands_for() -> None:
    """So that a message about the value shows the operation."""
    node = fold_value("(1 + 2) * 3")
    assert (node.span.start, node.span.end) == (4, 15)


@pytest.mark.parametrize(
    "text",
    [
        "$1 + 1 + 2",
        "1 == 1",
        "1 & 2",
        "1 << 2",
        '"a" + "b"',
        "a / 0",
        "a % 0.0",
        "len(1)",
        "1 && 2",
        "$1 =~ 2",
        "~5",
        "a++",
    ],
)
def test_other_operations_stay(text: str) -> None:
    """Comparisons, bitwise operators, strings, and what has anything but literals."""
    source = SourceFile("a.mtail", f"g = {text}\n")
    program = parse(source)
    assert fold_constants(program, source) is program


def test_program_without_arithmetic_stays() -> None:
    """All of it, whatever statements it has."""
    text = "/x/ {\n  del a[1]\n} else {\n  a[2]++\n}\ndef d {\n  next\n}\n@d {\n  stop\n}\nbegin {\n  5\n}\n"
    source = SourceFile("a.mtail", text)
    program = parse(source)
    assert fold_constants(program, source) is program


def test_folding_goes_everywhere() -> None:
    """Into conditions, blocks, indexes, arguments and behind all statements that have some."""
    program = fold(
        "1 + 1 < $1 {\n  a[1 + 1]++\n} else {\n  a[2 * 2] = ~(1 - 1)\n}\n"
        "otherwise {\n  del a[1 ** 1]\n}\n"
        "def d {\n  next\n  a = len(2 % 2)\n}\n"
        "@d {\n  (1 + 1)\n  a = 1 && 1 + 1\n}\n"
        "begin {\n  a[1][1 + 1] += 1\n  a += (1 + 1)\n}\n"
        "const X /x/ + /y/\ncounter c\n"
    )
    assert find_operators(program) == ["<", "&&", "+"]


def test_only_what_changes_is_new() -> None:
    """The rest are the same objects."""
    source = SourceFile("a.mtail", "/x/ {\n  a = 1 + 1\n  b = 2\n}\n/y/ {\n  c++\n}\n")
    program = parse(source)
    folded = fold_constants(program, source)
    assert folded.statements[0] is not program.statements[0]
    assert folded.statements[1] is program.statements[1]
    kept = {node for node, _ in walk(program)} & {node for node, _ in walk(folded)}
    assert len(kept) == len(list(walk(folded))) - 5


def test_literal_zero_divisors_are_told_together() -> None:
    """A literal divided by a literal zero, Int or Float, is an error; nothing else is checked here."""
    with pytest.raises(ProgramError) as caught:
        fold("g = 1 / 0\ng = 1 % 0 + 1.0 % (1 - 1) + $1 / 0\n/x/ {\n  g = 1 / 0.0\n}\n")
    assert str(caught.value) == (
        "a.mtail:1:5: error: division by zero\n"
        " 1 | g = 1 / 0\n"
        "   |     ^^^^^\n"
        "   = help: write a divisor other than zero\n"
        "a.mtail:2:5: error: remainder of a division by zero\n"
        " 2 | g = 1 % 0 + 1.0 % (1 - 1) + $1 / 0\n"
        "   |     ^^^^^\n"
        "   = help: write a divisor other than zero\n"
        "a.mtail:2:13: error: remainder of a division by zero\n"
        " 2 | g = 1 % 0 + 1.0 % (1 - 1) + $1 / 0\n"
        "   |             ^^^^^^^^^^^^^\n"
        "   = help: write a divisor other than zero\n"
        "a.mtail:4:7: error: division by zero\n"
        " 4 |   g = 1 / 0.0\n"
        "   |       ^^^^^^^\n"
        "   = help: write a divisor other than zero"
    )


@pytest.mark.parametrize("text", ["c++ exemplar 1 + 2", "c[2 * 2]++ exemplar $a", "h = 2 * 3 exemplar $a, b = 5 - 1"])
def test_exemplars_are_folded(text: str) -> None:
    """The statement, and the values of the labels."""
    assert find_operators(fold(text + "\n")) == []


def test_exemplar_without_arithmetic_stays_as_it_is() -> None:
    """The node is the same."""
    source = SourceFile("a.mtail", "c++ exemplar $a, b = $c + 1\n")
    program = parse(source)
    assert fold_constants(program, source) is program


def test_folding_does_not_recurse() -> None:
    """It runs on anything that was parsed."""
    assert find_operators(fold("g = " + "(1 + " * 5000 + "1" + ")" * 5000 + "\n")) == []


numbers = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)
)


@given(numbers, st.sampled_from(["+", "-", "*", "/", "%", "**"]), numbers)
def test_any_two_literals_give_a_literal_or_a_diagnostic(left: float, operator: str, right: float) -> None:
    """An Int stays within 64 bits, and only two Ints give one."""
    text = f"{left!r} {operator} {right!r}"
    if operator in {"/", "%"} and right == 0:
        with pytest.raises(ProgramError, match="by zero"):
            fold_value(text)
        return
    node = fold_value(text)
    if isinstance(left, int) and isinstance(right, int):
        assert isinstance(node, IntLiteral)
        assert -(2**63) <= node.value < 2**63
    else:
        assert isinstance(node, FloatLiteral)
