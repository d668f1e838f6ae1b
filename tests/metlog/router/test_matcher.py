"""The table of routes: what a message matches, what is remembered of it, and that it agrees with the plain rules."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decoders import Value, find_field
from pipeline.errors import SettingError
from pipeline.metlog.endpoints import spell_value
from pipeline.metlog.router.matcher import MAX_REMEMBERED, MAX_REMEMBERED_CHARACTERS, Matcher
from pipeline.metlog_settings import DEFAULT_ROUTES, SEVERITY_NAMES, RouteSettings


def make_record(
    kind: str = "oldstyle", logger: str = "", severity: int = 6, fields: dict[str, Value] | None = None
) -> dict[str, Value]:
    """Return what the matcher reads of an envelope."""
    return {"type": kind, "logger": logger, "severity": severity, "fields": fields or {}}


def find(routes: Sequence[RouteSettings], record: dict[str, Value]) -> tuple[int, ...]:
    """Return the numbers of the routes that a message takes, from 0."""
    return Matcher(routes, tuple).find(record)


def test_first_route_that_fits_ends_it() -> None:
    """Later ones do not see the message."""
    routes = [RouteSettings(type=("a",), to=("x",)), RouteSettings(type=("a", "b"), to=("y",))]
    assert find(routes, make_record("a")) == (0,)
    assert find(routes, make_record("b")) == (1,)


def test_route_that_goes_on_lets_later_ones_see_the_message() -> None:
    """`continue = true` is for a copy beside the usual way."""
    routes = [RouteSettings(type=("a",), to=("x",), goes_on=True), RouteSettings(to=("y",))]
    assert find(routes, make_record("a")) == (0, 1)
    assert find(routes, make_record("b")) == (1,)


def test_message_that_nothing_fits_takes_no_route() -> None:
    """Who hands it over counts it."""
    assert find([RouteSettings(type=("a",), to=("x",))], make_record("b")) == ()


@pytest.mark.parametrize(("kind", "route"), [("counter", 0), ("timer", 0), ("gauge", 0), ("oldstyle", 1), ("", 1)])
def test_without_routes_measurements_go_to_the_store(kind: str, route: int) -> None:
    """And all else to the programs."""
    assert find(DEFAULT_ROUTES, make_record(kind)) == (route,)


@pytest.mark.parametrize(
    ("severity", "fitting"),
    [
        ("<=4", {0, 1, 2, 3, 4}),
        ("< 4", {0, 1, 2, 3}),
        (">=error", {3, 4, 5, 6, 7}),
        (">6", {7}),
        ("=2", {2}),
        ("2", {2}),
        ("Warning", {4}),
    ],
)
def test_severity_is_compared(severity: str, fitting: set[int]) -> None:
    """With a number or a name; without a comparison it must be that one."""
    routes = [RouteSettings(severity=severity, to=("x",))]
    assert {level for level in range(8) if find(routes, make_record(severity=level))} == fitting


@pytest.mark.parametrize("severity", ["<=8", "-1", "<>3", "bad", "<=", "warn ing"])
def test_severity_that_is_none_is_a_wrong_setting(severity: str) -> None:
    """It would fit nothing."""
    with pytest.raises(SettingError) as caught:
        RouteSettings(severity=severity, to=("x",))
    assert str(caught.value) == (
        "severity must be a number from 0 to 7 or one of emergency, alert, critical, error, warning, notice, "
        f'informational, debug, perhaps with a comparison such as "<=4", not "{severity}".'
    )


@pytest.mark.parametrize(
    ("pattern", "fields", "fits"),
    [
        (("code", ("5*",)), {"code": "503"}, True),
        (("code", ("5*",)), {"code": 503}, True),
        (("code", ("5*",)), {"code": 404}, False),
        (("code", ("404", "5??")), {"code": 404}, True),
        (("code", ("*",)), {}, False),
        (("code", ("*",)), {"code": None}, False),
        (("ok", ("true",)), {"ok": True}, True),
        (("a.b", ("x",)), {"a": {"b": "x"}}, True),
        (("a.b", ("x",)), {"a.b": "x"}, True),
        (("a.b.c", ("x",)), {"a": {"b.c": "x"}}, True),
        (("a.1", ("x",)), {"a": ["w", "x"]}, True),
        (("a", ('["w","x"]',)), {"a": ["w", "x"]}, False),  # that is a set of characters, as in fnmatch(3)
        (("load", ("0.5",)), {"load": 0.5}, True),
    ],
)
def test_field_is_matched_by_its_text(
    pattern: tuple[str, tuple[str, ...]], fields: dict[str, Value], fits: bool
) -> None:
    """One that is absent, or null, fits no pattern."""
    assert (find([RouteSettings(fields=(pattern,), to=("x",))], make_record(fields=fields)) == (0,)) is fits


def test_fields_are_asked_for_each_message() -> None:
    """What is remembered is that they matter."""
    matcher = Matcher([RouteSettings(fields=(("a", ("1",)),), to=("x",)), RouteSettings(to=("y",))], tuple)
    assert [matcher.find(make_record(fields={"a": text})) for text in ("1", "2", "1")] == [(0,), (1,), (0,)]


def test_what_strangers_think_of_is_forgotten_again() -> None:
    """Neither many types nor a long one fill the memory."""
    matcher = Matcher([RouteSettings(to=("x",))], tuple)
    for number in range(MAX_REMEMBERED + 10):
        matcher.find(make_record(str(number)))
    assert len(matcher.by_traits) == 10
    matcher.find(make_record("long" * MAX_REMEMBERED_CHARACTERS))
    assert len(matcher.by_traits) == 10


def test_equal_plans_are_one() -> None:
    """What a plan gathers, it gathers for all messages that take the same routes."""
    matcher = Matcher([RouteSettings(to=("x",))], lambda numbers: [numbers])
    assert matcher.find(make_record("a")) is matcher.find(make_record("b"))


def test_number_of_plans_is_limited() -> None:
    """Routes that go on can be combined in more ways than anybody sends."""
    routes = [RouteSettings(fields=((f"f{bit}", ("1",)),), to=("x",), goes_on=True) for bit in range(13)]
    matcher = Matcher(routes, tuple)
    for number in range(MAX_REMEMBERED + 5):
        fields: dict[str, Value] = {f"f{bit}": number >> bit & 1 for bit in range(13)}
        assert matcher.find(make_record(fields=fields)) == tuple(bit for bit in range(13) if number >> bit & 1)
    assert len(matcher.plans) == 5


@pytest.mark.parametrize("pattern", ["*a*a*a*a*a*a*b", "*" * 30 + "b", "*[a-z]*[a-z]*[a-z]*0", "?*?*?*?*?*b"])
def test_pattern_takes_linear_time(pattern: str) -> None:
    """A text that nearly fits is looked at a few times, not once for each way to read it: those would take years."""
    routes = [RouteSettings(logger=(pattern,), to=("x",))]
    assert find(routes, make_record(logger="a" * 60_000)) == ()


# The plain rules ---------------------------------------------------------------------------------

WORDS = st.sampled_from(["a", "b", "ab", "a.b", "", "*", "[ab]"])
PATTERNS = st.lists(st.sampled_from(["a", "b", "a*", "*b", "?", "[ab]", "[!a]*", "*", "a.b"]), max_size=2).map(tuple)
SEVERITIES = st.one_of(
    st.just(""),
    st.builds(
        "{}{}".format, st.sampled_from(["", "<", "<=", "=", ">=", ">"]), st.sampled_from([*range(8), *SEVERITY_NAMES])
    ).filter(lambda severity: severity not in ("<0", "<emergency", ">7", ">debug")),
)
FIELDS = st.dictionaries(
    WORDS, st.one_of(WORDS, st.none(), st.booleans(), st.integers(), st.dictionaries(WORDS, WORDS)), max_size=3
)
ROUTES = st.builds(
    RouteSettings,
    to=st.just(("x",)),
    type=PATTERNS,
    logger=PATTERNS,
    severity=SEVERITIES,
    fields=st.dictionaries(WORDS, PATTERNS, max_size=2).map(lambda table: tuple(table.items())),
    goes_on=st.booleans(),
)
RECORDS = st.builds(make_record, WORDS, WORDS, st.integers(0, 7), FIELDS)


def fits_plainly(route: RouteSettings, record: dict[str, Value]) -> bool:
    """Tell whether a route fits, as the documents say it."""
    for name in ("type", "logger"):
        patterns = getattr(route, name)
        if patterns and not any(fnmatchcase(str(record[name]), pattern) for pattern in patterns):
            return False
    if route.severity:
        operator = route.severity.rstrip("0123456789abcdefghijklmnopqrstuvwxyz")
        level = route.severity.removeprefix(operator)
        number = int(level) if level.isdigit() else SEVERITY_NAMES.index(level)
        severity = record["severity"]
        assert isinstance(severity, int)
        order = "<" if severity < number else ">" if severity > number else "="
        if order not in (operator or "="):
            return False
    for path, patterns in route.fields:
        value = find_field(record["fields"], path.split("."))
        if value is None:
            return False
        if patterns and not any(fnmatchcase(spell_value(value), pattern) for pattern in patterns):
            return False
    return True


@pytest.mark.slow
@given(st.lists(ROUTES, max_size=5), st.lists(RECORDS, min_size=1, max_size=5))
def test_table_agrees_with_the_plain_rules(routes: list[RouteSettings], records: list[dict[str, Value]]) -> None:
    """Whatever the table, and whatever came before."""
    matcher = Matcher(routes, tuple)
    for record in records:
        wanted = []
        for number, route in enumerate(routes):
            if fits_plainly(route, record):
                wanted.append(number)
                if not route.goes_on:
                    break
        assert list(matcher.find(record)) == wanted
