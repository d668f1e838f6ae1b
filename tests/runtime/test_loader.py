"""Programs from files: what is loaded, kept, replaced and let go."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import formats
from pipeline.batch import Batch
from pipeline.errors import SettingError
from pipeline.language import CompileOptions
from pipeline.metrics import Datum, Kind, Metric, Store, ValueType
from pipeline.runtime import Dispatcher, LoadFailure, LoadReport, ProgramGroup, ProgramLoader
from pipeline.telemetry import ProgramCounts, Telemetry

NOW = 1_700_000_000 * 10**9

COUNTER = "counter lines\n/$/ {\n  lines++\n}\n"
FRUIT = "counter fruit by name\n/an (?P<name>apple|pear)/ {\n  fruit[$name]++\n}\n"
BROKEN = COUNTER.replace("}", "  line++\n}")


def make_loader(path: Path) -> ProgramLoader:
    store = Store()
    return ProgramLoader(path, store, Telemetry(store), CompileOptions())


def run_line(loader: ProgramLoader, line: bytes = b"x") -> None:
    for program in loader.programs:
        program.run(Batch.of([line], b"/log"), NOW)


def read_values(loader: ProgramLoader) -> dict[str, list[object]]:
    """Return the values of all programs' metrics, by name and program."""
    return {
        f"{metric.name} {metric.program}": [series.value for series in metric.series]
        for metric in loader.store.snapshot().select_programs().metrics
    }


def test_folder_is_loaded_in_byte_order(tmp_path: Path) -> None:
    """Folders in it, hidden files and files of another name are no programs."""
    for name in ("b.mtail", "a.mtail", "B.mtail", ".hidden.mtail", "readme"):
        (tmp_path / name).write_text(COUNTER)
    (tmp_path / "folder.mtail").mkdir()
    loader = make_loader(tmp_path)
    assert loader.load(NOW) == LoadReport(loaded=["B.mtail", "a.mtail", "b.mtail"])
    assert [program.name for program in loader.programs] == ["B.mtail", "a.mtail", "b.mtail"]
    run_line(loader)
    assert read_values(loader) == {f"lines {name}.mtail": [1] for name in ("B", "a", "b")}


