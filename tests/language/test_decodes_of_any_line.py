"""Programs that decode, on lines of any bytes: nothing but counted errors, and nothing kept back that matters."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import LineError
from pipeline.language import CompiledProgram, SourceFile, compile_program
from pipeline.metrics import Store
from pipeline.settings import SieveMode
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

texts = st.one_of(
    st.sampled_from(
        ["error", "error 7", "/api/users", "users", "404", "true", "level", "er ror", "err\\or", 'err"or', ""]
    ),
    st.text(max_size=6),
)
numbers = st.sampled_from(
    ["404", "404.0", "4.04e2", "0.25", "1e400", "18446744073709551616", "-0", "NaN", "true", "null"]
)


@st.composite
def spell(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A text as JSON, with escapes where none need be."""
    written = ""
    for char in json.dumps(draw(texts), ensure_ascii=draw(st.booleans()))[1:-1]:
        escapes = char.isalnum() and char.isascii() and not written.endswith("\\") and draw(st.integers(0, 4)) == 0
        solidus = char == "/" and draw(st.booleans())
        written += f"\\u{ord(char):04x}" if escapes else "\\/" if solidus else char
    return f'"{written}"'


names = spell(st.sampled_from(["level", "x", "a", "status", "a.level", "level.x", "type", "app"]))
values = st.one_of(spell(texts), numbers)


def extend(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(names, values), max_size=4)
    tables = st.builds(
        lambda items, gap: "{" + f",{gap}".join(f"{key}:{gap}{value}" for key, value in items) + "}",
        pairs,
        st.sampled_from(["", " "]),
    )
    return st.one_of(tables, st.lists(values, max_size=3).map(lambda items: f"[{','.join(items)}]"))


pairs = st.builds(
    "{{{}:{}}}".format, spell(st.sampled_from(["level", "x"])), spell(st.sampled_from(["error", "users"]))
)
records = st.one_of(pairs, extend(values), extend(st.recursive(values, extend, max_leaves=6)))
other_lines = st.sampled_from(
    [
        "level=error x=error a",
        'level="\\x65rror" x="err\\or"',
        'a,error,"error"',
        '<34>1 2003-10-11T22:14:15Z host error 7 - [id level="err\\"or"] error',
        "<34>Oct 11 22:14:15 host error[7]: text",
        "<34>error",
        "a;5",
    ]
)
lines = st.one_of(
    st.one_of(records, other_lines).map(str.encode),
    st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")),
    st.tuples(st.one_of(records, other_lines).map(str.encode), st.integers(0, 60), st.binary(max_size=2)).map(
        lambda parts: (parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :]).replace(b"\n", b"")
    ),
)


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
