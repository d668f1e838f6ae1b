"""Random programs that decode do what the language says, with and without the sieve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.decoders import DECODERS, DecoderOptions, Value, find_field, make_reader
from pipeline.errors import LineError
from pipeline.language import CompileOptions, ProgramError, SourceFile
from pipeline.language.field_values import field_number, field_text
from pipeline.settings import SieveMode
from tests.language.random_records import lines
from tests.sieving import run_sieved

NOW = 1_700_000_000 * 10**9
READERS = {name: make_reader(DECODERS[name], DecoderOptions()) for name in ("json", "logfmt", "syslog")}


@dataclass(frozen=True)
class Search:
    """A word; from there to the end is the group of its name."""

    word: str
    subject: str = ""


@dataclass(frozen=True)
class Decode:
    decoder: str
    subject: str = ""


@dataclass(frozen=True)
class Defined:
    field: str


@dataclass(frozen=True)
class Equals:
    field: str
    text: str


@dataclass(frozen=True)
class Above:
    field: str
    number: int


@dataclass(frozen=True)
class Joined:
    left: Condition
    operator: str
    right: Condition


@dataclass(frozen=True)
class Count:
    """Counts under a label, the text of a field if it has a `$`."""

    label: str


@dataclass(frozen=True)
class Leave:
    pass


@dataclass(frozen=True)
class Choice:
    """A conditional; an `otherwise` without a condition. If it is `decorated`, a decorator has the condition."""

    condition: Condition | None
    block: tuple[Part, ...]
    other: tuple[Part, ...] = ()
    decorated: bool = False


Condition: TypeAlias = Search | Decode | Defined | Equals | Above | Joined
Part: TypeAlias = Count | Leave | Choice

WORDS = ("error", "level", "users")
FIELDS = ("level", "x", "a", "a.level", "app", "error")


class LeftLineError(Exception):
    """The program has stopped with a line."""


@dataclass
class Trial:
    """A pattern or decode of a condition: what it gives, by name; None if it failed, False while it is untried."""

    what: Search | Decode
    found: object = False

    def claims(self, name: str) -> bool:
        if isinstance(self.what, Search):
            return name == self.what.word
        fields = DECODERS[self.what.decoder].fields
        return fields is None or name.split(".")[0] in fields


@dataclass
class Oracle:
    """Runs a program over one line as the language's description says."""

    line: bytes
    counts: Counter[bytes]
    has_entered: bool = False
    scopes: list[list[Trial]] = field(default_factory=list)

    def run(self, parts: Sequence[Part]) -> None:
        for part in parts:
            match part:
                case Count(label=label):
                    self.counts[self.text(label[1:]) if label.startswith("$") else label.encode()] += 1
                case Leave():
                    raise LeftLineError
                case Choice():
                    self.choose(part)
                case _:
                    assert_never(part)

    def choose(self, choice: Choice) -> None:
        around, scope = self.scopes, list[Trial]()
        # What is around a decorated block is not seen in the condition of the decorator.
        self.scopes = [scope] if choice.decorated else [*around, scope]
        holds = self.holds(choice.condition, scope) if choice.condition else not self.has_entered
        self.scopes = [*around, scope]
        if holds:
            self.has_entered = False
            self.run(choice.block)
            self.has_entered = True
        else:
            if choice.decorated:
                self.scopes = [scope]
            self.run(choice.other)
        self.scopes = around

    def holds(self, condition: Condition, scope: list[Trial]) -> bool:
        match condition:
            case Joined(left=left, operator=operator, right=right):
                holds = self.holds(left, scope)
                if holds == (operator == "&&"):
                    return self.holds(right, scope)
                self.declare(right, scope)
                return holds
            case Search(word=word, subject=subject):
                text = self.text(subject) if subject else self.line
                place = text.find(word.encode())
                scope.append(Trial(condition, text[place:].split(b"\n")[0] if place >= 0 else None))
                return place >= 0
            case Decode(decoder=decoder, subject=subject):
                scope.append(Trial(condition, READERS[decoder](self.text(subject) if subject else self.line)))
                return scope[-1].found is not None
            case Defined(field=name):
                return self.value(name) is not None
            case Equals(field=name, text=text):
                return self.text(name) == text.encode()
            case Above(field=name, number=number):
                return field_number(name, self.value(name)) > number
            case _:
                assert_never(condition)

    def declare(self, condition: Condition, scope: list[Trial]) -> None:
        """Let the names of what is not tried hide those around."""
        if isinstance(condition, Joined):
            self.declare(condition.left, scope)
            self.declare(condition.right, scope)
        elif isinstance(condition, Search | Decode):
            scope.append(Trial(condition))

    def value(self, name: str) -> Value:
        for scope in reversed(self.scopes):
            trials = [trial for trial in scope if trial.claims(name)]
            groups = [trial for trial in trials if isinstance(trial.what, Search)]
            tried = [trial for trial in groups or trials if trial.found is not False]
            if tried and isinstance(tried[-1].found, bytes):
                return tried[-1].found
            if tried and isinstance(tried[-1].found, dict):
                return find_field(tried[-1].found, name.split("."))
            if trials:
                raise LineError("not tried, or failed")
        raise AssertionError(name)  # the checker refuses it

    def text(self, name: str) -> bytes:
        return field_text(name, self.value(name))