def test_file_is_a_program(tmp_path: Path) -> None:
    """Its neighbours are not loaded."""
    for name in ("a.mtail", "b.mtail"):
        (tmp_path / name).write_text(COUNTER)
    loader = make_loader(tmp_path / "a.mtail")
    assert loader.load(NOW).loaded == ["a.mtail"]
    assert loader.reload(NOW).unchanged == ["a.mtail"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "The programs in {path} cannot be read: no such file or directory."),
        ("none.mtail", "The programs in {path} cannot be read: no such file or directory."),
        ("empty", "There is no program (*.mtail) in {path}."),
        ("readme", "{path} is not a program: its name does not end in .mtail."),
        ("readme/a.mtail", "The programs in {path} cannot be read: not a directory."),
    ],
)
def test_path_without_programs_is_one_sentence(tmp_path: Path, name: str, message: str) -> None:
    """Nothing is started without a program."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "readme").touch()
    with pytest.raises(SettingError) as caught:
        make_loader(tmp_path / name).load(NOW)
    assert str(caught.value) == message.format(path=tmp_path / name)


def test_broken_program_is_reported_and_the_others_run(tmp_path: Path) -> None:
    """With its diagnostics, and a count."""
    (tmp_path / "broken.mtail").write_text(BROKEN)
    (tmp_path / "whole.mtail").write_text(COUNTER)
    loader = make_loader(tmp_path)
    report = loader.load(NOW)
    (failure,) = report.failures
    assert report.loaded == ["whole.mtail"]
    assert failure.name == "broken.mtail"
    assert failure.text == "\n".join(diagnostic.render() for diagnostic in failure.diagnostics)
    assert failure.text.startswith("broken.mtail:4:3: error: ")
    assert loader.telemetry.programs == {
        "broken.mtail": ProgramCounts("broken.mtail", load_errors=1),
        "whole.mtail": ProgramCounts("whole.mtail", running=True, loads=1),
    }


def test_unreadable_program_is_reported(tmp_path: Path) -> None:
    """A link to nothing, here."""
    path = tmp_path / "a.mtail"
    path.symlink_to(tmp_path / "none")
    report = make_loader(tmp_path).load(NOW)
    assert [failure.text for failure in report.failures] == [f"{path} cannot be read: no such file or directory."]


def test_warnings_are_reported(tmp_path: Path) -> None:
    """The program runs all the same."""
    (tmp_path / "a.mtail").write_text("counter c\n/(?P<unused>x)/ {\n  c++\n}\n")
    report = make_loader(tmp_path).load(NOW)
    assert report.loaded == ["a.mtail"]
    assert len(report.warnings) == 1


def test_kinds_that_clash_keep_the_later_program_out(tmp_path: Path) -> None:
    """With all its metrics, and a count."""
    (tmp_path / "a.mtail").write_text(COUNTER)
    (tmp_path / "b.mtail").write_text("counter other\n" + COUNTER.replace("counter", "gauge") + "/y/ {\n  other++\n}\n")
    loader = make_loader(tmp_path)
    report = loader.load(NOW)
    assert [failure.text for failure in report.failures] == [
        "Metric `lines` is a gauge at b.mtail:2:7-11 and a counter at a.mtail:1:9-13;"
        " metrics of one name must be of one kind."
    ]
    assert loader.telemetry.program("b.mtail") == ProgramCounts("b.mtail", load_errors=1)
    assert read_values(loader) == {"lines a.mtail": [0]}


def test_reload_replaces_what_changed_and_keeps_values(tmp_path: Path) -> None:
    """An unchanged program is not touched."""
    (tmp_path / "a.mtail").write_text(COUNTER)
    (tmp_path / "b.mtail").write_text(COUNTER)
    loader = make_loader(tmp_path)
    loader.load(NOW)
    run_line(loader)
    (tmp_path / "a.mtail").write_text(COUNTER.replace("lines++", "lines += 10"))
    assert loader.reload(NOW) == LoadReport(loaded=["a.mtail"], unchanged=["b.mtail"])
    run_line(loader)
    assert read_values(loader) == {"lines a.mtail": [11], "lines b.mtail": [2]}
    assert loader.telemetry.program("a.mtail").loads == 2


def test_reload_that_fails_keeps_the_old_program(tmp_path: Path) -> None:
    """Until the file is good again, which need not be the text it had."""
    path = tmp_path / "a.mtail"
    path.write_text(COUNTER)
    loader = make_loader(tmp_path)
    loader.load(NOW)
    path.write_text(BROKEN)
    assert [failure.name for failure in loader.reload(NOW).failures] == ["a.mtail"]
    run_line(loader)
    assert read_values(loader) == {"lines a.mtail": [1]}
    path.write_text(COUNTER)
    assert loader.reload(NOW).unchanged == ["a.mtail"]


def test_reload_unloads_what_is_gone_and_loads_what_is_new(tmp_path: Path) -> None:
    """The metrics of a program that is gone are gone, and start anew when it comes back."""
    path = tmp_path / "a.mtail"
    path.write_text(COUNTER)
    loader = make_loader(tmp_path)
    loader.load(NOW)
    run_line(loader)
    path.rename(tmp_path / "b.mtail")
    assert loader.reload(NOW) == LoadReport(loaded=["b.mtail"], unloaded=["a.mtail"])
    run_line(loader)
    assert read_values(loader) == {"lines b.mtail": [1]}
    assert loader.telemetry.program("a.mtail") == ProgramCounts("a.mtail", lines=1, loads=1, unloads=1)
    path.write_text(COUNTER)
    loader.reload(NOW)
    run_line(loader)
    assert read_values(loader)["lines a.mtail"] == [1]


def test_metric_that_is_declared_no_more_is_gone(tmp_path: Path) -> None:
    """The others of its program keep their values."""
    path = tmp_path / "a.mtail"
    path.write_text("counter lines\ncounter more\n/$/ {\n  lines++\n  more++\n}\n")
    loader = make_loader(tmp_path)
    loader.load(NOW)
    run_line(loader)
    path.write_text(COUNTER)
    loader.reload(NOW)
    assert read_values(loader) == {"lines a.mtail": [1]}


def test_metric_of_another_kind_starts_anew(tmp_path: Path) -> None:
    """Where no other program has one of its name."""
    path = tmp_path / "a.mtail"
    path.write_text(COUNTER)
    loader = make_loader(tmp_path)
    loader.load(NOW)
    run_line(loader)
    path.write_text(COUNTER.replace("counter", "gauge"))
    assert loader.reload(NOW).loaded == ["a.mtail"]
    run_line(loader)
    run_line(loader)
    assert read_values(loader) == {"lines a.mtail": [2]}


def test_programs_that_change_together_are_judged_together(tmp_path: Path) -> None:
    """Each of them alone would be in conflict with the other's old self."""
    for name in ("a.mtail", "b.mtail"):
        (tmp_path / name).write_text(COUNTER)
    loader = make_loader(tmp_path)
    loader.load(NOW)
    for name in ("a.mtail", "b.mtail"):
        (tmp_path / name).write_text(COUNTER.replace("counter", "gauge"))
    assert loader.reload(NOW) == LoadReport(loaded=["a.mtail", "b.mtail"])


