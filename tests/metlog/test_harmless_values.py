"""Whatever an application sends is JSON that says the same, or what comes closest."""

from __future__ import annotations

import datetime
import enum
import json
import math
from collections import OrderedDict, UserDict, namedtuple
from collections.abc import Iterator
from decimal import Decimal
from pathlib import PurePath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metlog.harmless import (
    LEFT_OUT,
    MAX_DEPTH,
    MAX_INT,
    MAX_REPR,
    MAX_VALUES,
    MIN_INT,
    Mender,
    is_plain,
    make_text,
    write_json,
)
from tests.metlog.generator_clients import VALUES

Pair = namedtuple("Pair", "first second")


class Color(enum.Enum):
    """An enumeration."""

    RED = "red"


class Level(enum.IntEnum):
    """One whose members are numbers."""

    HIGH = 3


class Word(str):
    """Text of a class of its own."""

    __slots__ = ()


class Number(int):
    """A whole number of a class of its own."""


class Fraction(float):
    """A number of a class of its own."""


class Rude:
    """An object that fails to say what it is."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


class RudeMapping(UserDict[str, object]):
    """A mapping that cannot be read."""

    def items(self) -> Iterator[tuple[str, object]]:  # type: ignore[override]
        """Fail."""
        raise RuntimeError("no")


CLOSEST: list[tuple[str, object, object]] = [
    ("bytes", b"caf\xc3\xa9", "café"),
    ("bytes-that-are-no-text", b"\xff\x00", "�\0"),
    ("bytearray", bytearray(b"x"), "x"),
    ("memoryview", memoryview(b"x"), "x"),
    ("nan", math.nan, "NaN"),
    ("infinity", math.inf, "Infinity"),
    ("minus-infinity", -math.inf, "-Infinity"),
    ("set", {3, 1, 2}, [1, 2, 3]),
    ("mixed-set", frozenset({"b", 1, "a"}), [1, "a", "b"]),
    ("tuple", (1, (2,)), [1, [2]]),
    ("named-tuple", Pair(1, 2), [1, 2]),
    ("largest", MAX_INT, MAX_INT),
    ("smallest", MIN_INT, MIN_INT),
    ("too-large", MAX_INT + 1, str(MAX_INT + 1)),
    ("too-small", MIN_INT - 1, str(MIN_INT - 1)),
    ("far-too-large", 10**5000, "<number of 16610 bits>"),
    ("half-of-a-character", "a\ud800b", "a�b"),
    ("two-halves", "\ud83d\ude00", "😀"),
    ("undecodable-file-name", "x\udcff", "x�"),
    ("enum", Color.RED, "red"),
    ("int-enum", Level.HIGH, 3),
    ("text-of-a-class", Word("w"), "w"),
    ("number-of-a-class", Number(5), 5),
    ("fraction-of-a-class", Fraction(1.5), 1.5),
    ("time", datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC), "2026-01-02T03:04:05+00:00"),
    ("date", datetime.date(2026, 1, 2), "2026-01-02"),
    ("path", PurePath("/tmp"), "PurePosixPath('/tmp')"),
    ("decimal", Decimal("1.10"), "Decimal('1.10')"),
    ("complex", 1j, "1j"),
    ("rude", Rude(), "<Rude>"),
    ("rude-mapping", RudeMapping(), "<RudeMapping>"),
    ("ordered-dict", OrderedDict(a=1), {"a": 1}),
    ("keys", {1: 1, None: 2, False: 3, b"k": 4, (1, 2): 5}, {"1": 1, "null": 2, "false": 3, "k": 4, "[1,2]": 5}),
    ("key-half", {"\ud800": 1}, {"�": 1}),
    ("nested", {"a": [{"b": {2}}, None]}, {"a": [{"b": [2]}, None]}),
]


@pytest.mark.parametrize(("value", "plain"), [row[1:] for row in CLOSEST], ids=[row[0] for row in CLOSEST])
def test_value_becomes_what_comes_closest(value: object, plain: object) -> None:
    """And JSON has that exactly."""
    mended = Mender().mend(value)
    assert mended == plain
    assert json.loads(write_json(mended)) == plain


def test_what_json_has_is_not_changed() -> None:
    """It is told so, too."""
    mender = Mender()
    value = {"a": [1, 2.5, "x", True, None, {"b": "ü"}]}
    assert mender.mend(value) == value
    assert not mender.changed


def test_long_repr_is_cut() -> None:
    """An object may show all its data."""
    assert Mender().mend(PurePath("x" * 5000)) == f"PurePosixPath('{'x' * 5000}"[:MAX_REPR]


def test_value_within_itself_ends() -> None:
    """Where it comes again, it is left out."""
    circle: list[object] = [1]
    circle.append(circle)
    assert Mender().mend(circle) == [1, LEFT_OUT]


def test_depth_ends() -> None:
    """No reader has to go deeper."""
    deep: object = "bottom"
    for _ in range(5000):
        deep = [deep]
    text = write_json(Mender().mend(deep))
    assert text == "[" * MAX_DEPTH + f'"{LEFT_OUT}"' + "]" * MAX_DEPTH


def test_parts_that_are_shared_do_not_grow_without_end() -> None:
    """Two to the power of twenty lists are written as a bounded number."""
    shared: object = "x"
    for _ in range(MAX_DEPTH - 1):
        shared = [shared, shared]
    mender = Mender()
    assert write_json(mender.mend(shared)).count('"x"') <= MAX_VALUES
    assert mender.changed


def test_text_that_is_shared_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list, or many fields, may hold a long one again and again, as names and as values."""
    monkeypatch.setattr("pipeline.metlog.harmless.MAX_CHARACTERS", 160_000)
    text = "x" * 10_000
    many: dict[str, object] = dict.fromkeys(map(str, range(1_000)), text)
    for fields in ({"a": [text] * 1_000}, many, {"a": [{text: 1}] * 1_000}, {"a": [text.encode()] * 20}):
        mender = Mender()
        written = write_json(mender.mend_fields(fields))
        assert 150_000 < len(written) < 180_000
        assert LEFT_OUT in written
        assert mender.changed
        assert not is_plain(fields)


