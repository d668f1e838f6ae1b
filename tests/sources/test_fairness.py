"""A source at full speed beside one with a line now and then, measured in batches and not in seconds.

The busy source finds more to read whenever it looks. While one of its batches is delivered, a line is written to the
slow one. It must be delivered before the busy source has delivered two batches more.
"""

from __future__ import annotations

import os
import random
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest
import trio

from pipeline.batch import Batch
from pipeline.settings import ReadFrom
from pipeline.sources import Surroundings
from pipeline.sources.intake import PIPE_BYTES, READ_BYTES
from pipeline.sources.kinds import parse_source
from pipeline.sources.waiting import YIELD_BYTES
from tests.sources.collector import PATIENCE_SECONDS, SETTINGS

SLOW_LINES = 120
MAX_BATCHES = 2

WARM_UP_BATCHES = 20
"""Until then a connection has been accepted, and every source waits for more."""

BUSY_LINE = b"x" * 127 + b"\n"

Write: TypeAlias = Callable[[bytes], object]
Refill: TypeAlias = Callable[[], object]

# A file has no end that one could wait for; looked at in each round of the loop, it shows how the rounds are shared.
EAGER = replace(SETTINGS, poll_interval_seconds=1e-9, read_from=ReadFrom.START)


@dataclass(slots=True)
class Referee:
    """Refills the busy sources, writes to the slow one, and counts batches until what it wrote arrives."""

    refill: dict[bytes, Refill]
    write: Write
    slow: bytes
    dice: random.Random = field(default_factory=lambda: random.Random(4))
    busy_batches: dict[bytes, int] = field(default_factory=dict)
    written: dict[int, dict[bytes, int]] = field(default_factory=dict)
    """By the number of a line: how many batches the busy sources had delivered when it was written."""
    delays: list[int] = field(default_factory=list)
    done: trio.Event = field(default_factory=trio.Event)

    def __call__(self, batch: Batch) -> None:
        if batch.origin == self.slow:
            self.take_slow(batch)
        else:
            self.busy_batches[batch.origin] = self.busy_batches.get(batch.origin, 0) + 1
            self.refill[batch.origin]()
            is_warm = self.busy_batches[batch.origin] > WARM_UP_BATCHES
            if is_warm and len(self.written) < SLOW_LINES and self.dice.random() < 0.5:
                number = len(self.written)
                self.written[number] = dict(self.busy_batches)
                self.write(b"line %d\n" % number)

    def take_slow(self, batch: Batch) -> None:
        """Note how many batches of a busy source were delivered in between, at most."""
        for line in batch.lines:
            before = self.written[int(line.removeprefix(b"line "))]
            self.delays.append(max(count - before.get(origin, 0) for origin, count in self.busy_batches.items()))
        if len(self.delays) == SLOW_LINES:
            self.done.set()


class Site:
    """Makes busy and slow sources in a folder. Each busy one is a name, and what gives it more to read."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack

    def open(self, path: Path, flags: int) -> int:
        """Open a file until the test ends."""
        descriptor = os.open(path, flags | os.O_NONBLOCK, 0o600)
        self.stack.callback(os.close, descriptor)
        return descriptor

    def make_busy_pipe(self, size: int, name: str = "busy") -> tuple[str, Refill]:
        """A pipe that gets `size` bytes more for each batch, as far as it can hold them."""
        path = self.folder / name
        os.mkfifo(path)
        pipe = self.open(path, os.O_RDWR)

        def refill() -> None:
            with suppress(BlockingIOError):
                os.write(pipe, BUSY_LINE * (size // len(BUSY_LINE)))

        return str(path), refill

    def make_busy_file(self) -> tuple[str, Refill]:
        """A file that is always ahead of its reader."""
        path = self.folder / "busy.log"
        text = BUSY_LINE * (READ_BYTES // len(BUSY_LINE))
        path.write_bytes(8 * text)
        return str(path), partial(os.write, self.open(path, os.O_WRONLY | os.O_APPEND), text)

    def make_slow(self, kind: str) -> tuple[str, Callable[[], Write]]:
        """A source, and what opens it for writing when it is there."""
        path = self.folder / "slow"
        if kind == "pipe":
            os.mkfifo(path)
            return str(path), lambda: partial(os.write, self.open(path, os.O_WRONLY))
        if kind == "file":
            path.touch()
            return str(path), lambda: partial(os.write, self.open(path, os.O_WRONLY | os.O_APPEND))
        if kind == "datagrams":
            return f"unixgram://{path}", lambda: self.connect(socket.SOCK_DGRAM, path).send
        if kind == "connection":
            return f"unix://{path}", lambda: self.connect(socket.SOCK_STREAM, path).send
        return f"unix://{path}", lambda: lambda line: self.connect(socket.SOCK_STREAM, path).send(line)

    def connect(self, kind: socket.SocketKind, path: Path) -> socket.socket:
        """Connect to a unix socket until the test ends."""
        client = self.stack.enter_context(socket.socket(socket.AF_UNIX, kind))
        client.connect(str(path))
        client.setblocking(False)
        return client


@pytest.fixture
def site() -> Iterator[Site]:
    """A folder for sources; socket paths must be short."""
    with tempfile.TemporaryDirectory(prefix="fair-") as name, ExitStack() as stack:
        yield Site(Path(name), stack)


async def judge(busy: Sequence[tuple[str, Refill]], slow: str, open_writer: Callable[[], Write]) -> None:
    """Run the busy sources and the slow one until all lines of the slow one have come; none may be late."""
    sources = [parse_source(spec, EAGER, Surroundings()) for spec in (*(spec for spec, _ in busy), slow)]
    for source in sources:
        source.prepare()
    referee = Referee({spec.encode(): refill for spec, refill in busy}, open_writer(), slow.encode())
    for _, refill in busy:
        refill()
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            for source in sources:
                await nursery.start(source.run, referee)
            await referee.done.wait()
            nursery.cancel_scope.cancel()
    assert len(referee.delays) == SLOW_LINES
    assert max(referee.delays) <= MAX_BATCHES


@pytest.mark.parametrize("slow", ["pipe", "connection", "connections", "datagrams", "file"])
async def test_line_beside_a_full_pipe_waits_for_two_batches_at_most(slow: str, site: Site) -> None:
    """Whatever kind of source it is written to."""
    await judge([site.make_busy_pipe(PIPE_BYTES)], *site.make_slow(slow))


@pytest.mark.parametrize("slow", ["pipe", "connection", "datagrams", "file"])
async def test_line_beside_small_batches_waits_for_two_of_them_at_most(slow: str, site: Site) -> None:
    """A busy source does not yield after each of them; to wait for the next is enough."""
    await judge([site.make_busy_pipe(YIELD_BYTES // 2)], *site.make_slow(slow))


@pytest.mark.parametrize("slow", ["pipe", "connection", "datagrams"])
async def test_line_beside_a_busy_file_waits_for_two_batches_at_most(slow: str, site: Site) -> None:
    """A file is read without waiting for it."""
    await judge([site.make_busy_file()], *site.make_slow(slow))


async def test_line_beside_several_full_pipes_waits_for_two_batches_of_each_at_most(site: Site) -> None:
    """They are fair to each other, too: each has its turn."""
    await judge([site.make_busy_pipe(PIPE_BYTES, f"busy{number}") for number in range(5)], *site.make_slow("pipe"))
