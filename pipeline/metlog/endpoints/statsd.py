"""Statsd takes counters, timers and gauges, several lines in a datagram, or on a unix stream socket.

::

    PREFIXNAME:1|c|@0.1

The sampling rate goes with the number, and statsd reckons with it. Names keep their dots; what statsd gives a meaning
becomes `_`. A message of another type, or whose payload is no number, is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from pathlib import Path

import trio

from pipeline.endpoint_settings import StatsdEndpointSettings
from pipeline.errors import PipelineError
from pipeline.formats.statsd import MAX_DATAGRAM_BYTES, MEANT_IN_NAMES, clean_text, spell
from pipeline.metlog.endpoints.entry import Entry
from pipeline.metlog.endpoints.message import Message
from pipeline.metlog.endpoints.queued_endpoint import QueuedEndpoint
from pipeline.metlog.endpoints.reading import read_entry
from pipeline.pushers import DatagramConnection, UnixConnection, spell_place
from pipeline.setting_checks import split_place

TYPES = {"counter": "c", "timer": "ms", "gauge": "g"}
"""Statsd's types, by ours."""

# As for the pushes of metrics: with pauses like these a statsd on a busy host loses none (measured there).
DATAGRAMS_AT_ONCE = 16
PAUSE_SECONDS = 0.001

# A Float has 24 characters at most, and an integer beyond 64 bits is no measurement.
MAX_NUMBER_CHARACTERS = 40
MAX_NAME_BYTES = 1000


class RefusedError(PipelineError):
    """A message that statsd has no line for. Its text says why."""


class StatsdEndpoint(QueuedEndpoint):
    """What the kernel has taken counts as delivered, unless it is known at once that nobody listens."""

    def __init__(self, name: str, settings: StatsdEndpointSettings) -> None:
        place = split_place("address", settings.address)
        super().__init__(name, spell_place("address", settings.address), settings)
        self.prefix = settings.prefix
        self.with_logger = settings.logger
        self.is_stream = isinstance(place, Path)
        self.connection = UnixConnection(place) if isinstance(place, Path) else DatagramConnection(*place)
        self.sent = 0
        """How many datagrams."""

    async def send(self, entries: Sequence[Entry]) -> None:
        """Send a line for each message, as many with a datagram as it has room for."""
        await self.connection.connect()
        lines: list[bytes] = []
        reasons: list[str] = []
        size = 0
        for entry in entries:
            try:
                line = self.write(read_entry(entry))
            except RefusedError as error:
                reasons.append(str(error))
                continue
            if lines and size + len(line) + 1 > MAX_DATAGRAM_BYTES:
                await self.send_lines(lines, reasons)
                lines, reasons, size = [], [], 0
            lines.append(line)
            size += len(line) + 1
        if lines:
            await self.send_lines(lines, reasons)
        else:
            self.settle_all(0, reasons)

    async def send_lines(self, lines: Sequence[bytes], reasons: Sequence[str]) -> None:
        """Send one datagram; let statsd, which may be on this host, read when it has got some.

        What was sent is settled before, as time may run out in that pause; with it what is refused between the lines.
        """
        await self.connection.send(b"\n".join(lines) + (b"\n" if self.is_stream else b""))
        self.settle_all(len(lines), reasons)
        self.sent += 1
        if not self.is_stream and self.sent % DATAGRAMS_AT_ONCE == 0:
            await trio.sleep(PAUSE_SECONDS)

    def settle_all(self, delivered: int, reasons: Sequence[str]) -> None:
        """Note what became of messages, and why some are refused: not before, or each attempt would tell it anew."""
        self.settle(delivered, len(reasons))
        for reason in reasons:
            self.tell_refusal(reason)

    def write(self, message: Message) -> bytes:
        """Return the line of a message; raises `RefusedError` if there is none."""
        record = message.record
        kind = TYPES.get(str(record["type"]))
        if kind is None:
            raise RefusedError("statsd takes counters, timers and gauges")
        fields = record["fields"]
        assert isinstance(fields, dict), "it is an envelope"
        name = fields.get("name")
        if not isinstance(name, str) or not name:
            raise RefusedError("it has no name")
        if self.with_logger and record["logger"]:
            name = f"{record['logger']}.{name}"
        name = clean_text(MEANT_IN_NAMES, True, self.prefix + name)
        if len(name) > MAX_NAME_BYTES:
            raise RefusedError(f"its name has more than {MAX_NAME_BYTES} characters")
        number = spell(read_value(str(record["payload"])), kind)
        rate = spell_rate(fields.get("rate")) if kind != "g" else ""
        # What begins with a sign is added to a gauge.
        zero = f"{name}:0|g\n" if kind == "g" and number.startswith("-") else ""
        if kind == "ms" and number.startswith("-"):
            raise RefusedError("it is a time below zero")
        return f"{zero}{name}:{number}{rate}".encode()

    async def disconnect(self) -> None:
        """Close the socket."""
        self.connection.disconnect()


def read_value(text: str) -> int | float:
    """Return the number that a payload is; raises `RefusedError`."""
    try:
        number = float(text) if len(text) <= MAX_NUMBER_CHARACTERS and "_" not in text else float("nan")
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise RefusedError("its payload is no number")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def spell_rate(rate: object) -> str:
    """Return how a sampling rate goes with a number; raises `RefusedError` if it is none."""
    if rate is None:
        return ""
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1:
        raise RefusedError("its rate is not a number above 0 and up to 1")
    text = f"{Decimal(repr(rate)):f}"  # of `1e-05` statsd reads the 1 alone
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise RefusedError("its rate is too small to be written")
    return "" if rate == 1 else f"|@{text}"
