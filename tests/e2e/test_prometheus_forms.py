"""What the real Prometheus keeps of a page: as messages where it keeps native histograms, else as OpenMetrics.

One daemon counts lines; two Prometheus scrape it at the same time through a proxy, which notes what they ask for.
"""

from __future__ import annotations

import json
import math
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import Any

import pytest

from tests.e2e.daemons import DEADLINE_SECONDS, fetch_metrics, run_pipeline, wait_until
from tests.e2e.monitoring import Monitor, serve_prometheus

pytestmark = pytest.mark.slow

PROGRAM = """counter requests_total by code
histogram request_seconds by code buckets 0.1, 1, 10
histogram odd_spread by name buckets 0, 1, 2
gauge odd_value by name
histogram odd_observed by name buckets 1, 2
counter plain by code
counter odd_traces_total by name

/^request code=(?P<code>\\S+) seconds=(?P<seconds>\\S+) trace=(?P<trace>\\S+)$/ {
  requests_total[$code]++ exemplar $trace
  request_seconds[$code] = float($seconds) exemplar $trace
  plain[$code]++ exemplar $trace
}

/^spread (?P<name>\\S+) (?P<value>\\S+)$/ {
  odd_spread[$name] = float($value)
}

/^odd (?P<name>.+) is (?P<value>\\S+)$/ {
  odd_value[$name] = float($value)
  odd_observed[$name] = float($value)
}

decode json && defined($name) && defined($value) {
  odd_value[$name] = $value
}

/^trace (?P<name>\\S+) is (?P<trace>.+)$/ {
  odd_traces_total[$name]++ exemplar $trace
}
"""

SECONDS = [0.003 * 1.1**step for step in range(100)]
"""What is observed: from 3 ms to 37 s."""

ODD = {
    "largest Int": "9223372036854775807",
    "larger": "1e300",
    "none": "NaN",
    "above": "+Inf",
    "below": "-Inf",
    "zero": "-0.0",
    'quote " backslash \\': "0.5",
    "umlaut ü €": "1.25",
}

OF_LINES = 'of\nmade_up 9\r\n# TYPE made_up counter\nmade_up{a="\\n"} 9\n'
"""A name of several lines."""

SPREADS = {
    "zero": ["0", "-0.0", "1e-300"],
    "signs": ["-3", "-2.5", "0", "2.5", "3"],
    "infinite": ["1", "+Inf", "-Inf"],
    "none": ["1", "NaN", "2"],
    "wide": ["5e-324", "1e-30", "1", "1e30", "1e300"],
    "nothing": ["NaN"],
}
"""What else a histogram may be told."""

ODD_TRACES = {"NUL": "a\0b", "escapes": 'quote " backslash \\ %s', "control": "\r\x1b\t", "umlaut": "ü € \u2028"}
"""What stands in a line where the id of a trace should."""

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
MESSAGES = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