def test_program_with_one_of_our_names_is_loaded(tmp_path: Path) -> None:
    """mtail runs it: its own metrics have other names than ours."""
    (tmp_path / "a.mtail").write_text("gauge process_cpu_seconds_total\n/$/ {\n  process_cpu_seconds_total = 7\n}\n")
    loader = make_loader(tmp_path)
    assert loader.load(NOW) == LoadReport(loaded=["a.mtail"])
    run_line(loader)
    loader.telemetry.collect(NOW)
    assert read_values(loader) == {"process_cpu_seconds_total a.mtail": [7]}


def test_program_gives_a_name_to_another(tmp_path: Path) -> None:
    """The one is gone when the other comes, whichever comes first in the folder."""
    (tmp_path / "b.mtail").write_text(COUNTER)
    loader = make_loader(tmp_path)
    loader.load(NOW)
    (tmp_path / "b.mtail").unlink()
    (tmp_path / "a.mtail").write_text(COUNTER.replace("counter", "gauge"))
    assert loader.reload(NOW) == LoadReport(loaded=["a.mtail"], unloaded=["b.mtail"])


def test_program_in_conflict_with_what_stays_is_refused(tmp_path: Path) -> None:
    """A program whose new self is refused stays, and so another may be in conflict with its old self."""
    (tmp_path / "a.mtail").write_text(COUNTER.replace("lines", "other"))
    (tmp_path / "b.mtail").write_text(COUNTER)
    (tmp_path / "c.mtail").write_text(COUNTER.replace("lines", "third"))
    loader = make_loader(tmp_path)
    loader.load(NOW)
    run_line(loader)
    before = loader.programs
    (tmp_path / "a.mtail").write_text(COUNTER.replace("counter", "gauge"))
    (tmp_path / "b.mtail").write_text(COUNTER.replace("counter", "gauge").replace("lines", "third"))
    report = loader.reload(NOW)
    assert [(failure.name, failure.text.partition(" at ")[0]) for failure in report.failures] == [
        ("b.mtail", "Metric `third` is a gauge"),
        ("a.mtail", "Metric `lines` is a gauge"),
    ]
    assert report.unchanged == ["c.mtail"]
    assert loader.programs == before
    assert read_values(loader) == {"lines b.mtail": [1], "other a.mtail": [1], "third c.mtail": [1]}


def test_lines_are_counted_while_programs_are_compiled(tmp_path: Path) -> None:
    """By the old ones, until all of the new ones take their places at once."""
    for name in ("a.mtail", "b.mtail"):
        (tmp_path / name).write_text(COUNTER)
    loader = make_loader(tmp_path)
    loader.load(NOW)
    for name in ("a.mtail", "b.mtail"):
        (tmp_path / name).write_text(COUNTER.replace("lines++", "lines += 10"))
    changes = loader.find_changes()
    for _ in loader.compile_changes(changes):
        run_line(loader)
    assert read_values(loader) == {"lines a.mtail": [2], "lines b.mtail": [2]}
    loader.swap(changes, NOW)
    run_line(loader)
    assert read_values(loader) == {"lines a.mtail": [12], "lines b.mtail": [12]}


