"""What random patterns are made of: capture groups of every shape that matters to their type, and texts to match."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

INT, FLOAT, STRING = "Int", "Float", "String"

T = TypeVar("T")


class Chooser(Protocol):
    """Where all randomness comes from. Simpler choices come first, so that hypothesis shrinks towards them."""

    def pick(self, choices: Sequence[T]) -> T: ...
    def number(self, low: int, high: int) -> int: ...
    def chance(self, percent: int) -> bool: ...


@dataclass(frozen=True, slots=True)
class Piece:
    """The inside of a capture group, its type, and texts. `inner` are the types of groups within it."""

    text: str
    type: str
    examples: tuple[str, ...]
    inner: tuple[str, ...] = ()


INTS = ("7", "0", "42", "007", "123456", "1000000", "9223372036854775807")
FLOATS = ("1.5", "0.25", "203.0", "1000000.0", "0.00001", "12.80", "7.0", "123456.789")
WORDS = ("foo", "bar", "Abc", "x", "GET", "true", "e", "nan", "größe", "a.b")

PIECES = (
    Piece(r"\d+", INT, (*INTS, "9223372036854775808")),
    Piece(r"\w+", STRING, (*WORDS[:8], "007", "a_1")),
    Piece(r"\S+", STRING, (*WORDS, "1.5", "-3", "a-b", "b\\")),
    Piece(r"\d+\.\d+", FLOAT, FLOATS),
    Piece(r"[a-z]+", STRING, ("foo", "e", "bar")),
    Piece(r"-?\d+", INT, (*INTS, "-7", "-0", "-9223372036854775808")),
    Piece(r"[+-]?\d+", INT, ("+5", "-5", "5")),
    Piece(r"\d", STRING, ("7", "0", "1")),
    Piece(r"\d*", INT, ("", "12")),
    Piece(r"\d?", INT, ("", "3")),
    Piece(r"\d{2}", INT, ("12", "07")),
    Piece(r"\d{1,3}", INT, ("1", "120")),
    Piece(r"\d{1}", STRING, ("4",)),
    Piece(r"[12]", STRING, ("1", "2")),
    Piece(r"[1]", INT, ("1",)),
    Piece(r"1|2", STRING, ("1", "2")),
    Piece(r"12|34", INT, ("12", "34")),
    Piece(r"12|13", INT, ("12", "13")),
    Piece(r"12|1", STRING, ("12", "1")),
    Piece(r"\d\d|\d", STRING, ("12", "1")),
    Piece(r"5", INT, ("5",)),
    Piece(r"[0-4]+", INT, ("01234", "4")),
    Piece(r"(\d+)", INT, ("7", "42"), (INT,)),
    Piece(r"-", STRING, ("-",)),
    Piece(r"[+-]+", STRING, ("+-", "-")),
    Piece(r"\d+(\.\d+)?", FLOAT, ("5", "5.5"), (FLOAT,)),
    Piece(r"[\d.]+", FLOAT, ("5.5", "7", "1.2.3", ".")),
    Piece(r"\d*\.\d+|\d+", FLOAT, (".5", "5", "0.5")),
    Piece(r"\d+|\d+\.\d+", FLOAT, ("5", "5.5")),
    Piece(r"-?\d+\.\d+", FLOAT, (*FLOATS, "-1.5", "-0.0")),
    Piece(r"\d+e", FLOAT, ("5e", "12e")),
    Piece(r"1e5", FLOAT, ("1e5",)),
    Piece(r"e", FLOAT, ("e",)),
    Piece(r"[\d.eE+-]+", FLOAT, ("1e3", "1E-7", "5", "1e+06")),
    Piece(r"\d+\.\d+\.\d+", STRING, ("1.02.3",)),
    Piece(r"\d+(?:\.\d+){3}", STRING, ("192.0.2.1", "10.0.0.07")),
    Piece(r"\d+|-", STRING, ("-", "007")),
    Piece(r"\d+|[a-z]+", STRING, ("007", "foo")),
    Piece(r"\d+|", STRING, ("", "12")),
    Piece(r"[^ ]*", STRING, ("", "foo", "größe", "日本")),
    Piece(r".*", STRING, ("", "foo bar", "größe")),
    Piece(r"true|false", STRING, ("true", "false")),
    Piece(r"(?i)abc", STRING, ("ABC", "aBc")),
    Piece(r"[[:alpha:]]+", STRING, ("foo", "X")),
    Piece(r"\pL+", STRING, ("größe", "ñ", "日本")),
    Piece(r"a|b|cd", STRING, ("a", "b", "cd")),
    Piece(r"(a)(\d+)", STRING, ("a5", "a007"), (STRING, INT)),
    Piece(r"foo.bar", STRING, ("foo-bar", "fooñbar")),
)

SEPARATORS = (" ", "=", ": ", "\\/", "ab", "\\[", " +", "ñ", "\\s", "\\.")
SEPARATOR_TEXTS = {"\\/": "/", "\\[": "[", " +": "  ", "\\s": " ", "\\.": "."}

# --- Groups of a shape nobody thought of ---------------------------------------

ATOMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("1", ("1",)),
    ("2", ("2",)),
    ("12", ("12",)),
    ("13", ("13",)),
    (r"\d", ("4", "0")),
    ("[0-9]", ("5",)),
    ("[12]", ("1", "2")),
    ("[1]", ("1",)),
    ("e", ("e",)),
    ("E", ("E",)),
    (r"\.", (".",)),
    ("[.]", (".",)),
    (r"[\d.]", ("3", ".")),
    ("-", ("-",)),
    (r"\+", ("+",)),
    ("[+-]", ("+", "-")),
    ("a", ("a",)),
    ("[ab]", ("a", "b")),
    ("", ("",)),
    (".", ("7", "x")),
    (r"\x31", ("1",)),
    (r"\b", ("",)),
    ("(?i)e", ("e", "E")),
)
REPEATS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("+", (1, 2)),
    ("*", (0, 1, 3)),
    ("?", (0, 1)),
    ("{2}", (2,)),
    ("{1,2}", (1, 2)),
    ("{1}", (1,)),
    ("{0,2}", (0, 2)),
    ("+?", (1, 2)),
    ("{2,}", (2, 3)),
)

Sampler = Callable[[Chooser], str]


def make_shape(chooser: Chooser, depth: int = 2) -> tuple[str, Sampler]:
    """Return the inside of a group, of digits, signs, dots and letters in any nesting, and how to sample it."""
    form = chooser.number(0, 5 if depth else 0)
    if form <= 1:
        text, examples = chooser.pick(ATOMS)
        return text, lambda sampling: sampling.pick(examples)
    if form <= 3:
        parts = [make_shape(chooser, depth - 1) for _ in range(chooser.number(2, 3))]
        return "".join(text for text, _ in parts), lambda sampling: "".join(sample(sampling) for _, sample in parts)
    if form == 4:
        branches = [make_shape(chooser, depth - 1) for _ in range(chooser.number(2, 3))]
        text = "|".join(text for text, _ in branches)
        return f"(?:{text})", lambda sampling: sampling.pick(branches)[1](sampling)
    inner, sample_inner = make_shape(chooser, depth - 1)
    suffix, counts = chooser.pick(REPEATS)
    return f"(?:{inner}){suffix}", lambda sampling: "".join(
        sample_inner(sampling) for _ in range(sampling.pick(counts))
    )


# --- Whole patterns ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """A group a program may refer to. A type of None: only its text may be relied on."""

    name: str
    type: str | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern as written between slashes, its groups in order, and how to make texts that match it."""

    text: str
    groups: tuple[Group, ...]
    sample: Sampler