def test_large_set_is_not_looked_at_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would read the rest, and to order it takes long."""
    monkeypatch.setattr("pipeline.metlog.harmless.MAX_VALUES", 1_000)
    looked = 0

    class Number:
        def __repr__(self) -> str:
            nonlocal looked
            looked += 1
            return "n"

    values = Mender().mend({Number() for _ in range(5_000)})
    assert isinstance(values, list)
    assert (len(values), values[-1]) == (1_001, "…")
    assert looked < 2_500


def test_fields_beyond_the_limit_are_left_out() -> None:
    """With a mark in their place."""
    fields = Mender().mend_fields({f"f{number}": number for number in range(MAX_VALUES + 5)})
    assert len(fields) == MAX_VALUES + 1
    assert fields[LEFT_OUT] == LEFT_OUT


def test_field_that_is_none_is_left_out() -> None:
    """To readers, null is the same as absent."""
    mender = Mender()
    assert mender.mend_fields({"a": None, "b": 1}) == {"b": 1}
    assert mender.changed


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), (5, "5"), (1.5, "1.5"), (True, "true"), (b"x", "x"), ({"a": [1]}, '{"a":[1]}'), (math.nan, "NaN")],
)
def test_text_of_what_should_be_text(value: object, text: str) -> None:
    """Tables and lists are compact JSON."""
    assert make_text(value) == text


@pytest.mark.slow
@settings(max_examples=60)
@given(VALUES)
def test_anything_becomes_json(value: object) -> None:
    """Written in UTF-8 and read again, it is the same."""
    mended = Mender().mend(value)
    assert json.loads(write_json(mended).encode()) == mended


@pytest.mark.parametrize(
    "fields",
    [[], {1: 1}, {"ä": 1}, {"a": "ä"}, {"a": MAX_INT + 1}, {"a": math.nan}, {"a": -math.inf}, {"a": None}, {"a": []}],
    ids=repr,
)
def test_other_fields_are_not_plain(fields: object) -> None:
    """They are looked at more closely."""
    assert is_plain({"a": MAX_INT, "b": 1.5, "c": "x", "d": True})
    assert not is_plain(fields)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.dictionaries(st.text(st.characters()), VALUES, max_size=4))
def test_plain_fields_need_no_change(fields: dict[str, object]) -> None:
    """The quick test says yes to nothing that the thorough one would change."""
    mender = Mender()
    mended = mender.mend_fields(fields)
    if is_plain(fields):
        assert mended == fields
        assert not mender.changed
