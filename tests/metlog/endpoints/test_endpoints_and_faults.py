"""Every endpoint, before destinations that refuse, hang, hang up, talk nonsense, and come back.

A row of `OVER_HTTP` or `ENDPOINTS` says how an endpoint is set up and what its destination has got.
"""

from __future__ import annotations

import gzip
import json
import logging
import re
import socket
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from select import select

import pytest
import trio
from sentry_sdk.envelope import Envelope
from trio.testing import MockClock

from pipeline.endpoint_settings import (
    FileEndpointSettings,
    HttpEndpointSettings,
    QueueSettings,
    SentryEndpointSettings,
    StatsdEndpointSettings,
    SyslogEndpointSettings,
)
from pipeline.metlog.endpoints import Message
from pipeline.metlog.endpoints.http_endpoint import HttpEndpoint
from pipeline.metlog.endpoints.queued_endpoint import QueuedEndpoint
from pipeline.metlog.endpoints.syslog import SyslogEndpoint
from tests.metlog.endpoints.messages import NOW, assert_accounted, make_message, make_numbered
from tests.metlog.endpoints.running import opened, running, send_all, write_secret
from tests.ports import find_port
from tests.pushers.http_peer import BROKEN_ANSWERS, HttpPeer, Mischief, Received, Reply, serving

SHORT_DEADLINE_SECONDS = 0.1
"""For those who hang."""
TWO_HOURS = 7200.0
KEY = "0123456789abcdef0123456789abcdef"


def read_array(received: Received) -> list[int]:
    """Return the numbers in a request of the endpoint `http`."""
    encoding = received.headers.get("content-encoding", "")
    body = gzip.decompress(received.body) if encoding == "gzip" else received.body
    if received.headers["content-type"] == "application/json":
        return [int(one["payload"]) for one in json.loads(body)]
    assert received.headers["content-type"] == "application/x-ndjson"
    return [int(json.loads(line)["payload"]) for line in body.splitlines()]


def read_envelope(received: Received) -> list[int]:
    """Return the numbers in a request of the endpoint `sentry`."""
    assert received.headers["content-type"] == "application/x-sentry-envelope"
    encoding = received.headers.get("content-encoding", "")
    body = gzip.decompress(received.body) if encoding == "gzip" else received.body
    event = Envelope.deserialize(body).get_event()
    assert event is not None
    message: object = event["message"]  # the interface; its short form is a text
    assert isinstance(message, dict)
    return [int(message["formatted"])]


@dataclass(frozen=True, slots=True)
class OverHttp:
    """An endpoint that speaks HTTP."""

    make_settings: Callable[[int, Path], QueueSettings]
    """For a server at this port; files go to the folder."""
    read: Callable[[Received], list[int]]


def make_http(port: int, folder: Path, format_: str = "array", compression: str = "none") -> QueueSettings:
    """Return the settings of an endpoint `http`."""
    url = f"http://127.0.0.1:{port}/in"
    token = write_secret(folder, KEY)
    return HttpEndpointSettings(
        url=url, format=format_, compression=compression, token_file=token, batch_delay_seconds=0
    )


def make_sentry(port: int, folder: Path) -> QueueSettings:
    """Return the settings of an endpoint `sentry`."""
    return SentryEndpointSettings(dsn_file=write_secret(folder, f"http://{KEY}@127.0.0.1:{port}/42"))


OVER_HTTP = {
    "http": OverHttp(make_http, read_array),
    "http lines": OverHttp(lambda port, folder: make_http(port, folder, "lines"), read_array),
    "http gzip": OverHttp(lambda port, folder: make_http(port, folder, "array", "gzip"), read_array),
    "sentry": OverHttp(make_sentry, read_envelope),
}

SLOW = f"it did not take everything within {SHORT_DEADLINE_SECONDS} s"

TRIED_AGAIN: dict[str, tuple[Reply | Mischief, str]] = {
    **BROKEN_ANSWERS,
    "hangs": (Mischief.HANG, SLOW),
    "reads nothing": (Mischief.READ_NOTHING, SLOW),
    "401": (Reply(401, b"who are you?", {"www-authenticate": "Basic"}), "it answered 401: who are you?"),
    "403": (Reply(403, KEY.encode()), "it answered 403"),
    "404": (Reply(404), "it answered 404"),
    "408": (Reply(408), "it answered 408"),
    "429": (Reply(429, b"later", {"retry-after": "120"}), "it answered 429: later"),
    "500": (Reply(500, b"\xff\xfe"), "it answered 500: \ufffd\ufffd"),
    "503": (Reply(503, b"not\x1b[31m now\nor ever"), "it answered 503: not\ufffd[31m now"),
}
"""What a server does, and what is said of it."""

