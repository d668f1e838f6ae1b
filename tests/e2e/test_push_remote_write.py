"""Values on their way from log lines to the real Prometheus, which the daemon writes to."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.daemons import HTTP_SOCKET, fetch_metrics, run_pipeline, wait_until
from tests.e2e.monitoring import Monitor, serve_prometheus
from tests.ports import find_port

PROGRAM = """counter lines_total
counter words_total by word
gauge level by name
histogram sizes by kind buckets 1, 2.5, 10
lines_total++
/^word (?P<word>.*)$/ {
  words_total[$word]++
}
/^forget (?P<word>.*)$/ {
  del words_total[$word]
}
/^level (?P<name>\\S+) (?P<level>-?\\d+)$/ {
  level[$name] = $level
}
/^size (?P<kind>\\S+) (?P<size>[\\d.]+)$/ {
  sizes[$kind] = $size
}
"""

LINES = [
    b"word plain",
    b'word "quoted"} 1 \\ {made_up="1"}',
    b"word caf\xc3\xa9 \xff\xfe",
    b"word gone",
    b"level most 9223372036854775807",
    b"size small 0.5",
    b"size small 2",
    b"size small 1000",
]

WORDS = {"plain", '"quoted"} 1 \\ {made_up="1"}', "café \ufffd\ufffd", "gone"}

SECRET = "s3cret"
OWN = re.compile(r'^syslog_pipeline_(push_\w+)\{destination="remote_write",site="north"\} (\S+)$', re.MULTILINE)


def read_own(folder: Path) -> dict[str, float]:
    """Return what the daemon counts about these pushes."""
    return {name: float(value) for name, value in OWN.findall(fetch_metrics(folder / HTTP_SOCKET))}


def read_words(monitor: Monitor) -> set[str]:
    """Return the words that are counted now."""
    return {row["metric"]["word"] for row in monitor.query("words_total")}


def fetch_page(folder: Path, path: str) -> str:
    """Return a page of the daemon."""
    command = ["curl", "-sS", "--max-time", "60", "--unix-socket", str(folder / HTTP_SOCKET), f"http://localhost{path}"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def has_words(monitor: Monitor, words: set[str]) -> bool:
    """Whether these words are counted now, and no others."""
    return read_words(monitor) == words


def has_failed(folder: Path, failures: int) -> bool:
    """Whether so many pushes have failed."""
    return read_own(folder)["push_failures_total"] >= failures


def is_sent(folder: Path) -> bool:
    """Whether nothing waits, which a push under way does."""
    return read_own(folder)["push_spool_bytes"] == 0


def has_pushed(folder: Path, before: float) -> bool:
    """Whether more series have been pushed than before."""
    return read_own(folder)["push_series_total"] > before


def read_times(monitor: Monitor) -> list[float]:
    """Return when the samples of a series are of."""
    return [float(value[0]) for value in monitor.query("lines_total[1h]")[0]["values"]]


@pytest.mark.slow
def test_lines_become_series_of_prometheus(tmp_path: Path) -> None:
    """Also those of an outage; a series that is deleted is gone; a stop leaves the rest as it is."""
    (tmp_path / "all.mtail").write_text(PROGRAM)
    config = tmp_path / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1h}\n")
    port = find_port()
    flags = [
        *("--progs", str(tmp_path / "all.mtail"), "--logs", str(tmp_path / "log.fifo")),
        *("--metric_push_interval", "100ms", "--constant_labels", "site=north"),
        *("--remote_write_url", f"http://me:{SECRET}@127.0.0.1:{port}/api/v1/write"),
        *("--remote_write_labels", "job=logs,instance=web1", "--remote_write_headers", f"X-Scope-OrgID={SECRET}"),
    ]
    with run_pipeline(tmp_path, *flags):
        (tmp_path / "log.fifo").write_bytes(b"\n".join(LINES) + b"\n")
        wait_until(partial(has_failed, tmp_path, 2), "two pushes have failed")
        assert read_own(tmp_path)["push_spool_bytes"] > 0
        outage_end = time.time_ns() / 1e9
        with serve_prometheus(config, "remote-write-receiver", port=port) as monitor:
            wait_until(partial(has_words, monitor, WORDS), "all words are there")
            (level,) = monitor.query("level")
            labels = {"__name__": "level", "name": "most", "prog": "all.mtail"}
            assert level["metric"] == {**labels, "site": "north", "job": "logs", "instance": "web1"}
            assert float(level["value"][1]) == float(2**63 - 1)
            assert monitor.read("histogram_quantile(0.5, sizes_bucket)") == {"web1": 1.75}
            wait_until(lambda: len(read_times(monitor)) >= 3, "what was sent since is there too")
            assert len([one for one in read_times(monitor) if one < outage_end]) >= 2
            (tmp_path / "log.fifo").write_bytes(b"forget gone\n")
            wait_until(partial(has_words, monitor, WORDS - {"gone"}), "one word is gone")
            wait_until(partial(has_pushed, tmp_path, read_own(tmp_path)["push_series_total"]), "more is pushed")
            wait_until(partial(is_sent, tmp_path), "nothing waits")
            own = read_own(tmp_path)
            assert (own["push_rejected_total"], own["push_spool_dropped_total"]) == (0, 0)
            assert SECRET not in fetch_page(tmp_path, "/")
            (tmp_path / "log.fifo").write_bytes(b"word last\n")
            wait_until(partial(has_words, monitor, WORDS - {"gone"} | {"last"}), "the last word is there")
    log = (tmp_path / "pipeline.out").read_text()
    assert SECRET not in log
    assert f"INFO The receiver of remote write at http://127.0.0.1:{port}/api/v1/write takes version 1.0.\n" in log


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--remote_write_version", "3.0"], "'3.0' is not one of auto, 1.0, 2.0."),
        (["--remote_write_url", "nowhere"], "--remote_write_url must be http:// or https:// with a host"),
        (
            ["--remote_write_headers", SECRET],
            "--remote_write_headers: header 1 has no name or no value: write NAME=VALUE.",
        ),
    ],
    ids=["version", "url", "headers"],
)
@pytest.mark.slow
def test_wrong_setting_stops_the_start(flags: list[str], told: str) -> None:
    """One sentence, and status 2; no header is shown."""
    command = [sys.executable, "-m", "pipeline", "run", "--logs", "/dev/null", "--progs", "/nowhere", *flags]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2
    assert told in " ".join(ended.stderr.split())
    assert SECRET not in ended.stderr
    assert "Traceback" not in ended.stderr
