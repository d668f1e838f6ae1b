"""What a reader finds on our pages for Borgmon and Graphite. Their form is in the golden files."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import LineOptions, graphite, varz
from pipeline.formats.lines import STEP
from pipeline.metrics import Datum, HistogramDatum, Kind, Metric, Snapshot, Store, ValueType

NOW = 1_700_000_000_999_999_999


def make_metric(
    name: str = "m",
    *label_names: str,
    values: Sequence[tuple[bytes, ...]] | None = None,
    program: str = "a.mtail",
    hidden: bool = False,
) -> Metric:
    """Return a gauge that has a series for each of `values`; by default one whose labels are all `x`."""
    metric = Metric(
        name,
        kind=Kind.GAUGE,
        value_type=ValueType.INT,
        program=program,
        label_names=label_names,
        source=f"{program}:1:9",
        hidden=hidden,
    )
    for labels in [(b"x",) * len(label_names)] if values is None else values:
        metric.new(labels, NOW)
    return metric


def make_value(kind: Kind, value_type: ValueType, value: float | bytes) -> Metric:
    """Return a metric without labels that has one value."""
    metric = Metric("m", kind=kind, value_type=value_type, program="a.mtail")
    series = metric.data.get(()) or metric.new((), NOW)
    assert isinstance(series, Datum)
    series.value, series.time = value, NOW
    return metric


def snapshot_of(*metrics: Metric) -> Snapshot:
    store = Store()
    for metric in metrics:
        store.register([metric])
    return store.snapshot()


def write_varz(*metrics: Metric, instance: str = "h", emit_prog_label: bool = True) -> tuple[list[str], list[str]]:
    """Return the lines of `/varz`, and the problems."""
    problems: list[str] = []
    options = LineOptions(instance=instance, emit_prog_label=emit_prog_label)
    return varz.render(snapshot_of(*metrics), options, problems).decode().splitlines(), problems


def write_graphite(*metrics: Metric, prefix: str = "") -> tuple[list[str], list[str]]:
    """Return the lines of `/graphite`, and the problems."""
    problems: list[str] = []
    page = graphite.render(snapshot_of(*metrics), LineOptions(graphite_prefix=prefix), problems)
    return page.decode().splitlines(), problems


# --- No log line makes up a line of the page ---------------------------------


@given(st.lists(st.tuples(st.binary(), st.binary()), unique=True))
def test_each_series_is_one_line(values: list[tuple[bytes, bytes]]) -> None:
    """Whatever bytes its label values hold, and however a reader finds the ends of lines."""
    for lines, _ in (
        write_varz(make_metric("m", "b", "a", values=values)),
        write_graphite(make_metric("m", "b", "a", values=values)),
    ):
        assert len(lines) == len(values)
        assert all(line.startswith(("m{a=", "a.mtail.m.a.")) for line in lines)


@given(st.binary())
def test_text_is_one_line(data: bytes) -> None:
    """A text is a value on both pages."""
    metric = make_value(Kind.TEXT, ValueType.STRING, data)
    assert [len(lines) for lines, _ in (write_varz(metric), write_graphite(metric))] == [1, 1]


@pytest.mark.parametrize("data", [b"\n", b"\r", b"\v", b"\f", b"\x1c", "\x85".encode(), "\u2028".encode()])
def test_end_of_a_line_is_an_underscore(data: bytes) -> None:
    """In label values and in texts; those of mtail go through."""
    value = b"x 1 2" + data + b"evil 5 6"
    assert write_varz(make_metric("m", "k", values=[(value,)]))[0] == ["m{k=x 1 2_evil 5 6,prog=a.mtail,instance=h} 0"]
    assert write_graphite(make_metric("m", "k", values=[(value,)]))[0] == ["a.mtail.m.k.x 1 2_evil 5 6 0 1700000000"]
    assert write_varz(make_value(Kind.TEXT, ValueType.STRING, value))[0] == [
        "m{prog=a.mtail,instance=h} x 1 2_evil 5 6"
    ]


def test_names_cannot_break_lines_either() -> None:
    """A program's name is that of a file, which may be any bytes; others are what a program quotes."""
    metric = make_metric("m\nn%s", "k\n.%d", program="a\n\udcff%.mtail", values=[(b"100%",)])
    assert write_varz(metric, instance="h\n%")[0] == ["m_n%s{k_.%d=100%,prog=a_\ufffd%.mtail,instance=h_%} 0"]
    assert write_graphite(metric, prefix="p%.")[0] == ["p%.a_\ufffd%.mtail.m_n%s.k__%d.100% 0 1700000000"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'a "b" \\ c', 'a "b" \\ c'),
        ("café 😀".encode(), "café 😀"),
        (b"\xff\xe2\x82", "\ufffd\ufffd\ufffd"),
        (b"\0\t,={}", "\0\t,={}"),
        (b"/a/b", "/a/b"),
    ],
)
def test_other_characters_stay(data: bytes, text: str) -> None:
    """As in mtail. An invalid byte is U+FFFD, as in all our formats."""
    metric = make_metric("m", "k", values=[(data,)])
    assert write_varz(metric)[0] == [f"m{{k={text},prog=a.mtail,instance=h}} 0"]
    assert write_graphite(metric)[0] == [f"a.mtail.m.k.{text} 0 1700000000"]


