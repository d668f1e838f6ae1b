"""Values on their way from log lines to the real rotel: what it has read is what our store holds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from tests.e2e.daemons import DEADLINE_SECONDS, HTTP_SOCKET, POLL_SECONDS, fetch_metrics, run_pipeline
from tests.e2e.rotel import run_rotel
from tests.otlp_reading import Sample, list_metrics, list_points, read_attributes, read_received, read_samples
from tests.pushers.http_peer import HttpPeer, Reply, serving

PROGRAM = """counter lines_total
counter words_total by word
gauge level by name unit "bytes"
counter spent_seconds_total help "Time spent"
histogram sizes by kind buckets 1, 2.5, 10
hidden text said
lines_total++
/^word (?P<word>.*)$/ {
  words_total[$word]++
}
/^level (?P<name>\\S+) (?P<level>-?\\d+)$/ {
  level[$name] = $level
}
/^spent (?P<spent>\\d+\\.\\d+)$/ {
  spent_seconds_total += $spent
}
/^size (?P<kind>\\S+) (?P<size>[\\d.]+)$/ {
  sizes[$kind] = $size
  said = $kind
}
"""

LINES = [
    b"word plain",
    b'word "quoted"} 1 \\',
    b"word caf\xc3\xa9 \xff\xfe",
    b"level most 9223372036854775807",
    b"spent 0.25",
    b"spent 0.5",
    b"size small 0.5",
    b"size small 1000",
]

ANSWER = Reply(headers={"content-type": "application/x-protobuf"})
OWN = re.compile(r'^syslog_pipeline_(push_\w+)\{destination="otlp"\} (\S+)$', re.MULTILINE)
SECRET = "s3cret-key-of-an-api"


def spell(sample: str, /, **labels: str) -> Sample:
    """Return a name and labels as a sample has them."""
    return sample, tuple(sorted(labels.items()))


EXPECTED: dict[Sample, float] = {
    spell("lines_total"): 8,
    spell("words_total", word="plain"): 1,
    spell("words_total", word='"quoted"} 1 \\'): 1,
    spell("words_total", word="café \ufffd\ufffd"): 1,
    spell("level", name="most"): 2**63 - 1,
    spell("spent_seconds_total"): 0.75,
    spell("sizes_sum", kind="small"): 1000.5,
    spell("sizes_count", kind="small"): 2.0,
    spell("sizes_bucket", kind="small", le="1"): 1.0,
    spell("sizes_bucket", kind="small", le="2.5"): 1.0,
    spell("sizes_bucket", kind="small", le="10"): 1.0,
    spell("sizes_bucket", kind="small", le="+Inf"): 2.0,
}


def write_settings(folder: Path, endpoint: str) -> list[str]:
    """Write a program and a file of settings, and return the flags of a daemon with them."""
    (folder / "all.mtail").write_text(PROGRAM)
    (folder / "settings.toml").write_text(
        f"""progs = "{folder}/all.mtail"
