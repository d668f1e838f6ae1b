"""A server that takes pushes over HTTP and answers as it is told, or hangs, hangs up, talks nonsense."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto

import h11
import trio


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Mischief(Enum):
    """What a peer can do instead of answering."""

    CLOSE_AT_ONCE = auto()
    """Before it has read anything."""
    CLOSE_UNANSWERED = auto()
    """When it has read all."""
    CLOSE_IN_ANSWER = auto()
    NONSENSE = auto()
    HANG = auto()
    """It reads, and says nothing."""
    READ_NOTHING = auto()
    ENDLESS_BODY = auto()
    ENDLESS_HEADERS = auto()
    RESET = auto()


NO_ANSWER = "it closed the connection without an answer, or its answer is not HTTP"

BROKEN_ANSWERS: dict[str, tuple[Reply | Mischief, str]] = {
    "closes": (Mischief.CLOSE_AT_ONCE, NO_ANSWER),
    "closes unanswered": (Mischief.CLOSE_UNANSWERED, NO_ANSWER),
    "closes in the answer": (Mischief.CLOSE_IN_ANSWER, NO_ANSWER),
    "nonsense": (Mischief.NONSENSE, NO_ANSWER),
    "endless headers": (Mischief.ENDLESS_HEADERS, NO_ANSWER),
    "resets": (Mischief.RESET, "connection reset by peer"),
    "redirects": (Reply(307, headers={"location": "http://127.0.0.1:1/"}), "it answered 307"),
    "page": (Reply(200, b"<html>\nwelcome"), "it answered 200: <html>, which is a page for people"),
}
"""What a server does that is none of ours, and what is said of it by whoever sends over HTTP."""


@dataclass(frozen=True, slots=True)
class Received:
    """A request, as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class HttpPeer:
    """Takes each request as `plan` says; the last item goes on for ever."""

    def __init__(self, *plan: Reply | Mischief, port: int = 0) -> None:
        """Listen on any port, if none is named."""
        self.plan = list(plan or (Reply(),))
        self.received: list[Received] = []
        self.connections = 0
        listening = socket.create_server(("127.0.0.1", port))
        self.port: int = listening.getsockname()[1]
        self.listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, stream: trio.SocketStream) -> None:
        """Take the requests of one connection."""
        self.connections += 1
        try:
            async with stream:
                while await self.answer(stream):
                    pass
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.ProtocolError):
            pass  # the client has gone, in the middle or not

    async def answer(self, stream: trio.SocketStream) -> bool:
        """Take one request; return whether the connection goes on."""
        first = self.plan[0]
        if first is Mischief.CLOSE_AT_ONCE:
            self.pass_on()
            return False
        if first is Mischief.READ_NOTHING:
            self.pass_on()
            await trio.sleep_forever()
        received = await self.read(stream)
        if received is None:
            return False
        self.received.append(received)
        step = self.pass_on()
        if isinstance(step, Reply):
            await stream.send_all(spell_reply(step))
            return True
        await do_mischief(stream, step)
        return False

    def pass_on(self) -> Reply | Mischief:
        """Return the step of the plan that it is time for."""
        return self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]

    async def read(self, stream: trio.SocketStream) -> Received | None:
        """Return the next request; None at the end of the connection."""
        connection = h11.Connection(h11.SERVER)
        request: h11.Request | None = None
        body = b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                headers = {name.decode(): value.decode() for name, value in request.headers}
                return Received(request.method.decode(), request.target.decode(), headers, body)
            else:
                return None


def spell_reply(reply: Reply) -> bytes:
    """Return an answer as it goes over the wire."""
    headers = {"content-length": str(len(reply.body)), **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} Told", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + reply.body


async def do_mischief(stream: trio.SocketStream, mischief: Mischief) -> None:
    """Do it, and then hang up."""
    match mischief:
        case Mischief.NONSENSE:
            await stream.send_all(b"220 \xff\0 mail.example.org ESMTP\r\n" * 100)
        case Mischief.CLOSE_IN_ANSWER:
            await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        case Mischief.HANG:
            await trio.sleep_forever()
        case Mischief.ENDLESS_BODY:
            await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                await stream.send_all(b"all is well " * 1000)
        case Mischief.ENDLESS_HEADERS:
            await stream.send_all(b"HTTP/1.1 200 OK\r\n")
            while True:
                await stream.send_all(b"x-header: " + b"x" * 10_000 + b"\r\n")
        case Mischief.RESET:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        case _:
            pass


@asynccontextmanager
async def serving(*plan: Reply | Mischief, port: int = 0) -> AsyncIterator[HttpPeer]:
    """Give a peer that answers as `plan` says, at a port of its own or at this one."""
    peer = HttpPeer(*plan, port=port)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, peer.serve, [peer.listener])
        with trio.fail_after(60):
            yield peer
        nursery.cancel_scope.cancel()
