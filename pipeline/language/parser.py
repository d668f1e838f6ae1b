"""Program text → nodes; the first syntax error → a diagnostic.

`grammar.lark` says what can be written, `builder.py` makes the nodes, `syntax_errors.py` puts into
words what stands where it cannot. None of them recurses, so that no text is nested too deeply to be
parsed: how deep a program may go is for `check_depth` to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from pipeline.language.builtins import BUILTINS
from pipeline.language.diagnostics import ProgramError
from pipeline.language.nodes import Block
from pipeline.language.reporting import Reporter
from pipeline.language.source import SourceFile
from pipeline.language.syntax_hints import KEYWORDS

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
    from lark import UnexpectedInput

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
            program = run.feed_eof()
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
    from lark import Lark

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
