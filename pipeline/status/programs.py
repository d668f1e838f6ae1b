"""What the status pages show of programs and of their metrics."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from pipeline.bindings import Bindings
from pipeline.explanation import describe_guard
from pipeline.language import CompiledProgram, Diagnostic, Position, SourceFile, Span, draw_excerpt
from pipeline.metrics import Datum, HistogramDatum, Metric, format_go_float, wrap_int64
from pipeline.runtime import LineFailure, LoadFailure, ProgramLoader, show_bytes
from pipeline.server import (
    MAX_PROBLEMS,
    MAX_ROWS,
    FailureStatus,
    Listing,
    MetricStatus,
    PatternStatus,
    ProgramDetails,
    ProgramState,
    ProgramStatus,
    SeriesStatus,
    UnknownProgram,
)
from pipeline.status.costs import PatternCost, try_patterns
from pipeline.status.history import Window
from pipeline.telemetry import ProgramCounts, Telemetry

MAX_SERIES_SHOWN = 10
"""Of a metric."""

MAX_COMPARED_CHARACTERS = 20
"""Of a name that is not known and of those that are. The time goes with more than both lengths multiplied: 200 names
that are chosen to be slow take 10 ms, with 100 characters of each more than half a second (measured)."""

MAX_BOUND_SHOWN = 20
"""Of the bindings of a program."""

PLACE = re.compile(r":(\d+):[\d-]+\Z")
"""Where in its file a metric is declared, behind the file's name."""

NOTES = {
    "evictions": "series that made room for newer ones: {:,}",
    "expirations": "series that went, because nothing was written to them for long enough: {:,}",
}
"""What the counts of a metric's limits mean, of those that do what the program or a flag asked for."""

LOSSES = {
    "overflows": "new series not kept, because there are too many: {:,}",
    "values_too_long": "new series not kept, because a label value is too long: {:,}",
    "texts_cut": "texts cut, because they are too long: {:,}",
    "exemplars_too_long": "exemplars not kept, because they are too long: {:,}",
    "exemplars_evicted": "series whose exemplars made room for those of others: {:,}",
}
"""And of those where something is lost."""


