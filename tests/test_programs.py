r"""Data cases: every `tests/programs/**/*.case` is a program, a log, and all that must come of them.

A case opens with its title. Then come sections, each under a line `== name`:

    == program           the text of the program, a file called `case.mtail`
    == flags             `name = value` per line: a compile option, `origin`, or `sweep` (seconds after the log)
    == log               one log line per line; `\xHH`, `\r`, `\t`, `\\` stand for bytes; a lone `\` at the
                         very end says that the last line is not ended by a line feed
    == metrics           the metrics afterwards, sorted by name: `name{label="value"} = value @seconds`;
                         the time is left out when it is the time of the run; buckets are not cumulative;
                         each with its exemplars, by bucket; then its help text and its unit, if it has them
    == runtime errors    one per line that failed, in order: `line:column: message`
    == diagnostics       errors, or else warnings, of the compiler, whole
    == differs           the program means something else in mtail, and why; listed in docs/mtail.md

`pytest tests/test_programs.py --update-expected` rewrites metrics, runtime errors and diagnostics.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.batch import Batch
from pipeline.errors import StoreConflictError
from pipeline.language import (
    CompiledProgram,
    CompileOptions,
    ProgramError,
    SourceFile,
    compile_program,
    note_failure,
)
from pipeline.metrics import Datum, HistogramDatum, Kind, Metric, Store, wrap_int64
from pipeline.metrics.exemplars import read_notes
from pipeline.settings import SieveMode
from pipeline.sources.framing import LineFramer
from tests.sieving import run_sieved

PROGRAMS = Path(__file__).parent / "programs"
CASES = sorted(PROGRAMS.rglob("*.case"))
DIFFERENCES = Path(__file__).parents[1] / "docs" / "mtail.md"

SECTIONS = ("program", "flags", "log", "metrics", "runtime errors", "diagnostics", "differs")
EXPECTED = ("metrics", "runtime errors", "diagnostics")
NANOSECONDS = 1_000_000_000
NOW = 1_700_000_000 * NANOSECONDS


@dataclass(frozen=True, slots=True)
class Case:
    """A case file: its title, and the text of each section."""

    title: str
    sections: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Case:
        title, *rest = re.split(r"^== (.*)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        sections = dict(zip(rest[::2], rest[1::2], strict=True))
        unknown = sections.keys() - set(SECTIONS)
        assert not unknown, f"{path.name} has unknown sections: {unknown}"
        return cls(title, sections)

    def write(self, path: Path) -> None:
        parts = [self.title]
        parts.extend(f"== {name}\n{self.sections[name]}" for name in SECTIONS if self.sections.get(name))
        path.write_text("".join(parts), encoding="utf-8")

    @property
    def flags(self) -> dict[str, str]:
        lines = self.sections.get("flags", "").splitlines()
        return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}

    @property
    def log(self) -> bytes:
        text = self.sections.get("log", "")
        unended = re.search(r"(?<!\\)(\\\\)*\\\n\Z", text)
        return unescape(text[:-2] if unended else text)

    @property
    def options(self) -> CompileOptions:
        flags = self.flags
        return CompileOptions(
            max_regexp_length=int(flags.get("max_regexp_length", "1024")),
            max_recursion_depth=int(flags.get("max_recursion_depth", "100")),
            zone=ZoneInfo(flags["zone"]) if "zone" in flags else UTC,
            use_current_year=flags.get("use_current_year", "true") == "true",
        )


def unescape(text: str) -> bytes:
    """Return the bytes that a section with escapes stands for."""
    named = {b"r": b"\r", b"t": b"\t", b"\\": b"\\"}

    def replace(match: re.Match[bytes]) -> bytes:
        escape = match[1]
        return bytes([int(escape[1:], 16)]) if escape.startswith(b"x") else named[escape]

    return re.sub(rb"\\(x[0-9a-f]{2}|.)", replace, text.encode())


def show_text(value: bytes) -> str:
    """Return a text as a case shows it: bytes that do not print are escaped, backslashes are not."""
    text = value.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def show_value(value: float | bytes) -> str:
    """Return a value as a case shows it; a Float always has a point or an exponent."""
    if isinstance(value, bytes):
        return show_text(value)
    return str(wrap_int64(value)) if isinstance(value, int) else repr(value)


def show_time(time: int) -> str:
    """Return ` @seconds`, or nothing for the time of the run."""
    if time == NOW:
        return ""
    seconds, fraction = divmod(wrap_int64(time), NANOSECONDS)
    return f" @{seconds}.{fraction:09d}".rstrip("0") if fraction else f" @{seconds}"


def show_datum(metric: Metric, datum: Datum | HistogramDatum) -> str:
    """Return one series as a case shows it."""
    labels = ",".join(
        '{}="{}"'.format(name, show_text(label.replace(b"\\", b"\\\\").replace(b'"', b'\\"')))
        for name, label in zip(metric.label_names, datum.labels, strict=True)
    )
    name = f"{metric.name}{{{labels}}}" if labels else metric.name
    if isinstance(datum, Datum):
        return f"{name} = {show_value(datum.value)}{show_time(datum.time)}"
    bounds = [f"{bound:g}" for bound in metric.bounds] + ["+Inf"]
    buckets = " ".join(f"{bound}:{count}" for bound, count in zip(bounds, datum.counts, strict=True))
    return f"{name}: {buckets} count={datum.count} sum={datum.total:g}{show_time(datum.time)}"


def show_exemplars(metric: Metric, labels: tuple[bytes, ...]) -> list[str]:
    """Return the exemplars of one series as a case shows them; a bucket is named by its upper bound."""
    exemplars = read_notes((metric.exemplars or {}).get(labels, {}))
    buckets = [f"{bound:g}:" for bound in metric.bounds] + ["+Inf:"] if metric.kind is Kind.HISTOGRAM else [""]
    shown = []
    for place, exemplar in sorted(exemplars.items()):
        text = ",".join(f'{name}="{show_text(value.encode())}"' for name, value in exemplar.labels)
        shown.append(f"    exemplar {buckets[place]}{{{text}}} {exemplar.value!r}{show_time(exemplar.time)}\n")
    return shown


def show_metrics(metrics: tuple[Metric, ...]) -> str:
    """Return all metrics as a case shows them; one that two declarations share comes once."""
    lines: list[str] = []
    for metric in sorted(dict.fromkeys(metrics), key=lambda metric: metric.name):
        hidden = " (hidden)" if metric.hidden else ""
        for datum in metric.data.values():
            lines += [f"{show_datum(metric, datum)}{hidden}\n", *show_exemplars(metric, datum.labels)]
        if not metric.data:
            lines.append(f"{metric.name}: no data{hidden}\n")
        if metric.help_text:
            lines.append(f"{metric.name}: help {metric.help_text}\n")
        if metric.unit:
            lines.append(f"{metric.name}: unit {metric.unit}\n")
    return "".join(lines)


def run_log(case: Case, program: CompiledProgram, *, as_ascii: bool) -> dict[str, str]:
    """Run a compiled program over the log of its case, and return what came of it."""
    store = Store()
    try:
        metrics = store.register(program.metrics)
    except StoreConflictError as error:
        return {"diagnostics": f"{error}\n"}
    failures: list[str] = []

    def record(error: Exception, line: bytes) -> None:
        failure = note_failure(error).describe()
        failures.append(f"{failure.position.line}:{failure.position.column}: {failure.message}\n")

    bound = program.bind(metrics, record)
    bound.begin(program.source.name.encode(), NOW)
    origin = case.flags.get("origin", "/var/log/case.log").encode()
    if program.log_filter is None or origin in program.log_filter:
        process = bound.process_ascii if as_ascii else bound.process_utf8
        process(split_log(case.log), origin, NOW)
    if "sweep" in case.flags:
        store.sweep(NOW + int(case.flags["sweep"]) * NANOSECONDS)
    warnings = "".join(f"{warning.render()}\n" for warning in program.warnings)
    return {
        "metrics": show_metrics(metrics),
        "runtime errors": "".join(failures),
        "diagnostics": warnings,
    }


def split_log(log: bytes) -> list[bytes]:
    """Return the lines of a file, as a file source would hand them to programs."""
    framer = LineFramer(max_line_bytes=64 * 1024)
    block = framer.feed(log, len(log)) + framer.finish()
    return Batch(block, b"").lines


def run_case(case: Case) -> dict[str, str]:
    """Compile and run a case; both readings of an ASCII log must give the same."""
    source = SourceFile("case.mtail", case.sections["program"])
    try:
        program = compile_program(source, case.options)
    except ProgramError as error:
        return {"diagnostics": f"{error}\n"}
    results = run_log(case, program, as_ascii=False)
    if case.log.isascii():
        again = compile_program(source, case.options)
        assert run_log(case, again, as_ascii=True) == results, "bytes and UTF-8 readings differ"
    if "metrics" in results and "sweep" not in case.flags:
        compare_sieved(case, source, results)
    return results


def compare_sieved(case: Case, source: SourceFile, results: dict[str, str]) -> None:
    """The sieve keeps nothing from a program that would have had an effect; a failing `strptime` alone is none."""
    origin = case.flags.get("origin", "/var/log/case.log").encode()
    unmatched = set()
    for mode in SieveMode:
        run = run_sieved(source, split_log(case.log), origin=origin, now=NOW, mode=mode, options=case.options)
        assert show_metrics(run.metrics) == results["metrics"], f"with the sieve ({mode.value})"
        assert run.counts.sieve_faults == 0
        failures = results["runtime errors"].count("\n")
        assert run.counts.runtime_errors == failures or (
            run.counts.runtime_errors < failures and "strptime" in source.text
        )
        unmatched.add(run.counts.lines_unmatched)
    assert len(unmatched) == 1, "the sieve changes which lines are matched"


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case(path: Path, *, update_expected: bool) -> None:
    """A program does to its log what its case file says."""
    case = Case.read(path)
    results = run_case(case)
    if update_expected:
        Case(case.title, {**case.sections, **dict.fromkeys(EXPECTED, ""), **results}).write(path)
        return
    for name in EXPECTED:
        assert results.get(name, "") == case.sections.get(name, ""), f"{name} of {path.name}: {case.title}"


def test_every_difference_from_mtail_is_listed() -> None:
    """A case that means something else in mtail is named in docs/mtail.md, and no other is."""
    listed = set(re.findall(r"`([\w/-]+\.case)`", DIFFERENCES.read_text(encoding="utf-8")))
    differing = {str(path.relative_to(PROGRAMS)) for path in CASES if "differs" in Case.read(path).sections}
    assert listed == differing
