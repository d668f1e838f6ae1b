"""Programs looked at without running them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.inspection import describe_patterns, inspect_programs
from pipeline.language import CompileOptions, SourceFile, compile_program

OPTIONS = CompileOptions()


def test_file_may_have_any_name(tmp_path: Path) -> None:
    """It was named, so it is meant."""
    (tmp_path / "p.txt").write_text("counter c\nc++\n")
    (found,) = inspect_programs(tmp_path / "p.txt", OPTIONS)
    assert found.compiled is not None
    assert found.diagnostics == ()


def test_diagnostics_name_the_path_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor can jump there."""
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    Path("d/a.mtail").write_text("counter c\nc++\nd++\n")
    Path("d/b.mtail").write_text("counter c\nc++\n")
    broken, good = inspect_programs(Path("d"), OPTIONS)
    assert broken.compiled is None
    assert broken.diagnostics[0].render().startswith("d/a.mtail:3:1: error: ")
    assert good.compiled is not None


def test_metrics_that_cannot_live_together_are_found(tmp_path: Path) -> None:
    """Each program alone would load."""
    (tmp_path / "a.mtail").write_text("counter c\nc++\n")
    (tmp_path / "b.mtail").write_text("gauge c\nc = 1\n")
    first, second = inspect_programs(tmp_path, OPTIONS)
    assert first.conflict == ""
    assert second.compiled is None
    assert second.conflict == (
        f"Metric `c` is a gauge at {tmp_path}/b.mtail:1:7 and a counter at {tmp_path}/a.mtail:1:9;"
        " metrics of one name must be of one kind."
    )


def test_folder_without_programs_is_refused(tmp_path: Path) -> None:
    """Nothing checked is nothing found."""
    with pytest.raises(SettingError) as caught:
        list(inspect_programs(tmp_path, OPTIONS))
    assert str(caught.value) == f"There is no program (*.mtail) in {tmp_path}."


def test_program_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A link to nowhere stands in for one."""
    (tmp_path / "a.mtail").symlink_to(tmp_path / "missing")
    with pytest.raises(SettingError) as caught:
        list(inspect_programs(tmp_path, OPTIONS))
    assert str(caught.value) == f"The program {tmp_path}/a.mtail cannot be read: no such file or directory."


def test_patterns_are_described_in_order(tmp_path: Path) -> None:
    """With place, text, engine and reason."""
    compiled = compile_program(
        SourceFile("p.mtail", "counter c\n/^a/ {\n  c++\n}\n/b(\\d+)/ {\n  c += $1\n}\n"), OPTIONS
    )
    text = describe_patterns(compiled)
    assert re.fullmatch(r"2:1  /\^a/\n    engine \w+: .+\n\n5:1  /b\(\\d\+\)/\n    engine \w+: .+\n", text)


def test_program_without_patterns_says_so() -> None:
    """An empty list would leave one wondering."""
    compiled = compile_program(SourceFile("p.mtail", "counter c\nc++\n"), OPTIONS)
    assert describe_patterns(compiled) == "It has no pattern.\n"
