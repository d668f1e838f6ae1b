"""The endpoint `statsd`: the line of each message, and what the real statsd adds up of them."""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from pipeline.endpoint_settings import StatsdEndpointSettings
from pipeline.metlog.endpoints.statsd import RefusedError, StatsdEndpoint
from tests.e2e.daemons import wait_until
from tests.e2e.statsd import Statsd, make_statsd
from tests.metlog.endpoints.messages import NOW, make_message
from tests.metlog.endpoints.running import make, opened, send_all


def write(kind: str, payload: str, settings: StatsdEndpointSettings | None = None, **fields: object) -> str:
    """Return the line of a message, or why there is none."""
    endpoint = make(settings or StatsdEndpointSettings(address="localhost:8125"))
    assert isinstance(endpoint, StatsdEndpoint)
    message = make_message(type=kind, logger="shop", payload=payload, fields={"name": "a.b", **fields})
    try:
        return endpoint.write(message).decode()
    except RefusedError as error:
        return str(error)


LINES = [
    ("counter", "1", {}, "a.b:1|c"),
    ("counter", "-2.5", {"rate": 1.0}, "a.b:-2.5|c"),
    ("counter", "3", {"rate": 0.1}, "a.b:3|c|@0.1"),
    ("counter", "3", {"rate": 1}, "a.b:3|c"),
    ("counter", "3", {"rate": 2.5e-07}, "a.b:3|c|@0.00000025"),
    ("counter", "3", {"rate": 5e-324}, "its rate is too small to be written"),
    ("timer", "12", {"rate": 0.5}, "a.b:12|ms|@0.5"),
    ("timer", "12.75", {}, "a.b:12.75|ms"),
    ("gauge", "7", {"rate": 0.5}, "a.b:7|g"),
    ("gauge", "-7", {}, "a.b:0|g\na.b:-7|g"),
    ("counter", "1e300", {}, "a.b:1e+300|c"),
    ("counter", "1", {"name": "x y:1|c|@0.1#t\n\x00;é"}, "x_y_1_c__0.1_t____:1|c"),
    ("timer", "-1", {}, "it is a time below zero"),
    ("counter", "1_000", {}, "its payload is no number"),
    ("counter", "nan", {}, "its payload is no number"),
    ("counter", "1e999", {}, "its payload is no number"),
    ("counter", "9" * 5000, {}, "its payload is no number"),
    ("counter", "", {}, "its payload is no number"),
    ("counter", "1", {"rate": 0}, "its rate is not a number above 0 and up to 1"),
    ("counter", "1", {"rate": 1.5}, "its rate is not a number above 0 and up to 1"),
    ("counter", "1", {"rate": "0.5"}, "its rate is not a number above 0 and up to 1"),
    ("counter", "1", {"rate": True}, "its rate is not a number above 0 and up to 1"),
    ("counter", "1", {"name": None}, "it has no name"),
    ("counter", "1", {"name": ["x"]}, "it has no name"),
    ("counter", "1", {"name": "x" * 1001}, "its name has more than 1000 characters"),
    ("oldstyle", "1", {}, "statsd takes counters, timers and gauges"),
]


@pytest.mark.parametrize(("kind", "payload", "fields", "line"), LINES, ids=range(len(LINES)))
def test_message_becomes_a_line(kind: str, payload: str, fields: dict[str, object], line: str) -> None:
    """Or is refused."""
    assert write(kind, payload, None, **fields) == line


def test_prefix_and_logger_stand_before_the_name() -> None:
    """In this order."""
    settings = StatsdEndpointSettings(address="localhost:8125", prefix="site.", logger=True)
    assert write("counter", "1", settings) == "site.shop.a.b:1|c"


NUMBERS = st.floats().map(repr) | st.integers().map(str)
RATES = st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=5)
"""What JSON has: an envelope with anything else is none."""