@dataclass(slots=True)
class ProgramReader:
    """Reads programs out of the parts of the daemon that know of them."""

    telemetry: Telemetry
    loader: ProgramLoader
    bindings: Bindings
    now: float
    """When the reading of rates begins, by Trio's clock."""
    window: Window[str] = field(init=False)

    def __post_init__(self) -> None:
        self.window = Window(self.read_counts, self.now)

    def read_counts(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield what rates are shown of, of each program. Some may come while that goes on."""
        for name, counts in list(self.telemetry.programs.items()):
            yield name, count_lines(counts)

    def list_names(self) -> list[str]:
        """Return the names of all programs that were ever tried, those first with which something is wrong."""
        programs, failures = self.telemetry.programs, self.loader.failures
        return sorted(
            programs, key=lambda name: (name not in failures, not programs[name].runtime_errors, os.fsencode(name))
        )

    def read_programs(self, now: float) -> Listing[ProgramStatus]:
        """Return what the table of programs shows, in byte order of their names as far as they have room."""
        names = self.list_names()
        shown = sorted(names[:MAX_ROWS], key=os.fsencode)
        total = sum(counts.times.run_ns for counts in self.telemetry.programs.values())
        return Listing(tuple(self.read_program(name, now, total) for name in shown), len(names) - len(shown))

    def read_program(self, name: str, now: float, total_ns: int) -> ProgramStatus:
        """Return what is shown of one program; `total_ns` is what all of them took."""
        counts = self.telemetry.programs[name]
        failure = self.loader.failures.get(name)
        line_rate, match_rate, error_rate = self.window.read_rates(name, count_lines(counts), now)
        times = counts.times
        bound_to = self.bindings.find_sources(name)
        return ProgramStatus(
            name=name,
            state=find_state(counts, failure),
            load_error="" if failure is None else failure.text,
            lines=counts.lines,
            line_rate=line_rate,
            match_rate=match_rate,
            share=times.run_ns / total_ns if times.run_ns else None,
            line_ns=times.run_ns / counts.lines if times.run_ns and counts.lines else None,
            is_sieved=counts.sieved,
            runtime_errors=counts.runtime_errors,
            error_rate=error_rate,
            last_failure=self.read_failure(name),
            bound_to=bound_to[:MAX_BOUND_SHOWN]
            + ((f"and {len(bound_to) - MAX_BOUND_SHOWN:,} more",) if len(bound_to) > MAX_BOUND_SHOWN else ()),
        )

    def read_failure(self, name: str) -> FailureStatus | None:
        """Return the last failure of a program on a line."""
        program = self.loader.running.get(name)
        failure = program.last_failure if program else None
        if program is None or failure is None:
            return None
        place = failure.position
        return FailureStatus(
            program=name,
            message=failure.message,
            line=place.line,
            column=place.column,
            excerpt=draw_failure(program.compiled.source, failure),
            source=show_bytes(failure.origin),
            log_line=show_bytes(failure.line),
            time=failure.time,
        )

    def read_details(self, name: str, now: float, wall_time: int) -> ProgramDetails | UnknownProgram:
        """Return what the page of a program shows."""
        if name not in self.telemetry.programs:
            return self.find_others(name)
        total = sum(counts.times.run_ns for counts in self.telemetry.programs.values())
        status = self.read_program(name, now, total)
        program = self.loader.running.get(name)
        if program is None:
            failure = self.loader.failures.get(name)
            diagnostics = failure.diagnostics if failure else ()
            return ProgramDetails(
                status,
                wall_time,
                text=diagnostics[0].source.text if diagnostics else "",
                error_lines=find_lines(diagnostics),
            )
        compiled = program.compiled
        metrics = list(dict.fromkeys(program.metrics))
        return ProgramDetails(
            status,
            wall_time,
            loaded=program.loaded,
            warnings=Listing.cut([warning.render() for warning in compiled.warnings[:MAX_PROBLEMS]], MAX_PROBLEMS),
            text=compiled.source.text,
            patterns=list_patterns(compiled, try_patterns(program, wall_time)),
            lines_tried=len(program.samples),
            guard=describe_guard(compiled),
            metrics=Listing.take(map(describe_metric, metrics), MAX_ROWS, len(metrics)),
        )

    def find_others(self, name: str) -> UnknownProgram:
        """Return the names of the programs that there are, the nearest first."""
        names = self.list_names()
        near = find_near(name, names[:MAX_ROWS])
        return UnknownProgram(Listing.cut([*near, *(one for one in names if one not in near)], MAX_PROBLEMS))


def find_near(name: str, names: Sequence[str]) -> list[str]:
    """Return those of `names` that look like `name`, the nearest first, as far as their beginnings tell."""
    by_beginning: dict[str, str] = {}
    for one in names:
        by_beginning.setdefault(one[:MAX_COMPARED_CHARACTERS], one)
    return [by_beginning[one] for one in get_close_matches(name[:MAX_COMPARED_CHARACTERS], by_beginning, n=3)]


def count_lines(counts: ProgramCounts) -> tuple[int, int, int]:
    """Return the lines that reached a program, those that it matched, and those on which it failed."""
    return counts.lines, counts.lines - counts.lines_unmatched, counts.runtime_errors


def find_state(counts: ProgramCounts, failure: LoadFailure | None) -> ProgramState:
    """Return how it is with a program."""
    if counts.running:
        return ProgramState.RUNNING if failure is None else ProgramState.OUTDATED
    return ProgramState.GONE if failure is None else ProgramState.BROKEN


def draw_failure(source: SourceFile, failure: LineFailure) -> str:
    """Return the place of a failure in the text of its program, with a caret under it."""
    place = failure.position
    before = source.line_text(place.line).encode()[: place.column - 1].decode("utf-8", "ignore")
    start = source.line_starts[place.line - 1] + len(before)
    excerpt, caret = draw_excerpt(source, Span(start, start + 1))
    gutter = " " * len(str(place.line))
    return f"{place.line} | {excerpt}\n{gutter} | {caret}"


def find_lines(diagnostics: Sequence[Diagnostic]) -> tuple[int, ...]:
    """Return the lines that diagnostics are about."""
    return tuple(sorted({one.source.position(one.span.start).line for one in diagnostics}))


def list_patterns(compiled: CompiledProgram, costs: Mapping[Position, PatternCost]) -> Listing[PatternStatus]:
    """Return the patterns of a program with their costs, in the order of its text."""
    patterns = sorted(compiled.patterns, key=lambda pattern: pattern.span.start)
    rows = []
    for pattern in patterns[:MAX_ROWS]:
        place = compiled.source.position(pattern.span.start)
        row = PatternStatus(place.line, place.column, pattern.text, pattern.engine, pattern.reason)
        cost = costs.get(place)
        rows.append(row if cost is None else replace(row, ns=cost.ns, searched=cost.searched, found=cost.found))
    return Listing(tuple(rows), len(patterns) - len(rows))


def describe_metric(metric: Metric) -> MetricStatus:
    """Return what is shown of a metric. Of 100,000 series the newest ten are found at once."""
    place = PLACE.search(metric.source)
    counts = {name: getattr(metric, name) for name in metric.list_limits()}
    newest = (describe_series(metric, series) for series in reversed(metric.data.values()))
    return MetricStatus(
        name=metric.name,
        kind=metric.kind.name.lower(),
        labels=metric.label_names,
        line=int(place[1]) if place else 0,
        help_text=metric.help_text,
        unit=metric.unit,
        is_hidden=metric.hidden,
        series=len(metric.data),
        limit=describe_limit(metric),
        notes=tuple(NOTES[name].format(count) for name, count in counts.items() if count and name in NOTES),
        losses=tuple(LOSSES[name].format(count) for name, count in counts.items() if count and name in LOSSES),
        newest=Listing.take(newest, MAX_SERIES_SHOWN, len(metric.data)),
    )


def describe_limit(metric: Metric) -> str:
    """Return how many series a metric may have."""
    if not metric.label_names:
        return ""
    if metric.limit > 0:
        return f"limit {metric.limit:,}"
    return f"{metric.capacity:,} by --max_series_per_metric" if metric.capacity < 1 << 62 else "no limit"


def describe_series(metric: Metric, series: Datum | HistogramDatum) -> SeriesStatus:
    """Return the labels and the value of a series, as a person reads them."""
    labels = ", ".join(
        f'{name}="{show_bytes(value)}"' for name, value in zip(metric.label_names, series.labels, strict=True)
    )
    return SeriesStatus(labels, spell_value(series), wrap_int64(series.time))


def spell_value(series: Datum | HistogramDatum) -> str:
    """Return the value of a series; of a histogram the count and the sum."""
    if isinstance(series, HistogramDatum):
        return f"count {series.count:,}, sum {format_go_float(series.total)}"
    value = series.value
    if isinstance(value, bytes):
        return f'"{show_bytes(value)}"'
    return f"{wrap_int64(value):,}" if isinstance(value, int) else format_go_float(value)
