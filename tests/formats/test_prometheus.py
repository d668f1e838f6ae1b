"""What a scraper finds on our page, and what is left out of it. Its form is in the golden files."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import PrometheusOptions, prometheus
from pipeline.formats.prometheus.selection import describe_family
from pipeline.metrics import Datum, HistogramDatum, Kind, Metric, Snapshot, Store, ValueType

NOW = 1_700_000_000_000_000_000

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\["\\n])*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}

Sample = tuple[str, tuple[tuple[str, str], ...], str]


def parse_page(page: bytes) -> list[Sample]:
    """Return name, labels and value of each sample, by the words of the format's description."""
    samples = []
    lines = page.decode().split("\n")
    assert lines.pop() == ""
    for line in lines:
        if line.startswith("# "):
            continue
        parts = SAMPLE.fullmatch(line)
        assert parts, line
        name, labels, value = parts.groups()
        pairs = LABEL.findall(labels or "")
        unescaped = tuple((key, re.sub(r"\\.", lambda m: ESCAPES[m[0]], text)) for key, text in pairs)
        samples.append((name, unescaped, value))
    return samples


def make_metric(
    name: str,
    *label_names: str,
    kind: Kind = Kind.GAUGE,
    program: str = "a.mtail",
    values: Sequence[tuple[bytes, ...]] | None = None,
    help_text: str = "",
) -> Metric:
    """Return a metric with a series for each of `values`; by default one whose labels are all `x`."""
    histogram = kind is Kind.HISTOGRAM
    metric = Metric(
        name,
        kind=kind,
        value_type=ValueType.BUCKETS if histogram else ValueType.INT,
        program=program,
        label_names=label_names,
        source=f"{program}:1:9",
        help_text=help_text,
        buckets=(1, 2) if histogram else (),
    )
    for labels in [(b"x",) * len(label_names)] if values is None else values:
        metric.new(labels, NOW)
    return metric


def render(*metrics: Metric, emit_prog_label: bool = False) -> tuple[str, list[str]]:
    """Return the page and the problems."""
    store = Store()
    for metric in metrics:
        store.register([metric])
    problems: list[str] = []
    options = PrometheusOptions(emit_prog_label=emit_prog_label)
    return prometheus.render(store.snapshot(), options, problems).decode(), problems


def test_empty_store_is_an_empty_page() -> None:
    """No families, no line."""
    assert prometheus.render(Snapshot(())) == b""


LABEL_VALUES = st.lists(st.tuples(st.text(), st.text()), unique=True)


@given(LABEL_VALUES, st.booleans())
def test_any_label_value_survives(values: list[tuple[str, str]], emit_prog_label: bool) -> None:
    """Each series is there with its labels, in order of their values."""
    encoded = [(first.encode(), second.encode()) for first, second in values]
    page, problems = render(make_metric("m", "b", "a", values=encoded), emit_prog_label=emit_prog_label)
    program = (("prog", "a.mtail"),) if emit_prog_label else ()
    expected = [("m", (("a", second), ("b", first), *program), "0") for first, second in values]
    samples = parse_page(page.encode())
    assert sorted(samples) == sorted(expected)
    assert problems == []
    if not any("\0" in text for pair in values for text in pair):
        assert samples == sorted(expected)


@given(st.binary(), st.binary())
def test_any_bytes_make_a_valid_page(first: bytes, second: bytes) -> None:
    """Every byte that is not UTF-8 becomes U+FFFD; of two series that become equal one is left."""
    page, problems = render(make_metric("m", "k", values=[(first,), (second,)] if first != second else [(first,)]))
    texts = {re.sub("[\udc80-\udcff]", "\ufffd", value.decode(errors="surrogateescape")) for value in (first, second)}
    assert {labels for _, labels, _ in parse_page(page.encode())} == {(("k", text),) for text in texts}
    assert len(problems) == (first != second and len(texts) == 1)


