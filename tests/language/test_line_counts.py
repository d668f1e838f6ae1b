"""Which lines a program matches: what the generated functions count, in every way a line can reach them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from pipeline.language import CompileOptions, SourceFile, compile_program
from pipeline.metrics import Store
from pipeline.settings import SieveMode
from tests.sieving import run_sieved

NOW = 1_700_000_000 * 10**9
ORIGIN = b"/log"


def count_matched(text: str, lines: Sequence[bytes], *, as_ascii: bool = True) -> int:
    """Return how many of the lines the function without a sieve says it matched."""
    compiled = compile_program(SourceFile("a.mtail", text), CompileOptions())
    bound = compiled.bind(Store().register(compiled.metrics), lambda _error, _line: None)
    process = bound.process_ascii if as_ascii else bound.process_utf8
    return len(lines) - process(lines, ORIGIN, NOW)


def list_matched(text: str, *lines: bytes) -> list[bytes]:
    """Return the lines that a program matches, each run in a batch of its own."""
    return [line for line in lines if count_matched(text, [line])]


def test_line_is_matched_where_its_block_changes_a_metric() -> None:
    """By any of the statements that do; a pattern whose block does nothing matches none."""
    text = "counter c by k\n/add/ {\n  c[$0]++\n}\n/set/ {\n  c[$0] = 1\n}\n/del/ {\n  del c[$0]\n}\n/none/ {\n}\n"
    assert list_matched(text, b"add", b"set", b"del", b"none", b"-") == [b"add", b"set", b"del"]
    text = "counter c\nhistogram h buckets 1, 2\n/add/ {\n  c++ exemplar $0\n}\n/set/ {\n  h = 1 exemplar $0\n}\n"
    assert list_matched(text, b"add", b"set", b"-") == [b"add", b"set"]


def test_line_is_counted_once() -> None:
    """However many blocks it enters, one after the other or one in the other."""
    text = "counter c\n/a/ {\n  c++\n  /b/ {\n    c++\n  }\n}\n/b/ {\n  c++\n}\n/c/ {\n  c++\n}\n"
    assert count_matched(text, [b"a", b"b", b"c", b"ab", b"abc", b"bc", b"-"]) == 6


def test_otherwise_and_else_alone_match_nothing() -> None:
    """What they count is what no pattern knows; inside of a block that was entered they count like any other."""
    text = "counter c\n/a/ {\n  c++\n} else {\n  c++\n}\n/b/ {\n  c++\n}\notherwise {\n  c++\n}\n"
    assert list_matched(text, b"a", b"b", b"-") == [b"a", b"b"]
    text = "counter c\n/a/ {\n  /b/ {\n    stop\n  } else {\n    c++\n  }\n}\n"
    assert list_matched(text, b"a", b"ab", b"b") == [b"a"]


def test_pattern_around_is_not_enough() -> None:
    """A line with the heading of a program but nothing else that it knows is unmatched, as it is to the sieve."""
    text = 'counter c\n/^(\\d+) / {\n  strptime($1, "2006")\n  /known/ {\n    c++\n  }\n}\n'
    assert list_matched(text, b"2020 known", b"2020 strange", b"x known", b"x", b"99 known") == [b"2020 known"]


def test_block_that_no_line_comes_to_is_a_block_all_the_same() -> None:
    """The program knows some lines, which do not get there; so what it does with all of them matches none."""
    text = "counter c\nc++\n// {\n  stop\n}\n/a/ {\n  c++\n}\n"
    assert list_matched(text, b"a", b"-") == []


def test_change_outside_of_blocks_matches_nothing() -> None:
    """Unless it is all that the program does: then it takes every line."""
    assert list_matched("counter c\nc++\n/a/ {\n  c++\n}\n", b"a", b"-") == [b"a"]
    assert list_matched("counter c\nc++\n", b"a", b"-") == [b"a", b"-"]
    assert list_matched("counter c\n/a/ {\n  stop\n}\nc++\n", b"a", b"-") == [b"a", b"-"]
    assert list_matched("/a/ {\n}\n", b"a", b"-") == []


def test_line_that_fails_is_what_it_was_until_then() -> None:
    """A statement that changes a metric was reached, or was not."""
    text = "counter c by k\n/(.*)/ {\n  c[strtol($1, 10)]++\n}\n"
    assert list_matched(text, b"1", b"x") == [b"1", b"x"]
    text = "counter c by k\n/(.*)/ {\n  strtol($1, 10) > 0 {\n    c[$1]++\n  }\n}\n"
    assert list_matched(text, b"1", b"0", b"x") == [b"1"]


def test_decorated_block_is_where_next_stands() -> None:
    """The same block is in a condition of one decorator, and outside of all in another."""
    text = "counter c\ndef inside {\n  /a/ {\n    next\n  }\n}\ndef outside {\n  next\n  /b/ {\n    c++\n  }\n}\n"
    assert list_matched(text + "@inside {\n  c++\n}\n@outside {\n}\n", b"a", b"b", b"-") == [b"a", b"b"]
    assert list_matched(text + "@inside {\n}\n@outside {\n  c++\n}\n", b"a", b"b", b"-") == [b"b"]


@pytest.mark.parametrize(
    "text", ["counter c\n/$/ {\n  c++\n}\n", "counter c\nc++\n", 'counter c by k\n// {\n  del c["x"]\n}\n']
)
def test_program_that_matches_every_line_does_not_count(text: str) -> None:
    """It has nothing to tell apart."""
    listing = compile_program(SourceFile("a.mtail", text)).listing
    assert "matched" not in listing
    assert listing.endswith("return 0")


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("/a/ {\n  c++\n  c++\n  /b/ {\n    c++\n  }\n}\n", 1),
        ("/a/ {\n  /b/ {\n    c++\n  } else {\n    c++\n  }\n  c++\n}\n", 2),
        ("/a/ {\n  /b/ {\n    c++\n  }\n  c++\n}\n", 2),
        ("/a/ {\n  /b/ {\n    stop\n  } else {\n    c++\n  }\n  c++\n}\n", 1),
        ("/a/ {\n  c++\n}\n/b/ {\n  c++\n}\n", 2),
    ],
)
def test_line_is_not_marked_where_it_surely_is(text: str, marks: int) -> None:
    """Inside of a block that has marked it, and behind one if every way has."""
    listing = compile_program(SourceFile("a.mtail", "counter c\n" + text)).listing
    assert listing.count("line_matches = True") == 1 + marks


def test_code_behind_two_stops_is_not_reached() -> None:
    """It counts nothing, and does not fail for want of a total."""
    text = "counter c\n/x/ {\n  /a/ {\n    stop\n  } else {\n    stop\n  }\n  c++\n}\n/b/ {\n  c++\n}\n"
    assert list_matched(text, b"xa", b"xab", b"b", b"-") == [b"b"]


# Random programs

WORDS = ("apple", "pear", "plum")


@dataclass(frozen=True, slots=True)
class Change:
    """Counts something."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Fails on every line, before it changes anything; `changes` tells whether it would."""

    changes: bool


