"""Pushes to collectd: commands to its unixsock plugin, on one connection that is kept.

Collectd answers each command. The answers to some commands are read before the next ones are sent: who writes on and on
without reading makes collectd wait, and is then waited for.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path

import trio

from pipeline.errors import PushError
from pipeline.formats import collectd
from pipeline.metrics import MetricSnapshot, Snapshot
from pipeline.push_settings import PushSettings
from pipeline.pushers.connection import UnixConnection
from pipeline.pushers.pusher import Pusher

ANSWER = re.compile(rb"(?P<status>0|-[0-9]{1,9})(?: (?P<text>.*))?")
"""Of PUTVAL. A positive status would say how many lines follow, which PUTVAL never has."""

READ_BYTES = 64 * 1024
# An answer names what it is about, which has at most the length of a line of collectd's.
MAX_ANSWER_BYTES = 4096
MAX_SHOWN_CHARACTERS = 200


class CollectdPusher(Pusher):
    """Sends each series as a value list."""

    def __init__(self, settings: PushSettings, path: Path, host: str, read_clock: Callable[[], int]) -> None:
        super().__init__("collectd", str(path))
        self.prefix = settings.collectd.collectd_prefix
        self.interval_seconds = int(settings.metric_push_interval_seconds)
        self.host = host
        self.read_clock = read_clock
        self.connection = UnixConnection(path)
        self.unread = b""
        self.taken: dict[int, int] = {}
        """The times of what collectd has taken on this connection."""
        self.used: socket.socket | None = None

    async def connect(self) -> None:
        """Have a connection: the one of the last push, if collectd has not closed it. One that is new knows nothing."""
        await self.connection.connect()
        self.unread = b""
        if self.connection.socket is not self.used:
            self.used = self.connection.socket
            self.taken = {}

    async def write(self, snapshot: Snapshot) -> int:
        """Send all series, with the values of the moment; count those that collectd refuses, in whole or in part."""
        writer = collectd.Writer(self.host, self.prefix, self.interval_seconds, self.read_clock(), self.taken)
        refusals: dict[tuple[str, str], str] = {}
        sent: set[int] = set()
        refused: set[int] = set()
        for commands in writer.write(snapshot):
            if not commands.lines:
                await trio.lowlevel.checkpoint()
                continue
            await self.connection.send(b"".join(commands.lines))
            answers = await self.read_answers(len(commands.lines))
            sent.update(commands.owners)
            for owner, (key, second), answer in zip(commands.owners, commands.marks, answers, strict=True):
                if not answer:
                    writer.still_taken[key] = second
                    continue
                self.counts.rejected += owner not in refused
                refused.add(owner)
                metric = commands.metric
                refusals.setdefault((metric.name, metric.source), describe_refusal(metric, answer))
        self.taken = writer.still_taken
        self.report([*writer.problems, *refusals.values()])
        return len(sent) - len(refused)

    async def read_answers(self, count: int) -> list[bytes]:
        """Return for each of `count` commands why collectd refuses it; nothing if it has taken it."""
        answers: list[bytes] = []
        while True:
            *lines, rest = self.unread.split(b"\n")
            mine = lines[: count - len(answers)]
            answers += map(read_answer, mine)
            self.unread = b"\n".join([*lines[len(mine) :], rest])
            if len(answers) == count:
                return answers
            if len(rest) > MAX_ANSWER_BYTES:
                raise PushError("it answers without an end")
            data = await self.connection.receive(READ_BYTES)
            if not data:
                raise PushError("it has closed the connection")
            self.unread += data

    async def disconnect(self) -> None:
        """Close the connection."""
        self.connection.disconnect()


def read_answer(line: bytes) -> bytes:
    """Return why collectd refuses a value list; nothing if it has taken it. `PushError` if that is no answer of its."""
    if line.startswith(b"0 "):
        return b""
    found = ANSWER.fullmatch(line.rstrip(b"\r"))
    if found is None:
        raise PushError(f"it does not answer as collectd does: {show(line)!r}")
    return b"" if found["status"] == b"0" else found["text"] or b"no reason is given"


def describe_refusal(metric: MetricSnapshot, answer: bytes) -> str:
    """Return a sentence about a metric that collectd does not take."""
    return f"Collectd refuses series of metric `{metric.name}` at {metric.source}: {show(answer)}"


def show(answer: bytes) -> str:
    """Return an answer in printable characters, and not too long."""
    text = answer.decode("utf-8", "replace").strip()[:MAX_SHOWN_CHARACTERS]
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
