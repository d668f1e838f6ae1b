"""Values on their way to the real carbon: what is in its whisper files is what our store holds."""

from __future__ import annotations

import math
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.carbon import Carbon, make_carbon
from tests.e2e.daemons import HTTP_SOCKET, ROOT, fetch_metrics, wait_until
from tests.e2e.pushed import LINES, PROGRAM, read_own, run_pushing

WORDS = {
    "plain": 3.0,
    "a_dotted_value": 1.0,
    "two_words": 1.0,
    "tab_here": 1.0,
    "with-dash": 1.0,
    "café_\ufffd\ufffd": 1.0,
    '"quoted"_\\_back': 1.0,
    "x:9|c": 1.0,
    "x|g#tag:made,up": 1.0,
    "x@0_1": 1.0,
    "x_tag=made": 1.0,
    "_________etc_passwd": 1.0,
    "____[2J": 1.0,
    "\u028amade_up:9|c": 1.0,
    "_made_up_9_1700000000": 1.0,
    "carriage_return\ufffd": 1.0,
    '"_interval=1_N:9': 1.0,
    '"_N:9_PUTVAL_"made_up_gauge-x"_N:9': 1.0,
    "%s_%d_%%": 1.0,
    "": 1.0,
    'line_made_up:9|c_made_up_9_1700000000__PUTVAL_"made_up_gauge-y"_N:9': 1.0,
    "N:U:9": 1.0,
}

EXPECTED = {
    "lines_total": float(len(LINES)),
    **{f"words_total.word.{word}": value for word, value in WORDS.items()},
    "pairs_total.a.one.b.two": 1.0,
    "sums_total.name.whole": 1e6,
    "sums_total.name.parts": 1.75,
    "sums_total.name.below": -7.0,
    "sums_total.name.huge": 1e300,
    "level.name.most": float(2**63 - 1),
    "level.name.least": float(-(2**63) + 1),
    "level.name.zero": 0.0,
    "real.name.huge": 1e300,
    "real.name.minuszero": -0.0,
    "real.name.inf": math.inf,
    "real.name.minf": -math.inf,
    "real.name.low": -2.5,
    "took.name.some": 20.0,
    "took.name.below": -1.0,
    "sizes.kind.small.bin_1": 1.0,
    "sizes.kind.small.bin_2.5": 1.0,
    "sizes.kind.small.bin_10": 0.0,
    "sizes.kind.small.bin_inf": 0.0,
    "sizes.kind.small.count": 2.0,
    "sizes.kind.small": 2.5,
    "sizes.kind.large.bin_1": 0.0,
    "sizes.kind.large.bin_2.5": 0.0,
    "sizes.kind.large.bin_10": 0.0,
    "sizes.kind.large.bin_inf": 1.0,
    "sizes.kind.large.count": 1.0,
    "sizes.kind.large": 1000.0,
    "sizes.kind.low.bin_1": 1.0,
    "sizes.kind.low.bin_2.5": 0.0,
    "sizes.kind.low.bin_10": 0.0,
    "sizes.kind.low.bin_inf": 0.0,
    "sizes.kind.low.count": 1.0,
    "sizes.kind.low": -3.0,
}
"""What carbon keeps: all but what is no number."""


@pytest.fixture(scope="module")
def carbon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carbon]:
    """A carbon for all tests that do not stop it."""
    made = make_carbon(tmp_path_factory.mktemp("carbon"))
    with made.run():
        yield made


def list_values(carbon: Carbon, prefix: str) -> dict[str, float]:
    """Return the values below a prefix, without that and the name of the program."""
    start = f"{prefix}{PROGRAM.name}."
    return {path.removeprefix(start): value for path, value in carbon.read_values().items() if path.startswith(start)}


def has_value(carbon: Carbon, prefix: str, path: str, value: float) -> bool:
    """Whether carbon has `value` there."""
    return list_values(carbon, prefix).get(path) == value


