"""What a line must hold for a program to matter."""

from __future__ import annotations

import re

import pytest

from pipeline.language import SourceFile, compile_program
from pipeline.language.guards import MAX_EXPANSIONS

DECLARATIONS = {"c": "counter c\n", "d": "counter d by x\n", "g": "gauge g\n", "t": "text t\n"}


def find_probes(text: str) -> set[str] | None:
    """Return the probes of a program, those for the beginning of a line after a `^`; None if any line may matter."""
    lines = text.replace("{ ", "{\n").replace(" }", "\n}\n")
    used = "".join(declaration for name, declaration in DECLARATIONS.items() if re.search(rf"(?<!\\)\b{name}\b", lines))
    compiled = compile_program(SourceFile("case.mtail", f"{used}{lines}\n"))
    if compiled.probes is None:
        assert compiled.guard.span is not None
        assert compiled.generated_sieved is None
        return None
    return {("^" if probe.is_prefix else "") + probe.text.decode() for probe in compiled.probes}


@pytest.mark.parametrize(
    ("text", "probes"),
    [
        ("/apple/ { c++ }", {"apple"}),
        ("/apple|pear/ { c++ }", {"apple", "pear"}),
        ("/apple/ { c++ }\n/pear/ { c++ }", {"apple", "pear"}),
        ("/apple(?P<x>.*)/ { c++ exemplar $x }\n/(?P<x>.*)pear/ { c += 2 exemplar $x }", {"apple", "pear"}),
        ("c++ exemplar 5", None),
        ("/apple/ && /pears/ { c++ }", {"pears"}),
        ("/apple/ || /pears/ { c++ }", {"apple", "pears"}),
        ("/apple/ { /pears/ { c++ } }", {"pears"}),
        ("/apple/ { /pea/ { c++ } }", {"apple"}),
        ("/apple/ { /pears/ { c++ } c++ }", {"apple"}),
        ("/apple/ { } else { /pears/ { c++ } }", {"pears"}),
        ('/fruit (?P<x>\\S+)/ { $x == "apple" { c++ } }', {"apple"}),
        ('/fruit (?P<x>\\S+)/ { "apple" == $x { c++ } }', {"apple"}),
        ('/fruit (?P<x>\\S+)/ { $x != "apple" { c++ } }', {"fruit "}),
        ('/fruit (?P<x>\\S+)/ { tolower($x) == "apple" { c++ } }', {"fruit "}),
        ("/fruit (?P<x>.*)/ { $x =~ /apple/ { c++ } }", {"apple"}),
        ("/fruit (?P<x>.*)/ { $x !~ /apple/ { c++ } }", {"fruit "}),
        ("/fruit (?P<x>.*)/ { $x =~ /^(?P<y>.*) / { $y =~ /apple/ { c++ } } }", {"apple"}),
        ("/fruit (?P<x>.*)/ { tolower($x) =~ /apple/ { c++ } }", {"fruit "}),
        ('/(?P<x>.*)/ { strptime($x, "2006")\n/apple/ { c++ } }', {"apple"}),
        ("/fruit (?P<x>\\d+)/ { settime($x)\n/apple/ { c++ } }", {"fruit "}),
        ('getfilename() == "/log" { /apple/ { c++ } }', {"apple"}),
        ("getfilename() =~ /log/ { /apple/ { c++ } }", {"apple"}),
        ("/fruit (?P<x>\\S+)/ { len($x) > 3 { /apple/ { c++ } } }", {"apple"}),
        ("/fruit (?P<x>\\d+)/ { $x > 3 { /apple/ { c++ } } }", {"fruit "}),
        ("/fruit (?P<x>\\S+)/ { int($x) > 3 { /apple/ { c++ } } }", {"fruit "}),
        ("/apple/ { stop }\n/pears/ { c++ }", {"pears"}),
        ("/apple (?P<x>\\S+)/ { del d[$x] }", {"apple "}),
        ("def fruit { /apple (?P<x>.*)/ { next } }\n@fruit { $x =~ /pears/ { c++ } }", {"pears"}),
        ("def fruit { /apple/ { next } }\n@fruit { c++ }", {"apple"}),
        ("g > 1 { /apple/ { c++ } }", {"apple"}),
        ("settime(g)\n/apple/ { c++ }", {"apple"}),
        ("/apple/ { g > 1 { /pears/ { c++ } } }", {"apple"}),
        ("/.*;$/ { c++ }", {";\n"}),
        ("/.*;$/ && g > 1 { c++ }", {";\n"}),
        ("/ (a b)$/ { c++ }", {" a b"}),
        ("/^\\d+ \\d/ { c++ }", {r"^(?:[\x30-\x39]{1,})\x20[\x30-\x39]"}),
        ("/^apple/ { c++ }", {r"^(?:\x61\x70\x70\x6c\x65)"}),
        ("/^(apple|pear)s/ { c++ }", {r"^(?:(?:\x61\x70\x70\x6c\x65)|(?:\x70\x65\x61\x72))\x73"}),
        ("/^\\d+ \\d/ { /apple/ { c++ } }", {"apple"}),
    ],
)
def test_probes(text: str, probes: set[str] | None) -> None:
    """Of two conditions that must hold, the one that says more, and else the inner one."""
    assert find_probes(text) == probes