@dataclass(frozen=True, slots=True)
class Leave:
    """Ends the line."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A conditional. Its condition lists words that must all be there, or (`!`) not be; None is an `otherwise`."""

    condition: tuple[str, ...] | None
    block: tuple[Part, ...]
    otherwise: tuple[Part, ...] | None = None


@dataclass(frozen=True, slots=True)
class Decorated:
    """The block of `use` where the definition says `next`, which is None there."""

    definition: tuple[Part | None, ...]
    around: tuple[str, ...] | None
    use: tuple[Part, ...]


Part: TypeAlias = Change | Fail | Leave | Choice | Decorated


class LeftLine(Exception):  # noqa: N818 - a `stop` is no error
    """The line ended, or failed."""


@dataclass
class Oracle:
    """Runs a program over one line as its meaning says, one statement after the other."""

    line: str
    is_matched: bool = False
    has_entered: bool = False
    """The flag behind `otherwise`."""

    def run(self, parts: Sequence[Part], *, inside: bool) -> None:
        for part in parts:
            match part:
                case Change():
                    self.is_matched |= inside
                case Fail(changes=changes):
                    self.is_matched |= inside and changes
                    raise LeftLine
                case Leave():
                    raise LeftLine
                case Choice():
                    self.choose(part, inside=inside)
                case Decorated(definition=definition, around=around, use=use):
                    body = [inner for each in definition for inner in (use if each is None else (each,))]
                    if around is None:
                        self.run(body, inside=inside)
                    else:
                        self.choose(Choice(around, tuple(body)), inside=inside)

    def choose(self, choice: Choice, *, inside: bool) -> None:
        is_otherwise = choice.condition is None
        if (not self.has_entered) if choice.condition is None else self.holds(choice.condition):
            self.has_entered = False
            self.run(choice.block, inside=inside or not is_otherwise)
            self.has_entered = True
        elif choice.otherwise is not None:
            self.run(choice.otherwise, inside=inside)

    def holds(self, condition: tuple[str, ...]) -> bool:
        return all((word.removeprefix("!") in self.line) != word.startswith("!") for word in condition)


def is_matched(program: Sequence[Part], line: str) -> bool:
    oracle = Oracle(line)
    with suppress(LeftLine):
        oracle.run(program, inside=False)
    return oracle.is_matched


