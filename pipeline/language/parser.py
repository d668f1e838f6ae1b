"""Program text → nodes; the first syntax error → a diagnostic.

`grammar.lark` says what can be written, `builder.py` makes the nodes, `syntax_errors.py` puts into
words what stands where it cannot. None of them recurses, so that no text is nested too deeply to be
parsed: how deep a program may go is for `check_depth` to say.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.language.automaton import UnexpectedTokenError, read_program
from pipeline.language.builder import Builder
from pipeline.language.diagnostics import ProgramError
from pipeline.language.nodes import Block, Call, Index, Name, Node, PatternLiteral
from pipeline.language.reporting import Reporter
from pipeline.language.source import SourceFile
from pipeline.language.traversal import walk


def parse(source: SourceFile) -> Block:
    """Return the nodes of the program.

    Raises ProgramError at the first syntax error; bad numbers before it are told as well.
    """
    reporter = Reporter(source)
    # The last line may lack its newline, which is due after an expression statement.
    text = source.text if source.text.endswith("\n") else source.text + "\n"
    try:
        program = read_program(text, Builder(reporter))
    except UnexpectedTokenError as error:
        from pipeline.language.syntax_errors import report_syntax_error

        report_syntax_error(reporter, error)
        raise ProgramError(reporter.in_order()) from None
    reporter.raise_errors()
    assert isinstance(program, Block)
    return program


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
