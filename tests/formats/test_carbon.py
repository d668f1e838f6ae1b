"""What is pushed to carbon: each line stands for itself, whatever a label value holds."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import carbon
from pipeline.metrics import Kind, Metric, Snapshot
from tests.generators.some_metrics import make_metric, put, put_histogram, snap


def write(*metrics: Metric, prefix: str = "") -> tuple[list[str], carbon.Writer]:
    """Return the lines for these metrics, and what wrote them."""
    writer = carbon.Writer(prefix)
    data = b"".join(writer.write(snap(*metrics)))
    assert data.endswith(b"\n") or not data
    return data.decode().split("\n")[:-1], writer


def test_labels_are_sorted_and_the_prefix_is_as_given() -> None:
    """By name, as in mtail."""
    metric = make_metric("hits", ("z", "a"))
    put(metric, b"1", b"2", value=2**63 - 1)
    assert write(metric, prefix="site.x.")[0] == ["site.x.a.mtail.hits.a.2.z.1 9223372036854775807 1700000000"]


def test_numbers_are_as_mtail_writes_them() -> None:
    """Those that are none, too: carbon reads all of them."""
    metric = make_metric("g", ("k",), Kind.GAUGE)
    values = [math.nan, math.inf, -math.inf, -0.0, 1e300, 0.1]
    for number, value in enumerate(values):
        put(metric, b"%d" % number, value=value)
    lines, _ = write(metric)
    assert [line.split()[1] for line in lines] == ["NaN", "+Inf", "-Inf", "-0", "1e+300", "0.1"]
    assert [float(line.split()[1]) for line in lines][1:] == values[1:]


def test_hidden_and_text_metrics_are_left_out() -> None:
    """Carbon keeps numbers only."""
    text, hidden = make_metric("t", (), Kind.TEXT), make_metric("h", hidden=True)
    put(text, value=b"words")
    put(hidden)
    assert write(text, hidden)[0] == []


def test_each_series_of_a_histogram_has_its_own_buckets() -> None:
    """mtail shows those of the first one for all."""
    metric = make_metric("h", ("k",), Kind.HISTOGRAM, buckets=(0.0, 1.0, 2.5))
    for key, counts in ((b"a", [1, 2, 3]), (b"b", [0, 0, 1])):
        put_histogram(metric, key, counts=counts, total=7.5)
    lines, writer = write(metric)
    assert lines == [
        f"a.mtail.h.k.{line} 1700000000"
        for line in (
            *("a.bin_1 1", "a.bin_2.5 2", "a.bin_inf 3", "a.count 6", "a 7.5"),
            *("b.bin_1 0", "b.bin_2.5 0", "b.bin_inf 1", "b.count 1", "b 7.5"),
        )
    ]
    assert writer.series == 2


def test_pieces_are_short_also_of_many_buckets() -> None:
    """While one is made no line is counted."""
    metric = make_metric("h", ("k",), Kind.HISTOGRAM, buckets=tuple(map(float, range(101))))
    for number in range(100):
        put_histogram(metric, b"%d" % number, counts=[1] * 101)
    counts = [piece.count(b"\n") for piece in carbon.Writer().write(snap(metric))]
    assert sum(counts) == 100 * 103
    assert max(counts) < 600


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=4, unique=True))
def test_no_label_value_breaks_a_line_or_makes_up_a_path(values: list[bytes]) -> None:
    """Carbon splits at any blank of Unicode, parts paths at dots and slashes, and reads tags behind a semicolon."""
    metric = make_metric("m", ("k",))
    for value in values:
        put(metric, value)
    lines, writer = write(metric, prefix="p.")
    assert len(lines) == len(values) == writer.series
    for line in lines:
        path, value_text, time = line.split()
        assert line == f"{path} {value_text} {time}"
        assert path.split(".")[:-1] == ["p", "a", "mtail", "m", "k"]
        assert not set("/;") & set(path)
        assert (value_text, time) == ("1", "1700000000")


def test_names_of_programs_and_metrics_break_no_line_either() -> None:
    """A metric may be exported under any name."""
    metric = make_metric("a b\n%s c")
    metric.program = "my program.mtail"
    put(metric)
    assert write(metric)[0] == ["my_program.mtail.a_b_%s_c 1 1700000000"]


def test_paths_that_become_equal_are_reported() -> None:
    """Both are sent, as mtail does."""
    metric = make_metric("m", ("k",), source="a.mtail:1:9")
    put(metric, b"a.b")
    put(metric, b"a/b")
    lines, writer = write(metric)
    assert len(lines) == 2
    (problem,) = writer.problems
    assert "`m` at a.mtail:1:9" in problem


def test_series_with_too_long_a_path_is_left_out_and_reported() -> None:
    """Carbon would hang up on all that follow."""
    metric = make_metric("m", ("k",), source="a.mtail:1:9")
    for value in (b"x" * 15_000, b"y" * 16_384, b"\xff" * 5_400, b"z" * 5_400):
        put(metric, value)
    lines, writer = write(metric)
    assert [line[12:13] for line in lines] == ["x", "z"]
    assert max(len(line.encode()) for line in lines) < 16_384
    assert writer.problems == [
        "Metric `m` at a.mtail:1:9 has series that are not pushed to Graphite, because their names are too long for it."
    ]


def test_nothing_is_written_of_nothing() -> None:
    """No metrics, or none that can be written: no bytes."""
    metric = make_metric("m", ("k",))
    put(metric, b"y" * 16_384)
    assert write(metric)[0] == []
    assert list(carbon.Writer().write(Snapshot(()))) == []
