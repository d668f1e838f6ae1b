"""The example programs of the mtail package, and those we ship, run by us and by the real mtail on the same logs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

import pytest

from tests.differential.mtail import EXAMPLES, follow_language, run_mtail
from tests.differential.ours import replay
from tests.differential.outcome import Outcome, list_differences
from tests.generators.damage import damage_lines
from tests.generators.examples import EXAMPLE_LOGS, SHIPPED_LOGS
from tests.generators.shapes import LogShape, take_lines

PROGRAMS = Path(__file__).parents[2] / "pipeline" / "programs"
LINES = 3000


def write_damaged_logs(shapes: tuple[LogShape, ...], folder: Path) -> list[Path]:
    """Write the logs of one program, some lines of each damaged."""
    paths = []
    for shape in shapes:
        path = folder / shape.file_name
        lines = damage_lines(take_lines(shape, LINES, seed=7), Random(11))
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
        paths.append(path)
    return paths


def write_foreign_log(name: str, folder: Path) -> Path:
    """Write a log of lines that are meant for other programs, under the name that this one looks for."""
    path = folder / EXAMPLE_LOGS[name][0].file_name
    shapes = [shape for each in EXAMPLE_LOGS.values() for shape in each]
    lines = [line for shape in shapes for line in islice(take_lines(shape, 60, seed=5), 60)]
    Random(3).shuffle(lines)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    return path


def assert_same(program: Path, logs: list[Path]) -> Outcome:
    """Both give the same metrics, labels, values and times; returns what mtail gave."""
    theirs, _ = run_mtail(program, logs)
    ours = replay(program, logs)
    visible = Outcome({metric: family for metric, family in ours.metrics.items() if metric in theirs.metrics})
    hidden = ours.metrics.keys() - visible.metrics.keys()
    assert hidden <= HIDDEN.get(program.stem, frozenset())
    # `replay` does not tell how many lines failed.
    expected = Outcome(follow_language(theirs).metrics)
    assert list_differences(visible, expected) == []
    return theirs


# This mtail keeps what is declared `hidden` out of its JSON; the language puts it in.
HIDDEN = {
    "mysql_slowqueries": frozenset(
        {"user", "host", "query_type", "service", "tmp_query_time", "tmp_lock_time", "partial", "time"}
    ),
    "rsyncd": frozenset({"connection_time"}),
    "vsftpd": frozenset({"direction", "sessions"}),
}


def test_every_example_of_the_package_has_a_log() -> None:
    """A program that a new version of the package brings needs a generator here."""
    assert {path.stem for path in EXAMPLES.glob("*.mtail")} == EXAMPLE_LOGS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLE_LOGS)
def test_example_gives_the_metrics_mtail_gives(name: str, tmp_path: Path) -> None:
    """A log that takes the program through all its branches, damaged lines included."""
    theirs = assert_same(EXAMPLES / f"{name}.mtail", write_damaged_logs(EXAMPLE_LOGS[name], tmp_path))
    counted = [metric for family in theirs.metrics.values() for metric in family]
    assert all(metric.series for metric in counted), "the log leaves a metric of the program untouched"


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLE_LOGS)
def test_example_makes_of_foreign_lines_what_mtail_does(name: str, tmp_path: Path) -> None:
    """Lines meant for all the other programs."""
    assert_same(EXAMPLES / f"{name}.mtail", [write_foreign_log(name, tmp_path)])


def test_every_program_we_ship_has_a_log() -> None:
    """A new program needs a generator here."""
    assert {path.stem for path in PROGRAMS.glob("*.mtail")} == SHIPPED_LOGS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED_LOGS)
def test_shipped_program_gives_the_metrics_mtail_gives(name: str, tmp_path: Path) -> None:
    """Our own programs, on long logs, damaged lines included."""
    assert_same(PROGRAMS / f"{name}.mtail", write_damaged_logs(SHIPPED_LOGS[name], tmp_path))