@pytest.mark.slow
def test_every_value_reaches_a_whisper_file(carbon: Carbon, tmp_path: Path) -> None:
    """Of each kind, with labels in order; bytes of any kind in a label make no series but their own."""
    flags = ("--metric_push_interval", "100ms", "--graphite_prefix", "site.one.", "--graphite_host_port")
    with run_pushing(tmp_path, *flags, f"127.0.0.1:{carbon.port}") as fifo:
        fifo.write_bytes(b"\n".join(LINES) + b"\n")
        wait_until(lambda: list_values(carbon, "site.one.") == EXPECTED, "carbon has all values")
        assert math.copysign(1, list_values(carbon, "site.one.")["real.name.minuszero"]) == -1
        own = read_own(tmp_path)
    assert own["push_failures_total"] == 0
    assert own["push_total"] > 0
    assert own["push_duration_seconds_count"] == own["push_total"]
    assert own["push_last_success_timestamp_seconds"] > 1e9
    assert "invalid line" not in carbon.read_log()
    assert [path for path in carbon.read_values() if not path.startswith(("site.one.", "carbon."))] == []


@pytest.mark.slow
def test_last_values_are_pushed_at_the_end(carbon: Carbon, tmp_path: Path) -> None:
    """An interval that never comes, and a stop that follows the lines at once."""
    flags = ("--metric_push_interval", "1h", "--graphite_prefix", "at.the.end.", "--graphite_host_port")
    with run_pushing(tmp_path, *flags, f"localhost:{carbon.port}") as fifo:
        fifo.write_bytes(b"word last\n" * 1000)
    wait_until(
        lambda: list_values(carbon, "at.the.end.") == {"lines_total": 1000.0, "words_total.word.last": 1000.0},
        "carbon has the last values",
    )


@pytest.mark.slow
def test_carbon_goes_and_comes_back(tmp_path: Path) -> None:
    """Pushes fail as long as it is away, each counted, and reach it when it is back; lines are counted all the time."""
    carbon, running = make_carbon(tmp_path / "carbon"), ExitStack()
    running.enter_context(carbon.run())
    flags = ("--metric_push_interval", "100ms", "--graphite_prefix", "c.", "--graphite_host_port")
    with running, run_pushing(tmp_path, *flags, f"127.0.0.1:{carbon.port}") as fifo:
        fifo.write_bytes(b"word again\n")
        wait_until(partial(has_value, carbon, "c.", "words_total.word.again", 1), "carbon has the value")
        running.close()
        wait_until(lambda: read_own(tmp_path)["push_failures_total"] >= 2, "pushes fail")
        fifo.write_bytes(b"word again\n")
        with carbon.run():
            wait_until(partial(has_value, carbon, "c.", "words_total.word.again", 2), "carbon has the next value")
    log = (tmp_path / "pipeline.out").read_text()
    assert f"WARNING Push to graphite at 127.0.0.1:{carbon.port} failed: connection refused. The next push" in log
    assert log.count(" works again, after ") == 1


@pytest.mark.slow
def test_wrong_setting_stops_the_start(tmp_path: Path) -> None:
    """One sentence, and status 2."""
    command = [str(ROOT / ".venv" / "bin" / "syslog-pipeline"), "run", "--progs", str(PROGRAM)]
    command += ["--logs", str(tmp_path / "log.fifo"), "--graphite_host_port=localhost:70000"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2
    told = "--graphite_host_port 'localhost:70000' names no host and port: write HOST:PORT or [IPV6]:PORT."
    assert ended.stderr.splitlines()[-1] == f"Error: {told}"


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port to which a connection is never made: the queue of its server is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.socket() as first:
        address = server.getsockname()
        first.connect(address)
        yield address[1]


@pytest.mark.slow
def test_destination_that_hangs_holds_nothing_up(deaf_port: int, tmp_path: Path) -> None:
    """Lines are counted and scrapes answered meanwhile; the end is not put off beyond its time, and says so."""
    flags = ("--metric_push_interval", "100ms", "--metric_push_write_deadline", "1h", "--shutdown_timeout", "2s")
    with run_pushing(tmp_path, *flags, "--graphite_host_port", f"127.0.0.1:{deaf_port}") as fifo:
        fifo.write_bytes(b"word x\n" * 20_000)
        wait_until(
            lambda: '\nlines_total{prog="pushed.mtail"} 20000\n' in fetch_metrics(tmp_path / HTTP_SOCKET),
            "all lines are counted",
        )
        assert read_own(tmp_path)["push_total"] == 0
    log = (tmp_path / "pipeline.out").read_text()
    assert "WARNING The last values were not pushed to graphite within " in log
    assert log.endswith("INFO All sources are closed. The metrics are no longer served.\n")
