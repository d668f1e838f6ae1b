"""What the status pages show: values only, read at one moment. Rates are those of the last minute, a second each.

Lists come from strangers or grow with a machine, so each is a `Listing` with a limit. What the router has to show
stands in `message_status`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pipeline.server.message_status import MessageStatus
from pipeline.server.status_values import Listing, Mark


class ProgramState(Enum):
    """Whether a program gets lines, in words."""

    RUNNING = "running"
    OUTDATED = "running, the last change does not load"
    BROKEN = "does not load"
    GONE = "unloaded, its file is gone"

    @property
    def mark(self) -> Mark:
        match self:
            case ProgramState.RUNNING:
                return Mark.GOOD
            case ProgramState.GONE:
                return Mark.NEITHER
            case _:
                return Mark.BAD


class SourceState(Enum):
    """Whether a source is read, in words."""

    READ = "read"
    FAILING = "failing"
    TROUBLED = "has errors"
    """In the last minute. A file that may not be read has, and is tried again all the time."""
    MISSING = "not there"
    """A file that is yet to come, has gone, or is misspelled."""
    ENDED = "not read"
    """Standard input has ended, or the daemon has yet to begin, or ends."""

    @property
    def mark(self) -> Mark:
        match self:
            case SourceState.READ:
                return Mark.GOOD
            case SourceState.MISSING | SourceState.ENDED:
                return Mark.NEITHER
            case _:
                return Mark.BAD


@dataclass(frozen=True, slots=True)
class FailureStatus:
    """The last failure of a program on a line."""

    program: str
    message: str
    line: int
    column: int
    excerpt: str
    """The place in the program, with a caret under it."""
    source: str
    log_line: str
    """Its beginning."""
    time: int
    """In ns since 1970, as are all times here; 0 is never."""


@dataclass(frozen=True, slots=True)
class ProgramStatus:
    """One program that was ever tried; `load_error` is why its present text does not load."""

    name: str
    state: ProgramState
    load_error: str = ""
    lines: int = 0
    line_rate: float = 0.0
    match_rate: float = 0.0
    share: float | None = None
    """Of the time of all programs; None where nothing was measured yet."""
    line_ns: float | None = None
    """What a line takes it in the mean."""
    is_sieved: bool = False
    runtime_errors: int = 0
    error_rate: float = 0.0
    last_failure: FailureStatus | None = None
    bound_to: tuple[str, ...] = ()
    """The sources it is bound to; none if it sees all."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source, and what came from it."""

    name: str
    state: SourceState = SourceState.READ
    failure: str = ""
    """Why it is to be opened again, if it is."""
    lines: int = 0
    line_rate: float = 0.0
    bytes_read: int = 0
    byte_rate: float = 0.0
    waiting_bytes: int | None = None
    """What is there and not read yet; None where nobody knows."""
    silent_seconds: float | None = None
    """How long no line came, to some seconds; None if none ever did."""
    connections: int = 0
    """How many are open."""
    errors: int = 0
    losses: tuple[str, ...] = ()
    """What did not come through whole, in words."""
    loss_rate: float = 0.0
    """Of that, whatever it is."""


@dataclass(frozen=True, slots=True)
class PushStatus:
    """One destination that metrics are pushed to, and how that goes."""

    destination: str
    address: str
    pushes: int = 0
    failures: int = 0
    series: int = 0
    """How many the last push that went well wrote."""
    failure: str = ""
    """Why the last push failed, if it did."""
    time: int = 0
    """When the last push ended, well or not."""
    seconds: float = 0.0
    """What it took."""
    next_seconds: float | None = None
    """When the next one begins, from now on; None if there is none."""
    rejected: int = 0
    spooled_bytes: int = 0
    spool_dropped: int = 0
    problems: Listing[str] = Listing()
    """What the last push could not tell as it is."""

    @property
    def mark(self) -> Mark:
        if not self.pushes:
            return Mark.NEITHER
        return Mark.BAD if self.failure else Mark.GOOD

    @property
    def state(self) -> str:
        return {Mark.GOOD: "works", Mark.BAD: "failed", Mark.NEITHER: "not yet pushed"}[self.mark]


@dataclass(frozen=True, slots=True)
class StateStatus:
    """The state file."""

    path: str
    last_write: int
    write_failures: int
    is_failing: bool


@dataclass(frozen=True, slots=True)
class ReloadStatus:
    """How the programs were loaded the last time, and when."""

    time: int = 0
    is_successful: bool = True
    failure: str = ""
    """Why nothing was loaded at all."""
    reloads: int = 0


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """The daemon itself."""

    host: str = ""
    programs_path: str = ""
    """Where programs are looked for."""
    started: int = 0
    now: int = 0
    lines: int = 0
    line_rate: float = 0.0
    rate_seconds: float = 0.0
    """What the rates are of: a minute, or less after the start."""
    programs: int = 0
    running_programs: int = 0
    series: int = 0
    resident_bytes: int | None = None
    cpu_seconds: float = 0.0
    reload: ReloadStatus = ReloadStatus()
    state: StateStatus | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What the first page shows."""

    daemon: DaemonStatus = DaemonStatus()
    programs: Listing[ProgramStatus] = Listing()
    sources: Listing[SourceStatus] = Listing()
    pushes: tuple[PushStatus, ...] = ()
    messages: MessageStatus | None = None
    """None where there is no router."""


@dataclass(frozen=True, slots=True)
class PatternStatus:
    """How one pattern of a program is searched."""

    line: int
    column: int
    text: str
    engine: str
    reason: str
    ns: float | None = None
    """What it takes for each line, on average; None where it was not searched in the lines that were tried."""
    searched: float | None = None
    """The share of lines that it is searched in."""
    found: float | None = None
    """And that it is found in."""


@dataclass(frozen=True, slots=True)
class SeriesStatus:
    """One series: its labels and its value as text."""

    labels: str
    value: str
    time: int


@dataclass(frozen=True, slots=True)
class MetricStatus:
    """One metric of a program, with some of its series, the newest first."""

    name: str
    kind: str
    labels: tuple[str, ...]
    line: int
    """Where it is declared."""
    help_text: str = ""
    unit: str = ""
    is_hidden: bool = False
    series: int = 0
    limit: str = ""
    notes: tuple[str, ...] = ()
    """What its limits did as the program wants it, in words."""
    losses: tuple[str, ...] = ()
    """What they have kept out."""
    newest: Listing[SeriesStatus] = Listing()


@dataclass(frozen=True, slots=True)
class ProgramDetails:
    """What the page of a program shows."""

    program: ProgramStatus
    now: int
    loaded: int = 0
    """When the version that runs was loaded."""
    warnings: Listing[str] = Listing()
    text: str = ""
    """Of the version that runs, or else of the one that does not load."""
    error_lines: tuple[int, ...] = ()
    """Those of the lines that keep it from loading."""
    patterns: Listing[PatternStatus] = Listing()
    lines_tried: int = 0
    """On how many lines the patterns were tried, to find out what they cost."""
    guard: str = ""
    """What a line must hold to matter."""
    metrics: Listing[MetricStatus] = Listing()


@dataclass(frozen=True, slots=True)
class UnknownProgram:
    """The answer about a program that there is not."""

    others: Listing[str] = Listing()
    """Those that there are, the nearest names first."""