@pytest.mark.parametrize(
    ("report", "summary"),
    [
        (LoadReport(), "0 loaded, 0 unchanged, 0 failed, 0 removed"),
        (
            LoadReport(["a"], ["b", "c"], ["d"], failures=[LoadFailure("old", "")]),
            "1 loaded, 2 unchanged, 1 failed (kept), 1 removed",
        ),
        (LoadReport(failures=[LoadFailure("new", "")]), "0 loaded, 0 unchanged, 1 failed, 0 removed"),
        (
            LoadReport(failures=[LoadFailure("new", ""), LoadFailure("old", "")]),
            "0 loaded, 0 unchanged, 2 failed (1 kept), 0 removed",
        ),
    ],
)
def test_report_is_summed_up(report: LoadReport, summary: str) -> None:
    """Of those that failed it tells how many run on as they were."""
    assert report.summarize({"old"}) == summary


SOME_LINES = st.sampled_from(["an apple", "an pear", "word x", "wörd an apple", "-" * 20_000])


@pytest.mark.slow
@given(st.lists(st.tuples(st.lists(SOME_LINES, min_size=1), st.booleans()), max_size=8))
@settings(max_examples=30, deadline=None)
def test_reload_within_a_trial_of_the_sieve_loses_nothing(steps: list[tuple[list[str], bool]]) -> None:
    """Each line counts once, wherever the programs were put when they were replaced."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "fruit.mtail").write_text(FRUIT)
        (folder / "lines.mtail").write_text(COUNTER)
        loader = make_loader(folder)
        loader.load(NOW)
        dispatcher = Dispatcher(loader.telemetry)
        dispatcher.use(loader.programs)
        for number, (batch, changes) in enumerate(steps):
            if changes:
                (folder / "fruit.mtail").write_text(FRUIT + f"# {number}\n")
                loader.reload(NOW)
                dispatcher.use(loader.programs)
            for group in dispatcher.by_programs.values():
                assert isinstance(group, ProgramGroup)
                group.bytes_to_trial = 0
            dispatcher.dispatch(Batch.of([line.encode() for line in batch], b"/log"), NOW)
        values = read_values(loader)
    lines = [line for batch, _ in steps for line in batch]
    assert sum(int(str(value)) for value in values["fruit fruit.mtail"]) == sum("an " in line for line in lines)
    assert values["lines lines.mtail"] == [len(lines)]


# Values of an earlier run


def make_saved(*programs: str, name: str = "lines") -> list[Metric]:
    """Return counters as they come from a state file."""
    saved = []
    for program in programs:
        metric = Metric(name, kind=Kind.COUNTER, value_type=ValueType.INT, program=program)
        metric.data[()] = Datum((), 40, NOW)
        saved.append(metric)
    return saved


def test_help_and_unit_may_change_without_loss(tmp_path: Path) -> None:
    """Whoever describes a metric better goes on counting: in a reload, and from a state file that knows neither."""
    path = tmp_path / "a.mtail"
    path.write_text(COUNTER)
    loader = make_loader(tmp_path)
    loader.restore(make_saved("a.mtail"))
    loader.load(NOW)
    run_line(loader)
    page = formats.prometheus.Page(formats.PrometheusOptions())
    heads = []
    for declaration in ("lines", 'lines help "All."', 'lines help "All\\n \\"lines\\"." unit "lines"', "lines"):
        path.write_text(COUNTER.replace("counter lines", f"counter {declaration}"))
        loader.reload(NOW)
        (metric,) = loader.store.snapshot().select_programs().metrics
        assert ([series.value for series in metric.series], metric.unit) == ([41], "lines" * ("unit" in declaration))
        deque(page.refresh(loader.store.view().select_programs()), maxlen=0)
        heads.append(b"".join(page.write()).splitlines()[0].decode())
    assert heads == [
        "# HELP lines defined at a.mtail:1:9-13",
        "# HELP lines All.",
        '# HELP lines All\\\\n "lines".',
        "# HELP lines defined at a.mtail:1:9-13",
    ]


def test_exemplars_stay_as_long_as_the_program_gives_some(tmp_path: Path) -> None:
    """A version without them shows none of the version before, and keeps the values."""
    path = tmp_path / "a.mtail"
    loader = make_loader(tmp_path)
    kept = []
    for statement in ("lines++ exemplar $0", "lines += 2 exemplar line = $0", "lines++", "lines++ exemplar $0"):
        path.write_text(COUNTER.replace("/$/", "/.+/").replace("lines++", statement))
        loader.reload(NOW)
        (metric,) = loader.store.snapshot().select_programs().metrics
        kept.append([(one.labels, one.value) for series in metric.exemplars.values() for one in series.values()])
        run_line(loader, b"line %d" % len(kept))
    assert kept == [[], [((("trace_id", "line 1"),), 1.0)], [], []]
    assert read_values(loader) == {"lines a.mtail": [5]}
    (metric,) = loader.store.snapshot().select_programs().metrics
    assert metric.exemplars[()][0].labels == (("trace_id", "line 4"),)


def test_program_goes_on_with_the_values_of_an_earlier_run(tmp_path: Path) -> None:
    """In the place of what `begin` sets; a metric that no program declares is dropped."""
    (tmp_path / "a.mtail").write_text(COUNTER + "begin {\n  lines += 5\n}\n")
    loader = make_loader(tmp_path)
    loader.restore([*make_saved("a.mtail", "gone.mtail"), *make_saved("a.mtail", name="gone")])
    loader.load(NOW)
    run_line(loader)
    assert read_values(loader) == {"lines a.mtail": [41]}
    assert [metric.program for metric in loader.metrics] == ["a.mtail"]


def test_values_wait_for_a_program_that_does_not_load(tmp_path: Path) -> None:
    """They are still there to be saved, and come back when the program is repaired."""
    path = tmp_path / "a.mtail"
    path.write_text(BROKEN)
    loader = make_loader(tmp_path)
    loader.restore(make_saved("a.mtail"))
    for _ in range(2):
        assert [failure.name for failure in loader.reload(NOW).failures] == ["a.mtail"]
        assert [metric.data[()].time for metric in loader.metrics] == [NOW]
    assert read_values(loader) == {}
    path.write_text(COUNTER)
    loader.reload(NOW)
    assert read_values(loader) == {"lines a.mtail": [40]}
    assert len(loader.metrics) == 1


def test_values_do_not_wait_for_a_program_that_is_gone(tmp_path: Path) -> None:
    """If it comes back it starts anew, as after any reload."""
    path = tmp_path / "a.mtail"
    path.write_text(BROKEN)
    loader = make_loader(tmp_path)
    loader.restore(make_saved("a.mtail"))
    loader.load(NOW)
    path.unlink()
    loader.reload(NOW)
    path.write_text(COUNTER)
    loader.reload(NOW)
    assert read_values(loader) == {"lines a.mtail": [0]}


def test_reload_of_a_folder_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    """The programs run on."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "a.mtail").write_text(COUNTER)
    loader = make_loader(folder)
    loader.load(NOW)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(SettingError):
        loader.reload(NOW)
    assert [program.name for program in loader.programs] == ["a.mtail"]


