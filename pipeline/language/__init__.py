"""Program text becomes one Python function.

The passes meet here: parse → fold constants → check → generate. Each raises ProgramError with all
its diagnostics; only warnings let the next pass begin.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.decoders import DecodeKey, SharedRecords
from pipeline.language.bindings import NO_RECORDS, Environment
from pipeline.language.checker import check_program
from pipeline.language.codegen import (
    Failure,
    Generated,
    NotedFailure,
    Process,
    SievedProcess,
    generate_process,
    note_failure,
)
from pipeline.language.descriptions import share_descriptions
from pipeline.language.diagnostics import Diagnostic, Note, ProgramError, Severity, draw_excerpt
from pipeline.language.guards import Guard, Hits, Probe, derive_guard
from pipeline.language.layouts import Times
from pipeline.language.nodes import Block, Call, Delete, Index
from pipeline.language.optimizer import fold_constants
from pipeline.language.parser import check_depth, find_deepest, parse
from pipeline.language.patterns import (
    Engine,
    Match,
    PatternError,
    Regex,
    SearchPlan,
    is_faster_anchored,
    parse_pattern,
    plan_search,
    print_line_beginning,
    required_literals,
)
from pipeline.language.reporting import Reporter
from pipeline.language.scopes import CheckedProgram, MetricSymbol
from pipeline.language.source import Position, SourceFile, Span
from pipeline.language.traversal import walk
from pipeline.language.types import Type, known_type
from pipeline.metrics import Kind, Metric, ValueType

__all__ = [
    "BoundProgram",
    "CompileOptions",
    "CompiledProgram",
    "Diagnostic",
    "Engine",
    "Failure",
    "Guard",
    "Match",
    "NotedFailure",
    "PatternError",
    "PatternReport",
    "Position",
    "Probe",
    "ProgramError",
    "Regex",
    "SearchPlan",
    "Severity",
    "SourceFile",
    "Span",
    "compile_program",
    "draw_excerpt",
    "is_faster_anchored",
    "note_failure",
    "parse_pattern",
    "plan_search",
    "print_line_beginning",
    "required_literals",
]

VALUE_TYPES = {Type.INT: ValueType.INT, Type.FLOAT: ValueType.FLOAT, Type.STRING: ValueType.STRING}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileOptions:
    """What the operator may set; the names are those of the flags."""

    max_regexp_length: int = 1024
    max_recursion_depth: int = 100
    zone: datetime.tzinfo = datetime.UTC
    use_current_year: bool = True
    sieved: bool = True
    """Whether the variant for lines that the sieve lets through is made too."""
    listed: bool = True
    """Whether the generated Python is kept as text."""
    native_histograms: bool = False
    """Whether histograms count by powers too."""


@dataclass(frozen=True, slots=True)
class PatternReport:
    """How one pattern is searched, for `explain`."""

    span: Span
    text: str
    engine: str
    reason: str

    @property
    def has_slow_engine(self) -> bool:
        """Whether it is searched by RE2, for want of a faster engine."""
        return self.engine == Engine.RE2.value


@dataclass(frozen=True, slots=True)
class BoundProgram:
    """The functions of one program, bound to the metrics that live in the store.

    `process_ascii` takes lines that are ASCII only; `process_utf8` takes any bytes, and is slower
    where patterns are. The other two do the same for lines that the sieve lets through, each with
    the mask of the guard's texts that it holds; a program without a guard has none of them. All return
    how many of the lines are not matched. `begin` is to be called once, with the program's file name as origin.
    """

    process_ascii: Process
    process_utf8: Process
    run_begin: Process
    process_sieved_ascii: SievedProcess
    process_sieved_utf8: SievedProcess

    def begin(self, origin: bytes, now: int) -> None:
        """Run the `begin` blocks."""
        self.run_begin((b"",), origin, now)


@dataclass(frozen=True, slots=True)
class CompiledProgram:
    """A program that is not yet bound: fresh metrics, one for each declaration, and its code."""

    source: SourceFile
    warnings: tuple[Diagnostic, ...]
    metrics: tuple[Metric, ...]
    log_filter: frozenset[bytes] | None
    patterns: tuple[PatternReport, ...]
    guard: Guard
    generated: Generated
    generated_sieved: Generated | None
    generated_begin: Generated
    decodes: frozenset[DecodeKey] = frozenset()
    """How it decodes lines."""

    @property
    def probes(self) -> tuple[Probe, ...] | None:
        """What the sieve looks for in lines, in the order of a mask's bits; None if any line may matter."""
        return None if self.guard.probes is None else tuple(sorted(self.guard.probes))

    @property
    def listing(self) -> str:
        """The generated Python, for people."""
        return self.generated.listing

    def bind(
        self,
        metrics: Sequence[Metric],
        on_failure: Callable[[Exception, bytes], None],
        records: SharedRecords = NO_RECORDS,
    ) -> BoundProgram:
        """Return the functions, working on `metrics`: what `Store.register` returned for `self.metrics`.

        `on_failure` is told each runtime error and its line, within the handler of the error. `records` are shared
        with other programs.
        """
        ascii_lines = Environment(metrics, ascii_lines=True, on_failure=on_failure, records=records)
        any_bytes = Environment(metrics, ascii_lines=False, on_failure=on_failure, records=records)
        sieved = self.generated_sieved
        return BoundProgram(
            self.generated.bind(ascii_lines),
            self.generated.bind(any_bytes),
            self.generated_begin.bind(any_bytes),
            refuse_sieved if sieved is None else sieved.bind(ascii_lines),
            refuse_sieved if sieved is None else sieved.bind(any_bytes),
        )


