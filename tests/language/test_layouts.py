"""Time layouts: the tables of spec section 10, years, zones, and the check that a layout reads itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.errors import LineError
from pipeline.language.layouts import (
    UNSET_NANOSECONDS,
    Layout,
    LayoutError,
    check_layout,
    find_doubt,
    make_strptime,
)
from tests.language.moments import LONDON, NEW_YORK, NOW, at

SECOND = 10**9


def read(layout: str, text: str, *, now: int = NOW, zone: ZoneInfo | None = None) -> int:
    """Return what a fresh program makes of `text`."""
    return make_strptime(layout, zone or UTC, use_current_year=True)(text.encode(), now)


# What each element accepts (sections 10.3 and 10.4). Texts of other elements make the moment whole.
ACCEPTED = [
    ("2006", "0001", "0001-01-01T00:00:00"),
    ("2006", "9999", "9999-01-01T00:00:00"),
    ("06", "69", "1969-01-01T00:00:00"),
    ("06", "99", "1999-01-01T00:00:00"),
    ("06", "00", "2000-01-01T00:00:00"),
    ("06", "68", "2068-01-01T00:00:00"),
    ("January 2006", "fEBRUARY 2023", "2023-02-01T00:00:00"),
    ("Jan 2006", "DEC 2023", "2023-12-01T00:00:00"),
    ("Jan 2006", "may 2023", "2023-05-01T00:00:00"),
    ("Janx 2006", "Janx 2023", "2023-01-01T00:00:00"),
    ("Monday 2006", "SUNDAY 2023", "2023-01-01T00:00:00"),
    ("Mon 2006", "sun 2023", "2023-01-01T00:00:00"),
    ("01 2006", "12 2023", "2023-12-01T00:00:00"),
    ("1 2006", "2 2023", "2023-02-01T00:00:00"),
    ("1 2006", "02 2023", "2023-02-01T00:00:00"),
    ("02 2006", "31 2023", "2023-01-31T00:00:00"),
    ("2 2006", "3 2023", "2023-01-03T00:00:00"),
    ("2 2006", "03 2023", "2023-01-03T00:00:00"),
    ("_2 2006", " 3 2023", "2023-01-03T00:00:00"),
    ("_2 2006", "3 2023", "2023-01-03T00:00:00"),
    ("_2 2006", " 13 2023", "2023-01-13T00:00:00"),
    ("2 _2006", "3 _2023", "2023-01-03T00:00:00"),
    ("002 2006", "060 2023", "2023-03-01T00:00:00"),
    ("002 2006", "060 2024", "2024-02-29T00:00:00"),
    ("002 2006", "366 2024", "2024-12-31T00:00:00"),
    ("__2 2006", "  1 2023", "2023-01-01T00:00:00"),
    ("__2 2006", " 31 2023", "2023-01-31T00:00:00"),
    ("__2 2006", "032 2023", "2023-02-01T00:00:00"),
    ("002 01 02 2006", "061 03 01 2024", "2024-03-01T00:00:00"),
    ("2006 15", "2023 23", "2023-01-01T23:00:00"),
    ("2006 15", "2023 7", "2023-01-01T07:00:00"),
    ("2006 03", "2023 00", "2023-01-01T00:00:00"),
    ("2006 3", "2023 12", "2023-01-01T12:00:00"),
    ("2006 3", "2023 5", "2023-01-01T05:00:00"),
    ("2006 3PM", "2023 12PM", "2023-01-01T12:00:00"),
    ("2006 3PM", "2023 12AM", "2023-01-01T00:00:00"),
    ("2006 3PM", "2023 0PM", "2023-01-01T12:00:00"),
    ("2006 03pm", "2023 11pm", "2023-01-01T23:00:00"),
    ("2006 04", "2023 59", "2023-01-01T00:59:00"),
    ("2006 4", "2023 7", "2023-01-01T00:07:00"),
    ("2006 05", "2023 59", "2023-01-01T00:00:59"),
    ("2006 5", "2023 7", "2023-01-01T00:00:07"),
    ("2006 05", "2023 07.5", "2023-01-01T00:00:07.500000"),
    ("2006 05", "2023 07,123456789123", "2023-01-01T00:00:07.123456789"),
    ("2006 05.000", "2023 07,250", "2023-01-01T00:00:07.250000"),
    ("2006 05,00", "2023 07.25", "2023-01-01T00:00:07.250000"),
    ("2006 05.999", "2023 07", "2023-01-01T00:00:07"),
    ("2006 05.999", "2023 07.1234567891", "2023-01-01T00:00:07.123456789"),
    ("2006 05 .999", "2023 07 ,5", "2023-01-01T00:00:07.500000"),
    ("2006 -0700", "2023 +0130", "2022-12-31T22:30:00"),
    ("2006 -0700", "2023 -0130", "2023-01-01T01:30:00"),
    ("2006 -07:00", "2023 +24:00", "2022-12-31T00:00:00"),
    ("2006 -07:00", "2023 +02:60", "2022-12-31T21:00:00"),
    ("2006 -07", "2023 -11", "2023-01-01T11:00:00"),
    ("2006 -070000", "2023 +010203", "2022-12-31T22:57:57"),
    ("2006 -07:00:00", "2023 -01:02:03", "2023-01-01T01:02:03"),
    *[("2006 Z" + shape, "2023 Z", "2023-01-01T00:00:00") for shape in ("07", "0700", "07:00", "070000", "07:00:00")],
    ("2006 Z07:00", "2023 -01:30", "2023-01-01T01:30:00"),
    ("2006 Z07:00 -0700", "2023 Z +0200", "2023-01-01T00:00:00"),
    ("2006 MST -0700", "2023 EST +0200", "2022-12-31T22:00:00"),
    *[
        ("2006 MST", "2023 " + name, "2023-01-01T00:00:00")
        for name in ("UTC", "GMT", "PST", "CEST", "WITA", "ChST", "MeST", "ABCDT", "GMT+3", "GMT-0023", "+03", "-11")
    ],
    ("Jan 2 2006  15:04", "Feb  3   2021 4:05", "2021-02-03T04:05:00"),
    ("2006 ", "2023", "2023-01-01T00:00:00"),
    ("2006-002", "2023-002", "2023-01-02T00:00:00"),
    ("20060102150405", "20230102030405", "2023-01-02T03:04:05"),
]


@pytest.mark.parametrize(("layout", "text", "moment"), ACCEPTED)
def test_element_accepts(layout: str, text: str, moment: str) -> None:
    """The tables of 10.3 and 10.4, what they accept."""
    assert Layout(layout, UTC, use_current_year=True).parse(text.encode(), NOW) == at(moment[:26]) + int(
        moment[26:] or 0
    )


REFUSED = [
    *(
        ("2006", "23"),
        ("2006", "+023"),
        ("2006", "-001"),
        ("06", "+5"),
        ("06", "5"),
        ("2006", "2023x"),
        ("2006", "x2023"),
    ),
    *(("January", "Jan"), ("Jan", "Jau"), ("Mon", "Mo"), ("Monday", "Mon"), ("Januar", "January")),
    *(("01", "00"), ("01", "13"), ("01", "1"), ("1", "0"), ("1", "00"), ("1", "13")),
    *(("02", "1"), ("02", "32"), ("02", "00"), ("2", "x"), ("_2", "  3"), ("_2", " "), ("2", "0")),
    *(("002", "60"), ("002", "000"), ("002", "367"), ("__2", "   1"), ("002 2006", "366 2023"), ("002 01", "060 03")),
    *(
        ("002 02", "061 02"),
        ("15", "24"),
        ("03", "13"),
        ("03", "7"),
        ("3", "13"),
        ("04", "60"),
        ("04", "7"),
        ("4", "60"),
    ),
    *(
        ("05", "60"),
        ("05", "7"),
        ("5", "61"),
        ("05", "07."),
        ("05.000", "07"),
        ("05.000", "07.25"),
        ("05.000", "07.2500"),
    ),
    *(("05.000", "07.+25"), ("05.999", "07."), ("05", "07:5"), ("05 x.000", "07.5 x.123"), ("05", ".5")),
    *(("3PM", "3pm"), ("3pm", "3PM"), ("3PM", "3XM"), ("3PM", "3P")),
    *(("-0700", "0700"), ("-0700", "+07:00"), ("-07:00", "+0700"), ("-07", "+7"), ("-0700", "Z"), ("Z0700", "z")),
    *(
        ("-07:00", "+25:00"),
        ("-07:00", "+02:61"),
        ("-07:00", "++2:00"),
        ("-07:00:00", "+02:00:61"),
        ("-070000", "+0200"),
    ),
    *(
        ("MST", "ABCDEF"),
        ("MST", "ABCD"),
        ("MST", "ABCDE"),
        ("MST", "AB"),
        ("MST", "est"),
        ("MST", "+24"),
        ("MST", "+5"),
    ),
    *(("MST", "UTCX"), ("MST", "GMT+24"), ("MST", "GMTX"), ("MST x", "+ x")),
    *(
        ("2006-01", "2023 01"),
        ("2006 01", "2023-01"),
        ("200601", "2023 01"),
        ("2006 01", " 2023 01"),
        ("2006", "2023 "),
    ),
    *(
        ("Jan 2", "Feb 30"),
        ("Jan 2 2006", "Feb 29 2023"),
        ("Jan 2 2006", "Feb 29 1900"),
        ("Jan 2", "Apr 31"),
        ("%Y", "2023"),
    ),
]


@pytest.mark.parametrize(("layout", "text"), REFUSED)
def test_element_refuses(layout: str, text: str) -> None:
    """The tables of 10.3 and 10.4, what they refuse."""
    with pytest.raises(LineError):
        Layout(layout, UTC, use_current_year=True).parse(text.encode(), NOW)


def test_errors_show_value_and_layout() -> None:
    """The message names the cause."""
    for layout, text, message in (
        ("2006-01-02", "tomorrow", "the time `tomorrow` does not match the layout `2006-01-02`"),
        ("2006-01-02", "", "an empty text does not match the layout `2006-01-02`"),
        ("2006-01-02", "2023-02-29", "the time `2023-02-29` names a day that does not exist"),
        ("2006 002", "2023 366", "the time `2023 366` names a day of the year that does not exist"),
        ("2006 002 01", "2023 100 01", "the time `2023 100 01` names a day of the year that is another date"),
    ):
        with pytest.raises(LineError) as caught:
            read(layout, text)
        assert str(caught.value) == message


# The worked cases


def test_fraction_and_zone_of_the_value_count() -> None:
    """Worked cases 87 and 119."""
    assert read("2006-01-02T15:04:05Z07:00", "2023-01-02T03:04:05.25+02:00") == 1672621445_250000000
    assert read("2006-01-02 15:04:05", "2023-01-02 03:04:05,789") == 1672628645_789000000


def test_failure_is_not_remembered() -> None:
    """Worked case 84: upstream remembers it, and lets the next line through."""
    strptime = make_strptime("2006-01-02", UTC, use_current_year=True)
    for _ in range(3):
        with pytest.raises(LineError):
            strptime(b"xx", NOW)


def test_each_layout_has_its_own_memory() -> None:
    """Worked case 85: upstream gives the first result for both."""
    assert read("01/02/2006", "03/04/2023") == at("2023-03-04T00:00:00")
    assert read("02/01/2006", "03/04/2023") == at("2023-04-03T00:00:00")


def test_name_unknown_to_the_zone_shifts_nothing() -> None:
    """Worked case 120."""
    layout, text = "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 PST"
    assert read(layout, text) == 1136214245 * SECOND
    assert read(layout, text, zone=ZoneInfo("America/Los_Angeles")) == 1136243045 * SECOND
    assert read(layout, text, zone=LONDON) == 1136214245 * SECOND
    assert read(layout, "2006-01-02 15:04:05 UTC", zone=NEW_YORK) == 1136214245 * SECOND


def test_first_of_january_of_year_one_is_the_clock() -> None:
    """Worked case 121: that instant is the unset time."""
    strptime = make_strptime("2006-01-02", UTC, use_current_year=True)
    assert Layout("2006-01-02", UTC, use_current_year=True).parse(b"0001-01-01", NOW) == UNSET_NANOSECONDS
    assert [strptime(b"0001-01-01", now) for now in (NOW, NOW, NOW + 1)] == [NOW, NOW, NOW + 1]


# Years


def test_date_without_year_is_of_this_year() -> None:
    """February 29 of a year without one is March 1; there is no look at the turn of the year."""
    assert read("Jan _2 15:04:05", "Feb 29 01:02:03") == at("2023-03-01T01:02:03")
    assert read("Jan _2 15:04:05", "Feb 29 01:02:03", now=at("2024-01-01T00:00:00")) == at("2024-02-29T01:02:03")
    assert read("Jan _2 15:04:05", "Dec 31 23:59:59", now=at("2024-01-01T00:00:00")) == at("2024-12-31T23:59:59")
    assert read("002", "061") == at("2023-03-01T00:00:00")
    assert read("2006-01-02", "0000-07-01") == at("2023-07-01T00:00:00")


def test_date_without_year_turns_with_the_clock_of_the_zone() -> None:
    """What was remembered is forgotten when the year of `now` changes, in either direction."""
    strptime = make_strptime("Jan _2 15:04", NEW_YORK, use_current_year=True)
    before, after = at("2024-01-01T04:59:59"), at("2024-01-01T05:00:00")
    wanted = {before: at("2023-07-01T16:00:00"), after: at("2024-07-01T16:00:00")}
    for now in (before, before, after, after, before):
        assert strptime(b"Jul  1 12:00", now) == wanted[now]
        assert strptime(b"Jul  1 12:01", now) == wanted[now] + 60 * SECOND


def test_year_zero_of_a_layout_with_a_year_is_not_remembered() -> None:
    """It stands for the current year, and that changes."""
    for layout, text in (("2006-01-02 15:04:05", b"0000-07-01 00:00:00"), ("2006-01-02", b"0000-07-01")):
        strptime = make_strptime(layout, UTC, use_current_year=True)
        assert strptime(text, NOW) // SECOND == at("2023-07-01T00:00:00") // SECOND
        assert strptime(text, at("2024-06-01T00:00:00")) // SECOND == at("2024-07-01T00:00:00") // SECOND


def test_year_stays_zero_if_the_current_one_is_not_wanted() -> None:
    """Year 0 is a leap year, 366 days before year 1."""
    strptime = make_strptime("Jan _2", UTC, use_current_year=False)
    assert strptime(b"Jan  1", NOW) == UNSET_NANOSECONDS - 366 * 86400 * SECOND
    assert strptime(b"Feb 29", NOW) == UNSET_NANOSECONDS - (366 - 59) * 86400 * SECOND
    assert strptime(b"Dec 31", NOW) == UNSET_NANOSECONDS - 86400 * SECOND


def test_instant_after_the_year_9999_is_exact() -> None:
    """No limit of `datetime` shows."""
    last = at("9999-12-31T23:59:59")
    assert read("2006-01-02 15:04:05 -0700", "9999-12-31 23:59:59 -0100") == last + 3600 * SECOND
    assert read("2006-01-02 15:04:05", "9999-12-31 23:59:59", zone=NEW_YORK) == last + 5 * 3600 * SECOND


# The configured zone


@pytest.mark.parametrize(
    ("zone", "text", "moment"),
    [
        (NEW_YORK, "2023-03-12 02:30:00", "2023-03-12T06:30:00"),
        (NEW_YORK, "2023-11-05 01:30:00", "2023-11-05T05:30:00"),
        (NEW_YORK, "2023-07-01 12:00:00", "2023-07-01T16:00:00"),
        (LONDON, "2023-10-29 01:30:00", "2023-10-29T01:30:00"),
        (LONDON, "2023-03-26 01:30:00", "2023-03-26T01:30:00"),
        (ZoneInfo("Australia/Lord_Howe"), "2023-10-01 02:15:00", "2023-09-30T15:45:00"),
    ],
)
def test_time_without_zone_is_of_the_configured_one(zone: ZoneInfo, text: str, moment: str) -> None:
    """The examples of 10.5: skipped and repeated times."""
    assert read("2006-01-02 15:04:05", text, zone=zone) == at(moment)


@given(st.integers(at("1973-01-01T00:00:00") // SECOND, at("2060-01-01T00:00:00") // SECOND))
def test_civil_time_of_an_instant_names_it(seconds: int) -> None:
    """Where the clock does not change, civil time and back is the identity."""
    moment = datetime.fromtimestamp(seconds, NEW_YORK)
    assume(len({(moment + timedelta(days=days)).utcoffset() for days in (-1, 0, 1)}) == 1)
    assert read("2006-01-02 15:04:05", moment.strftime("%Y-%m-%d %H:%M:%S"), zone=NEW_YORK) == seconds * SECOND


# The check of a layout


@pytest.mark.parametrize(
    "layout",
    [
        *("2006-01-02T15:04:05Z07:00", "Jan _2 15:04:05", "__2 2006", "20060102150405", "%Y-%m-%d", ""),
        *("Mon Jan _2 15:04:05 MST 2006", "3:04PM", "02/Jan/2006:15:04:05 -0700", "2006-01-02 15:04:05.999999-07:00"),
        *("2006-01-02 15:04:05,000", "Z070000 002 2006", "é 2006"),
    ],
)
def test_layout_that_reads_itself_passes(layout: str) -> None:
    """Section 10.2, with `_2` and `Z07:00` as exceptions."""
    check_layout(layout)


EXAMPLE = "write the moment `Mon Jan 2 15:04:05 2006` as the log would write it, such as `2006-01-02 15:04:05`"
WRONG_LAYOUTS = [
    (
        "2006-01-02T15:04:05Z",
        "a literal `Z` cannot be matched by a time layout",
        "write `Z07:00` in its place and let the pattern capture the `Z` too",
    ),
    (
        "2006-01-02_15:04",
        "a literal `_` cannot be matched by a time layout",
        'replace it in the value first: `subst("_", " ", …)`',
    ),
    (
        "2017-10-16 06:50:25",
        "the time layout does not read itself: `01` does not accept `17-10-16 06:50:25`",
        EXAMPLE,
    ),
    ("05.02", "the time layout does not read itself: `.` does not accept the end of the text", EXAMPLE),
    ("MSTA", "the time layout does not read itself: `MST` does not accept `MSTA`", EXAMPLE),
    ("x 05.001", "the time layout does not read itself: `.0` does not accept the end of the text", EXAMPLE),
]


@pytest.mark.parametrize(("layout", "message", "hint"), WRONG_LAYOUTS)
def test_layout_that_does_not_read_itself_is_explained(layout: str, message: str, hint: str) -> None:
    """Worked case 86, and the others of 10.2."""
    with pytest.raises(LayoutError) as caught:
        check_layout(layout)
    assert (caught.value.message, caught.value.help) == (message, hint)
    assert str(caught.value) == message


def test_layout_without_elements_is_doubtful() -> None:
    """It passes the check, as in the reference, but is hardly what was meant."""
    assert find_doubt("%Y-%m-%d") == (
        "the time layout `%Y-%m-%d` has no element, so it matches only its own text",
        EXAMPLE,
    )
    assert find_doubt("2006") is None


@given(st.text(st.sampled_from("0123456789JanMonSTPMpZ_-+:.,/ xé"), max_size=12) | st.text(max_size=5))
def test_any_layout_passes_or_is_explained(layout: str) -> None:
    """Whatever stands between the quotes."""
    message = ""
    try:
        check_layout(layout)
    except LayoutError as error:
        message = error.message
    assert not message or message.startswith(("a literal", "the time layout does not read itself: `"))
