"""What the status pages show, read out of the parts of the daemon."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from pipeline.bindings import Bindings
from pipeline.metrics import Store
from pipeline.process import read_usage
from pipeline.pushers import Pushes, PushTask
from pipeline.runtime import ProgramLoader
from pipeline.server import (
    MAX_PROBLEMS,
    MAX_ROWS,
    DaemonStatus,
    Listing,
    ProgramDetails,
    PushStatus,
    ReloadStatus,
    SourceState,
    SourceStatus,
    StateStatus,
    Status,
    UnknownProgram,
)
from pipeline.sources import Part, Source
from pipeline.state import StateKeeper
from pipeline.status.history import Window, look_regularly
from pipeline.status.programs import ProgramReader
from pipeline.supervision import Supervisor
from pipeline.telemetry import SourceCounts, Telemetry

if TYPE_CHECKING:  # who has no router does without its modules
    from pipeline.metlog.router import RouterService
    from pipeline.status.messages import MessageReader

NANOSECONDS = 1_000_000_000

LOSSES = {
    "datagrams_dropped": "datagrams dropped by the kernel: {:,}",
    "lines_truncated": "lines cut at --max_line_bytes: {:,}",
    "connections_refused": "connections refused: {:,}",
}
"""What the counts of a source mean that tell of losses."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the daemon that are looked at."""

    host: str
    telemetry: Telemetry
    store: Store
    loader: ProgramLoader
    bindings: Bindings
    sources: Sequence[Source]
    supervisor: Supervisor
    pushes: Pushes
    keeper: StateKeeper | None
    read_clock: Callable[[], int]
    """Gives the time in ns since 1970."""
    messages: RouterService | None = None
    """None where no source carries envelopes."""
    envelopes: Sequence[Source] = ()
    """The sources that do."""


