"""Which nodes statements and expressions become, and where in the text each stands."""

from __future__ import annotations

import pytest

from pipeline.language.automaton import KEYWORDS
from pipeline.language.builtins import BUILTINS
from pipeline.language.nodes import (
    Assignment,
    Binary,
    Call,
    Conditional,
    ConstDeclaration,
    DecoratorUse,
    Delete,
    ExemplarStatement,
    ExpressionStatement,
    MetricDeclaration,
    Name,
)
from pipeline.language.parser import parse
from pipeline.language.source import SourceFile
from pipeline.language.traversal import walk
from tests.language.shown_programs import is_valid, parse_text, show, show_program


def show_condition(text: str) -> str:
    """Return the condition of `text` followed by a block."""
    condition = parse_text(f"{text} {{\n}}\n").statements[-1]
    assert isinstance(condition, Conditional)
    assert condition.condition is not None
    return show(condition.condition)


def show_value(text: str) -> str:
    """Return what `text` is as the value of an assignment."""
    assignment = parse_text(f"g = {text}\n").statements[-1]
    assert isinstance(assignment, Assignment)
    return show(assignment.value)


# Statements -----------------------------------------------------------------------------------------


def test_all_statements() -> None:
    """Each becomes its own node."""
    text = """
        /x/ { stop } else { next }
        otherwise { c++
        }
        def d { next }
        @d { c--
        }
        begin { g = 1
        }
        del c[1]
        del c[1] after 1h30m
        log_filter "/a b", c, "d"
        g += 1
        c++ exemplar $t
        g = 1 + 2 exemplar trace = $t + "x", "a" && $b, n =
          3
        const X /a/ + Y
    """
    assert show_program(text) == [
        "/x/ {stop} else {next}",
        "otherwise {(c++)}",
        "def d {next}",
        "@d {(c--)}",
        "begin {g = 1}",
        "del c[1]",
        f"del c[1] after {90 * 60 * 10**9}",
        "log_filter /a b, c, d",
        "g += 1",
        "(c++) exemplar trace_id=$t",
        'g = (1 + 2) exemplar trace=($t + "x"), trace_id=("a" && $b), n=3',
        "const X (/a/ + Y)",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "counter a exemplar[1]++",
        "del c[1] exemplar++",
        "del c[1] after 5m exemplar = 3",
        "const X /a/ exemplar += 1",
        "next exemplar[2] = 3",
        "c++\nexemplar++",
        "c++ # note\nexemplar[1]++",
        "exemplar > 3 { }",
        "exemplar\nexemplar",
        "g = exemplar",
        "g = 1 + exemplar + exemplars",
        "counter exemplar by exemplar, exemplars",
        "/x/ { exemplar --\n}",
    ],
)
def test_exemplar_is_a_name_where_it_has_no_value(text: str) -> None:
    """No program of mtail's has a value right behind a name."""
    nodes = [node for node, _ in walk(parse_text(text))]
    assert not any(isinstance(node, ExemplarStatement) for node in nodes)
    names = (node.name for node in nodes if isinstance(node, Name | MetricDeclaration))
    assert any(name.startswith("exemplar") for name in names)


def test_metric_attributes() -> None:
    """They come in any order, names with or without quotes, and a repeated one replaces the earlier."""
    text = """
        counter a
        hidden gauge b by x, "y z" as "c d" limit 5
        histogram h limit 0 buckets 1, 2.5, -3 by x
        timer "t u" by k by j as "foo" as "bar"
        text v limit -2
    """
    assert show_program(text) == [
        "counter a",
        "hidden gauge b by x, y z as c d limit 5",
        "histogram h by x buckets 1, 2.5, -3",
        "timer t u by j as bar",
        "text v limit -2",
    ]


def test_keyword_within_a_name_is_a_name() -> None:
    """Only a whole word is a keyword."""
    assert show_program("counter counters by bystander counter lengths\n") == [
        "counter counters by bystander",
        "counter lengths",
    ]
    assert not is_valid("hidden counters\n")


@pytest.mark.parametrize("word", sorted(KEYWORDS | BUILTINS.keys()))
def test_reserved_word_is_no_name(word: str) -> None:
    """Neither keywords nor the names of builtins can be declared."""
    assert not is_valid(f"counter {word}\n")
    assert not is_valid(f"const {word} /x/\n")
    assert not is_valid(f"counter c by {word}\n")


def test_names_may_have_letters_of_any_script() -> None:
    """And decimal digits of any, after the first letter."""
    assert show_program("größe٣_ = $größe + $1a + $\n@日本 {\n}\n") == ["größe٣_ = (($größe + $1a) + $)", "@日本 {}"]