logs = ["{folder}/log.fifo"]
emit_prog_label = false
metric_push_interval = "100ms"
otlp_endpoint = "{endpoint}"
otlp_headers = ["x-honeycomb-team={SECRET}", "x-list=a,b"]
otlp_resource_attributes = ["service.name=logs", "service.instance.id=web1/1"]
"""
    )
    return ["--config", str(folder / "settings.toml")]


def read_own(folder: Path) -> dict[str, float]:
    """Return what the daemon counts about its pushes."""
    return {name: float(value) for name, value in OWN.findall(fetch_metrics(folder / HTTP_SOCKET))}


def list_received(sink: HttpPeer) -> list[list[Metric]]:
    """Return the metrics of each request that rotel has sent on."""
    return [list_metrics([read_received(received)]) for received in sink.received]


async def wait_until(condition: Callable[[], object], what: str) -> None:
    """Return as soon as `condition` holds; fail with `what` when it does not in time."""
    end = trio.current_time() + DEADLINE_SECONDS
    while True:
        if await trio.to_thread.run_sync(condition):
            return
        assert trio.current_time() < end, f"waited {DEADLINE_SECONDS:.0f} s in vain: {what}"
        await trio.sleep(POLL_SECONDS)


def has_all(sink: HttpPeer) -> bool:
    """Whether a request has come with all that is expected."""
    return any(read_samples(metrics) == EXPECTED for metrics in list_received(sink))


@pytest.mark.slow
async def test_every_value_arrives(tmp_path: Path) -> None:
    """Of each kind, with its description, its unit and its start. The key stands in no log and on no page."""
    begun = time.time_ns()
    with run_rotel(tmp_path) as rotel:
        async with serving(ANSWER, port=rotel.sink_port) as sink:
            with run_pipeline(tmp_path, *write_settings(tmp_path, rotel.url)):
                (tmp_path / "log.fifo").write_bytes(b"\n".join(LINES) + b"\n")
                await wait_until(lambda: has_all(sink), "all values have arrived")
                # While a push is under way, what it sends is counted as waiting.
                await wait_until(lambda: read_own(tmp_path)["push_spool_bytes"] == 0, "nothing waits")
                own = read_own(tmp_path)
                pages = "".join(fetch_page(tmp_path, path) for path in ("/", "/metrics"))
            requests = [read_received(received) for received in sink.received]
    ended = time.time_ns()
    assert (own["push_failures_total"], own["push_rejected_total"]) == (0, 0)
    assert own["push_total"] > 0
    (resource,) = requests[0].resource_metrics
    attributes = read_attributes(resource.resource.attributes)
    assert (attributes["service.name"], attributes["service.instance.id"]) == ("logs", "web1/1")
    metrics = {metric.name: metric for metric in list_metrics(requests)}
    assert metrics["level"].unit == "By"
    assert (metrics["spent_seconds_total"].unit, metrics["spent_seconds_total"].description) == ("s", "Time spent")
    for name in ("words_total", "sizes"):
        for point in list_points(metrics[name]):
            assert begun < point.start_time_unix_nano < point.time_unix_nano < ended
    assert SECRET not in pages + (tmp_path / "pipeline.out").read_text()


def fetch_page(folder: Path, path: str) -> str:
    """Return a page of the daemon."""
    command = ["curl", "-sS", "--max-time", "60", "--unix-socket", str(folder / HTTP_SOCKET), f"http://localhost{path}"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


@pytest.mark.slow
async def test_receiver_that_comes_back_gets_every_sample(tmp_path: Path) -> None:
    """Those of the pushes that failed, too, each with the moment of its push."""
    with run_rotel(tmp_path) as gone:
        pass
    with run_pipeline(tmp_path, *write_settings(tmp_path, gone.url)):
        await wait_until(lambda: read_own(tmp_path)["push_failures_total"] >= 3, "pushes have failed")
        assert read_own(tmp_path)["push_spool_bytes"] > 0
        back = time.time_ns()
        with run_rotel(tmp_path, gone) as rotel:
            async with serving(ANSWER, port=rotel.sink_port) as sink:
                await wait_until(lambda: read_own(tmp_path)["push_spool_bytes"] == 0, "all was sent")
                await wait_until(lambda: max(list_times(sink), default=0) > back, "a new one has arrived")
                await wait_until(lambda: sum(sent < back for sent in list_times(sink)) >= 3, "the old ones have")
                times = list_times(sink)
    assert len(set(times)) == len(times)
    log = (tmp_path / "pipeline.out").read_text()
    assert f"WARNING Push to otlp at {gone.url}/v1/metrics failed: connection refused. The next push" in log
    assert " works again, after " in log


def list_times(sink: HttpPeer) -> list[int]:
    """Return the times of the counter of lines, in the order in which they came."""
    return [
        point.time_unix_nano
        for metrics in list_received(sink)
        for metric in metrics
        if metric.name == "lines_total"
        for point in metric.sum.data_points
    ]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["flag", "variable", "file"])
def test_wrong_header_is_not_shown(tmp_path: Path, way: str) -> None:
    """One sentence, and status 2."""
    (tmp_path / "settings.toml").write_text(f'otlp_headers = ["{SECRET}"]\n')
    flags = {"flag": [f"--otlp_headers={SECRET}"], "variable": [], "file": ["--config", f"{tmp_path}/settings.toml"]}
    variables = {"SYSLOG_PIPELINE_OTLP_HEADERS": SECRET} if way == "variable" else {}
    log = f"{tmp_path}/log.fifo"
    command = [sys.executable, "-m", "pipeline", "run", "--progs", str(tmp_path), "--logs", log, *flags[way]]
    ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables})
    assert ended.returncode == 2
    assert "--otlp_headers: header 1 has no name or no value: write NAME=VALUE." in ended.stderr
    assert SECRET not in ended.stdout + ended.stderr