def test_begin_runs_before_the_old_values_come(tmp_path: Path) -> None:
    """At the first load what it sets is there; at a reload the value of the old version wins."""
    path = tmp_path / "a.mtail"
    path.write_text("gauge level\nbegin {\n  level = 5\n}\n/up/ {\n  level += 1\n}\n")
    loader = make_loader(tmp_path)
    loader.load(NOW)
    assert read_values(loader) == {"level a.mtail": [5]}
    run_line(loader, b"up")
    path.write_text(path.read_text() + "\n")
    loader.reload(NOW)
    assert read_values(loader) == {"level a.mtail": [6]}


def test_begin_writes_to_metrics_that_share_a_name(tmp_path: Path) -> None:
    """Two declarations of one exported name are one metric from the start (spec 12.8)."""
    (tmp_path / "a.mtail").write_text(
        'gauge first as "level"\ngauge second as "level"\n'
        "begin {\n  first = 5\n}\n/first/ {\n  first += 1\n}\n/second/ {\n  second += 1\n}\n"
    )
    loader = make_loader(tmp_path)
    loader.load(NOW)
    run_line(loader, b"first")
    run_line(loader, b"second")
    assert read_values(loader) == {"level a.mtail": [7]}


def test_pipe_with_a_program_s_name_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe that nobody writes to does not keep the daemon waiting; the other programs run."""
    os.mkfifo(tmp_path / "a.mtail")
    (tmp_path / "b.mtail").write_text(COUNTER)
    report = make_loader(tmp_path).load(NOW)
    assert report.loaded == ["b.mtail"]
    assert [failure.text for failure in report.failures] == [
        f"{tmp_path / 'a.mtail'} cannot be read: it is not a regular file."
    ]