@pytest.mark.parametrize(
    "text",
    [
        "/$/ { c++ }",
        "/ab/ { c++ }",
        "/a b/ { } else { c++ }",
        "/apple/ { c++ }\notherwise { c++ }",
        "c++",
        "g = 1",
        "d[getfilename()] > 1 { /apple/ { c++ } }",
        '(getfilename() == "a") == (getfilename() == "b") { /apple/ { c++ } }',
        "settime(t)\n/apple/ { c++ }",
        "/(?P<x>\\S+) (\\d+)/ { c++ }",
        "/ap\\x{fffd}le/ { c++ }",
        "/apple\\x00pear/ { c++ }",
    ],
)
def test_program_that_any_line_may_concern(text: str) -> None:
    """What reads a series may create it, and so has an effect too."""
    assert find_probes(text) is None


U = "\\u00"
"""What stands in a JSON text where a printable ASCII character is escaped."""


@pytest.mark.parametrize(
    ("text", "probes"),
    [
        ("/apple/ && decode json { c++ }", {"apple"}),
        ('/apple/ && decode json { $x == "pears" { c++ } }', {"apple"}),
        ("/apple/ { decode json { d[$x]++ } }", {"apple"}),
        ("decode json { /apple/ { c++ } }", {"apple"}),
        ("decode json && defined($level) { c++ }", {"level", U}),
        ("decode json && defined($level) { d[$level]++ }", {"level", U}),
        ("decode json { defined($level) { d[$level]++ } }", {"level", U}),
        ("decode json && defined($status) && $status >= 500 { c++ }", {"status", U}),
        ("decode json && defined($a.user) { c++ }", {"user", U}),
        ('decode json && defined($"user-agent") { c++ }', {"user-agent", U}),
        ('decode json && defined($"a/name") { c++ }', {"name", U}),
        ('decode json && defined($x) && $x == "apple" { c++ }', {"apple", U}),
        ('decode json && defined($x) && ("apple" == $x || $x == "pears") { c++ }', {"apple", "pears", U}),
        ('decode json && defined($x) { $x == "apple" { c++ } }', {"apple", U}),
        ('decode json && defined($level) && $level != "apple" { c++ }', {"level", U}),
        ('decode json && defined($path) && $path == "/api/users" { c++ }', {"users", U}),
        ('decode json && defined($status) && $status == "404" { c++ }', {"status", U}),
        ('decode json && defined($status) && $status == "4e4" { c++ }', {"status", U}),
        ("decode json && defined($x) && $x =~ /apple \\d/ { c++ }", {"apple ", U}),
        ("decode json && defined($x) && $x =~ /apple|pears/ { c++ }", {"apple", "pears", U}),
        ("decode json && defined($level) && $level =~ /apple|50\\d/ { c++ }", {"level", U}),
        ("decode json { defined($x) && /apple/ { c++ } }", {"apple"}),
        ("decode logfmt && defined($level) { c++ }", {"level"}),
        ('decode logfmt && defined($level) && $level == "apple" { c++ }', {"level"}),
        ('decode csv by a, b && defined($b) && $b == "apple" { c++ }', {"apple"}),
        ('decode syslog && defined($app) && $app == "sshd" { c++ }', {"sshd"}),
        ('decode metlog && defined($type) && $type == "counter" { c++ }', {"counter", U}),
        ('decode metlog { $type == "counter" { d[$payload]++ } }', {"counter", U}),
        ('decode metlog && "shop" == $logger { c++ }', {"shop", U}),
        ('decode metlog && $payload == "apple" { c++ }', {"apple", U}),
        ('decode metlog && $type == "counter" && $severity < 4 { c++ }', {"counter", U}),
        ("/body: (?P<body>.*)/ && decode json from $body { c++ }", {"body: "}),
        ("def e { decode json && defined($level) { next } }\n@e { c++ }", {"level", U}),
    ],
)
def test_probes_of_fields(text: str, probes: set[str] | None) -> None:
    """A text of a JSON text may be spelled with escapes, and a number in many ways."""
    assert find_probes(text) == probes


