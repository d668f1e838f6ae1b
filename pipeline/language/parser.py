"""Program text → nodes; the first syntax error → a diagnostic.

`grammar.lark` says what can be written, `builder.py` makes the nodes, `syntax_errors.py` puts into
words what stands where it cannot. None of them recurses, so that no text is nested too deeply to be
parsed: how deep a program may go is for `check_depth` to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from pipeline.language.builtins import BUILTINS
from pipeline.language.diagnostics import ProgramError
from pipeline.language.nodes import Block, Call, Index, Name, Node, PatternLiteral
from pipeline.language.reporting import Reporter
from pipeline.language.source import SourceFile
from pipeline.language.syntax_hints import KEYWORDS
from pipeline.language.traversal import walk

if TYPE_CHECKING:
    from lark import Lark, Token

    from pipeline.language.builder import Builder


@dataclass(frozen=True, slots=True)
class Machinery:
    """The parser, and the builder it calls. Both serve one program at a time."""

    lark: Lark
    builder: Builder
    lock: Lock


def parse(source: SourceFile) -> Block:
    """Return the nodes of the program.

    Raises ProgramError at the first syntax error; bad numbers before it are told as well.
    """
    from lark import Token, UnexpectedInput

    from pipeline.language.syntax_errors import report_syntax_error

    machinery = load_machinery()
    reporter = Reporter(source)
    # The last line may lack its newline, which is due after an expression statement.
    text = source.text if source.text.endswith("\n") else source.text + "\n"
    with machinery.lock:
        machinery.builder.restart(reporter)
        run = machinery.lark.parse_interactive(text)
        try:
            run.exhaust_lexer()
            program = run.feed_token(Token("$END", ""))
        except UnexpectedInput as error:
            report_syntax_error(reporter, error, run.parser_state.value_stack)
            raise ProgramError(reporter.in_order()) from None
    reporter.raise_errors()
    assert isinstance(program, Block)
    return program


@cache
def load_machinery() -> Machinery:
    """Build the parser when the first program is parsed: it takes 0.1 s, and Lark's import half of that again."""
    from pipeline.language.builder import Builder

    builder = Builder()
    return Machinery(make_lark(builder), builder, Lock())


def make_lark(builder: Builder, *, strict: bool = False) -> Lark:
    """Build the parser from the grammar. A strict one refuses a grammar with ambiguities."""
    from lark import Lark, lexer

    # Where interegular is installed, Lark compares all terminals with each other, which takes 0.4 s.
    lexer.has_interegular = strict
    return Lark(
        Path(__file__).with_name("grammar.lark").read_text("utf-8"),
        parser="lalr",
        lexer="contextual",
        start="program",
        keep_all_tokens=True,
        maybe_placeholders=False,
        transformer=builder,
        lexer_callbacks={"NAME": mark_reserved},
        strict=strict,
    )


def mark_reserved(token: Token) -> Token:
    """Give the name of a builtin its own type, and a keyword one that no rule takes.

    The lexer asks for a NAME only where a keyword of this text is not among what can come next.
    """
    if token.value in BUILTINS:
        return token.update(type="BUILTIN")
    return token.update(type="RESERVED") if token.value in KEYWORDS else token


def check_depth(program: Block, source: SourceFile, limit: int) -> None:
    """Refuse a program nested deeper than `limit`, which is the operator's `--max_recursion_depth`.

    The passes after this one recurse.
    """
    for node, depth in walk_with_depth(program):
        if depth > limit:
            reporter = Reporter(source)
            reporter.error(
                node.span,
                f"nesting is deeper than {limit} levels",
                hint="take it apart, or raise the limit with `--max_recursion_depth`",
            )
            reporter.raise_errors()


def find_deepest(program: Block) -> Node:
    """Return the first of the nodes that are nested most deeply."""
    return max(walk_with_depth(program), key=lambda item: item[1])[0]


def walk_with_depth(program: Block) -> Iterator[tuple[Node, int]]:
    """Yield every node with its depth, counted like upstream's syntax trees (spec section 13); the program's is 1."""
    depths: dict[Node, int] = {}
    for node, parent in walk(program):
        depth = 1 if parent is None else depths[parent] + count_levels(node, parent)
        depths[node] = depth
        yield node, depth


def count_levels(node: Node, parent: Node) -> int:
    """Return how many levels `node` is below `parent`.

    A list of arguments is a level of its own; so is what upstream wraps around names and patterns.
    """
    if isinstance(parent, Index):
        if node is parent.target:
            return 1
        return 2 + isinstance(node, Name | PatternLiteral)
    return 1 + isinstance(parent, Call) + isinstance(node, Name | PatternLiteral)