def test_histograms_keep_any_label_value() -> None:
    """On each of their lines, with the bound last."""
    page, _ = render(make_metric("m", "z", kind=Kind.HISTOGRAM, values=[(b'\\"\n',)]))
    assert [(name, labels) for name, labels, _ in parse_page(page.encode())] == [
        ("m_bucket", (("z", '\\"\n'), ("le", "1"))),
        ("m_bucket", (("z", '\\"\n'), ("le", "2"))),
        ("m_bucket", (("z", '\\"\n'), ("le", "+Inf"))),
        ("m_sum", (("z", '\\"\n'),)),
        ("m_count", (("z", '\\"\n'),)),
    ]


def test_fewer_labels_come_first() -> None:
    """Whatever their values."""
    page, problems = render(
        make_metric("m", "a", "b", values=[(b"1", b"1")]), make_metric("m", "c", program="b.mtail", values=[(b"2",)])
    )
    assert [labels for _, labels, _ in parse_page(page.encode())] == [(("c", "2"),), (("a", "1"), ("b", "1"))]
    assert problems == []


@pytest.mark.parametrize(
    ("name", "exported"),
    [("a-b", "a_b"), ("a b.c", "a_b_c"), ("a:b", "a:b"), ("9a", "_a"), ("é", "_"), ("ok_9", "ok_9")],
)
def test_other_characters_in_a_name_become_underscores(name: str, exported: str) -> None:
    """So does a leading digit."""
    page, problems = render(make_metric(name))
    assert page == f"# HELP {exported} defined at a.mtail:1:9\n# TYPE {exported} gauge\n{exported} 0\n"
    assert problems == []


@pytest.mark.parametrize(("name", "exported"), [("a-b", "a_b"), ("a:b", "a_b"), ("9a", "_a"), ("é", "_")])
def test_other_characters_in_a_label_name_become_underscores(name: str, exported: str) -> None:
    """A colon too, with which a scraper would refuse the page."""
    page, _ = render(make_metric("m", name))
    assert parse_page(page.encode()) == [("m", ((exported, "x"),), "0")]


def test_help_is_escaped() -> None:
    """Backslash and line feed only."""
    page, _ = render(make_metric("m", help_text='a "b" \\\nc'))
    assert page.splitlines()[0] == '# HELP m a "b" \\\\\\nc'


def test_help_is_that_of_the_first_metric_shown() -> None:
    """A hidden one, or one without series, says nothing."""
    hidden = make_metric("m", program="a.mtail")
    hidden.hidden = True
    empty = make_metric("m", "k", program="b.mtail", values=())
    page, problems = render(
        hidden, empty, make_metric("m", program="c.mtail"), make_metric("m", "k", program="d.mtail")
    )
    assert page == '# HELP m defined at c.mtail:1:9\n# TYPE m gauge\nm 0\nm{k="x"} 0\n'
    assert problems == []


def test_help_is_that_of_the_first_program_that_gives_one() -> None:
    """By name and not in order of loading, so that a reload changes nothing; the others are told."""
    silent = make_metric("m", program="a.mtail")
    last = make_metric("m", program="d.mtail", help_text="Of d.")
    first = make_metric("m", program="b.mtail", help_text="Of b.")
    same = make_metric("m", program="c.mtail", help_text="Of b.")
    page, problems = render(silent, last, first, same, emit_prog_label=True)
    assert page.splitlines()[0] == "# HELP m Of b."
    assert problems == ["Metric `m` has another help text at d.mtail:1:9 than at b.mtail:1:9, which counts."]


def test_unit_is_that_of_the_first_program_that_gives_one() -> None:
    """Whoever comes first in the family carries it, for the formats that show it."""
    silent, last, first = (make_metric("m", program=f"{name}.mtail") for name in "acb")
    last.unit, first.unit = "seconds", "bytes"
    store = Store()
    for metric in (silent, last, first):
        store.register([metric])
    problems: list[str] = []
    family = describe_family(store.snapshot().metrics, problems)
    assert [metric.unit for metric in family] == ["bytes", "seconds", "bytes"]
    assert problems == ["Metric `m` has another unit at c.mtail:1:9 than at b.mtail:1:9, which counts."]


