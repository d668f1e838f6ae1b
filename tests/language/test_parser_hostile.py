"""However deep a text nests, and whatever is in it: the parser gives nodes, or diagnostics that can be shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given

from pipeline.language.diagnostics import Diagnostic, ProgramError
from pipeline.language.nodes import Block
from pipeline.language.parser import check_depth, parse, walk_with_depth
from pipeline.language.source import SourceFile, Span
from pipeline.language.tables import load_tables
from pipeline.language.traversal import walk
from tests.generators.program_texts import SAMPLE, program_texts
from tests.language.shown_programs import is_valid, parse_text


def nesting_depth(program: Block) -> int:
    """Return the depth of the node that is nested most deeply."""
    return max(depth for _, depth in walk_with_depth(program))


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
