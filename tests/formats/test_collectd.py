"""What is pushed to collectd: each command stands for itself, whatever a label value holds."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import collectd
from pipeline.metrics import Kind, Metric, ValueType
from tests.generators.some_metrics import NOW, make_metric, put, put_histogram, snap

COMMAND = re.compile(r'PUTVAL "((?:[^"\\]|\\.)*)" interval=60 1700000000:(\S+)')


def write(*metrics: Metric, prefix: str = "", host: str = "host") -> tuple[list[str], list[str]]:
    """Return the commands for these metrics, without the line feed that ends each, and what could not be written."""
    writer = collectd.Writer(host, prefix, 60)
    lines = [line for commands in writer.write(snap(*metrics)) for line in commands.lines]
    assert all(line.endswith(b"\n") for line in lines)
    return [line.decode()[:-1] for line in lines], writer.problems


def list_values(*metrics: Metric) -> list[tuple[str, str]]:
    """Return what follows the plugin in each command, and the value."""
    found = [COMMAND.fullmatch(line) for line in write(*metrics)[0]]
    return [(one[1].removeprefix("host/mtail-a.mtail/"), one[2]) for one in found if one]


def test_labels_are_sorted_and_the_prefix_is_as_given() -> None:
    """By name, as in mtail; a dash there is one between parts."""
    metric = make_metric("hits-of", ("z-z", "a"))
    put(metric, b"1-1", b"2 2", value=2**63 - 1)
    assert write(metric, prefix="site-x.")[0] == [
        'PUTVAL "host/site-x.mtail-a.mtail/counter-hits-of-a-2 2-z_z-1_1" interval=60 1700000000:9223372036854775807'
    ]


def test_timers_are_gauges() -> None:
    """As in mtail: collectd has no type for them."""
    metric = make_metric("t", kind=Kind.TIMER)
    put(metric, value=-3)
    assert list_values(metric) == [("gauge-t", "-3")]


def test_gauges_are_as_mtail_writes_them() -> None:
    """Those that are no number, too: collectd reads all of them."""
    metric = make_metric("g", ("k",), Kind.GAUGE)
    for number, value in enumerate([math.nan, math.inf, -math.inf, -0.0, 1e300, 0.1, -5.0]):
        put(metric, b"%d" % number, value=value)
    assert [value for _, value in list_values(metric)] == ["NaN", "+Inf", "-Inf", "-0", "1e+300", "0.1", "-5"]


def test_counters_are_whole_numbers() -> None:
    """Collectd would take `1e+06` for 1, `-1` for 2^64 - 1, and refuse `NaN`."""
    metric = make_metric("c", ("k",), value_type=ValueType.FLOAT, source="a.mtail:1:1")
    for number, value in enumerate([1e6, 1.9, -0.0, 1.8e19, math.nan, math.inf, -1, -0.5, 2.0**64, 1e300]):
        put(metric, b"%d" % number, value=value)
    assert [value for _, value in list_values(metric)] == ["1000000", "1", "0", "18000000000000000000"]
    assert write(metric)[1] == [
        "Metric `c` at a.mtail:1:1 has series that are not pushed to collectd, because it would misread their values."
    ]


def test_histogram_has_counters_and_a_gauge() -> None:
    """Each series its own."""
    metric = make_metric("h", ("k",), Kind.HISTOGRAM, buckets=(0.0, 1.0, 2.5))
    for key, counts in ((b"a", [1, 2, 3]), (b"b", [0, 0, 1])):
        put_histogram(metric, key, counts=counts, total=-7.5)
    assert list_values(metric) == [
        *(("counter-h-k-a-bin_1", "1"), ("counter-h-k-a-bin_2.5", "2"), ("counter-h-k-a-bin_inf", "3")),
        *(("counter-h-k-a-count", "6"), ("counter-h-k-b-bin_1", "0"), ("counter-h-k-b-bin_2.5", "0")),
        *(("counter-h-k-b-bin_inf", "1"), ("counter-h-k-b-count", "1")),
        *(("gauge-h-k-a", "-7.5"), ("gauge-h-k-b", "-7.5")),
    ]


def test_histogram_of_many_buckets_is_cut_into_batches() -> None:
    """Also where one series alone has more commands than may be unread."""
    metric = make_metric("h", kind=Kind.HISTOGRAM, buckets=tuple(map(float, range(251))))
    put_histogram(metric, counts=[1] * 251)
    batches = [commands.lines for commands in collectd.Writer("host", "", 60).write(snap(metric))]
    assert [len(lines) for lines in batches] == [100, 100, 52, 1]


def test_time_is_that_of_the_push_when_that_of_the_series_has_not_moved() -> None:
    """In seconds: collectd takes no other, and logs it. What is there no more is forgotten."""
    metric = make_metric("m", ("k",))
    for key in (b"still", b"within", b"moved", b"back", b"gone"):
        put(metric, key, time=NOW - 10**9 + 1)
    first = collectd.Writer("host", "", 60)
    marks = [mark for commands in first.write(snap(metric)) for mark in commands.marks]
    assert len(dict(marks)) == 5
    metric.data[b"within",].time += 10**9 - 2
    metric.data[b"moved",].time += 10**9
    metric.data[b"back",].time -= 10**9
    del metric.data[b"gone",]
    second = collectd.Writer("host", "", 60, 0, dict(marks))
    assert [line.count(b"moved") for commands in second.write(snap(metric)) for line in commands.lines] == [1]
    assert len(second.still_taken) == 3
    third = collectd.Writer("host", "", 60, NOW + 60 * 10**9, dict(marks))
    lines = [line for commands in third.write(snap(metric)) for line in commands.lines]
    times = [int(line.rpartition(b" ")[2].partition(b":")[0]) - NOW // 10**9 for line in lines]
    assert times == [60, 60, 1, 60]


def test_texts_and_hidden_metrics_are_left_out() -> None:
    """Collectd keeps numbers only."""
    text, hidden = make_metric("t", kind=Kind.TEXT), make_metric("h", hidden=True)
    gauge = make_metric("g", kind=Kind.GAUGE, value_type=ValueType.STRING)
    put(text, value=b"words")
    put(gauge, value=b"words")
    put(hidden)
    assert write(text, hidden, gauge) == ([], [])


@pytest.mark.parametrize("time", [0, -NOW, 999_999_999])
def test_series_without_a_time_is_left_out(time: int) -> None:
    """Nothing has written to it, or collectd would take the time for one in the far future."""
    metric = make_metric()
    put(metric, time=time)
    assert write(metric) == ([], [])


def test_names_that_are_too_long_are_left_out_and_reported() -> None:
    """Collectd refuses more than 127 bytes behind the type; a name that just fits is sent."""
    metric = make_metric("m", ("k",), source="a.mtail:1:1")
    rest = collectd.MAX_PART_BYTES - len("m-k-")
    put(metric, b"x" * rest)
    put(metric, b"y" * (rest + 1))
    put(metric, "é".encode() * (rest // 2 + 1))
    lines, problems = write(metric)
    assert [line.count("x") for line in lines] == [rest]
    assert problems == [
        "Metric `m` at a.mtail:1:1 has series that are not pushed to collectd, because their names are too long for it."
    ]


@pytest.mark.parametrize(
    ("host", "prefix", "count"),
    [
        *(("h" * 127, "", 1), ("h" * 128, "", 0)),
        *(("h", "p" * 122, 1), ("h", "p" * 123, 0)),
        *(("h", "x-" + "p" * 114, 1), ("h", "x-" + "p" * 115, 0)),
    ],
)
def test_host_and_plugin_that_are_too_long(host: str, prefix: str, count: int) -> None:
    """Then nothing of the metric can be sent."""
    metric = make_metric()
    put(metric)
    lines, problems = write(metric, host=host, prefix=prefix)
    assert (len(lines), len(problems)) == (count, 1 - count)


def test_command_that_is_too_long_for_its_reader_is_left_out() -> None:
    """Its rest would be another command: with all parts full of quotes, each of which takes two bytes."""
    metric = make_metric("m", ("k",), program='"' * 120)
    put(metric, b'"' * (collectd.MAX_PART_BYTES - len("m-k-")))
    (line,), _ = write(metric, host='"' * 127)
    assert len(line) <= 1022
    assert write(metric, host='"' * 127, prefix='"' * 127 + "-")[0] == []


def test_names_that_become_equal_are_reported() -> None:
    """Both are sent."""
    metric = make_metric("m", ("k",), source="a.mtail:1:1")
    for value in (b"a-b", b"a/b"):
        put(metric, value)
    lines, problems = write(metric)
    assert lines == [lines[0]] * 2
    assert problems == [
        "Metric `m` at a.mtail:1:1 has series whose names in the collectd format are those of other series."
    ]


def test_names_from_a_program_are_cleaned() -> None:
    """A metric may be exported under any name; a percent sign in it means nothing."""
    metric = make_metric('odd %s/"name\n', ("k",))
    put(metric, b"100%")
    assert list_values(metric) == [('counter-odd %s_\\"name_-k-100%', "1")]


@given(st.lists(st.binary(max_size=20) | st.text(max_size=20).map(str.encode), min_size=1, max_size=20))
def test_label_value_of_any_bytes_makes_one_command(values: list[bytes]) -> None:
    """With one identifier of three parts, as collectd reads it."""
    metric = make_metric("m", ("k",))
    for value in values:
        put(metric, value)
    lines, _ = write(metric)
    assert len(lines) == len(set(values))
    for line in lines:
        assert len(line.splitlines()) == 1
        assert "\0" not in line
        found = COMMAND.fullmatch(line)
        assert found is not None
        name = re.sub(r"\\(.)", r"\1", found[1])
        assert name.startswith("host/mtail-a.mtail/counter-m-k-")
        assert (name.count("/"), name.count("-")) == (2, 4)