def test_last_of_labels_with_one_name_counts() -> None:
    """Case 103."""
    page, problems = render(make_metric("m", "k", "k", values=[(b"1", b"2")]))
    assert parse_page(page.encode()) == [("m", (("k", "2"),), "0")]
    assert problems == []


def test_program_may_hold_any_character() -> None:
    """It is a file name."""
    page, _ = render(make_metric("m", program='%s "a".mtail'), emit_prog_label=True)
    assert parse_page(page.encode()) == [("m", (("prog", '%s "a".mtail'),), "0")]


def test_metrics_of_the_daemon_have_no_program() -> None:
    """So that their own label `prog` can name one."""
    page, problems = render(make_metric("m", "prog", program=""), emit_prog_label=True)
    assert parse_page(page.encode()) == [("m", (("prog", "x"),), "0")]
    assert problems == []


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (make_metric(""), "it has no name"),
        (make_metric("m", "k", ""), "a label has no name"),
        (make_metric("m", "__name"), "label names that begin with two underscores, as `__name`, are reserved"),
        (make_metric("m", "- k"), "label names that begin with two underscores, as `__k`, are reserved"),
        (make_metric("m", "le", kind=Kind.HISTOGRAM), "the label `le` of a histogram is the bound of a bucket"),
        (make_metric("m", "prog"), "the label `prog` is the name of the program"),
    ],
    ids=["no name", "label without name", "reserved", "becomes reserved", "le", "prog"],
)
def test_metric_the_format_cannot_hold_is_left_out(metric: Metric, reason: str) -> None:
    """The rest of the page is served."""
    page, problems = render(metric, make_metric("other"), emit_prog_label=True)
    assert parse_page(page.encode()) == [("other", (("prog", "a.mtail"),), "0")]
    assert problems == [f"Metric `{metric.name}` at a.mtail:1:9 is left out of the Prometheus format: {reason}."]


def test_label_prog_is_free_when_programs_are_not_shown() -> None:
    """`--emit_prog_label=false`."""
    page, problems = render(make_metric("m", "prog"))
    assert parse_page(page.encode()) == [("m", (("prog", "x"),), "0")]
    assert problems == []


def test_metric_of_another_type_is_left_out() -> None:
    """Two names that the format cannot tell apart; a timer is a gauge."""
    page, problems = render(
        make_metric("a b", kind=Kind.TIMER),
        make_metric("a-b", kind=Kind.COUNTER, program="b.mtail"),
        make_metric("a_b", "k", kind=Kind.GAUGE, program="c.mtail"),
    )
    assert page == '# HELP a_b defined at a.mtail:1:9\n# TYPE a_b gauge\na_b 0\na_b{k="x"} 0\n'
    assert problems == [
        "Metric `a-b` at b.mtail:1:9 is left out of the Prometheus format: the name is taken by a gauge at a.mtail:1:9."
    ]


def test_series_with_equal_labels_are_left_out() -> None:
    """The first registered stays; one problem for a metric, however many its series."""
    values = [(b"1",), (b"2",)]
    page, problems = render(
        make_metric("m", "k", values=values),
        make_metric("m", "k", program="b.mtail", values=[*values, (b"3",)]),
    )
    assert page == '# HELP m defined at a.mtail:1:9\n# TYPE m gauge\nm{k="1"} 0\nm{k="2"} 0\nm{k="3"} 0\n'
    assert problems == [
        "Metric `m` at b.mtail:1:9 is in the Prometheus format without 2 of its series:"
        " their name and labels equal those of series of a.mtail:1:9."
    ]