@pytest.mark.parametrize(
    "text",
    [
        "decode json { c++ }",
        'decode json { $x == "apple" { c++ } }',
        'decode json && $x == "apple" { c++ }',
        'decode json && $type == "counter" { c++ }',
        'decode metlog && $logger == "" { c++ }',
        'decode metlog && $fields.name == "apple" { c++ }',
        'decode metlog && $type.name == "apple" { c++ }',
        'decode metlog && $timestamp == "2026-11-22" { c++ }',
        'decode metlog || decode json { $type == "counter" { c++ } }',
        "decode json && $x =~ /apple/ { c++ }",
        'decode json && ($x == "apple" || defined($x)) { c++ }',
        "decode json { } else { c++ }",
        "decode json { defined($level) { } else { c++ } }",
        "decode json || decode logfmt { defined($level) { c++ } }",
        'decode json && defined($"0") { c++ }',
        "decode json && defined($id) { c++ }",
        'decode json && defined($a) && $a == "\xe4\xf6\xfc\xdf" { c++ }',
        'decode syslog && defined($severity_text) && $severity_text == "warning" { c++ }',
        "decode metlog && defined($severity) { c++ }",
        "decode json && defined($x) { $x > 1 { c++ } }",
        "/(?P<x>.*)/ && decode json from $x && defined($level) { c++ }",
    ],
)
def test_program_with_a_decode_that_any_line_may_concern(text: str) -> None:
    """An absent field fails, and so has an effect; what is derived or short stands in no certain way in the line."""
    assert find_probes(text) is None


def test_metrics_that_every_line_reads_are_named() -> None:
    """The first line creates their series, and so cannot be kept back. What a pattern stands before is an effect."""
    text = (
        'gauge a\ntext b\ncounter c\na > 1 {\n  /apple/ {\n    c++\n  }\n}\n/pears/ {\n  b == "x" {\n    c++\n  }\n}\n'
    )
    compiled = compile_program(SourceFile("case.mtail", text))
    assert compiled.guard.reads == {0}
    assert {probe.text for probe in compiled.guard.probes or ()} == {b"apple", b"pears"}


def test_program_without_effect_needs_no_line() -> None:
    """No probe can be in a line, and so no line comes through."""
    assert find_probes("/apple/ { }") == set()


def test_program_that_writes_out_too_much_is_not_walked() -> None:
    """Each decorator doubles what the one before writes out."""
    levels = MAX_EXPANSIONS.bit_length()
    text = "def d0 { /apple/ { next } }\n"
    for level in range(1, levels):
        text += f"def d{level} {{ @d{level - 1} {{ c++ }} @d{level - 1} {{ next }} }}\n"
    assert find_probes(text + f"@d{levels - 1} {{ c++ }}") is None


def test_texts_are_tested_in_place_of_searches() -> None:
    """The function behind the sieve asks the mask where a text alone decides."""
    compiled = compile_program(SourceFile("case.mtail", "counter c\n/apple/ {\n  c++\n}\n/pears \\d/ {\n  c++\n}\n"))
    assert compiled.generated_sieved is not None
    listing = compiled.generated_sieved.listing
    assert "if found & 1:" in listing
    assert "if found & 2 and " in listing
    assert "find(b" not in listing
