"""Which engine runs a pattern, and what decides without one."""

from __future__ import annotations

from string import ascii_letters, digits
from types import BuiltinMethodType

import pytest

from pipeline.language.patterns import (
    Engine,
    PatternError,
    SearchPlan,
    capture_groups,
    parse_pattern,
    plan_search,
    required_literals,
)
from pipeline.language.patterns.re2_library import compile_re2

SYSLOG = r"^(?P<date>\w+\s+\d+\s+\d+:\d+:\d+)\s+[\w\.-]+\s+sshd\[\d+\]:"
ACCESS = r'^(?P<ip>\S+) (\S+) (\S+) \[(?P<t>[^\]]+)\] "(\S+) (\S+) (\S+)" (\d+) (\d+|-)'
COMBINED = (
    r"^([0-9A-Za-z\.:-]+) ([0-9A-Za-z-]+) ([0-9A-Za-z-]+) \[(\d{2}/\w{3}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4})\] "
    r'"([A-Z]+) (\S+) (HTTP/[0-9\.]+)" (\d{3}) ((\d+)|-) "(\S+)" "([[:print:]]+)"$'
)


def plan(text: str, *wanted: int, in_line: bool = False) -> SearchPlan:
    return plan_search(parse_pattern(text), frozenset(wanted), in_line=in_line)


def plan_all(text: str, *, in_line: bool = False) -> SearchPlan:
    regex = parse_pattern(text)
    return plan_search(regex, frozenset(group.number for group in capture_groups(regex)), in_line=in_line)


@pytest.mark.parametrize(
    "text",
    [
        SYSLOG,
        ACCESS,
        COMBINED,
        r"sent (\d+) bytes  received (\d+) bytes",
        r"Failed password for (?:invalid user )?(\S+) from (\S+) port (\d+)",
        r"session opened for user (\w+)",
        r"lost connection after (\w+) from ",
        r"^(INSERT|UPDATE|DELETE|SELECT) (\w+)",
        r"(?:GET|POST|PUT) /(\S*)",
        r"size=(\d+), nrcpt=(\d+)",
        r"status=(?P<status>\w+) \(",
        r"^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)(?:\.(\d+))?(Z|[+-]\d+:\d+)",
        r'close "[^"]+" bytes read (\d+) written (\d+)',
        r"(?i)error: (\d+)",
        r"\[(\d+)\.(\d{6})\]",
        r"^Started (?P<verb>[A-Z]+) .*",
        r"^(\w+\s+\d+\s+\d+:\d+:\d+)\s+(?:\w+@)?([\w\.-]+)\s+([\w\.-]+)(?:\[(\d+)\])?:\s+(?P<message>.*)",
        r"^\[(\d+)\]:\s+(.*)$",
        r"(\S+) (\S+) \[\S+\]",
        r"(\w+)@(\w+)\.com",
        r"(\d+) bytes",
    ],
)
def test_usual_pattern_of_a_log_is_run_by_re(text: str) -> None:
    """It is two to four times as fast as RE2, and proved to be as safe."""
    assert plan_all(text).engine is Engine.RE


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+$",
        "x(?:a+)+$",
        "(a|a)*b",
        "^x(?:a|ab|b)*c",
        r"(\S+) \[([^\]]+)\] x",
        "(.*)(.*)(.*)x",
        "^(.*)(.*)(.*)x",
        r"(x+x+)+y",
        r"^(?:\s*\w*)*$",
        r":(?:.*, size=)?(\d+) ",
        r"a.*b.*?c(.)",
        r"(\w+) \S+ .* bytes",
        "a[^b]*b",
        "^a?a?a?a?a?ab",
        "^[ab]*[bc]{4}[ac]*![de]*[ef]{4}[df]*!",
        "^a*" + "(?:ax|by)" * 7 + "z*!",
        "^a*(?:" + "|".join(f"{char}{char}" for char in f"{ascii_letters}{digits}-_=,;:@#%&") + ")!",
    ],
)
def test_pattern_that_could_backtrack_far_is_run_by_re2(text: str) -> None:
    """Exponential and quadratic ones alike, also when only restarts of the search are to blame."""
    assert plan_all(text).engine is Engine.RE2


@pytest.mark.parametrize("text", ["", "^", "$", "()", "x*", "^x*", "(?:)", ".*", "(a|b)?"])
def test_pattern_that_always_matches_needs_no_engine(text: str) -> None:
    """As long as no group is read."""
    assert plan(text).engine is Engine.NONE
    assert not plan(text).never


@pytest.mark.parametrize("text", ["a$b", r"a\Ab", r"[^\x00-\x{10ffff}]", "a^"])
def test_pattern_that_cannot_match_is_recognised(text: str) -> None:
    """So that the author can be told."""
    assert plan(text).never


