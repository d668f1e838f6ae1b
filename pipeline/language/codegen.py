"""A checked program becomes one Python function with the loop over the lines inside it.

    def process(lines, origin, now, <one parameter for each name the code sees>):
        for line in lines:
            try:
                ...
            except Exception as error:
                fail(error, line)

The variant for lines that the sieve has let through is `process(lines, hits, origin, now, …)`: with each line
comes the mask of the texts that it holds. Either returns how many of the lines are not matched (`line_counts`).

The function is built as a syntax tree whose nodes carry their places in the program, so that a
failure can be reported there. It has no globals and imports nothing: whatever it uses is the
default of a parameter (`bindings`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from types import CodeType, FunctionType
from typing import NamedTuple

from pipeline.decoders import DecodeKey
from pipeline.errors import LineError
from pipeline.language import pyast as py
from pipeline.language.bindings import PURE_FUNCTIONS, Bindings, Environment
from pipeline.language.codegen_access import NO_NUMBER
from pipeline.language.codegen_conditions import ConditionGenerator
from pipeline.language.codegen_statements import ExpansionError, StatementGenerator, says_otherwise
from pipeline.language.guards import NO_HITS, Hits
from pipeline.language.layouts import Times
from pipeline.language.line_counts import LineCounter
from pipeline.language.nodes import Statement
from pipeline.language.patterns import SearchPlan
from pipeline.language.reporting import Reporter
from pipeline.language.scopes import CheckedProgram, PatternUse, Use
from pipeline.language.sharing import Sharer
from pipeline.language.slow_paths import NO_INT
from pipeline.language.source import Position

Process = Callable[[Sequence[bytes], bytes, int], int]
SievedProcess = Callable[[Sequence[bytes], Sequence[int], bytes, int], int]


@dataclass(frozen=True, slots=True)
class Generated:
    """One function, not yet bound to metrics: its code, its names, and its text for people."""

    code: CodeType
    bindings: Bindings
    listing: str
    plans: dict[PatternUse, SearchPlan]
    decodes: frozenset[DecodeKey]

    def bind(self, environment: Environment) -> Callable[..., int]:
        """Return the function, a `Process` or a `SievedProcess`, with all names it sees bound."""
        defaults = self.bindings.values(environment)
        return FunctionType(self.code, {"__builtins__": {}}, self.code.co_name, defaults)


def generate_process(
    checked: CheckedProgram,
    statements: Sequence[Statement],
    report: Reporter,
    times: Times,
    *,
    name: str = "process",
    hits: Hits = NO_HITS,
    listed: bool = True,
    native: bool = False,
) -> Generated:
    """Return the function that runs `statements` once for each line; with `hits` the variant for the sieve.

    With `native` it also fills the native buckets of histograms, which must all have them. Its text for people
    takes a twelfth of the time, and is left empty unless `listed`.

    Raises ProgramError when decorators would write out too much code.
    """
    uncertain: set[Use] = set()
    repeated = frozenset[str]()
    while True:
        values = ConditionGenerator(checked, report.source, times, hits)
        values.groups.uncertain = set(uncertain)
        values.fields.repeated = repeated
        body, lines = generate_body(values, statements, report, native=native)
        if values.groups.uncertain == uncertain and values.fields.find_repeated() == repeated:
            break
        # Which matches are read without being certain, and what decodes more than once, is known only now, and changes
        # their code.
        uncertain, repeated = values.groups.uncertain, values.fields.find_repeated()
    sharer = Sharer(PURE_FUNCTIONS, values.groups.counts())
    body = sharer.share(lines.finish(body))
    tree = build_function(name, values, body, lines, uses_otherwise=says_otherwise(checked.block.statements))
    tree.body[0:0] = sharer.fixed
    module = ast.fix_missing_locations(ast.Module([tree], []))
    code = compile(module, report.source.name, "exec")
    function = next(constant for constant in code.co_consts if isinstance(constant, CodeType))
    listing = ast.unparse(tree) if listed else ""
    decodes = frozenset(key for key, reader in values.fields.readers.items() if values.fields.line_decodes[reader])
    return Generated(function, values.bindings, listing, values.groups.plans, decodes)


def generate_body(
    values: ConditionGenerator, statements: Sequence[Statement], report: Reporter, *, native: bool
) -> tuple[list[ast.stmt], LineCounter]:
    """Return the code for one line, and what is known of the lines it counts."""
    uses_otherwise = says_otherwise(values.checked.block.statements)
    generator = StatementGenerator(values, uses_otherwise=uses_otherwise, native=native)
    try:
        return generator.block(statements), generator.lines
    except ExpansionError as error:
        report.error(
            error.span,
            "the decorators of this program write out too much code",
            hint="let definitions use fewer decorators",
        )
        report.raise_errors()
        raise


def build_function(
    name: str, values: ConditionGenerator, body: list[ast.stmt], lines: LineCounter, *, uses_otherwise: bool
) -> ast.FunctionDef:
    """Put the loop and the handler around the code for one line."""
    start = [*lines.before_line(), *values.fields.reset()]
    if values.sets_time:
        start.append(py.assign("t", py.name("now")))
    if uses_otherwise:
        start.append(py.assign("matched", py.constant(value=False)))
    failure = py.statement(py.call("fail", py.name("error"), py.name("line")))
    values.bindings.add("fail", lambda environment: environment.on_failure)
    handler = ast.ExceptHandler(py.name(values.bindings.function("Exception")), "error", [failure])
    attempt = ast.Try([*start, *body] or [ast.Pass()], [handler], [], [])
    loop = build_loop(values, attempt)
    scalars: list[ast.stmt] = []
    for symbol, local in values.metrics.scalars.items():
        scalars.append(py.assign(local, py.call(values.metrics.member(symbol, "get"), py.make_tuple())))
    clock: list[ast.stmt] = [] if values.sets_time else [py.assign("t", py.name("now"))]
    texts = [py.assign(local, py.constant(None)) for local in values.last_texts]
    total = lines.total() or values.call("len", py.name("lines"))
    fixed = ("lines", "hits", "origin", "now") if values.hits.bits else ("lines", "origin", "now")
    parameters = [ast.arg(parameter) for parameter in (*fixed, *values.bindings.makers)]
    arguments = ast.arguments([], parameters, None, [], [], None, [])
    tree = ast.FunctionDef(
        name, arguments, [*scalars, *texts, *clock, *lines.before_loop(), loop, ast.Return(total)], []
    )
    tree.lineno, tree.col_offset = 1, 0
    tree.end_lineno, tree.end_col_offset = 1, 0
    return tree


def build_loop(values: ConditionGenerator, attempt: ast.stmt) -> ast.stmt:
    """Return the loop over the lines, or over the lines and what the sieve has found in each."""
    line = ast.Name("line", ast.Store())
    if not values.hits.bits:
        return ast.For(line, py.name("lines"), [attempt], [])
    pair = ast.Tuple([line, ast.Name("found", ast.Store())], ast.Store())
    pairs = py.call(values.bindings.function("zip"), py.name("lines"), py.name("hits"))
    return ast.For(pair, pairs, [attempt], [])


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a program failed on a line, and where in the program."""

    message: str
    position: Position