# Expressions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("2 ** 3 ** 2", "((2 ** 3) ** 2)"),
        ("1 + 2 * 3 - 4 % 5 / 6", "((1 + (2 * 3)) - ((4 % 5) / 6))"),
        ("1 << 2 + 3 >> 4", "((1 << (2 + 3)) >> 4)"),
        ("5 & 4 == 4", "(5 & (4 == 4))"),
        ("1 & 2 | 3 ^ 4", "(((1 & 2) | 3) ^ 4)"),
        ("1 < 2 == 3 >= 4", "(((1 < 2) == 3) >= 4)"),
        ("a || b && c", "((a || b) && c)"),
        ("~a++ + ~~b", "((~(a++)) + (~(~b)))"),
        ("(1 + 2) * 3", "((1 + 2) * 3)"),
        ("5 - -1", "(5 - -1)"),
        ("5 - - 1 * 2", None),
        ("a-- - -.5", None),
        ("a-- - .5", "((a--) - 0.5)"),
        ("$1 / $2 / 2", "(($1 / $2) / 2)"),
        ("1 =~ /x/ || $a !~ B", "((1 =~ /x/) || ($a !~ B))"),
        ("a =~ B + /x/ + C && d", "((a =~ ((B + /x/) + C)) && d)"),
        ("a =~ A + B", "(a =~ (A + B))"),
        ('a =~ ("x" + B)', '(a =~ ("x" + B))'),
        ('subst(A + /x/, $1, strtol("7", 8))', 'subst((A + /x/), $1, strtol("7", 8))'),
        ("subst(/x/, /y/)", "subst(/x/, /y/)"),
        ("timestamp() - getfilename ( )", "(timestamp() - getfilename())"),
        ("m[a][b, c] [d] + n[/x/]", "(m[a, b, c, d] + n[/x/])"),
        ("m[n[1]++]", "m[(n[1]++)]"),
        ("a && /x/ + B", "(a && (/x/ + B))"),
        ("(/x/)  && a", "(/x/ && a)"),
    ],
)
def test_operators_group(text: str, grouped: str | None) -> None:
    """By the levels of section 3.2, from the left."""
    if grouped is None:
        assert not is_valid(f"g = {text}\n")
    else:
        assert show_value(text) == grouped


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("1 == 1 || 1 == 1 && 1 == 2", "(((1 == 1) || (1 == 1)) && (1 == 2))"),
        ("/x/ && A || B", "(/x/ && (A || B))"),
        ("/x/ && A || B && C", "(/x/ && ((A || B) && C))"),
        ("/x/ && (A || B)", "(/x/ && (A || B))"),
        ("(/x/ && A) || B", "((/x/ && A) || B)"),
        ("(/x/) && A || B", "((/x/ && A) || B)"),
        ("X && A || B", "((X && A) || B)"),
        ("/x/ + Y && A || B", "((/x/ + Y) && (A || B))"),
        ("Y + /x/ && A || B", "((Y + /x/) && (A || B))"),
        ("Y + Z + /x/ && A || B", "(((Y + Z) + /x/) && (A || B))"),
        ("1 == 1 && /x/ || B", "(((1 == 1) && /x/) || B)"),
        ("g + 1 == 4", "((g + 1) == 4)"),
        ("a + b > 5", "((a + b) > 5)"),
        ("a + b && A || B", "(((a + b) && A) || B)"),
        ("/x/", "/x/"),
        ("//", "//"),
    ],
)
def test_condition_that_begins_with_a_pattern_takes_everything_to_its_right(text: str, grouped: str) -> None:
    """Other conditions group from the left (section 3.2)."""
    assert show_condition(text) == grouped


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("decode json || decode logfmt", "((decode json) || (decode logfmt))"),
        ("decode json && $a.b > 1 || /x/", "((decode json) && (($a.b > 1) || /x/))"),
        ('decode csv ";" by a, "b c" from $x && $1 == 2', '((decode csv ";" by a, b c from $x) && ($1 == 2))'),
        ("decode json from subst(/a/, $b, $c) && A", "((decode json from subst(/a/, $b, $c)) && A)"),
        ("/x/ && decode json", "(/x/ && (decode json))"),
        ("decode + 1 > from[$x]", "((decode + 1) > from[$x])"),
    ],
)
def test_decode_stands_where_a_pattern_may(text: str, grouped: str) -> None:
    """And takes all to its right likewise; without a word behind it, it is a name."""
    assert show_condition(text) == grouped


def test_sum_of_constants_is_a_pattern() -> None:
    """The condition begins with a pattern then, though no literal is in it."""
    constants = "const P /p/\nconst Q /q/\n"
    assert show_condition(constants + "P + Q && A || B") == "((P + Q) && (A || B))"
    assert show_condition(constants + "P + q && A || B") == "(((P + q) && A) || B)"
    assert show_condition(constants + "P + (Q + P) && A || B") == "(((P + (Q + P)) && A) || B)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("5", "5"),
        ("-5", "-5"),
        ("010", "10"),
        ("1.", "1.0"),
        (".5", "0.5"),
        ("-1.5e3", "-1500.0"),
        ("1e5", "100000.0"),
        ("1E-2", "0.01"),
        ("1.e+2", "100.0"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("1e-999", "0.0"),
    ],
)
def test_numbers(text: str, shown: str) -> None:
    """Ints are decimal, everything with a point or an exponent is a Float (section 2.3)."""
    assert show_value(text) == shown


