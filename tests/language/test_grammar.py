"""The grammar, the tables made of it, and the automaton that works them: Lark is the judge of all three."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from lark import Lark, Tree, UnexpectedInput, UnexpectedToken
from lark import Token as LarkToken

from pipeline.language.automaton import KEYWORDS, Repeated, Token, UnexpectedTokenError, read_program
from pipeline.language.builder import Builder
from pipeline.language.tables import TABLES_FILE, load_tables
from tests.generators.program_texts import SAMPLE, program_texts
from tests.grammar_tables import make_lark, make_tables, spell_tables

PROGRAMS = sorted((Path(__file__).parents[2] / "pipeline" / "programs").glob("*.mtail"))


@cache
def load_lark() -> Lark:
    return make_lark()


# The tables -----------------------------------------------------------------------------------------


def test_grammar_is_free_of_ambiguities() -> None:
    """A strict parser refuses conflicts between rules, and terminals that match the same text."""
    make_lark(strict=True)


def test_tables_are_those_of_the_grammar() -> None:
    """After a change of the grammar, `make format` makes them anew."""
    assert TABLES_FILE.read_text("utf-8") == spell_tables(make_tables(load_lark()))


def test_tables_are_the_same_each_time() -> None:
    """Though Lark numbers the states differently each time."""
    assert make_tables(make_lark()) == make_tables(make_lark())


def test_every_rule_has_a_method_that_builds_its_node() -> None:
    """A rule without one has a single part, or is the repeat in another."""
    methods = {method for _, _, method in load_tables().rules if method}
    assert {method for method in methods if not hasattr(Builder, method)} == set()
    assert all(size == 1 or origin.startswith("_") for origin, size, method in load_tables().rules if not method)


def test_keywords_are_those_of_the_grammar() -> None:
    """A keyword that the list lacks could be used as a name in some places."""
    tables = load_tables()
    kinds = tables.patterns["KIND"].removeprefix("(?:").removesuffix(")\\b").split("|")
    assert {*tables.words, *kinds} == KEYWORDS


# The automaton --------------------------------------------------------------------------------------


class TreeBuilder:
    """Makes of each rule what Lark makes of it without a builder."""

    def __getattr__(self, rule: str) -> Callable[[list[Any]], Tree[Any]]:
        return lambda children: Tree(rule, children)


def show(value: object) -> object:
    """Return what was read in a form in which Lark's and ours can be compared."""
    if isinstance(value, Token):
        return value.type, str(value), value.start
    if isinstance(value, LarkToken):
        return value.type, str(value), value.start_pos
    if isinstance(value, Repeated):
        return "repeated", [show(item) for item in value.items]
    assert isinstance(value, Tree)
    return "repeated" if value.data.startswith("_") else value.data, [show(child) for child in value.children]


def read_with_lark(text: str) -> object:
    """Return the tree, or for a text that is no program: where it goes wrong, and what was read before."""
    run = load_lark().parse_interactive(text)
    try:
        run.exhaust_lexer()
        return show(run.feed_token(LarkToken("$END", "")))
    except UnexpectedInput as error:
        is_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        start = len(text) if is_end else error.pos_in_stream
        return start, is_end, [show(value) for value in run.parser_state.value_stack]


def read_with_tables(text: str) -> object:
    """Return the same, as the automaton finds it."""
    try:
        return show(read_program(text, TreeBuilder()))
    except UnexpectedTokenError as error:
        return error.token.start, error.token.type == "$END", [show(value) for value in error.stack]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_are_read_as_lark_reads_them(path: Path) -> None:
    """Token by token, rule by rule."""
    text = path.read_text("utf-8")
    assert read_with_tables(text) == read_with_lark(text)


def test_program_with_all_constructs_is_read_as_lark_reads_it() -> None:
    """Its tree holds every rule of the grammar that makes a node."""
    tree = read_program(SAMPLE, TreeBuilder())
    assert isinstance(tree, Tree)
    assert show(tree) == read_with_lark(SAMPLE)
    methods = {method for _, _, method in load_tables().rules if method}
    assert methods - {node.data for node in tree.iter_subtrees()} == set()


@given(program_texts())
def test_any_text_is_read_as_lark_reads_it(text: str) -> None:
    """If it is no program, both stop at the same place and have read the same until there."""
    assert read_with_tables(text) == read_with_lark(text)


@pytest.mark.slow
def test_every_beginning_of_a_program_is_read_as_lark_reads_it() -> None:
    """The end of the text is unexpected in most of them."""
    for end in range(len(SAMPLE)):
        assert read_with_tables(SAMPLE[:end]) == read_with_lark(SAMPLE[:end])