@dataclass
class Writer:
    """Writes a program as its author would."""

    definitions: list[str] = field(default_factory=list)

    def write(self, program: Sequence[Part]) -> str:
        body = "".join(f"{line}\n" for line in self.write_parts(program))
        return "counter c by k\n" + "".join(self.definitions) + body + '/never seen/ {\n  c["-"]++\n}\n'

    def write_parts(self, parts: Sequence[Part]) -> Iterator[str]:
        for part in parts:
            match part:
                case Count(label=label):
                    yield f"c[{label}]++" if label.startswith("$") else f'c["{label}"]++'
                case Leave():
                    yield "stop"
                case Choice():
                    yield from self.write_choice(part)
                case _:
                    assert_never(part)

    def write_choice(self, choice: Choice) -> Iterator[str]:
        condition = f"({write_condition(choice.condition)})" if choice.condition else "otherwise"
        block, other = ("\n".join(self.write_parts(parts)) for parts in (choice.block, choice.other))
        rest = f" else {{\n{other}\n}}" if choice.other and choice.condition else ""
        if choice.decorated:
            name = f"d{len(self.definitions)}"
            self.definitions.append(f"def {name} {{\n{condition} {{\nnext\n}}{rest}\n}}\n")
            yield f"@{name} {{\n{block}\n}}"
        else:
            yield f"{condition} {{\n{block}\n}}{rest}"


def write_condition(condition: Condition) -> str:
    match condition:
        case Search(word=word, subject=subject):
            pattern = f"/(?P<{word}>{word}.*)/"
            return f"${subject} =~ {pattern}" if subject else pattern
        case Decode(decoder=decoder, subject=subject):
            return f"decode {decoder}" + (f" from ${subject}" if subject else "")
        case Defined(field=name):
            return f"defined(${name})"
        case Equals(field=name, text=text):
            return f'${name} == "{text}"'
        case Above(field=name, number=number):
            return f"${name} > {number}"
        case Joined(left=left, operator=operator, right=right):
            return f"({write_condition(left)}) {operator} ({write_condition(right)})"
        case _:
            assert_never(condition)


fields = st.sampled_from(FIELDS)
subjects = st.sampled_from(("", "", "", "", "a", "x", "error"))
trials = st.one_of(
    st.builds(Decode, st.sampled_from(("json", "json", "json", "logfmt", "syslog")), subjects),
    st.builds(Search, st.sampled_from(WORDS), subjects),
)
firsts: st.SearchStrategy[Condition] = st.sampled_from(
    (Decode("json"), Decode("json"), Decode("logfmt"), Search("error"))
)
questions = st.one_of(
    trials,
    st.builds(Defined, fields),
    st.builds(Equals, fields, st.sampled_from((*WORDS, "404", "true"))),
    st.builds(Above, fields, st.sampled_from((0, 300))),
)
operators = st.sampled_from(("&&", "&&", "||"))
conditions = st.recursive(questions, lambda inner: st.builds(Joined, inner, operators, inner), max_leaves=3)
begun: st.SearchStrategy[Condition] = firsts | st.builds(Joined, firsts, operators, conditions)
sure: st.SearchStrategy[Condition] = st.builds(
    lambda name, question: Joined(Joined(Decode("json"), "&&", Defined(name)), "&&", question),
    fields,
    questions,
)
simple = st.one_of(
    st.builds(Count, st.sampled_from(("a", "b", "c"))), st.builds(Count, fields.map("${}".format)), st.just(Leave())
)


def nest(inner: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    block = st.lists(inner, min_size=1, max_size=2).map(tuple)
    return st.one_of(
        st.builds(Choice, begun | sure | conditions, block, block | st.just(()), st.booleans()),
        st.builds(Choice, st.none(), block),
    )


def write_programs(conditions: st.SearchStrategy[Condition], *, most: int) -> st.SearchStrategy[list[Part]]:
    block = st.lists(st.recursive(simple, nest, max_leaves=4), min_size=1, max_size=2).map(tuple)
    other = st.lists(simple, max_size=1).map(tuple)
    return st.lists(st.builds(Choice, conditions, block, other, st.booleans()), min_size=1, max_size=most)


# A sieve stands before programs of which every part lets it, so that few of many parts have one.
guarded = st.builds(Choice, sure, st.lists(simple, min_size=1, max_size=1).map(tuple)).map(lambda choice: [choice])
programs = write_programs(begun | sure, most=3) | guarded

VALUES = ('"error"', '"users 404"', "404", "0.5", "null", "true", r'"\u0065rror"', '{"level":"error"}', '[{"x":1}]')
COMMON = [
    f"{{{', '.join(pairs)}}}".encode()
    for first in ("level", "x", "a", r"l\u0065vel", "app")
    for value in VALUES
    for pairs in ([f'"{first}":{value}'], [f'"{first}":{value}', '"error":"a"'], [f'"{first}":{value}', '"x":"b"'])
]
"""Lines that show most mistakes: to run them takes less time than to compile a program."""


@pytest.mark.slow
@settings(max_examples=60)
@given(programs, st.lists(lines, max_size=8))
def test_program_does_what_the_language_says(program: list[Part], log: list[bytes]) -> None:
    """Whichever pattern or decode a name is read from, and whatever the sieve keeps back."""
    source = SourceFile("case.mtail", Writer().write(program))
    log = COMMON + log
    for mode in (SieveMode.AUTO, SieveMode.OFF):
        try:
            run = run_sieved(source, log, origin=b"log", now=NOW, mode=mode, options=CompileOptions(listed=False))
        except ProgramError:
            assume(False)
        counts = Counter[bytes]()
        errors = sum(fails(program, line, counts) for line in log)
        (metric,) = run.metrics
        assert {labels[0]: datum.value for labels, datum in metric.data.items()} == counts, source.text
        assert run.counts.runtime_errors == errors, source.text


def fails(program: Sequence[Part], line: bytes, counts: Counter[bytes]) -> bool:
    """Count what a program counts on a line, and return whether it fails there."""
    try:
        Oracle(line, counts).run(program)
    except LeftLineError:
        pass
    except LineError:
        return True
    return False