REFUSED = {"405": Reply(405, b"no"), "409": Reply(409, b"no"), "415": Reply(415, b"no")}
OF_THE_REQUEST = {"400": Reply(400, b"bad"), "413": Reply(413, b"too large"), "422": Reply(422, b"strange")}

every_http = pytest.mark.parametrize("kind", OVER_HTTP.values(), ids=OVER_HTTP)


@pytest.mark.parametrize(
    "what",
    [pytest.param(what, marks=[pytest.mark.slow] if TRIED_AGAIN[what][1] == SLOW else []) for what in TRIED_AGAIN],
)
@every_http
async def test_failure_keeps_all_messages(
    kind: OverHttp, what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are delivered, in order, when it works again; the failure is counted, and told once."""
    caplog.set_level(logging.INFO)
    step, told = TRIED_AGAIN[what]
    async with serving(step) as peer, opened(kind.make_settings(peer.port, tmp_path)) as endpoint:
        endpoint.take(make_numbered(range(3)), NOW)
        patience = endpoint.deadline
        endpoint.deadline = SHORT_DEADLINE_SECONDS if told == SLOW else patience
        for number in (1, 2):
            assert not await endpoint.attempt()
            assert endpoint.counts.last_failure.startswith(told)
            assert (endpoint.counts.failures, endpoint.counts.queued) == (number, 3)
            assert_accounted(endpoint.counts)
        endpoint.deadline = patience
        peer.plan = [Reply()]  # not before: on a busy machine an attempt may end before the server has seen it
        await send_all(endpoint)
        assert (endpoint.counts.last_failure, endpoint.counts.delivered) == ("", 3)
    about = [message for message in caplog.messages if message.startswith("Metlog endpoint it at ")]
    assert [f" failed: {told}" in message for message in about] == [True, False]
    assert about[1].endswith(" works again, after 2 failures.")
    assert KEY not in caplog.text
    assert [number for received in peer.received for number in kind.read(received)][-3:] == [0, 1, 2]


@pytest.mark.parametrize("what", REFUSED)
@every_http
async def test_final_answer_refuses_the_messages(kind: OverHttp, what: str, tmp_path: Path) -> None:
    """They are counted, and not tried for ever; those that come then are."""
    async with serving(REFUSED[what], Reply()) as peer, opened(kind.make_settings(peer.port, tmp_path)) as endpoint:
        endpoint.take(make_numbered([0]), NOW)
        assert await endpoint.attempt()
        assert (endpoint.counts.refused, endpoint.counts.queued, endpoint.counts.failures) == (1, 0, 0)
        endpoint.take(make_numbered([1]), NOW)
        await send_all(endpoint)
        assert (endpoint.counts.refused, endpoint.counts.delivered) == (1, 1)


@pytest.mark.parametrize("what", OF_THE_REQUEST)
@every_http
async def test_bad_message_is_found_among_others(kind: OverHttp, what: str, tmp_path: Path) -> None:
    """The server does not like number 5: it alone is refused, in fewer requests than there are messages."""
    async with serving_but(5, kind.read, OF_THE_REQUEST[what]) as peer:
        async with opened(kind.make_settings(peer.port, tmp_path)) as endpoint:
            endpoint.take(make_numbered(range(20)), NOW)
            await send_all(endpoint)
            assert (endpoint.counts.delivered, endpoint.counts.refused) == (19, 1)
        taken = [number for received in peer.received for number in kind.read(received)]
        assert list(dict.fromkeys(taken)) == list(range(20))
        assert len(peer.received) <= 20
        assert isinstance(endpoint, HttpEndpoint)
        assert endpoint.batch_messages >= min(endpoint.max_batch, 8)


@asynccontextmanager
async def serving_but(number: int, read: Callable[[Received], list[int]], answer: Reply) -> AsyncIterator[HttpPeer]:
    """Give a server that takes all requests but those that have a number in them."""

    class Picky(HttpPeer):
        """Looks at the last request before it answers."""

        def pass_on(self) -> Reply | Mischief:
            return answer if number in read(self.received[-1]) else Reply()

    peer = Picky()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, peer.serve, [peer.listener])
        with trio.fail_after(60):
            yield peer
        nursery.cancel_scope.cancel()


class FileDestination:
    """A file whose folder is not there at first."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "logs" / "messages.json"
        self.path.parent.mkdir()

    def make_settings(self) -> QueueSettings:
        return FileEndpointSettings(path=self.path)

    def vanish(self) -> None:
        """Have the folder gone."""
        self.path.unlink()
        self.path.parent.rmdir()

    def appear(self) -> None:
        self.path.parent.mkdir()

    async def read(self) -> list[int]:
        return [int(json.loads(line)["payload"]) for line in self.path.read_text().splitlines()]

    def close(self) -> None:
        pass


class SocketDestination(ABC):
    """A unix socket on which nobody listens at first."""

    def __init__(self, folder: Path, kind: socket.SocketKind) -> None:
        self.path = folder / "in.sock"
        self.kind = kind
        self.socket = socket.socket(socket.AF_UNIX, kind)
        self.data = b""

    @abstractmethod
    def make_settings(self) -> QueueSettings:
        """Return the settings of the endpoint."""

    def vanish(self) -> None:  # noqa: B027 - it was not there
        """Be gone."""

    def appear(self) -> None:
        self.socket.bind(str(self.path))
        if self.kind is socket.SOCK_STREAM:
            self.socket.listen()
        self.socket.setblocking(False)

    async def read(self) -> list[int]:
        if self.kind is socket.SOCK_STREAM:
            stream, _ = self.socket.accept()
            self.data = stream.recv(100_000)
            stream.close()
        else:
            try:
                while True:
                    self.data += self.socket.recv(100_000) + b"\n"
            except BlockingIOError:
                pass
        return find_numbers(self.data)

    def close(self) -> None:
        self.socket.close()


class SyslogDatagrams(SocketDestination):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, socket.SOCK_DGRAM)

    def make_settings(self) -> QueueSettings:
        return SyslogEndpointSettings(socket=self.path)