def compile_program(source: SourceFile, options: CompileOptions | None = None) -> CompiledProgram:
    """Return the compiled program; raises ProgramError with the diagnostics of the first failing pass."""
    options = options or CompileOptions()
    block = parse(source)
    check_depth(block, source, options.max_recursion_depth)
    block = fold_constants(block, source)
    try:
        return compile_block(block, source, options)
    except RecursionError:
        report = Reporter(source)
        report.error(
            find_deepest(block).span,
            "the program nests too deeply for Python",
            hint="nest blocks, parentheses and decorators less deeply, and divide long expressions",
        )
        raise ProgramError(report.in_order()) from None


def compile_block(block: Block, source: SourceFile, options: CompileOptions) -> CompiledProgram:
    """Return the compiled program. The passes here recurse: RecursionError if Python's stack does not suffice."""
    report = Reporter(source)
    checked = check_program(block, report, options.max_regexp_length)
    times = Times(options.zone, options.use_current_year)
    begins = tuple(statement for begin in checked.begins for statement in begin.statements)
    native = options.native_histograms
    generated = generate_process(checked, block.statements, report, times, listed=options.listed, native=native)
    generated_begin = generate_process(checked, begins, report, times, name="begin", listed=False, native=native)
    guard = derive_guard(checked)
    generated_sieved = None
    if options.sieved and guard.probes:
        hits = Hits({probe: bit for bit, probe in enumerate(sorted(guard.probes))})
        generated_sieved = generate_process(
            checked, block.statements, report, times, hits=hits, listed=options.listed, native=native
        )
    for use, plan in (generated.plans | generated_begin.plans).items():
        if plan.never:
            report.warn(
                use.span,
                "this pattern can never match",
                hint="look for text after `$` or before `^`, and for a class that holds no character",
            )
    metrics = tuple(make_metrics(checked, source, native=native))
    warn_split_metrics(checked.metrics, metrics, report)
    share_descriptions(checked.metrics, metrics, report)
    share_exemplars(metrics)
    return CompiledProgram(
        source=source,
        warnings=report.in_order(),
        metrics=metrics,
        log_filter=collect_filter(checked),
        patterns=tuple(
            PatternReport(use.span, use.text, plan.engine.value, plan.reason)
            for use, plan in (generated.plans | generated_begin.plans).items()
        ),
        guard=guard,
        generated=generated,
        generated_sieved=generated_sieved,
        generated_begin=generated_begin,
        decodes=generated.decodes,
    )


def refuse_sieved(_lines: Sequence[bytes], _hits: Sequence[int], _origin: bytes, _now: int) -> int:
    """Stand in for the function of a program that no sieve can stand before."""
    raise AssertionError("this program has no guard")


def warn_split_metrics(symbols: Sequence[MetricSymbol], metrics: Sequence[Metric], report: Reporter) -> None:
    """Warn of declarations of one exported name that are not one metric, and so cannot share a page."""
    first: dict[str, tuple[MetricSymbol, Metric]] = {}
    for symbol, metric in zip(symbols, metrics, strict=True):
        other_symbol, other = first.setdefault(metric.name, (symbol, metric))
        if not metric.continues(other):
            report.warn(
                symbol.name_span,
                f"metric `{metric.name}` differs from another one of the same name in labels, values or buckets",
                notes=(Note("the other one is declared", other_symbol.name_span),),
                hint="give one of them another name: what they count does not come together",
            )


def make_metrics(checked: CheckedProgram, source: SourceFile, *, native: bool) -> Iterator[Metric]:
    """Yield a fresh metric for each declaration; a type that nothing decided is Int (spec section 12.2)."""
    nodes = [node for node, _ in walk(checked.block)]
    marks = [node.target for node in nodes if isinstance(node, Delete) and node.after_nanoseconds]
    expiring = {name_metric(checked.metric_names[target.target]) for target in marks if isinstance(target, Index)}
    follows_clock = not any(isinstance(node, Call) and node.name in ("strptime", "settime") for node in nodes)
    follows_clock = follows_clock and all(use.decoder.read_time is None for use in checked.decodes.values())
    for symbol in checked.metrics:
        expires = name_metric(symbol) in expiring
        yield make_metric(symbol, source, native=native, expires=expires, follows_clock=follows_clock)


def name_metric(symbol: MetricSymbol) -> str:
    """Return the name that a metric is exported by. Declarations that share it may be one metric in the store."""
    return symbol.node.exported or symbol.node.name


def make_metric(
    symbol: MetricSymbol, source: SourceFile, *, native: bool, expires: bool, follows_clock: bool
) -> Metric:
    """Return the metric of a declaration."""
    node = symbol.node
    kind = Kind[node.kind.upper()]
    value_type = VALUE_TYPES[known_type(symbol.value_type) or Type.INT]
    return Metric(
        name_metric(symbol),
        kind=kind,
        value_type=ValueType.BUCKETS if kind is Kind.HISTOGRAM else value_type,
        program=source.name,
        label_names=tuple(label.name for label in node.labels),
        source=source.describe(node.name_span),
        hidden=node.hidden,
        limit=node.limit,
        buckets=node.buckets or (),
        has_exemplars=symbol.has_exemplars,
        native=native and kind is Kind.HISTOGRAM,
        expires=expires,
        follows_clock=follows_clock,
    )


def share_exemplars(metrics: Sequence[Metric]) -> None:
    """Let all metrics of one name have exemplars if one of them has: they may be one metric in the store."""
    names = {metric.name for metric in metrics if metric.exemplars is not None}
    for metric in metrics:
        if metric.name in names:
            metric.exemplars = {}


def collect_filter(checked: CheckedProgram) -> frozenset[bytes] | None:
    """Return the origins that all `log_filter` statements name, or None without any."""
    if not checked.log_filters:
        return None
    return frozenset(name.encode() for statement in checked.log_filters for name in statement.names)
