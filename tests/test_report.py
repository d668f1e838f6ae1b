"""What is said about how it goes, as golden texts."""

from __future__ import annotations

import pytest

from pipeline.message_counts import EndpointCounts, MessageCounts
from pipeline.metrics import Store
from pipeline.report import Meter, Rates, describe_duration, describe_report, describe_status
from pipeline.telemetry import OriginCounts, SourceCounts, Telemetry

REPORT = """\
Report after 1 d 2 h: 1,234,567 lines, 0 series. Lines a second are those of the last 10 s.
/run/a.fifo fails, and is to be opened again.

      lines  lines/s       bytes  errors  connections  bytes behind  source
  1,234,560    1,000  98,765,432       2            0             0  /run/a.fifo
          7        0          70       0            3            12  unix:///run/b\ufffd

  lines  failures  sieve  seconds  program
      0         0    off      0.0  gone.mtail (not running)
  2,469         1     on      1.5  p.mtail"""


@pytest.fixture
def telemetry() -> Telemetry:
    """Two sources and two programs that have counted something."""
    telemetry = Telemetry(Store())
    telemetry.origins = {b"/run/a.fifo": OriginCounts(1_234_560), b"unix:///run/b\xff": OriginCounts(7)}
    telemetry.add_source(SourceCounts(b"/run/a.fifo", bytes_read=98_765_432, errors=2))
    telemetry.add_source(SourceCounts(b"unix:///run/b\xff", bytes_read=70, connections=3, lag_bytes=12))
    program = telemetry.program("p.mtail")
    program.running = program.sieved = True
    program.lines, program.runtime_errors, program.times.run_ns = 2469, 1, 1_500_000_000
    telemetry.program("gone.mtail")
    return telemetry


def test_report_has_a_row_for_each_source_and_program(telemetry: Telemetry) -> None:
    """Figures are to the right, names last; a program that does not run is shown too."""
    rates = Rates(10.0, {b"/run/a.fifo": 1000.4})
    assert describe_report(telemetry, rates, 26 * 3600 + 59.9, ["/run/a.fifo"]) == REPORT


def test_status_is_one_line(telemetry: Telemetry) -> None:
    """With what fails, if anything does."""
    status = describe_status(telemetry, Rates(5.0, {b"a": 1000.0, b"b": 234.4}), ["/run/b", "/run/a"])
    assert status == (
        "1,234 lines/s, 1,234,567 lines, 1 of 2 programs running, 1 failures of programs on lines, "
        "failing: /run/a /run/b"
    )


def test_status_without_trouble_names_none() -> None:
    """A daemon that has just started has nothing to tell but that."""
    assert describe_status(Telemetry(Store()), Rates(0.0), []) == "0 lines/s, 0 lines, 0 of 0 programs running"


MESSAGE_REPORT = """
12,345 envelopes came: 6 were none, and no route took 7.
  taken  delivered  refused  dropped  waiting  failures  endpoint
  1,234      1,233        1        0        0         0  store
     20          8        0        2       10         5  http (failing: it hung)"""


@pytest.fixture
def messages(telemetry: Telemetry) -> Telemetry:
    """A router with two endpoints beside that."""
    endpoints = [
        EndpointCounts("store", taken=1234, delivered=1233, refused=1),
        EndpointCounts("http", taken=20, delivered=8, dropped=2, queued=10, failures=5, last_failure="it hung"),
    ]
    invalid = {"json": 4, "type": 2}
    telemetry.messages = MessageCounts(received=12_345, unrouted=7, invalid=invalid, endpoints=endpoints)
    return telemetry


def test_report_has_a_row_for_each_endpoint(messages: Telemetry) -> None:
    """Where there is a router of metlog."""
    report = describe_report(messages, Rates(10.0, {b"/run/a.fifo": 1000.4}), 26 * 3600 + 59.9, ["/run/a.fifo"])
    assert report == REPORT + "\n" + MESSAGE_REPORT


def test_status_names_endpoints_that_fail(messages: Telemetry) -> None:
    """Behind all else."""
    status = describe_status(messages, Rates(5.0), [])
    assert status.endswith(", 12,345 envelopes, failing endpoints: http")


def test_rates_are_those_since_the_last_look() -> None:
    """A source that is new had no lines before; two looks at the same moment show nothing."""
    meter = Meter(100.0)
    assert meter.measure({b"a": 50}, 110.0) == Rates(10.0, {b"a": 5.0})
    assert meter.measure({b"a": 50, b"b": 8}, 114.0) == Rates(4.0, {b"a": 0.0, b"b": 2.0})
    assert meter.measure({b"a": 99}, 114.0) == Rates(0.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min 0 s"),
        (3725, "1 h 2 min"),
        (86400, "1 d 0 h"),
        (90061, "1 d 1 h"),
    ],
)
def test_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    """More would say no more."""
    assert describe_duration(seconds) == text
