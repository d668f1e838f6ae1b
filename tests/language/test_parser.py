"""What can be written, and which nodes it becomes."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given

from pipeline.language.automaton import KEYWORDS
from pipeline.language.builtins import BUILTINS
from pipeline.language.diagnostics import Diagnostic, ProgramError
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
    ExemplarStatement,
    Expression,
    ExpressionStatement,
    FloatLiteral,
    Index,
    IntLiteral,
    LogFilter,
    MetricDeclaration,
    Name,
    Next,
    PatternLiteral,
    Postfix,
    Statement,
    Stop,
    StringLiteral,
    Unary,
)
from pipeline.language.parser import check_depth, parse, walk_with_depth
from pipeline.language.source import SourceFile, Span
from pipeline.language.tables import load_tables
from pipeline.language.traversal import walk
from tests.generators.program_texts import SAMPLE, program_texts


def parse_text(text: str) -> Block:
    return parse(SourceFile("a.mtail", text))


def show_program(text: str) -> list[str]:
    return [show_statement(statement) for statement in parse_text(text).statements]


def show_statement(statement: Statement) -> str:
    """Return the statement with parentheses around every operation, on one line."""
    match statement:
        case ExpressionStatement(expression=expression):
            return show(expression)
        case Assignment(operator=operator, target=target, value=value):
            return f"{show(target)} {operator} {show(value)}"
        case ExemplarStatement(change=change, labels=labels):
            shown = ", ".join(f"{label.name}={show(label.value)}" for label in labels)
            return f"{show_statement(change)} exemplar {shown}"
        case Conditional(condition=condition, block=block, else_block=else_block):
            opening = "otherwise" if condition is None else show(condition)
            return f"{opening} {show_block(block)}" + (f" else {show_block(else_block)}" if else_block else "")
        case MetricDeclaration():
            return show_metric(statement)
        case ConstDeclaration(name=name, pattern=pattern):
            return f"const {name} {show(pattern)}"
        case DecoratorDefinition(name=name, block=block):
            return f"def {name} {show_block(block)}"
        case DecoratorUse(name=name, block=block):
            return f"@{name} {show_block(block)}"
        case Delete(target=target, after_nanoseconds=after):
            return f"del {show(target)}" + (f" after {after}" if after is not None else "")
        case Begin(block=block):
            return f"begin {show_block(block)}"
        case LogFilter(names=names):
            return f"log_filter {', '.join(names)}"
        case Next() | Stop():
            return type(statement).__name__.lower()
        case Block():
            return show_block(statement)


def show_block(block: Block) -> str:
    return "{" + "; ".join(show_statement(statement) for statement in block.statements) + "}"


def show_metric(metric: MetricDeclaration) -> str:
    parts = ["hidden"] if metric.hidden else []
    parts += [metric.kind, metric.name]
    if metric.labels:
        parts += ["by", ", ".join(label.name for label in metric.labels)]
    if metric.exported is not None:
        parts += ["as", metric.exported]
    if metric.buckets is not None:
        parts += ["buckets", ", ".join(repr(bound) for bound in metric.buckets)]
    if metric.limit:
        parts += ["limit", str(metric.limit)]
    if metric.help is not None:
        parts += ["help", show(metric.help)]
    if metric.unit is not None:
        parts += ["unit", show(metric.unit)]
    return " ".join(parts)


def show(expression: Expression) -> str:
    match expression:
        case IntLiteral(value=value) | FloatLiteral(value=value):
            return repr(value)
        case StringLiteral(value=text):
            return f'"{text}"'
        case PatternLiteral(text=text):
            return f"/{text}/"
        case Name(name=name):
            return name
        case Capture(name=name):
            return f"${name}"
        case Index(target=target, keys=keys):
            return f"{target.name}[{', '.join(map(show, keys))}]"
        case Call(name=name, arguments=arguments):
            return f"{name}({', '.join(map(show, arguments))})"
        case Unary(operator=operator, operand=operand):
            return f"({operator}{show(operand)})"
        case Binary(operator=operator, left=left, right=right):
            return f"({show(left)} {operator} {show(right)})"
        case Postfix(operator=operator, operand=operand):
            return f"({show(operand)}{operator})"
        case Decode():
            return show_decode(expression)


def show_decode(decode: Decode) -> str:
    parts = ["decode", decode.decoder]
    if decode.delimiter is not None:
        parts.append(show(decode.delimiter))
    if decode.columns:
        parts += ["by", ", ".join(column.name for column in decode.columns)]
    if decode.subject is not None:
        parts += ["from", show(decode.subject)]
    return f"({' '.join(parts)})"


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


def is_valid(text: str) -> bool:
    try:
        parse_text(text)
    except ProgramError:
        return False
    return True


def nesting_depth(program: Block) -> int:
    """Return the depth of the node that is nested most deeply."""
    return max(depth for _, depth in walk_with_depth(program))


# Newlines and comments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "# nothing",
        "# nothing\n",
        "counter a counter b /x/ { stop }",
        "counter c counter d by k\n/x/ { stop } /y/ { del d[1] } /z/ { c++\n}\n",
        "c++",
        "c++ # note",
        "c++ # note\n",
        "c++ # note\n\n",
        "c++ # note\n# another\nc++\n",
        "c++ # note\n  # another\n\n  c++\n",
        "/x/ {\n  c++ # note\n}\n",
        "/x/ {\n  c++ # note\n\n}\n",
        "/x/ {\n  c++ # note\n  /y/ {\n  }\n}\n",
        "/x/ # note\n{\n}\n",
        "/x/ # note\n&& /y/ {\n}\n",
        "/x/ { # note\n}\n",
        "/x/ {\n} # note\nelse # note\n{\n}\n",
        "def d # note\n{\n}\n@d # note\n{\n}\n",
        "otherwise # note\n{\n}\nbegin # note\n{\n}\n",
        'counter c by a, # first\n  b # then\n  as # note\n  "d" # note\n  limit # note\n  5\n',
        "hidden # note\n counter # note\n c\n",
        'c["1", # one\n  "2"]++\n',
        "c[ # note\n 1 # note\n ] # note\n [2]++\n",
        'g = len( # note\n "x" # note\n )\n',
        "g = 1 +\n  2\n",
        "g =\n  1\n",
        "g = 1 + # note\n  2\n",
        "g = 1 + # note\n\n  2\n",
        "g = 1 + # note\n  # another\n  2\n",
        "g = 1 +\n  # note\n  2\n",
        "g = ( # note\n 1 # note\n + 2 )\n",
        "g = 1 # note\n - 2\n",
        "$1 =~\n/x/ {\n}\n",
        "/x/ &&\n$1 == 2 ||\n$1 < 3 {\n}\n",
        "const X\n/x/ +\n/y/\n",
        "const X # note\n/x/ # note\n+ # note\n/y/\n",
        "del c[1] # note\nafter # note\n1h\n",
        'log_filter # note\n"a", # note\n"b"\n',
        "c++\r\n/x/ {\r\n  c++\r\n}\r\n",
        '/x/ {\n  5\n  "x"\n  $1\n  foo\n  len("x")\n  (a + 1)\n  -5\n}\n',
        "a # note\n-1\n",
        "a\u00a0=\u30001\u2028\n",
    ],
)
def test_text_is_valid(text: str) -> None:
    """Newlines and comments may stand where the specification allows them (section 3.3)."""
    assert is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        "/x/ { c++ }",
        "g = 1 +\n\n  2\n",
        "g = 1 +\n  # note\n\n  2\n",
        "g =\n\n1\n",
        "/x/\n{\n}\n",
        "/x/ {\n}\nelse {\n}\n",
        "g = 1\n+ 2\n",
        "g = (1\n)\n",
        "c[1\n]++\n",
        "c[1,\n2]++\n",
        "counter c by a,\nb\n",
        "counter\nc\n",
        "g = $1 -1\n",
        "g = 5-1\n",
        "a b\n",
        "g = a # note\n b\n c d\n",
    ],
)
def test_text_is_invalid(text: str) -> None:
    """Newlines end statements, and may not stand elsewhere."""
    assert not is_valid(text)


def test_comment_ends_a_statement_if_the_next_line_begins_one() -> None:
    """Its newline counts where one is needed, and nowhere else (section 3.3)."""
    assert show_program("g = a # note\n/x/ {\n}\n") == ["g = a", "/x/ {}"]
    assert show_program("g = a # note\n+ b\n") == ["g = (a + b)"]
    assert show_program("g = a # note\nelsewhere++\n") == ["g = a", "(elsewhere++)"]


def test_number_sign_in_a_pattern_or_string_is_no_comment() -> None:
    """Neither is a space at the beginning of a pattern left out."""
    assert show_program('/ # x/ {\n}\nt = " # x"\n') == ["/ # x/ {}", 't = " # x"']


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


# Nesting --------------------------------------------------------------------------------------------


def test_nesting_is_counted_like_upstream() -> None:
    """The calibration of section 13: these are the deepest that 100 allows."""
    assert nesting_depth(parse_text("/x/ {\ng = " + " + ".join(["$1"] * 96) + "\n}\n")) == 100
    assert nesting_depth(parse_text("1 == 1 {\n" * 48 + "g = 1\n" + "}\n" * 48)) == 100


def test_arguments_and_indexes_count_as_levels() -> None:
    """A list of arguments is one, and so is what upstream wraps around a name."""
    assert nesting_depth(parse_text("")) == 1
    assert nesting_depth(parse_text("5\n")) == 3
    assert nesting_depth(parse_text("a\n")) == 4
    assert nesting_depth(parse_text("a[5]\n")) == 5
    assert nesting_depth(parse_text("a[b]\n")) == 6
    assert nesting_depth(parse_text("len(5)\n")) == 5
    assert nesting_depth(parse_text("/x/ {\n}\n")) == 4


def test_nesting_over_the_limit_is_an_error() -> None:
    """It is told at the first place that is too deep."""
    source = SourceFile("a.mtail", "g = 1 + (2 + $1)\n")
    program = parse(source)
    check_depth(program, source, 5)
    with pytest.raises(ProgramError) as caught:
        check_depth(program, source, 4)
    assert str(caught.value) == (
        "a.mtail:1:10: error: nesting is deeper than 4 levels\n"
        " 1 | g = 1 + (2 + $1)\n"
        "   |          ^\n"
        "   = help: take it apart, or raise the limit with `--max_recursion_depth`"
    )


DEEP = 10_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "g = " + "(1 + " * DEEP + "1" + ")" * DEEP + "\n",
        "g = 1" + " + 1" * DEEP + "\n",
        "g = " + "~" * 10 * DEEP + "1\n",
        "g" + "[a" * DEEP + "]" * DEEP + "++\n",
        "g = " + "len(" * DEEP + "1" + ")" * DEEP + "\n",
        "/x/ {\n" * DEEP + "}\n" * DEEP,
    ],
    ids=["parentheses", "sum", "complement", "indexes", "calls", "blocks"],
)
def test_any_depth_is_a_clean_error(text: str) -> None:
    """Nothing before the check of the depth recurses."""
    source = SourceFile("a.mtail", text)
    program = parse(source)
    with pytest.raises(ProgramError, match="nesting is deeper than 100 levels"):
        check_depth(program, source, 100)


@pytest.mark.parametrize("text", ["g = " + "(" * 5000, "/x/ {\n" * 5000, "g = " + "(1 + " * 5000 + "2 3"])
def test_deep_text_with_an_error_is_a_clean_error(text: str) -> None:
    """The explanation of a syntax error does not recurse either."""
    assert not is_valid(text)


# Any text -------------------------------------------------------------------------------------------


def test_sample_is_valid() -> None:
    """So that what is made of it is almost valid."""
    assert len(parse_text(SAMPLE).statements) == 11


@given(program_texts())
@example("a = /\\\n")
@example("x /")
@example("/")
@example('"')
@example("\\")
@example("counter c by a,\n")
@example("by")
def test_any_text_gives_nodes_or_diagnostics(text: str) -> None:
    """Never another exception, and never a diagnostic without a message or outside the text."""
    source = SourceFile("a.mtail", text)
    diagnostics: tuple[Diagnostic, ...] = ()
    try:
        program = parse(source)
    except ProgramError as error:
        diagnostics = error.diagnostics
    else:
        assert program.span == Span(0, len(text))
        assert all(node.span.start <= node.span.end <= len(text) for node, _ in walk(program))
        return
    assert diagnostics
    tables = load_tables()
    terminals = {*tables.patterns, *tables.words.values()}
    for diagnostic in diagnostics:
        assert diagnostic.message
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
        assert diagnostic.render().startswith("a.mtail:")
        names = terminals.intersection(re.findall(r"[A-Z_]{2,}", diagnostic.message))
        assert not {name for name in names if name not in text}
