"""How it goes, in words: one line for systemd's status, and the report that SIGUSR1 asks for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.message_counts import EndpointCounts, MessageCounts
from pipeline.own_metrics import NANOSECONDS
from pipeline.telemetry import ProgramCounts, SourceCounts, Telemetry

UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))

SOURCE_HEADINGS = ("lines", "lines/s", "bytes", "errors", "connections", "bytes behind", "source")
PROGRAM_HEADINGS = ("lines", "failures", "sieve", "seconds", "program")
ENDPOINT_HEADINGS = ("taken", "delivered", "refused", "dropped", "waiting", "failures", "endpoint")


@dataclass(frozen=True, slots=True)
class Rates:
    """Lines a second of each source, over the last `seconds`."""

    seconds: float
    by_origin: Mapping[bytes, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.by_origin.values())


class Meter:
    """Measures from one look at the counts to the next. The clock is the caller's, in seconds."""

    def __init__(self, now: float) -> None:
        self.time = now
        self.lines: Mapping[bytes, int] = {}

    def measure(self, lines: Mapping[bytes, int], now: float) -> Rates:
        """Return the rates since the last look, of what has been counted up to `now`."""
        seconds = now - self.time
        rates = {origin: (count - self.lines.get(origin, 0)) / seconds for origin, count in lines.items() if seconds}
        self.time, self.lines = now, dict(lines)
        return Rates(seconds, rates)


def describe_status(telemetry: Telemetry, rates: Rates, failing: Collection[str]) -> str:
    """Return one line for `systemctl status`; `failing` are the sources that are to be opened again."""
    running = sum(program.running for program in telemetry.programs.values())
    parts = [
        f"{rates.total:,.0f} lines/s",
        f"{telemetry.lines:,} lines",
        f"{running} of {len(telemetry.programs)} programs running",
    ]
    if failures := sum(program.runtime_errors for program in telemetry.programs.values()):
        parts.append(f"{failures:,} failures of programs on lines")
    if failing:
        parts.append(f"failing: {' '.join(sorted(failing))}")
    if telemetry.messages is not None:
        parts.extend(describe_messages(telemetry.messages))
    return ", ".join(parts)


def describe_messages(messages: MessageCounts) -> Iterator[str]:
    """Yield how metlog's router does, for that line."""
    yield f"{messages.received:,} envelopes"
    if failing := [counts.name for counts in messages.endpoints if counts.last_failure]:
        yield f"failing endpoints: {' '.join(sorted(failing))}"


def describe_report(telemetry: Telemetry, rates: Rates, uptime_seconds: float, failing: Collection[str]) -> str:
    """Return the report: totals, then a table of the sources, one of the programs, and one of metlog's endpoints."""
    series = sum(len(metric.data) for metric in telemetry.store if metric.program)
    lines = [
        f"Report after {describe_duration(uptime_seconds)}: {telemetry.lines:,} lines, {series:,} series. "
        f"Lines a second are those of the last {describe_duration(rates.seconds)}.",
        *(f"{name} fails, and is to be opened again." for name in sorted(failing)),
        "",
        *lay_out([SOURCE_HEADINGS, *(list_figures(source, telemetry, rates) for source in telemetry.sources)]),
        "",
        *lay_out([PROGRAM_HEADINGS, *(list_program_figures(one) for _, one in sorted(telemetry.programs.items()))]),
    ]
    if (messages := telemetry.messages) is not None:
        lines += [
            "",
            f"{messages.received:,} envelopes came: {sum(messages.invalid.values()):,} were none, and no route took "
            f"{messages.unrouted:,}.",
            *lay_out([ENDPOINT_HEADINGS, *map(list_endpoint_figures, messages.endpoints)]),
        ]
    return "\n".join(lines)


def list_figures(source: SourceCounts, telemetry: Telemetry, rates: Rates) -> tuple[str, ...]:
    """Return the row of a source."""
    return (
        f"{telemetry.log_lines.get(source.origin, 0):,}",
        f"{rates.by_origin.get(source.origin, 0.0):,.0f}",
        f"{source.bytes_read:,}",
        f"{source.errors:,}",
        f"{source.connections:,}",
        f"{source.lag_bytes:,}",
        source.origin.decode("utf-8", "replace"),
    )


def list_program_figures(program: ProgramCounts) -> tuple[str, ...]:
    """Return the row of a program."""
    return (
        f"{program.lines:,}",
        f"{program.runtime_errors:,}",
        "on" if program.sieved else "off",
        f"{program.times.run_ns / NANOSECONDS:,.1f}",
        program.name if program.running else f"{program.name} (not running)",
    )


def list_endpoint_figures(counts: EndpointCounts) -> tuple[str, ...]:
    """Return the row of an endpoint."""
    figures = (counts.taken, counts.delivered, counts.refused, counts.dropped, counts.queued, counts.failures)
    name = f"{counts.name} (failing: {counts.last_failure})" if counts.last_failure else counts.name
    return (*(f"{figure:,}" for figure in figures), name)


def lay_out(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table as lines: figures to the right, names last and to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join([*(text.rjust(width) for text, width in zip(row[:-1], widths, strict=False)), row[-1]])
        for row in rows
    ]


def describe_duration(seconds: float) -> str:
    """Return a duration in its two largest units, such as `3 d 4 h`."""
    left = int(seconds)
    parts: list[str] = []
    for name, size in UNITS:
        number, left = divmod(left, size)
        if number or (parts and len(parts) < 2):
            parts.append(f"{number} {name}")
    return " ".join(parts[:2]) or "0 s"