def test_histograms_with_equal_labels_are_left_out() -> None:
    """Whatever their buckets."""
    other = Metric(
        "m",
        kind=Kind.HISTOGRAM,
        value_type=ValueType.BUCKETS,
        program="b.mtail",
        label_names=("k",),
        source="b.mtail:1:9",
        buckets=(7, 8),
    )
    other.new((b"x",), NOW)
    page, problems = render(make_metric("m", "k", kind=Kind.HISTOGRAM), other)
    bounds = [dict(labels)["le"] for name, labels, _ in parse_page(page.encode()) if name == "m_bucket"]
    assert bounds == ["1", "2", "+Inf"]
    assert len(problems) == 1


@pytest.mark.parametrize("suffix", ["_bucket", "_count", "_sum"])
def test_name_of_a_histograms_samples_is_taken(suffix: str) -> None:
    """A family of that name is left out, and takes no names itself."""
    page, problems = render(
        make_metric("h", kind=Kind.HISTOGRAM),
        make_metric("h" + suffix, kind=Kind.HISTOGRAM),
        make_metric("h" + suffix + "_count"),
    )
    assert re.findall("# TYPE (.*)", page) == ["h histogram", f"h{suffix}_count gauge"]
    assert problems == [
        f"Metric `h{suffix}` at a.mtail:1:9 is left out of the Prometheus format:"
        " histogram `h` has samples of that name."
    ]


def test_not_a_number_is_in_no_bucket() -> None:
    """+Inf shows the sum of the buckets, so that it can be smaller than the count (behaviour.md 5.3)."""
    metric = make_metric("h", kind=Kind.HISTOGRAM)
    (series,) = metric.data.values()
    assert isinstance(series, HistogramDatum)
    series.count = 1
    page, _ = render(metric)
    assert 'h_bucket{le="+Inf"} 0\n' in page
    assert page.endswith("h_count 1\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (999_999, "999999"),
        (1_000_000, "1e+06"),
        (-999_999, "-999999"),
        (-1_000_000, "-1e+06"),
        (1 << 63, "-9.223372036854776e+18"),
        (1.0, "1"),
        (1e6, "1e+06"),
        (b"text", "0"),
    ],
)
def test_values_have_gos_form(value: float | bytes, text: str) -> None:
    """An exponent from a million on; an Int that a view finds beyond 64 bits is wrapped."""
    metric = make_metric("m", "k", values=[(b"a",), (b"b",)])
    series = metric.data[(b"a",)]
    assert isinstance(series, Datum)
    series.value = value
    store = Store()
    store.register([metric])
    assert prometheus.render(store.view()).decode().splitlines()[2] == f'm{{k="a",prog="a.mtail"}} {text}'


def test_constant_labels_are_on_every_series() -> None:
    """In the order of all labels, escaped; a metric's own label of the same name counts more."""
    store = Store()
    for metric in (make_metric("a", "site"), make_metric("b", kind=Kind.HISTOGRAM), make_metric("c", program="")):
        store.register([metric])
    options = PrometheusOptions(constant_labels=(("site", 'n"%s'), ("rack", "7")))
    page = prometheus.render(store.snapshot(), options).decode()
    constant = (("rack", "7"), ("site", 'n"%s'))
    labels = {name: pairs for name, pairs, _ in parse_page(page.encode())}
    assert labels == {
        "a": (("prog", "a.mtail"), ("rack", "7"), ("site", "x")),
        "b_bucket": (("prog", "a.mtail"), *constant, ("le", "+Inf")),
        "b_sum": (("prog", "a.mtail"), *constant),
        "b_count": (("prog", "a.mtail"), *constant),
        "c": constant,
    }


def test_series_that_a_constant_label_makes_equal_are_left_out() -> None:
    """The first registered stays, and the other is told."""
    store = Store()
    for metric in (make_metric("m", program="a.mtail"), make_metric("m", "k", program="b.mtail")):
        store.register([metric])
    problems: list[str] = []
    options = PrometheusOptions(emit_prog_label=False, constant_labels=(("k", "x"),))
    page = prometheus.render(store.snapshot(), options, problems).decode()
    assert page.splitlines()[2:] == ['m{k="x"} 0']
    assert len(problems) == 1