@pytest.mark.parametrize("text", ["a", "^a", "a$", "$a*", "^$", r"\b"])
def test_pattern_that_may_match_is_not_taken_for_one_that_cannot(text: str) -> None:
    """A warning must not be wrong."""
    assert not plan(text).never


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("foo", ("in", b"foo")),
        ("^foo", ("startswith", b"foo")),
        ("foo$", ("endswith", b"foo")),
        ("^foo$", ("equals", b"foo")),
        ("^$", ("equals", b"")),
        ("foo.*", ("in", b"foo")),
        (".*foo", ("in", b"foo")),
        (".*;$", ("endswith", b";")),
        ("(f)o{2}", ("in", b"foo")),
        ("größe", ("in", "größe".encode())),
        ("(?i)123", ("in", b"123")),
    ],
)
def test_plain_text_is_a_test_for_a_literal(text: str, literal: tuple[str, bytes]) -> None:
    """What a match does not depend on is cut off before."""
    assert plan(text).engine is Engine.LITERAL
    assert plan(text).literal == literal


@pytest.mark.parametrize("text", ["(?i)foo", "fo+d", "f.o", r"\x{fffd}", "foo|bar", r"\bfoo", "(?m:^)foo"])
def test_other_text_is_no_literal(text: str) -> None:
    """U+FFFD also stands for bytes that are not valid, so its bytes are no test for it."""
    assert plan(text).literal is None


def test_reading_the_whole_match_keeps_the_ends_of_a_pattern() -> None:
    """Then they are part of what is read."""
    search = plan("foo.*", 0).compile_ascii()
    match = search(b"a foo b")
    assert match is not None
    assert match[0] == b"foo b"


def test_only_wanted_groups_are_captured() -> None:
    """The index in the match counts those before it."""
    found = plan(r"(a)(?P<n>b)(c)", 2, 3)
    match = found.compile_ascii()(b"abc")
    assert match is not None
    assert {number: match[found.group_index[number]] for number in (2, 3)} == {2: b"b", 3: b"c"}
    with pytest.raises(IndexError):
        match[3]


def test_group_that_took_no_part_is_none() -> None:
    """In every engine."""
    for text in ("x(a)?b", "(?:x(a)?b)", r"(a)|(?:.*b.*)*"):
        match = plan(text, 1).compile_ascii()(b"xb")
        assert match is not None
        assert match[1] is None


def test_search_is_a_bound_method_without_a_wrapper() -> None:
    """A call through Python would cost as much as the search."""
    for text in (SYSLOG, r"sent (\d+) bytes"):
        assert isinstance(plan_all(text).compile_ascii(), BuiltinMethodType)


@pytest.mark.parametrize(
    "text",
    [
        r"^Completed (\d{3}) .+ in (\d+)ms .*$",
        ".*# (.*)$",
        r" \[pid \d+\]( \[\w+\])? (OK LOGIN|FTP (?:command|response)): Client \"(\d+\.\d+)\"(, (.*))?",
    ],
)
def test_pattern_is_run_by_re_where_no_line_feed_can_be(text: str) -> None:
    """Then `.*` matches to the end, so that nothing in front of it is tried again."""
    assert plan_all(text, in_line=True).engine is Engine.RE


@pytest.mark.parametrize(
    ("text", "subject", "groups"),
    [
        (r":.*, size=(\d+), nrcpt=(\d+)", b"a: b, size=1, nrcpt=2, size=3, nrcpt=4", [b"3", b"4"]),
        (r".*, relay=(\S+), .*, delays=(\d)/(\d),", b"x, relay=a, , relay=b, , delays=1/2, ", [b"b", b"1", b"2"]),
        (r".*, relay=(\S+), .*, delays=(\d)/(\d),", b"x, relay=a, , delays=1/2, , relay=b, ", [b"a", b"1", b"2"]),
        (r"^(INSERT|UPDATE) .* # (.*);$", b"INSERT # a # b;", [b"INSERT", b"b"]),
        (r"a(\d).+b", b"a1b a2b a3b", [b"1"]),
        (r"a(.+)b(\d)", b"aab1", [b"a", b"1"]),
        (r"a((.*))b(\d)", b"aab1", [b"a", b"a", b"1"]),
        (r"a([xy]) .*[b-d](\d)", b"ax ay b1 c2", [b"x", b"2"]),
        (r"a(\d).*b(\d).*c(\d)", b"a1 a2 b3 b4 c5 c6 b7", [b"1", b"4", b"6"]),
        (r"a.*b(.*)c.+d(\d)", b"a b b c c d1 d2 c", [b" c ", b"2"]),
        (r"^a(.*)b.*c.*d", b"a1b2b3cdcb", [b"1b2"]),
    ],
)
def test_pattern_is_split_at_a_run_of_any_characters(text: str, subject: bytes, groups: list[bytes]) -> None:
    """The half behind it is found where it last stands, and the half before it in what is left."""
    found = plan_all(text, in_line=True)
    assert found.split is not None
    search = found.compile_ascii()
    match = search(subject)
    assert match is not None
    assert [match[found.group_index[number]] for number in range(1, len(groups) + 1)] == groups
    assert len(match.groups()) == found.group_count
    assert search(b"b1 a") is None


