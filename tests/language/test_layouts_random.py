"""Random layouts and values: the fast reader agrees with a slow one, and the memory with the fast one."""

from __future__ import annotations

import random
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import LineError
from pipeline.language.layouts import UNSET_NANOSECONDS, Layout, make_strptime
from tests.language.moments import LONDON, NEW_YORK, NOW, at
from tests.language.reference_times import (
    ELEMENTS,
    LONG_MONTHS,
    LONG_WEEKDAYS,
    MismatchError,
    find_element,
    parse_slowly,
)

SEPARATORS = ["", "", ":", "-", " ", "  ", "/", ", ", "T", "x", ".", "_", "Z", "é"]
FRACTIONS = [".000", ".999999", ",000", ",9", ".0000000000"]
TYPICAL = [
    *("2006/01/02 15:04:05", "02/Jan/2006:15:04:05 -0700", "Jan _2 15:04:05", "2006-01-02T15:04:05.999999-07:00"),
    *("2006-01-02T15:04:05Z07:00", "Mon Jan _2 15:04:05 MST 2006", "20060102150405", "2006-002 15:04", "05.000 04:05"),
]


def draw_layout(dice: random.Random) -> str:
    """Return a layout of some elements, or one in common use."""
    if dice.random() < 0.3:
        return dice.choice(TYPICAL)
    parts = [dice.choice(ELEMENTS + FRACTIONS) + dice.choice(SEPARATORS) for _ in range(dice.randint(1, 7))]
    return "".join(parts)


def spell_element(element: str, dice: random.Random) -> str:
    """Return a text that `element` mostly accepts."""
    match element:
        case "2006":
            return f"{dice.choice([0, 1, 1900, 1969, 1972, 2000, 2023, 2024, 9999]):04d}"
        case "January" | "Jan":
            name = dice.choice(LONG_MONTHS)
            return dice.choice([name.upper(), name, name.lower()])[: len(element) if element == "Jan" else None]
        case "Monday" | "Mon":
            return dice.choice(LONG_WEEKDAYS)[: len(element) if element == "Mon" else None]
        case "PM" | "pm":
            return dice.choice("APap") + element[1]
        case "MST":
            return dice.choice(
                ["UTC", "GMT", "GMT+3", "GMT-0023", "GMT+24", "EST", "CEST", "WITA", "ABCDT", "+03", "ABCDEF"]
            )
        case "002" | "__2":
            return dice.choice(["001", "059", "060", " 60", "061", "  1", "365", "366", "007", "0", "100"])
        case _ if element[0] in ".,":
            return dice.choice(["", ".5", ",123456", "." + "1" * (len(element) - 1), ".1234567891"])
        case _ if "07" in element:
            sign = dice.choice("+-Z+-")
            return "Z" if sign == "Z" else sign + "".join(c if c == ":" else dice.choice("012") for c in element[1:])
        case "05":
            return dice.choice(["", "", "", ".5", ",123456789"]).join([f"{dice.randint(0, 60):02d}", ""])
        case _:
            number = dice.choice([dice.randint(0, 12), dice.randint(0, 31), dice.randint(0, 60)])
            return f"{number:2d}" if element == "_2" else f"{number:02d}" if len(element) > 1 else f"{number}"


def draw_value(layout: str, dice: random.Random) -> str:
    """Return a value for `layout`, now and then damaged."""
    value = ""
    while layout:
        element = find_element(layout)
        value += spell_element(element, dice) if element else layout[0]
        layout = layout[len(element) or 1 :]
    if dice.random() < 0.2 and value:
        place = dice.randrange(len(value))
        value = value[:place] + dice.choice(["", *"0123456789 :-+.,ZTPMé"]) + value[place + dice.randint(0, 1) :]
    return value


@pytest.mark.slow
@settings(deadline=None)  # the names of a zone are collected at their first use
@given(st.randoms(use_true_random=False))
def test_fast_reader_agrees_with_the_slow_one(dice: random.Random) -> None:
    """Both read the same values, to the same instants, and so does the memory of a program."""
    layout = draw_layout(dice)
    fast = Layout(layout, UTC, use_current_year=True)
    strptime = make_strptime(layout, UTC, use_current_year=True)
    for value in [draw_value(layout, dice) for _ in range(8)]:
        data = value.encode()
        try:
            wanted = parse_slowly(layout, value, 2023)
        except MismatchError:
            for parse in (fast.parse, strptime):
                with pytest.raises(LineError):
                    parse(data, NOW)
        else:
            assert fast.parse(data, NOW) == wanted
            assert strptime(data, NOW) == (NOW if wanted == UNSET_NANOSECONDS else wanted)


@pytest.mark.slow
@settings(deadline=None)  # the names of a zone are collected at their first use
@given(st.randoms(use_true_random=False), st.sampled_from([UTC, NEW_YORK, LONDON, ZoneInfo("Australia/Lord_Howe")]))
def test_memory_never_changes_a_result(dice: random.Random, zone: ZoneInfo) -> None:
    """Values that differ in a few digits, in any order, give what reading each the whole way gives."""
    layout = dice.choice(TYPICAL) if dice.random() < 0.7 else draw_layout(dice)
    fast = Layout(layout, zone, use_current_year=True)
    strptime = make_strptime(layout, zone, use_current_year=True)
    value = draw_value(layout, dice)
    for _ in range(30):
        if dice.random() < 0.1 or not value:
            value = draw_value(layout, dice)
        elif dice.random() < 0.9:
            place = dice.randrange(len(value))
            if value[place].isdigit() or dice.random() < 0.1:
                value = value[:place] + dice.choice("0123456789") + value[place + 1 :]
        now = dice.choice([NOW, NOW, NOW, at("2024-01-01T04:00:00")])
        try:
            wanted = fast.parse(value.encode(), now)
        except LineError:
            with pytest.raises(LineError):
                strptime(value.encode(), now)
        else:
            assert strptime(value.encode(), now) == (now if wanted == UNSET_NANOSECONDS else wanted)