class NotedFailure(NamedTuple):
    """A failure that nobody has asked about yet: noting takes 0.3 µs, describing ten times that.

    A tuple, because a frozen dataclass takes twice as long to make.
    """

    error: Exception
    code: CodeType | None
    instruction: int

    def describe(self) -> Failure:
        """Return what the failure means to the program's author."""
        line, column = None, None
        if self.code is not None:
            line, _, column, _ = list_positions(self.code)[self.instruction // 2]
        return Failure(explain_error(self.error), Position(line or 1, (column or 0) + 1))


def note_failure(error: Exception) -> NotedFailure:
    """Take from an error that generated code has caught what describes it, and let go of the rest.

    The traceback begins with the frame that caught the error, which is that of the generated code. It
    is cut off the error, because it holds on to all lines of the batch.
    """
    traceback = error.__traceback__
    error.__traceback__ = None
    if traceback is None:
        return NotedFailure(error, None, 0)
    return NotedFailure(error, traceback.tb_frame.f_code, traceback.tb_lasti)


@cache
def list_positions(code: CodeType) -> list[tuple[int | None, int | None, int | None, int | None]]:
    """Return the place of each instruction; kept, because strangers' lines may fail at any rate."""
    return list(code.co_positions())


def explain_error(error: BaseException) -> str:
    """Return the cause in plain words; Python's own errors are translated."""
    match error:
        case LineError():
            return str(error)
        case ValueError() if "limit" in str(error):  # of Python, for thousands of digits
            return NO_INT
        case ValueError():
            return NO_NUMBER
        case _:
            return f"internal failure: {type(error).__name__}: {error}"
