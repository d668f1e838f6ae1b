"""Values on their way to the real collectd: what its csv plugin writes is what our store holds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.collectd import Collectd, make_collectd
from tests.e2e.daemons import wait_until
from tests.e2e.pushed import LINES, read_own, run_pushing, wait_pushes

pytestmark = pytest.mark.slow

SECOND = 1_000_000_000

PLUGIN = f"{os.uname().nodename}/site-mtail-pushed.mtail/"

WORDS = {
    "plain": "3",
    "a.dotted.value": "1",
    "two words": "1",
    "tab_here": "1",
    "with_dash": "1",
    "café \ufffd\ufffd": "1",
    '"quoted" \\ back': "1",
    "x:9|c": "1",
    "x|g#tag:made,up": "1",
    "x@0.1": "1",
    "x;tag=made": "1",
    ".._.._.._etc_passwd": "1",
    "____[2J": "1",
    "\u028amade.up:9|c": "1",
    "_made.up 9 1700000000": "1",
    "carriage_return\ufffd": "1",
    '" interval=1 N:9': "1",
    '" N:9_PUTVAL "made_up_gauge_x" N:9': "1",
    "%s %d %%": "1",
    "": "1",
    'line_made.up:9|c_made.up 9 1700000000__PUTVAL "made_up_gauge_y" N:9': "1",
    "N:U:9": "1",
}

EXPECTED = {
    "counter-lines_total": str(len(LINES)),
    **{f"counter-words_total-word-{word}": value for word, value in WORDS.items()},
    "counter-pairs_total-a-one-b-two": "1",
    "counter-sums_total-name-whole": "1000000",
    "counter-sums_total-name-parts": "1",
    "gauge-level-name-most": "9223372036854775808.000000",
    "gauge-level-name-least": "-9223372036854775808.000000",
    "gauge-level-name-zero": "0.000000",
    "gauge-real-name-huge": f"{1e300:f}",
    "gauge-real-name-minuszero": "-0.000000",
    "gauge-real-name-nan": "nan",
    "gauge-real-name-inf": "inf",
    "gauge-real-name-minf": "-inf",
    "gauge-real-name-low": "-2.500000",
    "gauge-took-name-some": "20.000000",
    "gauge-took-name-below": "-1.000000",
    "counter-sizes-kind-small-bin_1": "1",
    "counter-sizes-kind-small-bin_2.5": "1",
    "counter-sizes-kind-small-bin_10": "0",
    "counter-sizes-kind-small-bin_inf": "0",
    "counter-sizes-kind-small-count": "2",
    "gauge-sizes-kind-small": "2.500000",
    "counter-sizes-kind-large-bin_1": "0",
    "counter-sizes-kind-large-bin_2.5": "0",
    "counter-sizes-kind-large-bin_10": "0",
    "counter-sizes-kind-large-bin_inf": "1",
    "counter-sizes-kind-large-count": "1",
    "gauge-sizes-kind-large": "1000.000000",
    "counter-sizes-kind-low-bin_1": "1",
    "counter-sizes-kind-low-bin_2.5": "0",
    "counter-sizes-kind-low-bin_10": "0",
    "counter-sizes-kind-low-bin_inf": "0",
    "counter-sizes-kind-low-count": "1",
    "gauge-sizes-kind-low": "-3.000000",
}


@pytest.fixture
def collectd(tmp_path: Path) -> Iterator[Collectd]:
    """A collectd that is nobody else's."""
    made = make_collectd(tmp_path / "collectd")
    with made.run():
        yield made


def list_values(collectd: Collectd) -> dict[str, str]:
    """Return the values by what follows the plugin. What another plugin has keeps its whole name."""
    return {name.removeprefix(PLUGIN): value for name, (_, value) in collectd.read_values().items()}


def has_values(collectd: Collectd, expected: dict[str, str]) -> bool:
    """Whether collectd has written that and nothing else."""
    return list_values(collectd) == expected