SCRAPE_CONFIG = """global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: forms
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


@dataclass(slots=True)
class Asked:
    """What came through the proxy: what a client asked for, by what it got."""

    accepted: dict[str, str] = field(default_factory=dict)


@contextmanager
def run_proxy(http_socket: Path) -> Iterator[tuple[Asked, int]]:
    """Pass requests on to a unix socket, which Prometheus cannot ask itself; give what was asked, and the port."""
    asked = Asked()

    class UnixConnection(HTTPConnection):
        def connect(self) -> None:
            """Connect to our daemon."""
            self.sock = socket(AF_UNIX, SOCK_STREAM)
            self.sock.settimeout(DEADLINE_SECONDS)
            self.sock.connect(str(http_socket))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Ask our daemon the same."""
            upstream = UnixConnection("localhost")
            upstream.request("GET", self.path, headers=dict(self.headers))
            answer = upstream.getresponse()
            body = answer.read()
            upstream.close()
            asked.accepted[answer.headers["Content-Type"]] = self.headers["Accept"]
            self.send_response(answer.status)
            for name in ("Content-Type", "Content-Encoding"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield asked, server.server_port
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True, slots=True)
class Scraped:
    """What a Prometheus had at the moment of a scrape. One of those that follow may come late, and leave no values."""

    monitor: Monitor
    moment: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression gave then."""
        result = self.monitor.ask("/api/v1/query", query=expression, time=self.moment)["result"]
        assert isinstance(result, list)
        return result


def wait_scraped(monitor: Monitor) -> Scraped:
    """Return what a Prometheus has as soon as it has scraped."""
    expression = "timestamp(requests_total)"
    found: list[dict[str, Any]] = []

    def has_scraped() -> bool:
        found.extend(monitor.query(expression))
        return bool(found)

    wait_until(has_scraped, "Prometheus has scraped")
    return Scraped(monitor, found[0]["value"][1])


@dataclass(frozen=True, slots=True)
class Site:
    """A daemon that has read all lines, and who scrapes it."""

    asked: Asked
    native: Scraped
    """Keeps native histograms, and asks for messages."""
    plain: Scraped
    """Asks for OpenMetrics."""
    began: float
    """When the daemon was started, in seconds since 1970."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """All of them at work."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "forms.mtail").write_text(PROGRAM)
        began = time.time_ns() / 1e9
        flags = ("--native_histograms", "--emit_created_timestamps", "--logs", f"{folder}/log.fifo")
        stack.enter_context(run_pipeline(folder, "--progs", f"{folder}/forms.mtail", *flags))
        lines = [f"request code=200 seconds={value!r} trace={TRACE}{place}\n" for place, value in enumerate(SECONDS)]
        lines += [f"odd {name} is {value}\n" for name, value in ODD.items()]
        lines += [f"trace {name} is {trace}\n" for name, trace in ODD_TRACES.items()]
        lines += [f"spread {name} {value}\n" for name, values in SPREADS.items() for value in values]
        with (folder / "log.fifo").open("wb") as pipe:
            pipe.write("".join(lines).encode())
            pipe.write(json.dumps({"name": OF_LINES, "value": 3.5}).encode() + b"\nodd invalid \xff is 7\n")
        wait_until(lambda: 'name="invalid' in fetch_metrics(folder / "metrics.sock"), "all lines are read")
        asked, port = stack.enter_context(run_proxy(folder / "metrics.sock"))
        monitors = []
        for part, features in (("native", ("native-histograms", "exemplar-storage")), ("plain", ("exemplar-storage",))):
            config = folder / part / "prometheus.yml"
            config.parent.mkdir()
            config.write_text(SCRAPE_CONFIG.format(port=port))
            monitors.append(stack.enter_context(serve_prometheus(config, *features)))
        native, plain = map(wait_scraped, monitors)
        yield Site(asked, native, plain, began)


def read_values(scraped: Scraped, expression: str, *names: str) -> dict[tuple[str, ...], float]:
    """Return the values of an expression by some labels."""
    rows = scraped.query(expression)
    return {tuple(row["metric"].get(name, "") for name in names): float(row["value"][1]) for row in rows}


def test_each_gets_what_it_prefers(site: Site) -> None:
    """By its header, which names all that it takes."""
    openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
    types = {content_type.partition(";")[0]: content_type for content_type in site.asked.accepted}
    assert types == {
        "application/vnd.google.protobuf": f"{MESSAGES}; escaping=underscores",
        "application/openmetrics-text": openmetrics,
    }
    assert site.asked.accepted[types["application/vnd.google.protobuf"]].startswith(MESSAGES.replace("; ", ";"))


def test_numbers_are_the_same_in_either_form(site: Site) -> None:
    """Names, labels and values of all that is a number, whatever lines hold."""
    # Of what is not a number the text is compared. The texts have a zero without its sign.
    expected = {(name,): repr(float(value)) for name, value in ODD.items()}
    expected |= {("invalid \ufffd",): "7.0", (OF_LINES,): "3.5"}
    for scraped, zero in ((site.native, "-0.0"), (site.plain, "0.0")):
        found = {name: repr(value) for name, value in read_values(scraped, "odd_value", "name").items()}
        assert found == expected | {("zero",): zero}
        assert read_values(scraped, "requests_total", "code", "prog") == {("200", "forms.mtail"): len(SECONDS)}
        assert read_values(scraped, "plain", "code") == {("200",): len(SECONDS)}


def read_names(scraped: Scraped) -> set[str]:
    """Return the names of all that was scraped."""
    return set(scraped.monitor.ask("/api/v1/label/__name__/values"))


def test_native_histogram_can_be_asked(site: Site) -> None:
    """Count, sum and quantiles, which are as close to the truth as eight buckets for a doubling are."""
    assert read_values(site.native, "histogram_count(request_seconds)") == {(): len(SECONDS)}
    ((total,),) = [read_values(site.native, "histogram_sum(request_seconds)").values()]
    assert total == pytest.approx(sum(SECONDS), rel=1e-12)
    for quantile in (0.1, 0.5, 0.9):
        ((found,),) = [read_values(site.native, f"histogram_quantile({quantile}, request_seconds)").values()]
        exact = statistics.quantiles(SECONDS, n=10, method="inclusive")[round(quantile * 10) - 1]
        assert found == pytest.approx(exact, rel=0.1)
    assert "request_seconds_bucket" not in read_names(site.native)


