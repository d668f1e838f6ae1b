"""The connections of the HTTP server: how many there are, and who has to go when there are too many.

A connection is busy from the moment when a request is complete, its body excepted, until the answer is sent. All
other time it is idle, also while the lines of a request come one by one. When all places are taken, the one that
has been idle longest is closed for a new one: however many connect and say nothing, whoever asks is answered. One
that is busy is never closed for another.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import cast

import h11
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.events import Body
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Request as StreamRequest
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState

from pipeline.server.targets import find_origin_form, find_refusal
from pipeline.telemetry import ServerCounts

# A scraper opens one connection, a proxy a few.
MAX_CONNECTIONS = 32

# The time mtail gives an idle connection; nginx keeps its side open for 60 s and reconnects.
IDLE_SECONDS = 30.0

# From the first byte of a request to the end of its headers. nginx and Prometheus send them in one piece; who
# sends them byte by byte wants to keep others out.
REQUEST_SECONDS = 10.0

# Prometheus gives up on a scrape after 10 s. A client that takes less than SEND_BYTES in that time is gone.
SEND_SECONDS = 10.0
SEND_BYTES = 64 * 1024


READ_STEPS = 32
"""Steps of the loop in which a request that has arrived must have been read: it takes a dozen from the accept on."""


PARTS_PER_STEP = 100
"""After so many parts of a body others have a turn: h11 takes 10 µs for one, and 10,000 may arrive at once."""


class TimedStream(trio.abc.HalfCloseableStream):
    """A connection whose peer must take what is sent within `SEND_SECONDS`."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.socket = stream.socket
        self.is_waiting = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data`; a peer that stops taking it is treated as gone."""
        view = memoryview(data)
        for start in range(0, max(len(view), 1), SEND_BYTES):
            with trio.move_on_after(SEND_SECONDS) as scope:
                await self.stream.send_all(view[start : start + SEND_BYTES])
            if scope.cancelled_caught:
                raise trio.BrokenResourceError(f"the client took too little for {SEND_SECONDS:.0f} s")

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the kernel takes more."""
        await self.stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Tell the peer that nothing more comes."""
        await self.stream.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Return what has arrived; nothing at the end."""
        # Trio takes what is there already, and returns it a step of the loop later.
        self.is_waiting = not self.has_input()
        try:
            return await self.stream.receive_some(max_bytes)
        finally:
            self.is_waiting = False

    async def aclose(self) -> None:
        """Close the connection."""
        await self.stream.aclose()

    @property
    def is_silent(self) -> bool:
        """Whether it is being read, and nothing has arrived that is not read yet."""
        return self.is_waiting and not self.has_input()

    def has_input(self) -> bool:
        """Return whether something has arrived that is not read yet, or the end."""
        if self.socket.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(0))

    def cut(self) -> None:
        """Close the connection at once; a send that is under way fails, even one that is shielded."""
        self.socket.close()


class Places:
    """Who is connected, `MAX_CONNECTIONS` at most, and who of them is idle."""

    def __init__(self, counts: ServerCounts) -> None:
        self.counts = counts
        self.streams: set[TimedStream] = set()
        self.idle: dict[TimedStream, None] = {}
        """In the order in which they became idle."""
        self.change = trio.Event()
        """Set when a place may be had that could not be had before."""

    def enter(self, connection: socket.socket) -> TimedStream:
        """Give a new connection its place."""
        stream = TimedStream(trio.SocketStream(trio.socket.from_stdlib_socket(connection)))
        self.streams.add(stream)
        self.idle[stream] = None
        return stream

    def leave(self, stream: TimedStream) -> None:
        """Close a connection, whose place is free then."""
        stream.cut()
        self.streams.discard(stream)
        self.idle.pop(stream, None)
        self.change.set()

    def note_busy(self, stream: TimedStream) -> None:
        """A request is complete: its connection may not be closed for another."""
        self.idle.pop(stream, None)

    def note_idle(self, stream: TimedStream) -> None:
        """An answer is sent."""
        self.idle.pop(stream, None)
        if stream in self.streams:
            self.idle[stream] = None
            self.change.set()

    def evict(self, *, spares_asking: bool = True) -> bool:
        """Close the connection that has been idle longest, unless there is none; return whether there was.

        Those may be spared that are new, or whose request has arrived and is not read yet.
        """
        for stream in self.idle:
            if stream.is_silent or not spares_asking:
                self.leave(stream)
                self.counts.connections_evicted += 1
                return True
        return False

    async def wait_room(self) -> None:
        """Make room for one more, and wait for it where all are busy."""
        steps = 0
        while len(self.streams) >= MAX_CONNECTIONS and not self.evict(spares_asking=steps < READ_STEPS):
            if self.idle:
                steps += 1
                await trio.lowlevel.checkpoint()
            else:
                self.change = trio.Event()
                await self.change.wait()


class BodilessStream(HTTPStream):
    """A request whose body nobody asks for, and which is passed over as it comes.

    Hypercorn's own keeps what the app has not taken, ten parts at most, and then waits for the app, also when
    that has answered and ended: the connection would be busy for ever.
    """

    parts = 0

    async def handle(self, event: StreamEvent) -> None:
        """Take the request, or what comes behind it."""
        if isinstance(event, Body):
            self.parts += 1
            if self.parts % PARTS_PER_STEP == 0:
                await trio.lowlevel.checkpoint()
        else:
            await super().handle(event)


class PlainHttp(H11Protocol):
    """HTTP/1.1 and nothing else: a request to go on with HTTP/2 or WebSocket is answered as if it did not ask.

    That is the server's right (RFC 9110 section 7.8). A client of HTTP/2 that grants no room for its answer would
    keep its place for ever.
    """

    def __init__(self, wrapper: ProtocolWrapper, note_bytes: Callable[[], None]) -> None:
        super().__init__(
            wrapper.app,
            wrapper.config,
            wrapper.context,
            wrapper.task_group,
            wrapper.state,
            wrapper.ssl,
            wrapper.client,
            wrapper.server,
            wrapper.send,
        )
        self.note_bytes = note_bytes

    async def handle(self, event: Event) -> None:
        """Take what has arrived, or the end."""
        if isinstance(event, RawData):
            self.note_bytes()
            data = self.skip_empty_lines(event.data)
            if event.data and not data:  # nothing would mean the end
                return
            event = RawData(data=data)
        await super().handle(event)

    def skip_empty_lines(self, data: bytes) -> bytes:
        """Return `data` without what some send behind the body before: RFC 9112 section 2.2 has servers ignore it."""
        is_between = self.connection.their_state is h11.IDLE and not self.connection.trailing_data[0]
        return data.lstrip(b"\r\n") if is_between else data

    async def _check_protocol(self, event: h11.Request) -> None:
        """Stay with HTTP/1.1."""

    async def _create_stream(self, request: h11.Request) -> None:
        """Have a request answered, or refuse it and close the connection."""
        status = find_refusal(request, self.config.h11_max_incomplete_size)
        if status is not None:
            await self._send_error_response(status)
            await self.send(Closed())
            return
        self.stream = BodilessStream(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        await self.stream.handle(
            StreamRequest(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode().upper(),
                raw_path=find_origin_form(request.method, request.target),
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1
        await self.context.mark_request()


class Connection(TCPServer):
    """Hypercorn's connection, which has a place, and ends when the client has gone or its request is late.

    Hypercorn's own lets the timer of an idle connection run out first when the client has gone, and so the
    connection keeps its place for `IDLE_SECONDS` more.
    """

    def __init__(
        self, app: AppWrapper, config: Config, context: WorkerContext, places: Places, stream: TimedStream
    ) -> None:
        # Hypercorn tells a plain connection from one with TLS by its attributes, not by its type.
        plain = cast("trio.SSLStream[trio.SocketStream]", stream)
        super().__init__(app, config, context, ConnectionState({}), plain)
        self.places = places
        self.timed = stream
        self.patience = trio.CancelScope()

    async def protocol_send(self, event: Event) -> None:
        """Do what the protocol wants done."""
        if isinstance(event, Updated):
            (self.places.note_idle if event.idle else self.places.note_busy)(self.timed)
        try:
            await super().protocol_send(event)
        except trio.BusyResourceError:
            # Of those who send each waits for the other: it is the end that is being told, before this could be sent.
            await self.protocol.handle(Closed())

    async def _read_data(self) -> None:
        self.protocol.protocol = PlainHttp(self.protocol, self.hurry)
        await super()._read_data()
        await self.idle_task.stop()

    def hurry(self) -> None:
        """Something of a request is here: the rest of its headers must come in time."""
        self.patience.deadline = min(self.patience.deadline, trio.current_time() + REQUEST_SECONDS)

    async def _idle_timeout(self) -> None:
        self.patience = trio.CancelScope(deadline=trio.current_time() + IDLE_SECONDS)
        with self.patience:
            await self.context.terminated.wait()
        with trio.CancelScope(shield=True):
            await self._initiate_server_close()