def test_string_escapes() -> None:
    """Only the quote is unescaped; pairs are taken from the left (section 2.5)."""
    assert show_value(r'"a\tb\\c\"d\\"') == r'"a\tb\\c"d\\"'
    assert show_value('""') == '""'


def test_pattern_escapes() -> None:
    """Only the slash is unescaped (section 2.6)."""
    assert show_condition(r"/a\/b\\c[\/]\\\/ /") == r"/a/b\\c[/]\\/ /"


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1h", 3600 * 10**9),
        ("1h30m", 5400 * 10**9),
        ("1.5h", 5400 * 10**9),
        ("1m1h", 3660 * 10**9),
        ("100ms", 10**8),
        ("-5s", -5 * 10**9),
        ("0s", 0),
        (".5s1.m", 60_500_000_000),
        ("9223372036854ms", 9223372036854 * 10**6),
    ],
)
def test_durations(text: str, nanoseconds: int) -> None:
    """They are those of Go, as far as its units can be written (section 2.4)."""
    (statement,) = parse_text(f"del c[1] after {text}").statements
    assert isinstance(statement, Delete)
    assert statement.after_nanoseconds == nanoseconds


# Places ---------------------------------------------------------------------------------------------


def test_metric_is_described_by_its_name() -> None:
    """The span of the name has the quotes in it; the columns are bytes."""
    source = SourceFile("a.mtail", 'counter a\n\n  hidden gauge "ñb" by c\n')
    first, second = parse(source).statements
    assert isinstance(first, MetricDeclaration)
    assert isinstance(second, MetricDeclaration)
    assert source.describe(first.name_span) == "a.mtail:1:9"
    assert source.describe(second.name_span) == "a.mtail:3:16-20"
    assert source.text[second.span.start : second.span.end] == 'hidden gauge "ñb" by c'


def test_spans_cover_what_was_written() -> None:
    """From the first sign to the last; those of a group have the parentheses in them."""
    text = (
        "const X /a/ + /b/\nhistogram h buckets 1, 2 by k\ndef d { next }\n"
        "/x/ && (1 + 2) * 3 > len($1) {\n  c[1][~2]++ # note\n} else {\n}\n"
        'otherwise { stop }\n@d { del c[1] after 5m\n}\nlog_filter a, "b"\nbegin { }\ng += -1\n'
        "c++ exemplar $1, (n) # no\ng = 1 exemplar size = $2 + 3\n"
    )
    nodes = [node for node, _ in walk(parse_text(text))]
    spans = [text[node.span.start : node.span.end] for node in nodes]
    assert spans[0] == text
    assert [span for span in spans[1:] if "\n" not in span] == [
        *("const X /a/ + /b/", "/a/ + /b/", "/a/", "/b/", "histogram h buckets 1, 2 by k", "k"),
        *("def d { next }", "{ next }", "next"),
        *("/x/ && (1 + 2) * 3 > len($1)", "/x/", "(1 + 2) * 3 > len($1)", "(1 + 2) * 3", "(1 + 2)", "1", "2", "3"),
        *("len($1)", "$1", "c[1][~2]++", "c[1][~2]++", "c[1][~2]", "c", "1", "~2", "2"),
        *("otherwise { stop }", "{ stop }", "stop", "del c[1] after 5m", "c[1]", "c", "1"),
        *('log_filter a, "b"', "begin { }", "{ }", "g += -1", "g", "-1"),
        *("c++ exemplar $1, (n)", "c++", "c++", "c", "$1", "$1", "(n)", "(n)"),
        *("g = 1 exemplar size = $2 + 3", "g = 1", "g", "1", "size = $2 + 3", "$2 + 3", "$2", "3"),
    ]


def test_smaller_spans_of_a_declaration() -> None:
    """Messages point at the part that they are about."""
    text = "histogram h buckets 1, 2\nconst X /a/ + /b/\n@d { len(1)\n}\n"
    metric, constant, use = parse_text(text).statements
    assert isinstance(metric, MetricDeclaration)
    assert isinstance(constant, ConstDeclaration)
    assert isinstance(use, DecoratorUse)
    assert isinstance(constant.pattern, Binary)
    (statement,) = use.block.statements
    assert isinstance(statement, ExpressionStatement)
    assert isinstance(statement.expression, Call)
    parts = (
        *(metric.buckets_span, constant.name_span, constant.pattern.operator_span),
        *(use.name_span, statement.expression.name_span),
    )
    assert [text[span.start : span.end] for span in parts if span] == ["buckets 1, 2", "X", "+", "@d", "len"]