class SyslogStream(SocketDestination):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, socket.SOCK_STREAM)

    def make_settings(self) -> QueueSettings:
        return SyslogEndpointSettings(socket=self.path, transport="stream")


class StatsdStream(SocketDestination):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, socket.SOCK_STREAM)

    def make_settings(self) -> QueueSettings:
        return StatsdEndpointSettings(address=f"unix://{self.path}")


class StatsdUdp(SocketDestination):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, socket.SOCK_DGRAM)
        self.socket.close()
        self.address = ("127.0.0.1", find_port())
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def appear(self) -> None:
        self.socket.bind(self.address)
        self.socket.setblocking(False)

    def make_settings(self) -> QueueSettings:
        return StatsdEndpointSettings(address=f"127.0.0.1:{self.address[1]}")


def find_numbers(data: bytes) -> list[int]:
    """Return the numbers in what syslog or statsd is sent: `hits:7|c`, or `… - n7` with its length or by itself."""
    numbers = []
    while data[:1].isdigit():
        size, _, rest = data.partition(b" ")
        numbers.append(int(rest[: int(size)].rpartition(b" n")[2]))
        data = rest[int(size) :]
    return numbers + [int(number) for number in re.findall(rb"(?:hits:| n)(\d+)", data)]


ENDPOINTS: dict[str, Callable[[Path], FileDestination | SocketDestination]] = {
    "file": FileDestination,
    "syslog datagram": SyslogDatagrams,
    "syslog stream": SyslogStream,
    "statsd": StatsdUdp,
    "statsd stream": StatsdStream,
}


def take_numbers(kind: str, numbers: range) -> list[Message]:
    """Return the messages that suit an endpoint."""
    if kind == "file":
        return make_numbered(numbers)
    if kind.startswith("syslog"):
        return [make_message(payload=f"n{number}") for number in numbers]
    return [make_message(type="counter", payload=str(number), fields={"name": "hits"}) for number in numbers]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENDPOINTS)
async def test_destination_comes_back_after_an_hour(kind: str, tmp_path: Path, patient_clock: MockClock) -> None:
    """It was away all the time; five minutes after it is there, it has the messages."""
    destination = ENDPOINTS[kind](tmp_path)
    async with running(destination.make_settings(), TWO_HOURS) as endpoint:
        destination.vanish()
        endpoint.take(take_numbers(kind, range(1, 4)), NOW)
        await trio.sleep(3600)
        assert 14 < endpoint.counts.failures < 40
        assert endpoint.counts.last_failure in ("no such file or directory", "connection refused")
        assert endpoint.counts.queued == 3
        destination.appear()
        await trio.sleep(301)
        assert (endpoint.counts.delivered, endpoint.counts.last_failure) == (3, "")
        assert await destination.read() == [1, 2, 3]
    destination.close()


@pytest.mark.slow
@every_http
async def test_server_comes_back_after_an_hour(kind: OverHttp, tmp_path: Path, patient_clock: MockClock) -> None:
    """The same over HTTP, with a spool."""
    with socket.socket() as unheard:  # whose port nobody else can have, while nobody listens
        unheard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        unheard.bind(("127.0.0.1", 0))
        await live_through_an_hour(kind, unheard.getsockname()[1], tmp_path)


