"""One pair: an example program of the mtail package with its log, run by us and by mtail in turn.

The runs alternate (A B A B …), so that a machine that slows down slows both. The start of the process is
measured by the same runs over an empty log, and taken off for the net figures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.measure import BenchError, Usage, run_command, take_medians
from tests.generators.examples import EXAMPLE_LOGS
from tests.generators.shapes import LogShape, write_log

EXAMPLES = Path("/usr/share/doc/mtail/examples")
LEAST_NET_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Side:
    """The medians of one program: over the log, and over an empty one."""

    gross: Usage
    start: Usage

    @property
    def net_cpu_seconds(self) -> float:
        # At least a millisecond: the difference of two noisy numbers may come out as nothing.
        return max(self.gross.cpu_seconds - self.start.cpu_seconds, 0.001)


@dataclass(frozen=True, slots=True)
class PairResult:
    """What a pair took. A ratio says how many times our cost mtail has."""

    name: str
    lines: int
    ours: Side
    mtail: Side

    @property
    def gross_ratio(self) -> float:
        return self.mtail.gross.cpu_seconds / self.ours.gross.cpu_seconds

    @property
    def net_ratio(self) -> float:
        return self.mtail.net_cpu_seconds / self.ours.net_cpu_seconds

    @property
    def is_net_meaningful(self) -> bool:
        """Whether the log costs us enough beside the start to be told from its noise.

        Seen: a start of 0.55 s, a run of 0.55 s, and a net ratio of 2672, which made the mean a fiction.
        """
        return self.ours.net_cpu_seconds >= LEAST_NET_SHARE * self.ours.start.cpu_seconds

    @property
    def wall_ratio(self) -> float:
        return self.mtail.gross.wall_seconds / self.ours.gross.wall_seconds

    def as_json(self) -> dict[str, object]:
        ratios = {"gross_ratio": self.gross_ratio, "net_ratio": self.net_ratio, "wall_ratio": self.wall_ratio}
        return asdict(self) | ratios | {"is_net_meaningful": self.is_net_meaningful}


def our_command(program: Path, logs: Sequence[Path]) -> list[str]:
    command = [sys.executable, "-m", "pipeline", "replay", "--progs", str(program), "--format", "prometheus"]
    return command + [argument for log in logs for argument in ("--logs", str(log))]


def mtail_command(program: Path, logs: Sequence[Path]) -> list[str]:
    """Port 0: mtail listens even here. It is spared the logging of runtime errors, one by one, that we limit."""
    command = ["mtail", "--port", "0", "--one_shot", "--one_shot_format", "prometheus", "--logtostderr"]
    command.append("--vm_logs_runtime_errors=false")
    return [*command, "--progs", str(program)] + [argument for log in logs for argument in ("--logs", str(log))]


def list_pairs(names: Sequence[str]) -> Iterator[tuple[Path, tuple[LogShape, ...]]]:
    """Find the programs of the package and their logs; all of them when no name is given."""
    if unknown := set(names) - EXAMPLE_LOGS.keys():
        raise BenchError(f"no such pair: {', '.join(sorted(unknown))} (there are {', '.join(EXAMPLE_LOGS)})")
    for name in names or EXAMPLE_LOGS:
        program = EXAMPLES / f"{name}.mtail"
        if not program.exists():
            raise BenchError(f"{program} is missing: is Debian's package mtail installed with its docs?")
        yield program, EXAMPLE_LOGS[name]


def run_pair(
    program: Path,
    shapes: Sequence[LogShape],
    *,
    folder: Path,
    lines: int,
    runs: int,
    report: Callable[[str], None],
) -> PairResult:
    """Measure one pair. The log is written first, so its pages are in the cache for both."""
    report(f"{program.stem}: writing {lines} lines")
    folder.mkdir()
    empty = [folder / f"empty-{shape.file_name}" for shape in shapes]
    for path in empty:
        path.touch()
    full = [write_log(shape, folder, lines // len(shapes)) for shape in shapes]
    usages: dict[str, list[Usage]] = {key: [] for key in ("our start", "mtail start", "ours", "mtail")}
    commands = {
        "our start": our_command(program, empty),
        "mtail start": mtail_command(program, empty),
        "ours": our_command(program, full),
        "mtail": mtail_command(program, full),
    }
    for number in range(runs):
        for key, command in commands.items():
            report(f"{program.stem}: {key}, run {number + 1} of {runs}")
            usages[key].append(run_command(command))
    for path in full:
        path.unlink()
    medians = {key: take_medians(each) for key, each in usages.items()}
    return PairResult(
        program.stem,
        lines // len(shapes) * len(shapes),
        Side(medians["ours"], medians["our start"]),
        Side(medians["mtail"], medians["mtail start"]),
    )
