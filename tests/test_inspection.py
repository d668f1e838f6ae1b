"""Programs looked at without running them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.explanation import describe_guard, describe_patterns, show_probe
from pipeline.inspection import inspect_programs
from pipeline.language import CompileOptions, Probe, SourceFile, compile_program

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


def describe_guard_of(text: str) -> str:
    return describe_guard(compile_program(SourceFile("p.mtail", text), OPTIONS))


def test_guard_is_a_list_of_texts() -> None:
    """In quotes, as blanks count."""
    assert describe_guard_of("counter c\n/plum|an apple / {\n  c++\n}\n/pear/ {\n  c++\n}\n") == (
        'Lines that matter hold one of:\n    "an apple "\n    "pear"\n    "plum"\n'
    )


def test_guard_may_be_the_beginning_of_a_line() -> None:
    """As an expression."""
    assert describe_guard_of("counter c\n/^\\d+\\/[a-f]{2} \\w/ {\n  c++\n}\n") == (
        "Lines that matter hold one of:\n    /^[0-9]+\\/[a-f]{2,2} [0-9A-Z_a-z]/ at the beginning\n"
    )


def test_effect_on_every_line_is_named() -> None:
    """With its place."""
    assert describe_guard_of("counter c\n/^/ {\n  c++\n}\n") == (
        "Every line may matter: 3:3 has an effect that a line need hold no certain text to reach.\n"
    )


def test_field_that_keeps_the_sieve_away_is_named() -> None:
    """With what to write; a name that is too short to be looked for is not."""
    assert describe_guard_of('counter c\ndecode json {\n  $level == "error" {\n    c++\n  }\n}\n') == (
        "Every line may matter: 3:3 has an effect that a line need hold no certain text to reach.\n"
        "If `$level` is absent there, that is a runtime error. With `defined($level)` behind the `decode`, in the same"
        " condition, it is reached by lines alone that hold this name.\n"
    )
    assert describe_guard_of('counter c\ndecode json && defined($level) && $level == "error" {\n  c++\n}\n') == (
        'Lines that matter hold one of:\n    "\\\\u00"\n    "error"\n'
    )
    assert "absent" not in describe_guard_of('counter c\ndecode json && $x == "error" {\n  c++\n}\n')


def test_program_without_effect_has_no_lines_that_matter() -> None:
    """It is never run."""
    assert describe_guard_of("/apple/ {\n}\n") == "No line matters: the program has no effect.\n"


def test_guard_of_too_many_texts_is_none() -> None:
    """The program runs on every line."""
    blocks = "".join(f"/fruit {number:04}/ {{\n  c++\n}}\n" for number in range(1001))
    assert describe_guard_of("counter c\n" + blocks) == (
        "Every line may matter: there are more texts to look for than are worth it.\n"
    )


@pytest.mark.parametrize(
    ("probe", "shown"),
    [
        (Probe(b'a"b\\'), r'"a\"b\\"'),
        (Probe("ä\t\u200b".encode()), r'"ä\t\u200b"'),
        (Probe(b"\xff."), r'"\\xff."'),
        (Probe(b";\n"), '";" at the end'),
        (Probe(rb"(?:\x61|\x62\x0a)\x2e(?:[\x30-\x39]{1,})(?:(?:\x63\x64){0,1})", is_prefix=True),
         r"/^(?:a|b\x0a)\.[0-9]+(?:cd)?/ at the beginning"),
        (Probe(rb"(?:[\x30-\x39]{1,}){2,3}(?:)\x5b{1}", is_prefix=True), r"/^(?:[0-9]+){2,3}\[/ at the beginning"),
    ],
)  # fmt: skip
def test_probe_is_readable(probe: Probe, shown: str) -> None:
    """As a person would write it."""
    assert show_probe(probe) == shown