@dataclass
class Writer:
    """Writes a program as its author would."""

    definitions: list[str] = field(default_factory=list)

    def write(self, program: Sequence[Part]) -> str:
        body = "".join(f"{line}\n" for line in self.write_parts(program))
        return "counter c\ngauge g\n" + "".join(self.definitions) + body + "/never seen/ {\n  c++\n  g = 1\n}\n"

    def write_parts(self, parts: Sequence[Part | None]) -> Iterator[str]:
        for part in parts:
            match part:
                case None:
                    yield "next"
                case Change():
                    yield "c++"
                case Fail(changes=True):
                    yield "g = strtol(getfilename(), 10)"
                case Fail():
                    yield "strtol(getfilename(), 10) > 0 {\n}"
                case Leave():
                    yield "stop"
                case Choice(condition=condition, block=block, otherwise=otherwise):
                    yield from self.write_choice(condition, block, otherwise)
                case Decorated(definition=definition, around=around, use=use):
                    yield from self.write_decorated(definition, around, use)

    def write_choice(
        self,
        condition: tuple[str, ...] | None,
        block: Sequence[Part | None],
        otherwise: Sequence[Part | None] | None = None,
    ) -> Iterator[str]:
        yield f"{'otherwise' if condition is None else write_condition(condition)} {{"
        yield from self.write_parts(block)
        if otherwise is not None:
            yield "} else {"
            yield from self.write_parts(otherwise)
        yield "}"

    def write_decorated(
        self, definition: Sequence[Part | None], around: tuple[str, ...] | None, use: Sequence[Part]
    ) -> Iterator[str]:
        body = self.write_parts(definition) if around is None else self.write_choice(around, definition)
        text = "\n".join(body)
        name = f"d{len(self.definitions)}"
        self.definitions.append(f"def {name} {{\n{text}\n}}\n")
        yield f"@{name} {{"
        yield from self.write_parts(use)
        yield "}"


def write_condition(condition: tuple[str, ...]) -> str:
    first, *others = condition
    tests = [f"$0 !~ /{word[1:]}/" if word.startswith("!") else f"/{word}/" for word in others]
    return " && ".join([f"/^.*{first}.*$/" if others else f"/{first}/", *tests])


def conditions() -> st.SearchStrategy[tuple[str, ...]]:
    """Return conditions. Their first word must be there, so that what follows can read the line as `$0`."""
    words = st.sampled_from(WORDS)
    return st.one_of(
        st.tuples(words),
        st.tuples(words, words),
        st.tuples(words, words.map("!{}".format)),
        st.just(("",)),
    )


def blocks(parts: st.SearchStrategy[Part]) -> st.SearchStrategy[tuple[Part, ...]]:
    return st.lists(parts, max_size=3).map(tuple)


def nest(parts: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    inner = blocks(parts)
    definitions = st.builds(lambda before, after: (*before, None, *after), inner, inner)
    return st.one_of(
        st.builds(Choice, conditions(), inner, st.none() | inner),
        st.builds(Choice, conditions(), inner),
        st.builds(Choice, st.none(), inner),
        st.builds(Decorated, definitions, st.none() | conditions(), inner),
    )


def programs() -> st.SearchStrategy[tuple[Part, ...]]:
    leaves = st.one_of(
        st.just(Change()), st.just(Change()), st.just(Change()), st.just(Leave()), st.builds(Fail, st.booleans())
    )
    return st.lists(st.recursive(leaves, nest, max_leaves=8), min_size=1, max_size=4).map(tuple)


LINES = st.lists(st.sampled_from([*WORDS, "apple pear", "pear plum", "apple pear plum", "", "äpple pear"]), max_size=8)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(programs(), LINES)
def test_random_program_matches_the_lines_that_its_meaning_says(program: tuple[Part, ...], lines: list[str]) -> None:
    """In each of the functions that are made of it, and whatever the sieve keeps back."""
    text = Writer().write(program)
    note(text)
    encoded = [line.encode() for line in lines]
    expected = sum(is_matched(program, line) for line in lines)
    assert count_matched(text, encoded, as_ascii=False) == expected
    ascii_lines = [line for line in lines if line.isascii()]
    matched = count_matched(text, [line.encode() for line in ascii_lines])
    assert matched == sum(is_matched(program, line) for line in ascii_lines)
    source = SourceFile("a.mtail", text)
    for mode in SieveMode:
        run = run_sieved(source, encoded, origin=ORIGIN, now=NOW, mode=mode)
        assert run.counts.lines - run.counts.lines_unmatched == expected, mode
        assert run.counts.sieve_faults == 0