@dataclass(slots=True)
class StatusReader:
    """Reads the status when a page is asked for, and looks at the counts regularly, for rates. Needs Trio's clock."""

    parts: Parts
    began: float = field(default_factory=trio.current_time)
    programs: ProgramReader = field(init=False)
    window: Window[bytes] = field(init=False)
    total: Window[str] = field(init=False)
    messages: MessageReader | None = field(init=False)

    def __post_init__(self) -> None:
        parts = self.parts
        self.programs = ProgramReader(parts.telemetry, parts.loader, parts.bindings, self.began)
        self.window = Window(self.read_counts, self.began)
        self.messages = self.make_message_reader()
        self.total = Window(lambda: [("", (parts.telemetry.lines,))], self.began)

    def make_message_reader(self) -> MessageReader | None:
        """Return what reads the router, if there is one."""
        parts = self.parts
        if parts.messages is None:
            return None
        from pipeline.status.messages import MessageReader

        return MessageReader(parts.messages, tuple(source.name for source in parts.envelopes), self.began)

    async def run(self) -> None:
        """Look regularly."""
        routed = () if self.messages is None else (self.messages.window,)
        await look_regularly(self.window, self.programs.window, self.total, *routed)

    def read_counts(self) -> Iterator[tuple[bytes, tuple[int, ...]]]:
        """Yield what rates are shown of, of each source. Some may come and go while that goes on."""
        for counts in list(self.parts.telemetry.sources):
            yield counts.origin, self.count_source(counts)

    def count_source(self, counts: SourceCounts) -> tuple[int, int, int, int]:
        """Return the lines and bytes that came from a source, its errors, and what did not come through whole."""
        origin = self.parts.telemetry.origins.get(counts.origin)
        lines = 0 if origin is None else origin.lines
        return lines, counts.bytes_read, counts.errors, count_losses(counts)

    def read(self) -> Status:
        """Return what the first page shows."""
        now = trio.current_time()
        return Status(
            self.read_daemon(now),
            self.programs.read_programs(now),
            self.read_sources(now),
            tuple(describe_push(task, now) for task in self.parts.pushes.tasks),
            None if self.messages is None else self.messages.read(now),
        )

    def read_program(self, name: str) -> ProgramDetails | UnknownProgram:
        """Return what the page of a program shows."""
        return self.programs.read_details(name, trio.current_time(), self.parts.read_clock())

    def read_daemon(self, now: float) -> DaemonStatus:
        """Return how it is with the daemon itself."""
        parts = self.parts
        wall_time = parts.read_clock()
        telemetry = parts.telemetry
        usage = read_usage(telemetry.proc)
        reloads = telemetry.reloads
        return DaemonStatus(
            host=parts.host,
            programs_path="" if parts.loader.path is None else str(parts.loader.path),
            # The clock may have been set since: without a battery it begins in 1970.
            started=wall_time - round((now - self.began) * NANOSECONDS),
            now=wall_time,
            lines=telemetry.lines,
            line_rate=self.total.read_rates("", (telemetry.lines,), now)[0],
            rate_seconds=self.total.find_seconds(now),
            programs=len(telemetry.programs),
            running_programs=len(parts.loader.running),
            series=sum(len(metric.data) for metric in parts.store if metric.program),
            resident_bytes=usage.resident_bytes,
            cpu_seconds=usage.cpu_seconds,
            reload=ReloadStatus(
                reloads.last_time,
                reloads.last_successful,
                reloads.last_failure,
                reloads.succeeded + reloads.failed,
            ),
            state=describe_state(parts.keeper),
        )

    def read_sources(self, now: float) -> Listing[SourceStatus]:
        """Return what the table of sources shows: first those that fail, then those that had errors."""
        total = sum(len(source.parts) for source in self.parts.sources)
        return Listing.take((self.describe_part(*pair, now) for pair in self.rank_parts()), MAX_ROWS, total)

    def rank_parts(self) -> Iterator[tuple[Source, Part]]:
        """Yield all that there is to read: what fails, what had errors, and the rest.

        No list is made of it: one of ten thousand for each page has Python's collector go through all that there is
        every few pages, which takes 60 ms (measured).
        """
        failing = self.parts.supervisor.failing
        others = [source for source in self.parts.sources if source not in failing]
        yield from list_parts(failing)
        yield from (pair for pair in list_parts(others) if pair[1].counts.errors)
        yield from (pair for pair in list_parts(others) if not pair[1].counts.errors)

    def describe_part(self, source: Source, part: Part, now: float) -> SourceStatus:
        """Return what is shown of one origin."""
        counts = part.counts
        counted = self.count_source(counts)
        line_rate, byte_rate, error_rate, loss_rate = self.window.read_rates(counts.origin, counted, now)
        return SourceStatus(
            name=part.name,
            state=self.find_state(source, part, has_errors=error_rate > 0),
            failure=self.parts.supervisor.failures.get(source.name, ""),
            lines=counted[0],
            line_rate=line_rate,
            bytes_read=counts.bytes_read,
            byte_rate=byte_rate,
            waiting_bytes=part.waiting_bytes,
            silent_seconds=self.window.find_silence(counts.origin, counted, now),
            connections=counts.connections,
            errors=counts.errors,
            losses=list_losses(counts),
            loss_rate=loss_rate,
        )

    def find_state(self, source: Source, part: Part, *, has_errors: bool) -> SourceState:
        """Return whether a part of a source is there and read, and without errors."""
        supervisor = self.parts.supervisor
        if source in supervisor.failing:
            return SourceState.FAILING
        if has_errors:
            return SourceState.TROUBLED
        if source not in supervisor.reading:
            return SourceState.ENDED
        return SourceState.READ if part.is_there else SourceState.MISSING


def list_parts(sources: Iterable[Source]) -> Iterator[tuple[Source, Part]]:
    """Yield the parts of sources, with the source of each."""
    return ((source, part) for source in sources for part in source.parts)


def count_losses(counts: SourceCounts) -> int:
    """Return how much did not come through whole, of whatever kind."""
    return counts.datagrams_dropped + counts.lines_truncated + counts.connections_refused


def list_losses(counts: SourceCounts) -> tuple[str, ...]:
    """Return what did not come through whole."""
    return tuple(text.format(getattr(counts, name)) for name, text in LOSSES.items() if getattr(counts, name))


def describe_push(task: PushTask, now: float) -> PushStatus:
    """Return what is shown of one destination."""
    counts = task.counts
    return PushStatus(
        counts.destination,
        task.pusher.address,
        counts.pushes,
        counts.failures,
        task.last_series,
        task.failure,
        task.last_time,
        task.last_seconds,
        None if math.isinf(task.due) else max(task.due - now, 0.0),
        counts.rejected,
        counts.spooled_bytes,
        counts.spool_dropped,
        Listing.cut(task.pusher.problems, MAX_PROBLEMS),
    )


def describe_state(keeper: StateKeeper | None) -> StateStatus | None:
    """Return how it is with the state file, None where there is none."""
    if keeper is None:
        return None
    return StateStatus(str(keeper.path), keeper.counts.last_write, keeper.counts.write_failures, keeper.failing)