def test_pattern_that_begins_with_a_run_is_tried_where_runs_begin() -> None:
    """There it matches if it matches amid a run."""
    found = plan(r"(\d+) bytes", 1)
    assert found.goes_to_runs
    match = found.compile_ascii()(b"x 12, 345 6789 bytes")
    assert match is not None
    assert match[1] == b"6789"


def test_pattern_that_begins_with_a_run_may_need_two_steps() -> None:
    """At the beginning of the subject by `re`, then anywhere with the help of RE2."""
    found = plan(r"(\S+) \[([^\]]+)\] x", 1, 2)
    assert found.has_two_steps
    first, second = found.compile_first(ascii_only=True), found.compile_second(ascii_only=True)
    assert first(b"a b [c] x") is None
    match = second(b"a b [c] x")
    assert match is not None
    assert match.groups() == (b"b", b"c")


def test_same_text_compiles_to_the_same_object() -> None:
    """Programs repeat the beginning of a line often."""
    first, second = plan_all(SYSLOG).compile_ascii(), plan_all(SYSLOG).compile_ascii()
    assert getattr(first, "__self__", None) is getattr(second, "__self__", None)


@pytest.mark.parametrize(
    ("text", "guard"),
    [
        (r".(\d+) bytes", b" bytes"),
        (SYSLOG, None),
        (r"a(\d+) (\w+)", None),
        (r"^foo (\d+)", None),
        (r"x=(\d+), size=(\d+)", b", size="),
    ],
)
def test_guard_is_a_text_that_every_match_holds(text: str, guard: bytes | None) -> None:
    """None where it is too short, or where the search itself begins with it or is a single attempt."""
    assert plan_all(text).guard == guard


@pytest.mark.parametrize(
    ("text", "literals"),
    [
        ("abc", {b"abc"}),
        ("abc|defg", {b"abc", b"defg"}),
        ("a*", set()),
        ("abc|", set()),
        ("(?:abc)+d", {b"abcd"}),
        ("x{3}", {b"xxx"}),
        ("abc.*defgh", {b"defgh"}),
        ("", set()),
        (r"\x{fffd}", set()),
        (r"\x{d800}", set()),
    ],
)
def test_required_literals_are_in_every_match(text: str, literals: set[bytes]) -> None:
    """At least one of them."""
    assert set(required_literals(parse_pattern(text))) == literals


def test_deep_pattern_is_run_by_re2() -> None:
    """Neither the proof nor `re` is given what could exhaust Python's stack."""
    for text in ("(a" * 300 + ")*b" * 300, "(a|b.*" * 200 + ")" * 200, "(.*" + "(?:a" * 300 + ")*" * 300 + "a.b)"):
        found = plan(text, 1)
        assert found.engine is Engine.RE2
        found.compile_ascii()(b"aab")
        found.compile_utf8()("aäb".encode())


@pytest.mark.slow
def test_largest_patterns_compile() -> None:
    """What the parser lets pass never fails later."""
    for text in (r"\pL{1000}", "(?:[a-z]{10}[^x]ü){100}"):
        found = plan(text, 0)
        found.compile_ascii()(b"a")
        found.compile_utf8()("ä".encode())


@pytest.mark.slow
def test_refusal_of_re2_is_an_error_of_the_pattern() -> None:
    """It is never handed on to an engine that backtracks."""
    for text, message in ((b"(", "RE2 refuses the pattern"), (b"((a{1000}b){1000}c){999}", "RE2 refuses")):
        with pytest.raises(PatternError, match=message):
            compile_re2(text, utf8=False)
    with pytest.raises(PatternError, match="too large"):
        compile_re2(b"(?:%s){1000}" % (b"a" * 20_000), utf8=False)


@pytest.mark.parametrize("text", [r"\x{d800}", r"a|\x{dfff}.*", r"[^\x00-\x{10ffff}]|a"])
def test_character_that_no_subject_has_does_not_match(text: str) -> None:
    """Neither in bytes nor in characters."""
    found = plan(f"^(?:{text})..$", 0)
    assert found.compile_ascii()(b"xx") is None
    assert found.compile_utf8()("xé\xff".encode("latin-1")) is None
