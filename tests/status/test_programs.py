"""What is read of programs, their failures and their metrics."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pipeline.batch import Batch
from pipeline.bindings import Bindings
from pipeline.language import CompileOptions
from pipeline.metrics import Store
from pipeline.own_metrics import OF_LIMITS
from pipeline.runtime import Dispatcher, ProgramLoader
from pipeline.runtime.program import BATCHES_PER_SAMPLE
from pipeline.server import (
    MAX_PROBLEMS,
    MAX_ROWS,
    Listing,
    MetricStatus,
    PatternStatus,
    ProgramDetails,
    ProgramState,
    SeriesStatus,
    UnknownProgram,
)
from pipeline.status.programs import (
    LOSSES,
    MAX_BOUND_SHOWN,
    MAX_COMPARED_CHARACTERS,
    MAX_SERIES_SHOWN,
    NOTES,
    ProgramReader,
    find_near,
)
from pipeline.telemetry import Telemetry

NOW = 1_700_000_000 * 10**9

FRUIT = """counter fruit by name limit 3
text last
/an (?P<name>.+)/ {
  fruit[$name]++
  last = $name
}
"""

TORN = 'counter c\n/äöü (?P<date>.*)/ { strptime($date, "2006")\n  c++\n}\n'


class Machine:
    """Programs in a folder, what runs them, and what reads how they do."""

    def __init__(self, folder: Path, bind: tuple[tuple[str, str], ...] = ()) -> None:
        self.folder = folder
        self.store = Store(max_series=4, max_label_value_bytes=20)
        self.telemetry = Telemetry(self.store)
        self.loader = ProgramLoader(folder, self.store, self.telemetry, CompileOptions(), logs_failures=False)
        self.dispatcher = Dispatcher(self.telemetry)
        self.reader = ProgramReader(self.telemetry, self.loader, Bindings(bind), 0.0)

    def write(self, name: str, text: str) -> None:
        """Write a program."""
        (self.folder / name).write_text(text)

    def reload(self) -> None:
        """Load what there is."""
        self.loader.reload(NOW)
        self.dispatcher.use(self.loader.programs)

    def count(self, *lines: bytes) -> None:
        """Run all programs on lines."""
        self.dispatcher.dispatch(Batch.of(list(lines), b"/log\xff"), NOW)

    def read(self, name: str) -> ProgramDetails:
        """Return what the page of a program shows."""
        details = self.reader.read_details(name, 10.0, NOW)
        assert isinstance(details, ProgramDetails)
        return details


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_program_is_read_with_its_rates(machine: Machine) -> None:
    """Those of lines that came, and of lines that it matched."""
    machine.write("a.mtail", FRUIT)
    machine.reload()
    machine.count(b"an apple", *[b"nothing"] * 9)
    (program,) = machine.reader.read_programs(10.0).rows
    assert program.error_rate == 0
    assert (program.name, program.state, program.lines) == ("a.mtail", ProgramState.RUNNING, 10)
    assert (program.line_rate, program.match_rate) == (1.0, 0.1)
    assert (program.share, program.line_ns, program.runtime_errors) == (None, None, 0)


def test_cost_of_programs_is_known_once_it_was_sampled(machine: Machine) -> None:
    """Their shares are of the time of all."""
    for name in ("a.mtail", "b.mtail"):
        machine.write(name, FRUIT.replace("fruit", name[0]).replace("last", f"last_{name[0]}"))
    machine.reload()
    for _ in range(BATCHES_PER_SAMPLE):
        machine.count(b"an apple")
    rows = machine.reader.read_programs(10.0).rows
    assert sum(program.share or 0 for program in rows) == pytest.approx(1)
    assert all(program.line_ns and program.line_ns > 0 for program in rows)
    machine.write("new.mtail", "/x/ {\n}\n")
    machine.reload()
    new = machine.read("new.mtail").program
    assert (new.share, new.line_ns) == (None, None)


def test_each_state_is_told(machine: Machine) -> None:
    """By what there is of a program, and what runs."""
    for name in ("old.mtail", "gone.mtail", "good.mtail"):
        machine.write(name, FRUIT.replace("fruit", name[:-6]).replace("last", f"last_{name[0:2]}"))
    machine.reload()
    machine.write("old.mtail", "counter x /\n")
    machine.write("bad.mtail", "counter a\n/x/ {\n  b++\n}\n")
    (machine.folder / "gone.mtail").unlink()
    machine.reload()
    programs = machine.reader.read_programs(10.0).rows
    assert {program.name: program.state for program in programs} == {
        "bad.mtail": ProgramState.BROKEN,
        "gone.mtail": ProgramState.GONE,
        "good.mtail": ProgramState.RUNNING,
        "old.mtail": ProgramState.OUTDATED,
    }
    bad, old, gone = machine.read("bad.mtail"), machine.read("old.mtail"), machine.read("gone.mtail")
    assert (bad.text, bad.error_lines, bad.loaded) == ("counter a\n/x/ {\n  b++\n}\n", (1, 3), 0)
    assert old.text.startswith("counter old by name")
    assert (old.loaded, old.error_lines) == (NOW, ())
    assert old.program.load_error.startswith("old.mtail:1:11: error: ")
    assert (gone.text, gone.program.load_error) == ("", "")


def test_program_in_conflict_has_no_text(machine: Machine) -> None:
    """Its own is not at fault."""
    machine.write("a.mtail", FRUIT)
    machine.reload()
    machine.write("b.mtail", "gauge fruit\n/x/ {\n  fruit = 1\n}\n")
    machine.reload()
    details = machine.read("b.mtail")
    assert (details.text, details.program.state) == ("", ProgramState.BROKEN)
    assert "metrics of one name must be of one kind" in details.program.load_error


def test_failure_is_shown_where_it_happened(machine: Machine) -> None:
    """The caret is under it, characters of several bytes before it or not; the line cannot drive a terminal."""
    machine.write("torn.mtail", TORN)
    machine.reload()
    machine.count("äöü \x1b[31mthen".encode() + b"\xff")
    failure = machine.read("torn.mtail").program.last_failure
    assert failure is not None
    assert failure.excerpt == '2 | /äöü (?P<date>.*)/ { strptime($date, "2006")\n  |                      ^'
    assert (failure.line, failure.source, failure.time) == (2, "/log\ufffd", NOW)
    assert failure.log_line == "äöü \ufffd[31mthen\ufffd"
    program = machine.read("torn.mtail").program
    assert (program.runtime_errors, program.error_rate) == (1, 0.1)


def test_metrics_are_read_with_their_newest_series(machine: Machine) -> None:
    """And with what their limits refused."""
    machine.write(
        "a.mtail",
        FRUIT + 'histogram sizes by k buckets 1, 2 help "How large." unit "bytes"\n'
        "hidden gauge half\ncounter wide by w\n"
        "/size (?P<size>\\d+)/ {\n  sizes[$size] = $size\n  half = $size / 2.0\n  wide[$size]++\n}\n",
    )
    machine.reload()
    machine.count(*(b"an %d" % number for number in range(5)), b"an " + b"x" * 30)
    machine.count(*(b"size %d" % number for number in range(1, 7)))
    metrics = {metric.name: metric for metric in machine.read("a.mtail").metrics.rows}
    fruit = metrics["fruit"]
    assert (fruit.kind, fruit.labels, fruit.line, fruit.series, fruit.limit) == ("counter", ("name",), 1, 3, "limit 3")
    assert fruit.notes == ("series that made room for newer ones: 2",)
    assert fruit.losses == ("new series not kept, because a label value is too long: 1",)
    assert fruit.newest.rows[0] == SeriesStatus('name="4"', "1", NOW)
    assert metrics["last"].newest.rows[0].value == '"' + "x" * 20 + '"'
    assert metrics["last"].losses == ("texts cut, because they are too long: 1",)
    assert (metrics["last"].limit, metrics["last"].line) == ("", 2)
    sizes = metrics["sizes"]
    assert (sizes.help_text, sizes.unit, sizes.limit) == ("How large.", "bytes", "4 by --max_series_per_metric")
    assert sizes.losses == ("new series not kept, because there are too many: 2",)
    assert sizes.newest.rows[0] == SeriesStatus('k="4"', "count 1, sum 4", NOW)
    assert (metrics["half"].is_hidden, metrics["half"].newest.rows[0].value) == (True, "3")


def test_every_limit_has_words() -> None:
    """Each is told in one of the two ways."""
    assert {*NOTES, *LOSSES} >= set(OF_LIMITS)
    assert not {*NOTES} & {*LOSSES}


def test_series_are_shown_up_to_a_limit(machine: Machine) -> None:
    """Those that came last."""
    machine.store.max_series = 0
    machine.write("a.mtail", FRUIT.replace(" limit 3", ""))
    machine.reload()
    machine.count(*(b"an %d" % number for number in range(1000)))
    fruit = machine.read("a.mtail").metrics.rows[0]
    assert [series.labels for series in fruit.newest.rows] == [
        f'name="{number}"' for number in range(999, 999 - MAX_SERIES_SHOWN, -1)
    ]
    assert (fruit.newest.more, fruit.limit) == (1000 - MAX_SERIES_SHOWN, "no limit")


def test_patterns_guard_and_warnings_are_those_of_explain(machine: Machine) -> None:
    """In the order of the text."""
    machine.write("a.mtail", FRUIT.replace("(?P<name>.+)", "(?P<name>.+)(?P<unused>x?)"))
    machine.reload()
    details = machine.read("a.mtail")
    (pattern,) = details.patterns.rows
    assert isinstance(pattern, PatternStatus)
    assert (pattern.line, pattern.column, pattern.text) == (3, 1, "an (?P<name>.+)(?P<unused>x?)")
    assert pattern.engine in {"re", "re2"}
    assert details.guard == 'Lines that matter hold one of:\n    "an "\n'
    assert re.match(r"a\.mtail:3:\d+: warning: ", details.warnings.rows[0])


@pytest.mark.slow
def test_more_than_there_is_room_for_is_counted(tmp_path: Path) -> None:
    """Of programs those are shown with which something is wrong."""
    machine = Machine(tmp_path, tuple(("p0000", f"/log{number}") for number in range(MAX_BOUND_SHOWN + 5)))
    for number in range(MAX_ROWS + 3):
        machine.write(f"p{number:04}.mtail", "/x/ {\n}\n")
    machine.write("z.mtail", "counter x /\n")
    declarations = "".join(f"counter c{number}\n" for number in range(MAX_ROWS + 1))
    blocks = "".join(f"/{number}-/ {{\n  c{number}++\n}}\n" for number in range(MAX_ROWS + 1))
    machine.write("p0001.mtail", declarations + blocks)
    machine.reload()
    listing = machine.reader.read_programs(10.0)
    assert (len(listing.rows), listing.more, listing.rows[-1].name) == (MAX_ROWS, 4, "z.mtail")
    assert listing.rows[0].bound_to[-1] == "and 5 more"
    details = machine.read("p0001.mtail")
    assert (len(details.patterns.rows), details.patterns.more) == (MAX_ROWS, 1)
    assert (len(details.metrics.rows), details.metrics.more) == (MAX_ROWS, 1)
    unknown = machine.reader.read_details("zz.mtail", 10.0, NOW)
    assert isinstance(unknown, UnknownProgram)
    assert unknown.others.rows[0] == "z.mtail"
    assert (len(unknown.others.rows), unknown.others.more) == (MAX_PROBLEMS, MAX_ROWS + 4 - MAX_PROBLEMS)


def test_names_that_are_near_are_told_by_their_beginnings() -> None:
    """Whatever is asked for: two long names take a second to compare, and all wait meanwhile."""
    beginning = "a" * MAX_COMPARED_CHARACTERS
    assert find_near(f"{beginning}x", [f"{beginning}y", f"{beginning}z", "b"]) == [f"{beginning}y"]
    assert find_near("sshd.mtial", ["nginx.mtail", "sshd.mtail", "postfix.mtail"])[0] == "sshd.mtail"
    assert find_near("x", []) == []


def test_file_name_that_is_not_utf8_is_found(machine: Machine) -> None:
    """By the name that the system gives it."""
    name = os.fsdecode(b"caf\xe9:1:2.mtail")
    machine.write(name, FRUIT)
    machine.reload()
    machine.count(b"an apple")
    details = machine.read(name)
    assert details.program.name == name
    assert [metric.line for metric in details.metrics.rows] == [1, 2]
    assert isinstance(details.metrics, Listing)
    assert isinstance(details.metrics.rows[0], MetricStatus)
