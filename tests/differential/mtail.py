"""The real mtail, Debian's package: run once over a program and its logs."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.differential.outcome import MetricOutcome, Outcome, Series, read_metrics

EXAMPLES = Path("/usr/share/doc/mtail/examples")
SECOND = 1_000_000_000
REJECTION = re.compile(r"compile failed for .*?\n(.*)", re.DOTALL)
HISTOGRAM = 5


class MtailError(Exception):
    """mtail ended in a way that says nothing about the program."""


class NoJsonError(MtailError):
    """A value is infinite or not a number, which JSON cannot hold: mtail prints nothing."""


def run_mtail(program: Path, logs: Sequence[Path]) -> tuple[Outcome, Sequence[int]]:
    """Return what mtail makes of it, and the times that it may have been when it did: nanoseconds since 1970.

    They are of different seconds, which `timestamp()` has. The run is repeated until it begins and ends within
    one second of the clock, but for one that takes long.
    """
    while True:
        begin = time.time_ns()
        done = subprocess.run(make_command(program, logs), capture_output=True, text=True, timeout=60, check=False)
        end = time.time_ns()
        if begin // SECOND == end // SECOND or end - begin > SECOND // 2:
            break
    if "json: unsupported value" in done.stderr:
        raise NoJsonError(done.stderr)
    if done.returncode:
        rejection = REJECTION.search(done.stderr)
        if rejection is None:
            raise MtailError(done.stderr)
        return Outcome(rejection=rejection[1]), [begin]
    metrics = read_metrics(done.stdout, range(begin, end + 1))
    times = [begin, *range((begin // SECOND + 1) * SECOND, end + 1, SECOND)]
    return Outcome(metrics, done.stderr.count(": Runtime error: ")), times


def make_command(program: Path, logs: Sequence[Path]) -> list[str]:
    """Port 0, as mtail listens even in one-shot mode."""
    command = ["mtail", "--port", "0", "--one_shot", "--one_shot_format", "json", "--logtostderr"]
    return [*command, "--progs", str(program)] + [argument for log in logs for argument in ("--logs", str(log))]


# --- How the package's mtail differs from the language -----------------------


def follow_language(outcome: Outcome) -> Outcome:
    """Return the outcome as the language has it, where this old mtail is known to do otherwise.

    * A value at or below the lowest edge of a histogram is in no bucket of mtail's; it belongs to the first.
    """
    metrics = {name: tuple(map(place_low_values, family)) for name, family in outcome.metrics.items()}
    return replace(outcome, metrics=metrics)


ACCEPTED_BY_DESIGN = (
    # A pattern may be any operand of `&&` and `||`, not only the first (docs/mtail.md).
    r"syntax error: unexpected DIV, expecting BUILTIN",
)
"""What this mtail says of programs that the language accepts."""


def is_accepted_by_design(rejection: str) -> bool:
    """Whether mtail refuses a program only for what our language allows on purpose."""
    complaints = [line for line in rejection.splitlines() if line.startswith("case.mtail:")]
    return bool(complaints) and all(
        any(re.search(pattern, complaint) for pattern in ACCEPTED_BY_DESIGN) for complaint in complaints
    )


def place_low_values(metric: MetricOutcome) -> MetricOutcome:
    if metric.kind != HISTOGRAM:
        return metric
    return replace(metric, series={labels: place_low_value(series) for labels, series in metric.series.items()})


def place_low_value(series: Series) -> Series:
    """Add to the first bucket what was counted but is in no bucket."""
    assert isinstance(series.value, tuple)
    total, count, counts = series.value
    missing = count - sum(number for _, number in counts)
    first = min((bound for bound, _ in counts), key=float)
    placed = tuple((bound, number + missing if bound == first else number) for bound, number in counts)
    return replace(series, value=(total, count, placed))