@given(
    kind=st.sampled_from(["counter", "timer", "gauge"]),
    name=st.text(st.characters(), min_size=1, max_size=20),
    payload=NUMBERS | st.text(st.characters(), max_size=20),
    rate=st.none() | RATES,
)
def test_message_of_any_text_adds_nothing_but_itself(kind: str, name: str, payload: str, rate: object) -> None:
    """It is one line with one name and one number, two of a gauge below zero; or it is refused."""
    text = write(kind, payload, StatsdEndpointSettings(address="localhost:8125"), name=name, rate=rate)
    if not text.startswith(("it ", "its ")):
        lines = text.split("\n")
        assert len(lines) == 1 or (kind == "gauge" and lines[0].endswith(":0|g") and len(lines) == 2)
        for line in lines:
            spelled, number = line.split(":")
            assert re.fullmatch(r"[!-~]+", spelled)
            assert len(spelled) == len(name)
            assert not set(spelled) & set("|@#;")
            assert re.fullmatch(r"-?[0-9.]+(e[+-]?[0-9]+)?\|(c|ms|g)(\|@[0-9.]+)?", number), line


async def test_refused_messages_do_not_hold_up_others() -> None:
    """All are accounted for, in whatever order they come; nobody listens, and UDP tells."""
    async with opened(StatsdEndpointSettings(address="127.0.0.1:1")) as endpoint:
        endpoint.take([make_message(payload="x"), make_message(type="counter", payload="1", fields={"name": "n"})], NOW)
        assert not await endpoint.attempt()
        assert (endpoint.counts.queued, endpoint.counts.refused, endpoint.counts.last_refusal) == (2, 0, "")


@pytest.fixture(scope="module")
def statsd() -> Iterator[Statsd]:
    """A statsd that runs."""
    with tempfile.TemporaryDirectory(prefix="statsd-") as name:
        made = make_statsd(Path(name) / "statsd")
        with made.run():
            yield made


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["udp", "stream"])
def test_real_statsd_adds_up_what_was_sent(statsd: Statsd, transport: str) -> None:
    """With sampling rates, over more datagrams than one; what is refused is not sent."""
    address = f"127.0.0.1:{statsd.port}" if transport == "udp" else f"unix://{statsd.socket}"
    settings = StatsdEndpointSettings(address=address, prefix=f"{transport}.")
    trio.run(send, settings)
    wait_until(lambda: f"{transport}.last" in statsd.list_numbers("counters"), "statsd has got all")
    counters = statsd.list_numbers("counters")
    assert counters[f"{transport}.hits"] == 2000
    assert counters[f"{transport}.sampled"] == 40
    assert counters[f"{transport}.rare"] == pytest.approx(100_000)
    assert statsd.list_numbers("gauges")[f"{transport}.level"] == -3
    assert statsd.list_members("timers")[f"{transport}.took"].count("12") == 1
    assert statsd.count_bad_lines() == 0


async def send(settings: StatsdEndpointSettings) -> None:
    """Send counters, timers and gauges, and some that are none."""
    messages = [make_message(type="counter", payload="2", fields={"name": "hits"}) for _ in range(1000)]
    messages[500:500] = [
        make_message(type="counter", payload="4", fields={"name": "sampled", "rate": 0.1}),
        make_message(type="counter", payload="1", fields={"name": "rare", "rate": 1e-05}),
        make_message(type="timer", payload="12", fields={"name": "took", "rate": 0.5}),
        make_message(type="gauge", payload="8", fields={"name": "level"}),
        make_message(type="gauge", payload="-3", fields={"name": "level"}),
        make_message(type="oldstyle", payload="hello"),
        make_message(type="counter", payload="hello", fields={"name": "hits"}),
    ]
    messages.append(make_message(type="counter", payload="1", fields={"name": "last"}))
    async with opened(settings) as endpoint:
        endpoint.take(messages, NOW)
        await send_all(endpoint)
        assert (endpoint.counts.delivered, endpoint.counts.refused) == (1006, 2)


async def test_datagram_is_sent_once_when_time_runs_out_behind_it(
    monkeypatch: pytest.MonkeyPatch, patient_clock: MockClock
) -> None:
    """In the pause that statsd is given to read."""
    monkeypatch.setattr(f"{StatsdEndpoint.__module__}.DATAGRAMS_AT_ONCE", 1)
    monkeypatch.setattr(f"{StatsdEndpoint.__module__}.PAUSE_SECONDS", 60.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        async with opened(StatsdEndpointSettings(address=f"127.0.0.1:{receiver.getsockname()[1]}")) as endpoint:
            endpoint.take([make_message(type="counter", payload="1", fields={"name": "a"})], NOW)
            assert not await endpoint.attempt()
            assert (endpoint.counts.delivered, endpoint.counts.queued) == (1, 0)
        assert receiver.recv(100) == b"a:1|c"
