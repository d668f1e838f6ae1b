"""The patterns that say which lines belong together, compiled. Pure.

They are those of the language, in the same engines: linear in the line, whatever a stranger writes into it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import methodcaller

from pipeline.errors import SettingError
from pipeline.language import (
    Engine,
    Match,
    PatternError,
    Regex,
    SearchPlan,
    parse_pattern,
    plan_search,
    required_literals,
)
from pipeline.record_settings import RecordSettings
from pipeline.sources.records.scans import LineScan, make_scan

TESTS = {"in": "__contains__", "startswith": "startswith", "endswith": "endswith", "equals": "__eq__"}
"""What a method of a line is called, by the name that a plan has for it."""

MATCHES_AT_ONCE = 8192
"""A block of 256 KiB has 2,000 lines, as a rule. It may have as many as bytes, and a match takes 200 bytes."""

NO_GROUPS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class LineTest:
    """Whether a line matches a pattern. `ascii` is for lines that are ASCII, `utf8` for any."""

    ascii: Callable[[bytes], object]
    utf8: Callable[[bytes], object]
    probes: tuple[bytes, ...]
    """Texts of which every line that matches holds one; none if nothing is known."""
    scan: LineScan | None
    """Finds out about all lines of a block that is ASCII, None where nothing can."""

    def may_match_in(self, block: bytes) -> bool:
        """Return whether a line of `block` could match; no search: some 40 ns a line."""
        return not self.probes or any(probe in block for probe in self.probes)


@dataclass(frozen=True, slots=True)
class Header:
    """What stands at the beginning of each line."""

    ascii: Callable[[bytes], Match | None]
    utf8: Callable[[bytes], Match | None]


@dataclass(frozen=True, slots=True)
class RecordRule:
    """How lines become records; `start` or `goes_on` is there."""

    start: LineTest | None
    goes_on: LineTest | None
    header: Header | None
    separator: bytes
    settings: RecordSettings

    def opens_each(self, block: bytes) -> bool:
        """Return whether each line of a block that is ASCII is known to begin a record that may go on."""
        if self.goes_on is None:
            assert self.start is not None, "a rule has one or the other"
            return self.start.scan is not None and self.start.scan.is_in_all(block)
        if self.start is None:
            return self.goes_on.scan is not None and not self.goes_on.scan.is_in(block)
        return False

    def opens_none(self, block: bytes) -> bool:
        """Return whether no line of a block that is ASCII is known to begin one, so that none goes on either."""
        if self.start is None or self.goes_on is None:
            return False
        return self.start.scan is not None and not self.start.scan.is_in(block)

    def may_join_in(self, block: bytes) -> bool:
        """Return whether a record of several lines could begin in `block`, or a record that may go on behind it."""
        return self.start is None or self.goes_on is None or self.start.may_match_in(block)


@lru_cache(maxsize=256)
def compile_rule(settings: RecordSettings) -> RecordRule:
    """Return the rule that the settings describe; raises `SettingError` for a pattern that is none."""
    return RecordRule(
        compile_test(settings.where + "record_start", settings.record_start),
        compile_test(settings.where + "record_continue", settings.record_continue),
        compile_header(settings.where + "record_header", settings.record_header),
        settings.record_separator.encode("utf-8", "surrogateescape"),
        settings,
    )


def compile_test(name: str, text: str) -> LineTest | None:
    """Return the test of a pattern, None where there is no pattern."""
    if not text:
        return None
    regex, plan = read_pattern(name, text)
    if plan.engine is Engine.NONE:
        raise SettingError(f"{name} {text!r} matches every line.")
    if plan.literal is not None:
        how, literal = plan.literal
        test = methodcaller(TESTS[how], literal)
        return LineTest(test, test, (literal,), make_scan(regex))
    return LineTest(plan.compile_ascii(), plan.compile_utf8(), find_probes(regex), make_scan(regex))


def find_probes(regex: Regex) -> tuple[bytes, ...]:
    """Return texts of which every line that matches holds one. U+FFFD is none: it stands for invalid bytes, too."""
    probes = required_literals(regex)
    return () if any("\ufffd" in probe.decode("utf-8", "replace") for probe in probes) else probes


def compile_header(name: str, text: str) -> Header | None:
    """Return what finds the header of a line, None where there is no pattern."""
    if not text:
        return None
    _, plan = read_pattern(name, text, is_header=True)
    return Header(plan.compile_ascii(), plan.compile_utf8())


def read_pattern(name: str, text: str, *, is_header: bool = False) -> tuple[Regex, SearchPlan]:
    """Return the tree of a pattern, and how it is searched for: a header at the beginning, for all of its groups."""
    try:
        regex = parse_pattern(text)
        wanted = NO_GROUPS
        if is_header:
            wanted = frozenset(range(len(regex.names) + 1))
            regex = parse_pattern(f"^(?:{text})")
        plan = plan_search(regex, wanted, in_line=True)
    except PatternError as error:
        raise SettingError(f"{name} {text!r} is no pattern: {error.message.replace('`', '')}.") from error
    if plan.never:
        raise SettingError(f"{name} {text!r} matches no line.")
    return regex, plan


def list_tests(test: LineTest, lines: Sequence[bytes], *, is_ascii: bool) -> list[object]:
    """Return for each line something that is true if it matches. The loop is in C: 60 to 130 ns a line (measured)."""
    search = test.ascii if is_ascii else test.utf8
    if len(lines) <= MATCHES_AT_ONCE:
        return list(map(search, lines))
    found: list[object] = []
    for start in range(0, len(lines), MATCHES_AT_ONCE):
        found += map(bool, map(search, lines[start : start + MATCHES_AT_ONCE]))
    return found