# --- Values -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value_type", "value", "text"),
    [
        (ValueType.INT, 2**63 - 1, "9223372036854775807"),
        (ValueType.INT, 2**63, "-9223372036854775808"),
        (ValueType.INT, -1, "-1"),
        (ValueType.FLOAT, -0.0, "-0"),
        (ValueType.FLOAT, math.nan, "NaN"),
        (ValueType.FLOAT, math.inf, "+Inf"),
        (ValueType.FLOAT, -math.inf, "-Inf"),
        (ValueType.FLOAT, 1e300, "1e+300"),
        (ValueType.FLOAT, 1e6, "1e+06"),
        (ValueType.STRING, b"two words", "two words"),
    ],
)
def test_values_are_spelled_as_in_mtail(value_type: ValueType, value: float | bytes, text: str) -> None:
    """Compared with it in tests/differential/test_mtail_pages.py; a view may hold an Int that has outgrown 64 bits."""
    store = Store()
    store.register([make_value(Kind.GAUGE, value_type, value)])
    for snapshot in (store.snapshot(), store.view()):
        assert varz.render(snapshot) == f"m{{prog=a.mtail,instance=}} {text}\n".encode()
        assert graphite.render(snapshot) == f"a.mtail.m {text} 1700000000\n".encode()


@pytest.mark.parametrize(("time", "second"), [(0, 0), (1, 0), (-1, 0), (-1_500_000_000, -1), (-(2**63), -9223372036)])
def test_times_are_cut_off_to_seconds(time: int, second: int) -> None:
    """As Go divides, also before 1970."""
    metric = make_metric()
    metric.data[()].time = time
    assert write_graphite(metric)[0] == [f"a.mtail.m 0 {second}"]


def test_each_histogram_series_has_its_own_buckets() -> None:
    """mtail shows those of the first one for all."""
    metric = Metric(
        "h",
        kind=Kind.HISTOGRAM,
        value_type=ValueType.BUCKETS,
        program="a.mtail",
        label_names=("k",),
        buckets=(0, 0.5, 2e6),
    )
    for labels, counts, total in (((b"a.b",), [1, 2, 3], math.inf), ((b"",), [0, 0, 4], math.nan)):
        series = metric.new(labels, NOW)
        assert isinstance(series, HistogramDatum)
        series.counts[:], series.count, series.total, series.time = counts, 9, total, NOW
    assert write_graphite(metric)[0] == [
        *(
            f"a.mtail.h.k.a_b{rest} 1700000000"
            for rest in (".bin_0.5 1", ".bin_2e+06 2", ".bin_inf 3", ".count 9", " +Inf")
        ),
        *(
            f"a.mtail.h.k.{rest} 1700000000"
            for rest in (".bin_0.5 0", ".bin_2e+06 0", ".bin_inf 4", ".count 9", " NaN")
        ),
    ]
    assert [line.split()[-1] for line in write_varz(metric)[0]] == ["+Inf", "NaN"]