def test_every_value_reaches_a_file(collectd: Collectd, tmp_path: Path) -> None:
    """Of each kind, with its time; bytes of any kind in a label make no series but their own."""
    began = time.time_ns() // SECOND
    flags = ("--metric_push_interval", "100ms", "--collectd_prefix", "site-", "--collectd_socketpath")
    with run_pushing(tmp_path, *flags, str(collectd.socket)) as fifo:
        fifo.write_bytes(b"\n".join(LINES) + b"\n")
        wait_until(partial(has_values, collectd, EXPECTED), "collectd has all values")
        wait_pushes(tmp_path)
        own = read_own(tmp_path)
    assert list_values(collectd) == EXPECTED
    times = {float(value) for value, _ in collectd.read_values().values()}
    assert began <= min(times) <= max(times) <= time.time_ns() // SECOND
    assert (own["push_failures_total"], own["push_rejected_total"]) == (0, 0)
    log = (tmp_path / "pipeline.out").read_text()
    assert log.count("WARNING") == 1
    assert (
        "WARNING Metric `sums_total` at pushed.mtail:6:9-18 has series that are not pushed to collectd, because" in log
    )
    said = collectd.read_log()
    assert "unixsock plugin: parse" not in said
    assert "Value too old" not in said


def test_series_that_does_not_change_stays_known(collectd: Collectd, tmp_path: Path) -> None:
    """It has another value each second; collectd forgets what it hears nothing of, and graphs have a gap there."""
    flags = ("--metric_push_interval", "100ms", "--collectd_prefix", "site-", "--collectd_socketpath")
    with run_pushing(tmp_path, *flags, str(collectd.socket)) as fifo:
        fifo.write_bytes(b"level same 5\n")
        wait_until(lambda: len(collectd.list_rows("gauge-level-name-same")) >= 2, "collectd has two values")
    times, values = zip(*collectd.list_rows("gauge-level-name-same"), strict=True)
    assert set(values) == {"5.000000"}
    assert sorted(set(map(float, times))) == [*map(float, times)]
    assert "Value too old" not in collectd.read_log()


def test_last_values_are_pushed_at_the_end(collectd: Collectd, tmp_path: Path) -> None:
    """An interval that never comes, and a stop that follows the lines at once."""
    flags = ("--metric_push_interval", "1h", "--collectd_prefix", "site-", "--collectd_socketpath")
    with run_pushing(tmp_path, *flags, str(collectd.socket)) as fifo:
        fifo.write_bytes(b"word last\n" * 1000)
    expected = {"counter-lines_total": "1000", "counter-words_total-word-last": "1000"}
    wait_until(partial(has_values, collectd, expected), "collectd has the last values")


def test_names_that_collectd_refuses_are_told(tmp_path: Path) -> None:
    """Its types.db does not know counters; gauges are taken all the same."""
    collectd = make_collectd(tmp_path / "collectd")
    collectd.folder.mkdir()
    types = tmp_path / "types.db"
    types.write_text("gauge value:GAUGE:U:U\n")
    flags = ("--metric_push_interval", "100ms", "--collectd_prefix", "site-", "--collectd_socketpath")
    with collectd.run(str(types)), run_pushing(tmp_path, *flags, str(collectd.socket)) as fifo:
        fifo.write_bytes(b"word x\nlevel x 5\n")
        wait_until(partial(has_values, collectd, {"gauge-level-name-x": "5.000000"}), "collectd has the gauge")
        wait_pushes(tmp_path)
        own = read_own(tmp_path)
    assert own["push_failures_total"] == 0
    assert own["push_rejected_total"] >= 2
    log = (tmp_path / "pipeline.out").read_text()
    told = "series of metric `words_total` at pushed.mtail:4:9-19: 1 Type `counter' isn't defined."
    assert log.count(f"WARNING Collectd refuses {told}\n") == 1


def test_collectd_comes_later(tmp_path: Path) -> None:
    """Pushes fail as long as it is away, and reach it when it is there."""
    collectd = make_collectd(tmp_path / "collectd")
    flags = ("--metric_push_interval", "100ms", "--collectd_prefix", "site-", "--collectd_socketpath")
    with run_pushing(tmp_path, *flags, str(collectd.socket)) as fifo:
        fifo.write_bytes(b"word again\n")
        wait_until(lambda: read_own(tmp_path)["push_failures_total"] >= 2, "pushes fail")
        with collectd.run():
            expected = {"counter-lines_total": "1", "counter-words_total-word-again": "1"}
            wait_until(partial(has_values, collectd, expected), "collectd has the values")
            wait_until(lambda: read_own(tmp_path).get("push_last_success_timestamp_seconds"), "collectd has answered")
    log = (tmp_path / "pipeline.out").read_text()
    assert f"WARNING Push to collectd at {collectd.socket} failed: no such file or directory. The next push" in log
    assert log.count(" works again, after ") == 1