def test_odd_values_are_in_native_buckets(site: Site) -> None:
    """Each alone in its own: infinities behind the greatest numbers, and what is not a number in none."""
    rows = {row["metric"]["name"]: row["histogram"][1] for row in site.native.query("odd_observed")}
    assert {name: row["count"] for name, row in rows.items()} == dict.fromkeys([*ODD, "invalid \ufffd"], "1")
    for name, text in ODD.items():
        value, buckets = float(text), rows[name].get("buckets", [])
        assert repr(float(rows[name]["sum"])) == repr(value + 0.0)
        assert len(buckets) == (not math.isnan(value))
        for _, low, high, count in buckets:
            assert count == "1"
            assert float(low) <= value <= float(high)
            assert math.isinf(value) or value == 0 or float(high) / float(low) == pytest.approx(2 ** (1 / 8))


def test_native_histogram_takes_whatever_lines_hold(site: Site) -> None:
    """Prometheus refuses a whole page for one that does not add up."""
    counts = read_values(site.native, "histogram_count(odd_spread)", "name")
    assert counts == {(name,): len(values) for name, values in SPREADS.items()}
    totals = read_values(site.native, "histogram_sum(odd_spread)", "name")
    assert {name: repr(total) for (name,), total in totals.items()} == {
        name: repr(sum(map(float, values))) for name, values in SPREADS.items()
    }
    assert read_values(site.native, 'histogram_quantile(0.5, odd_spread{name="signs"})') == {(): pytest.approx(0)}


def test_buckets_by_bounds_are_kept_where_native_ones_are_not(site: Site) -> None:
    """The same histogram, scraped as OpenMetrics."""
    counts = read_values(site.plain, "request_seconds_bucket", "le")
    bounds = {"0.1": 0.1, "1": 1, "10": 10, "+Inf": math.inf}
    assert counts == {(text,): sum(seconds <= bound for seconds in SECONDS) for text, bound in bounds.items()}
    assert read_values(site.plain, "request_seconds_count") == {(): len(SECONDS)}


def test_exemplars_are_found_again(site: Site) -> None:
    """Of counters and of buckets, in either form."""
    for scraped in (site.native, site.plain):
        found = read_exemplars(scraped, "requests_total")
        assert found == {("requests_total", ""): (f"{TRACE}99", 1.0)}
    found = read_exemplars(site.plain, "request_seconds_bucket")
    bounds = {"0.1": 0.1, "1": 1, "10": 10, "+Inf": math.inf}
    last = {
        text: max(place for place, seconds in enumerate(SECONDS) if seconds <= bound) for text, bound in bounds.items()
    }
    assert found == {
        ("request_seconds_bucket", text): (f"{TRACE}{place}", SECONDS[place]) for text, place in last.items()
    }


def test_trace_of_any_characters_is_taken(site: Site) -> None:
    """The text of OpenMetrics has another character for a NUL, for which Prometheus would refuse the whole page."""
    in_text = {name: trace.replace("\0", "\ufffd") for name, trace in ODD_TRACES.items()}
    # This Prometheus keeps the escapes of an exemplar as they stand there.
    in_text["escapes"] = in_text["escapes"].replace("\\", "\\\\").replace('"', '\\"')
    for scraped, expected in ((site.native, ODD_TRACES), (site.plain, in_text)):
        rows = scraped.monitor.ask("/api/v1/query_exemplars", query="odd_traces_total", start="0", end="4e9")
        found = {row["seriesLabels"]["name"]: row["exemplars"][-1]["labels"]["trace_id"] for row in rows}
        assert found == expected


def read_exemplars(scraped: Scraped, name: str) -> dict[tuple[str, str], tuple[str, float]]:
    """Return trace and value of the newest exemplar of each series, by name and bound."""
    parameters = {"query": name, "start": "0", "end": "4e9"}
    rows: list[dict[str, Any]] = scraped.monitor.ask("/api/v1/query_exemplars", **parameters)
    return {
        (row["seriesLabels"]["__name__"], row["seriesLabels"].get("le", "")): (
            row["exemplars"][-1]["labels"]["trace_id"],
            float(row["exemplars"][-1]["value"]),
        )
        for row in rows
    }


def test_start_is_told_as_a_series_of_its_own(site: Site) -> None:
    """In OpenMetrics; this Prometheus does not read the field of the messages."""
    for name in ("requests_created", "request_seconds_created"):
        ((start,),) = [read_values(site.plain, name).values()]
        assert site.began <= start <= time.time_ns() / 1e9
    assert "requests_created" not in read_names(site.native)


def test_types_are_those_of_the_metrics(site: Site) -> None:
    """As Prometheus tells them to who writes a query."""
    names = ("requests_total", "request_seconds", "odd_value", "plain")
    types = [site.native.monitor.ask("/api/v1/metadata", metric=name)[name][0]["type"] for name in names]
    assert types == ["counter", "histogram", "gauge", "counter"]