# --- What stands on the pages -------------------------------------------------


def test_hidden_metrics_and_our_own_are_left_out() -> None:
    """As in mtail, whose own metrics are elsewhere, too."""
    metrics = (make_metric("seen"), make_metric("hidden", hidden=True), make_metric("own", program=""))
    assert write_varz(*metrics)[0] == ["seen{prog=a.mtail,instance=h} 0"]
    assert write_graphite(*metrics)[0] == ["a.mtail.seen 0 1700000000"]


def test_empty_store_is_an_empty_page() -> None:
    """So is a metric without series."""
    assert (varz.render(Snapshot(())), graphite.render(Snapshot(()))) == (b"", b"")
    assert write_varz(make_metric("m", "k", values=[]))[0] == []


def test_labels_are_sorted_as_mtail_sorts_them() -> None:
    """The pairs on one page, the names on the other; of two labels of a name the last one counts."""
    metric = make_metric("m", "b", "a", "a-b", "b", values=[(b"1", b"2", b"3", b"4")])
    assert write_varz(metric)[0] == ["m{a-b=3,a=2,b=4,prog=a.mtail,instance=h} 0"]
    assert write_graphite(metric)[0] == ["a.mtail.m.a.2.a-b.3.b.4 0 1700000000"]


def test_all_series_of_a_large_metric_are_there() -> None:
    """In order of creation, over several pieces."""
    values = [(b"%d" % number,) for number in range(2 * STEP + 1)]
    lines, problems = write_graphite(make_metric("m", "k", values=values))
    assert lines == [f"a.mtail.m.k.{number} 0 1700000000" for number in range(2 * STEP + 1)]
    assert problems == []


# --- Names that are equal -----------------------------------------------------


def name_problem(metric: str, place: str, name: str) -> str:
    return f"Metric `{metric}` at {place} has series whose names in the {name} format are those of other series."


def test_values_that_become_equal_are_reported() -> None:
    """Both lines stay, as in mtail; also when they are far apart."""
    fillers = [(b"%d" % number,) for number in range(STEP)]
    more = [(b"more%d" % number,) for number in range(STEP)]
    lines, problems = write_graphite(make_metric("m", "k", values=[(b"a.b",), *fillers, (b"a_b",), *more]))
    assert (lines[0], lines[STEP + 1]) == ("a.mtail.m.k.a_b 0 1700000000",) * 2
    assert problems == [name_problem("m", "a.mtail:1:9", "Graphite")]
    assert write_varz(make_metric("m", "k", values=[(b"a.b",), (b"a_b",)]))[1] == []
    assert write_varz(make_metric("m", "k", values=[(b"a\n",), (b"a_",)]))[1] == [
        name_problem("m", "a.mtail:1:9", "Borgmon")
    ]


def test_values_that_look_like_labels_are_reported() -> None:
    """Nothing is quoted on /varz, so that two series can have one name."""
    values = [(b"1,b=2", b"3"), (b"1", b"2,b=3")]
    assert write_varz(make_metric("m", "a", "b", values=values))[1] == [name_problem("m", "a.mtail:1:9", "Borgmon")]


def test_metrics_that_become_equal_are_reported() -> None:
    """Of two programs, when the program is no label; of one name that is as long as another with its labels."""
    pair = make_metric(program="a.mtail"), make_metric(program="b.mtail")
    assert write_varz(*pair)[1] == []
    assert write_varz(*pair, emit_prog_label=False)[1] == [name_problem("m", "b.mtail:1:9", "Borgmon")]
    pair = make_metric("m", "k"), make_metric("m.k.x")
    assert write_graphite(*pair)[1] == [name_problem("m.k.x", "a.mtail:1:9", "Graphite")]
    assert write_graphite(make_metric("m", "k"), make_metric("mk"), make_metric("m.k.y"))[1] == []
