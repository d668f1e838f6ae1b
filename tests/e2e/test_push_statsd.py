"""Values on their way to the real statsd: what it has added up is what our store holds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.daemons import HTTP_SOCKET, fetch_metrics, wait_until
from tests.e2e.pushed import LINES, read_own, run_pushing, wait_pushes
from tests.e2e.statsd import Statsd, make_statsd

pytestmark = pytest.mark.slow

START = "site.one.pushed.mtail."

WORDS = {
    "plain": 3.0,
    "a_dotted_value": 1.0,
    "two_words": 1.0,
    "tab_here": 1.0,
    "with-dash": 1.0,
    "café_\ufffd\ufffd": 1.0,
    '"quoted"_\\_back': 1.0,
    "x_9_c": 1.0,
    "x_g_tag_made,up": 1.0,
    "x_0_1": 1.0,
    "x_tag=made": 1.0,
    "__/__/__/etc/passwd": 1.0,
    "____[2J": 1.0,
    "\u028amade_up_9_c": 1.0,
    "_made_up_9_1700000000": 1.0,
    "carriage_return\ufffd": 1.0,
    '"_interval=1_N_9': 1.0,
    '"_N_9_PUTVAL_"made/up/gauge-x"_N_9': 1.0,
    "%s_%d_%%": 1.0,
    "": 1.0,
    'line_made_up_9_c_made_up_9_1700000000__PUTVAL_"made/up/gauge-y"_N_9': 1.0,
    "N_U_9": 1.0,
}

COUNTERS = {
    "lines_total": float(len(LINES)),
    **{f"words_total.word.{word}": value for word, value in WORDS.items()},
    "pairs_total.a.one.b.two": 1.0,
    "sums_total.name.whole": 1e6,
    "sums_total.name.parts": 1.75,
    "sums_total.name.below": -7.0,
    "sums_total.name.huge": 1e300,
    "sizes.kind.small.bin_1": 1.0,
    "sizes.kind.small.bin_2_5": 1.0,
    "sizes.kind.small.count": 2.0,
    "sizes.kind.small": 2.5,
    "sizes.kind.large.bin_inf": 1.0,
    "sizes.kind.large.count": 1.0,
    "sizes.kind.large": 1000.0,
    "sizes.kind.low.bin_1": 1.0,
    "sizes.kind.low.count": 1.0,
    "sizes.kind.low": -3.0,
}

GAUGES = {
    "level.name.most": float(2**63 - 1),
    "level.name.least": float(-(2**63) + 1),
    "level.name.zero": 0.0,
    "real.name.huge": 1e300,
    "real.name.minuszero": 0.0,
    "real.name.low": -2.5,
}


@pytest.fixture
def statsd(tmp_path: Path) -> Iterator[Statsd]:
    """A statsd that is nobody else's."""
    made = make_statsd(tmp_path / "statsd")
    with made.run():
        yield made


def spell_names(values: dict[str, float], *, ascii_only: bool) -> dict[str, float]:
    """Return values by the names they have at statsd."""
    names = {name: "".join(char if char.isascii() else "_" for char in name) if ascii_only else name for name in values}
    return {START + names[name]: value for name, value in values.items()}


@pytest.mark.parametrize("way", ["udp", "unix"])
def test_statsd_adds_up_what_we_count(statsd: Statsd, tmp_path: Path, way: str) -> None:
    """Of each kind, however many pushes it takes; bytes of any kind in a label make no series but their own."""
    target = f"127.0.0.1:{statsd.port}" if way == "udp" else f"unix://{statsd.socket}"
    counters = spell_names(COUNTERS, ascii_only=way == "unix")
    flags = ("--metric_push_interval", "100ms", "--statsd_prefix", "site.one.", "--statsd_hostport", target)
    with run_pushing(tmp_path, *flags) as fifo:
        for line in LINES:
            fifo.write_bytes(line + b"\n")
        wait_until(lambda: statsd.list_numbers("counters") == counters, "statsd has added up all")
        wait_pushes(tmp_path, 2)
        own = read_own(tmp_path)
    gauges = spell_names(GAUGES, ascii_only=True)
    wait_until(lambda: statsd.list_numbers("gauges") == gauges, "statsd has all gauges")
    wait_until(lambda: statsd.list_members("timers") == {f"{START}took.name.some": "[ 20 ]"}, "statsd has the timer")
    assert statsd.list_numbers("counters") == counters
    assert statsd.count_bad_lines() == 0
    assert own["push_failures_total"] == 0
    log = (tmp_path / "pipeline.out").read_text()
    for name in ("sums_total", "real", "took"):
        assert log.count(f"WARNING Metric `{name}` at pushed.mtail:") == 1
    assert log.count("because it would misread their values.") == 3
    assert log.count("WARNING") == 3


def test_console_shows_the_last_values(tmp_path: Path) -> None:
    """They go out when the daemon stops, and statsd shows what it has when it stops itself."""
    statsd = make_statsd(tmp_path / "statsd")
    with statsd.run():
        flags = ("--metric_push_interval", "1h", "--statsd_hostport", f"localhost:{statsd.port}")
        with run_pushing(tmp_path, *flags) as fifo:
            fifo.write_bytes(b"word last\n" * 1000)
        wait_until(lambda: statsd.list_numbers("counters"), "statsd has got them")
    shown = (statsd.folder / "statsd.out").read_text()
    assert "'pushed.mtail.lines_total': 1000,\n" in shown
    assert "'pushed.mtail.words_total.word.last': 1000\n" in shown


def test_restart_does_not_count_twice(statsd: Statsd, tmp_path: Path) -> None:
    """The values come back from the state file; statsd has them already."""
    flags = ("--state_file", str(tmp_path / "state"), "--metric_push_interval", "1h")
    for _ in range(2):
        with run_pushing(tmp_path, *flags, "--statsd_hostport", f"127.0.0.1:{statsd.port}") as fifo:
            fifo.write_bytes(b"word again\n" * 10)
            wait_until(
                lambda: "\nsyslog_pipeline_lines_total 10\n" in fetch_metrics(tmp_path / HTTP_SOCKET), "lines are read"
            )
    expected = {"pushed.mtail.lines_total": 20.0, "pushed.mtail.words_total.word.again": 20.0}
    wait_until(lambda: statsd.list_numbers("counters") == expected, "statsd has 20 lines")


def test_statsd_comes_and_goes(tmp_path: Path) -> None:
    """What is counted while it is away is told when it is back; lines are counted all the time."""
    statsd = make_statsd(tmp_path / "statsd")
    flags = ("--metric_push_interval", "100ms", "--statsd_hostport", f"127.0.0.1:{statsd.port}")
    name = "pushed.mtail.words_total.word.again"
    with run_pushing(tmp_path, *flags) as fifo:
        for count in (1, 2):
            before = read_own(tmp_path)["push_failures_total"]
            fifo.write_bytes(b"word again\n" * count)
            wait_until(partial(has_more_failures, tmp_path, before), "pushes fail")
            with statsd.run():
                wait_until(partial(has_count, statsd, name, count), "statsd has what it missed")
            shutil.rmtree(statsd.folder)
    log = (tmp_path / "pipeline.out").read_text()
    assert f"WARNING Push to statsd at 127.0.0.1:{statsd.port} failed: connection refused. The next push" in log
    assert log.count(" works again, after ") == 2


def has_more_failures(folder: Path, before: float) -> bool:
    """Whether pushes have failed since."""
    return read_own(folder)["push_failures_total"] > before


def has_count(statsd: Statsd, name: str, count: float) -> bool:
    """Whether statsd has counted that."""
    return statsd.list_numbers("counters").get(name) == count