def constantly(text: str) -> Sampler:
    return lambda _: text


def make_pattern(chooser: Chooser, prefix: str) -> Pattern:
    """Return a pattern of one to three groups; names begin with `prefix`, so no two patterns share one."""
    texts: list[str] = []
    groups: list[Group] = []
    samplers: list[Sampler] = []
    count = chooser.pick((1, 1, 2, 2, 3, 0))
    for number in range(count):
        if number or chooser.chance(25):
            separator = chooser.pick(SEPARATORS)
            texts.append(separator)
            samplers.append(constantly(SEPARATOR_TEXTS.get(separator, separator)))
        append_group(chooser, f"{prefix}{number}", texts, groups, samplers)
    if not count:
        word = chooser.pick(WORDS[:8])
        texts.append(word)
        samplers.append(constantly(word))
    text = "".join(texts)
    if chooser.chance(40) and "|" not in text:
        text = f"^{text}$" if chooser.chance(50) else f"^{text}"
    return Pattern(text, tuple(groups), lambda sampling: "".join(sample(sampling) for sample in samplers))


def append_group(chooser: Chooser, name: str, texts: list[str], groups: list[Group], samplers: list[Sampler]) -> None:
    """Add one capture group: mostly a piece, sometimes of any shape; named or not; optional now and then."""
    named = chooser.chance(50)
    opening = f"(?P<{name}>" if named else "("
    label = name if named else ""
    if chooser.chance(12):
        text, sample = make_shape(chooser)
        groups.append(Group(label, None))
        texts.append(f"{opening}{text})")
        samplers.append(sample)
        return
    piece = chooser.pick(PIECES)
    optional = chooser.chance(8)
    texts.append(f"{opening}{piece.text})" + "?" * optional)
    groups.append(Group(label, piece.type))
    groups.extend(Group("", inner) for inner in piece.inner)
    examples = ("", *piece.examples) if optional else piece.examples
    samplers.append(lambda sampling: sampling.pick(examples))