async def live_through_an_hour(kind: OverHttp, port: int, folder: Path) -> None:
    """Have nobody listen at the port, and then a server."""
    async with running(kind.make_settings(port, folder), TWO_HOURS) as endpoint, trio.open_nursery() as nursery:
        endpoint.take(make_numbered(range(3)), NOW)
        await trio.sleep(3600)
        assert (endpoint.counts.last_failure, endpoint.counts.queued) == ("connection refused", 3)
        peer = HttpPeer(Reply(), port=port)
        nursery.start_soon(trio.serve_listeners, peer.serve, [peer.listener])
        await trio.sleep(301)
        assert (endpoint.counts.delivered, endpoint.counts.last_failure) == (3, "")
        assert [number for received in peer.received for number in kind.read(received)] == [0, 1, 2]
        nursery.cancel_scope.cancel()


async def send_and_hang_up(endpoint: QueuedEndpoint) -> None:
    """Send all, and close the connection."""
    await send_all(endpoint)
    await endpoint.disconnect_soon()


STREAMS = {"syslog stream": (SyslogStream, 6_000), "statsd stream": (StatsdStream, 20_000)}
"""With so many messages as a socket has no room for."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", STREAMS)
async def test_stream_that_hangs_and_hangs_up_is_written_again(kind: str, tmp_path: Path) -> None:
    """A batch of which nobody knows how much was read is sent again, over a new connection."""
    make_destination, count = STREAMS[kind]
    destination = make_destination(tmp_path)
    destination.appear()
    settings = replace(destination.make_settings(), queue_messages=100_000, batch_messages=100_000, batch_bytes=10**8)
    listener = trio.socket.from_stdlib_socket(destination.socket)
    async with opened(settings) as endpoint:
        endpoint.deadline = SHORT_DEADLINE_SECONDS
        endpoint.take(take_numbers(kind, range(1, count + 1)), NOW)
        while not select([listener], [], [], 0)[0]:  # a busy machine has no time to connect, at first
            assert not await endpoint.attempt()
            assert endpoint.counts.last_failure == f"it did not take everything within {endpoint.deadline:g} s"
            endpoint.deadline *= 2
        left = endpoint.counts.queued
        assert left > 0
        first, _ = await listener.accept()
        first.close()
        endpoint.deadline = 60.0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_and_hang_up, endpoint)
            second, _ = await listener.accept()
            got = b""
            while data := await second.recv(1_000_000):
                got += data
        second.close()
    assert find_numbers(got)[-1] == count
    assert len(find_numbers(got)) == left
    assert endpoint.counts.delivered == count
    destination.close()


async def test_stream_that_was_left_in_the_middle_is_not_gone_on_with(tmp_path: Path) -> None:
    """Time has run out within a message: what comes next would stand in it."""
    destination = SyslogStream(tmp_path)
    destination.appear()
    async with opened(replace(destination.make_settings(), batch_bytes=10**8, batch_messages=10**5)) as endpoint:
        assert isinstance(endpoint, SyslogEndpoint)
        endpoint.take(take_numbers("syslog", range(1, 6_000)), NOW)
        with trio.move_on_after(0.05) as scope:
            await endpoint.attempt()
        assert scope.cancelled_caught
        assert endpoint.stream.socket is None
    destination.close()


async def test_slow_destination_is_not_left_alone_longer_and_longer(tmp_path: Path) -> None:
    """A syslog daemon takes some messages in the time of each attempt, and no pause makes it faster."""
    destination = SyslogDatagrams(tmp_path)
    destination.appear()
    async with opened(destination.make_settings()) as endpoint:
        endpoint.deadline = 0.02
        endpoint.draw = lambda: 0.0
        endpoint.take(take_numbers("syslog", range(1, 5_001)), NOW)
        pauses = []
        for _ in range(4):
            assert not await endpoint.attempt()
            pauses.append(endpoint.find_pause())
            await destination.read()
        assert pauses == [1, 1, 1, 1]
        delivered = -1
        while delivered != endpoint.counts.delivered:  # until its queue is full
            delivered = endpoint.counts.delivered
            assert not await endpoint.attempt()
        assert endpoint.find_pause() == 2
    destination.close()


async def test_full_socket_is_waited_for(tmp_path: Path) -> None:
    """A syslog daemon that does not keep up gets the rest when it does."""
    destination = SyslogDatagrams(tmp_path)
    destination.appear()
    async with opened(destination.make_settings()) as endpoint, trio.open_nursery() as nursery:
        endpoint.take(take_numbers("syslog", range(1, 301)), NOW)
        nursery.start_soon(send_all, endpoint)
        while endpoint.counts.queued:
            await destination.read()
            await trio.lowlevel.checkpoint()
        numbers = await destination.read()
        assert numbers == list(range(1, 301))
        assert endpoint.counts.failures == 0
    destination.close()
