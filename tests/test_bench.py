"""The benchmark's arithmetic, its tables and its logs; nothing here measures."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from pipeline.language import SourceFile, compile_program
from pipeline.metrics import HistogramDatum, Store
from tests.bench.contenders import MTAIL, Mtail, Ours
from tests.bench.measure import BenchError, Usage, read_cpu_seconds, run_command
from tests.bench.paced_writer import split_chunks
from tests.bench.pairs import Side, find_ratio
from tests.bench.plan import Comparison
from tests.bench.program_sets import copy_five, copy_twenty, copy_twenty_one
from tests.bench.report import Table, spell_section
from tests.bench.summary import Target, sum_up
from tests.bench.waits import WaitingChunks, count_buckets
from tests.generators.mixed_stream import SHARES, follow_mixed
from tests.generators.strewing import strew_lines

NOW = 1_771_680_000_000_000_000
SETS = {"5 programs": copy_five, "20 programs": copy_twenty, "20 and syslog_lines": copy_twenty_one}


class WatchedProgram:
    """A program of which one sees what each line changes."""

    def __init__(self, path: Path) -> None:
        program = compile_program(SourceFile(path.name, path.read_text(encoding="utf-8")))
        self.metrics = list(Store().register(program.metrics))
        self.bound = program.bind(self.metrics, lambda error, line: None)
        self.values = self.read_values()

    def read_values(self) -> list[tuple[object, ...]]:
        series = (series for metric in self.metrics for series in metric.data.values())
        return [(each.labels, each.count if isinstance(each, HistogramDatum) else each.value) for each in series]

    def changes_by(self, line: bytes) -> bool:
        before = self.values
        self.bound.process_utf8([line], b"/var/log/syslog", NOW)
        self.values = self.read_values()
        return self.values != before


def make_side(gross: float, start: float, deviation: float = 0.0) -> Side:
    return Side(Usage(gross, gross), Usage(start, start), deviation)


def test_ratio_is_net_of_the_start() -> None:
    """A second's start of ours is no part of what a line costs."""
    assert find_ratio(make_side(3.0, 1.0), make_side(8.5, 0.5)) == 4.0


@pytest.mark.parametrize("deviation", [0.0, 0.03], ids=["small share", "noisy start"])
def test_ratio_of_noise_is_none(deviation: float) -> None:
    """A net of nearly nothing would make any ratio."""
    gross = 1.05 if deviation == 0 else 1.14
    assert find_ratio(make_side(gross, 1.0, deviation), make_side(8.5, 0.5)) is None


def test_noise_is_in_no_mean() -> None:
    """It is counted beside it."""
    ratios = (2.0, None, 8.0)
    spread = sum_up(Comparison("dense", "p", "mtail", ratio) for ratio in ratios)
    assert spread is not None
    assert spread.mean == pytest.approx(4.0)
    assert (spread.least, spread.pairs, spread.untold) == (2.0, 2, 1)


def test_nothing_told_has_no_mean() -> None:
    """Nor is it an error."""
    assert sum_up([Comparison("dense", "p", "mtail", None)]) is None


@pytest.mark.parametrize(
    ("target", "cells"),
    [
        (Target("a", 3.0, 3, "×"), ("a", "≥ 3×", "3.00×", "met")),
        (Target("a", 2.9, 3, "×"), ("a", "≥ 3×", "2.90×", "missed")),
        (Target("a", 79.0, 80, " MB", is_lower_bound=False), ("a", "< 80 MB", "79.00 MB", "met")),
        (Target("a", 80.0, 80, " MB", is_lower_bound=False), ("a", "< 80 MB", "80.00 MB", "missed")),
        (Target("a", None, 3, "×"), ("a", "≥ 3×", "-", "not measured")),
    ],
)
def test_target_says_whether_it_is_met(target: Target, cells: tuple[str, ...]) -> None:
    """Each kind of bound."""
    assert target.spell() == cells


def test_wait_begins_when_the_chunk_is_due() -> None:
    """Read out of step with the chunks: a chunk waits until its last byte is read."""
    chunks = WaitingChunks()
    chunks.add(100, 1.0)
    chunks.add(200, 2.0)
    chunks.note_read(99, 2.5)
    assert chunks.waits == []
    chunks.note_read(150, 3.0)
    chunks.note_read(200, 4.0)
    assert chunks.waits == [2.0, 2.0]


