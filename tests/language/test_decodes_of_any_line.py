"""Programs that decode, on lines of any bytes: nothing but counted errors, and nothing kept back that matters."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import LineError
from pipeline.language import CompiledProgram, SourceFile, compile_program
from pipeline.metrics import Store
from pipeline.settings import SieveMode
from tests.language.random_records import lines
from tests.sieving import run_sieved

NOW = 1_700_000_000 * 10**9

FIELDS = """\
counter c by x
gauge g
histogram h buckets 0.1, 1, 10
text t
(decode json || decode logfmt) && defined($level) {
  c[$level]++
  g = $status
  h = $seconds
  t = $a.b
  $status >= 500 && $seconds < $status {
    g = $status & 255
  }
  bool($ok) && $msg =~ /(?P<word>err\\w*)/ {
    c[tolower($word)]++ exemplar $level
  }
}
decode csv ";" by level, status {
  c[$level]++
  g += $2
}
decode syslog {
  c[$app]++
  t = $message
  c[$sd.id.level]++
}
decode metlog && defined($fields.status) {
  g = int($fields.status)
  strptime($payload, "2006-01-02")
}
decode json {
  settime($status)
  c[$"0".x]++
}
"""

GUARDED = {
    "name": "decode json && defined($level) {\n  c[$level]++\n}\n",
    "names": "decode json && defined($a.level) && $a.level >= 2 {\n  c[$a.level]++\n}\n",
    "joined names": "decode json && defined($a.level.x) {\n  c[$a.level.x]++\n}\n",
    "value": 'decode json && defined($x) && $x == "error" {\n  c["error"]++\n}\n',
    "values": 'decode json && defined($x) && ("error" == $x || $x == "/api/users") {\n  c[$x]++\n}\n',
    "pattern": 'decode json && defined($x) && $x =~ /error \\d|users/ {\n  c["found"]++\n}\n',
    "number": 'decode json && defined($level) && $level == "404" {\n  c["404"]++\n}\n',
    "true": 'decode json && defined($x) && $x == "true" {\n  c["true"]++\n}\n',
    "line": "decode json && /error/ {\n  c[$level]++\n}\n",
    "logfmt": 'decode logfmt && defined($level) && $x == "error" {\n  c["error"]++\n}\n',
    "csv": 'decode csv && defined($2) && $2 == "error" {\n  c["error"]++\n}\n',
    "syslog": 'decode syslog && defined($app) && $app == "error" {\n  c[$message]++\n}\n',
    "syslog data": 'decode syslog && defined($sd) && $sd =~ /error/ {\n  c["error"]++\n}\n',
    "metlog": 'decode metlog && defined($x) && $type == "error" {\n  c["error"]++\n}\n'.replace("$x", "$type"),
}
"""Each has a guard, but for one: the texts of structured data, as JSON, are none of the line."""


@pytest.fixture(scope="module")
def fields() -> CompiledProgram:
    """The program that does all that can be done with fields: to compile it takes longer than to run it."""
    return compile_program(SourceFile("case.mtail", FIELDS))


@pytest.mark.slow
@given(log=st.lists(lines, min_size=1, max_size=8))
def test_no_line_makes_anything_but_a_counted_error(fields: CompiledProgram, log: list[bytes]) -> None:
    """Not even with all that can be done with fields."""
    errors: list[Exception] = []
    bound = fields.bind(Store().register(fields.metrics), lambda error, _line: errors.append(error))
    bound.process_utf8(log, b"log", NOW)
    bound.process_ascii([line for line in log if line.isascii()], b"log", NOW)
    assert [error for error in errors if not isinstance(error, LineError)] == []


@pytest.mark.parametrize("name", [name for name in GUARDED if name != "syslog data"])
def test_program_has_a_guard(name: str) -> None:
    """So that the next test tests something."""
    assert compile_program(SourceFile("case.mtail", f"counter c by x\n{GUARDED[name]}")).probes


@pytest.mark.slow
@settings(max_examples=150)
@given(st.sampled_from(sorted(GUARDED)), st.lists(lines, min_size=1, max_size=12))
def test_sieve_keeps_back_no_line_with_an_effect(name: str, log: list[bytes]) -> None:
    """However the JSON texts are spelled: a runtime error is an effect, too."""
    source = SourceFile("case.mtail", f"counter c by x\n{GUARDED[name]}")
    run = run_sieved(source, log, origin=b"log", now=NOW, mode=SieveMode.CHECK)
    assert run.counts.sieve_faults == 0


@pytest.mark.parametrize(
    "line",
    [
        rb'{"\u006cevel":"x"}',
        rb'{"x":"\u0065rror"}',
        rb'{"x":"erro\u0072"}',
        rb'{"x":"\/api\/users"}',
        rb'{"x":"/api/\u0075sers"}',
        b'{"level":4.04e2}',
        b'{"level":404.0}',
        b'{"a":{"level":2}}',
        b'{"a.level":2}',
        b'{"a.level":{"x":1}}',
        b'{"a":{"level.x":1}}',
        rb'{"\u0061.l\u0065vel.x":1}',
        b'{"x":true}',
        b'{"level":"\xff"}',
        rb'{"x":"users\ud800"}',
    ],
)
def test_spellings_that_matter_come_through(line: bytes) -> None:
    """Each of these lines has an effect on one of the programs, and has it behind the sieve."""
    effects = 0
    for text in GUARDED.values():
        source = SourceFile("case.mtail", f"counter c by x\n{text}")
        run = run_sieved(source, [line], origin=b"log", now=NOW, mode=SieveMode.CHECK)
        assert run.counts.sieve_faults == 0
        effects += bool(count_series(run.metrics))
    assert effects


@pytest.mark.parametrize("depth", [253, 254, 255, 1000, 1022, 1023, 1030])
def test_deep_fields_have_a_text(depth: int) -> None:
    """Where a text could not be made of a field that is there, a line that the sieve keeps back would fail."""
    line = b'{"x":' + b"[" * depth + b"]" * depth + b',"level":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
    for text in GUARDED.values():
        source = SourceFile("case.mtail", f"counter c by x\n{text}")
        run = run_sieved(source, [line], origin=b"log", now=NOW, mode=SieveMode.CHECK)
        assert run.counts.sieve_faults == 0


def count_series(metrics: tuple[object, ...]) -> int:
    return sum(len(getattr(metric, "data", {})) for metric in metrics)