def test_waits_fall_into_buckets_with_their_bound() -> None:
    """The bounds are in milliseconds: 1, 2, 5, 10, 20, 50, 100, 200."""
    assert count_buckets([0.0, 0.001, 0.0011, 0.05, 0.2, 0.201]) == [2, 1, 0, 0, 0, 1, 0, 1, 1]


def test_chunks_are_whole_lines() -> None:
    """The last one may be short."""
    assert split_chunks(b"a\nb\nc\n", 2) == [b"a\nb\n", b"c\n"]


def test_table_becomes_markdown() -> None:
    """Names to the left, figures to the right."""
    table = Table("Dense", "a log.", ("program", "µs"), rows=[("rsyncd", "0.5")])
    assert table.as_markdown() == "### Dense\n\nA log.\n\n| program | µs |\n| --- | --: |\n| rsyncd | 0.5 |\n"


def test_page_shows_a_shared_legend_once() -> None:
    """And the summary before all other tables."""
    tables = [Table(title, "a log.", ("program",), legend) for title, legend in (("Dense", "L"), ("Sparse", "L"))]
    page = spell_section([*tables, Table("Summary", "ratios.", ("group",))], {"CPU": "x"}, "A run.")
    assert page.startswith("## Results\n\nA run.\n\n| | |\n|---|---|\n| CPU | x |\n\n### Summary\n")
    assert page.count("\nL\n") == 1


def test_strewn_log_has_one_wanted_line_in_each_group() -> None:
    """And both kinds in their order."""
    noise = [f"noise {number}\n".encode() for number in range(27)]
    wanted = [f"wanted {number}\n".encode() for number in range(9)]
    groups = list(strew_lines(wanted, noise, groups=3, one_in=10))
    assert [len(group) for group in groups] == [10, 10, 10]
    lines = list(itertools.chain(*groups))
    assert [line for line in lines if line in wanted] == wanted[:3]
    assert [line for line in lines if line in noise] == noise


def test_mixed_stream_keeps_its_shares() -> None:
    """To a percent of all lines."""
    count = 20_000
    lines = itertools.islice(follow_mixed(Random(1)), count)
    tags = Counter(line.split()[4].rstrip(":").partition("[")[0].partition("/")[0].lower() for line in lines)
    known = {name: share for name, (share, _) in SHARES.items() if name != "others"}
    assert sum(known.values()) + SHARES["others"][0] == 100
    assert {name: round(tags[name] / count * 100) for name in known} == pytest.approx(known, abs=1)


def test_cpu_clock_of_a_process_is_found() -> None:
    """By its id alone; here our own, which Python reads by another name."""
    before = time.process_time()
    clock = read_cpu_seconds(os.getpid())
    assert before <= clock <= time.process_time()


def test_command_that_fails_says_why() -> None:
    """In one sentence, with its last words."""
    with pytest.raises(BenchError) as caught:
        run_command([sys.executable, "-c", "import sys; sys.exit('one\\ntwo')"])
    assert str(caught.value).startswith("Exit status 1 of ")
    assert str(caught.value).endswith(", which said: two")


def test_missing_command_is_named() -> None:
    """On a machine without it, too."""
    with pytest.raises(BenchError) as caught:
        run_command(["no-such-command"])
    assert str(caught.value) == "The command no-such-command is not installed."


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_programs_of_a_set_load_together(name: str, tmp_path: Path) -> None:
    """Here and in mtail, without a conflict between their metrics."""
    programs, log = SETS[name](tmp_path / "programs"), tmp_path / "log"
    log.touch()
    for contender in (Ours(), Mtail(MTAIL, "mtail")):
        run_command(contender.replay(programs, [log]))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "percent"), [("5 programs", 44), ("20 programs", 57)])
def test_share_of_lines_that_matter_is_as_the_tables_say(name: str, percent: int, tmp_path: Path) -> None:
    """A line matters when a metric of some program has another value after it."""
    programs = [WatchedProgram(path) for path in SETS[name](tmp_path / "programs").iterdir()]
    lines = [line.encode() for line in itertools.islice(follow_mixed(Random(1)), 1500)]
    mattering = sum(max([program.changes_by(line) for program in programs]) for line in lines)
    assert mattering / len(lines) * 100 == pytest.approx(percent, abs=3)
