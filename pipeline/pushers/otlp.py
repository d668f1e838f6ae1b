"""Pushes to a receiver of OTLP over HTTP: the collector of OpenTelemetry, Prometheus, or one who sells storage.

Such a receiver wants every sample, so what it could not take waits in a spool and goes first. By the rules of the
protocol (OTLP 1.x, "OTLP/HTTP Response"), a request is sent again after no answer, or one of `RETRYABLE`. What is
refused otherwise never would be taken: it is dropped and counted, and the rest is sent nevertheless.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import trio

from pipeline.errors import PushError

# Not by way of `formats`, which would import the classes of protobuf for all who push nothing to here.
from pipeline.formats.otlp import MAX_POINTS, Writer, make_resource, read_message, read_verdict
from pipeline.metrics import Snapshot
from pipeline.push_settings import PushSettings
from pipeline.pushers.compression import compress
from pipeline.pushers.http import Answer, HttpConnection
from pipeline.pushers.pusher import PushContext, Pusher
from pipeline.pushers.spool import Parcel, Spool

CONTENT_TYPE = "application/x-protobuf"
RETRYABLE = (429, 502, 503, 504)
TOO_LARGE = 413

# One that refuses so few has another reason, and many small requests would be of no use.
MIN_POINTS = 100

PIECE_BYTES = 64 * 1024
"""As much is compressed before others have their turn: half a millisecond (measured)."""


class OtlpPusher(Pusher):
    """Sends the series as data points, some thousand with each request."""

    def __init__(self, settings: PushSettings, context: PushContext) -> None:
        otlp = settings.otlp
        self.is_compressing = otlp.otlp_compression == "gzip"
        encoding = {"content-encoding": "gzip"} if self.is_compressing else {}
        headers = {"content-type": CONTENT_TYPE, **encoding, **dict(otlp.otlp_headers)}
        self.connection = HttpConnection(otlp.find_url(), headers, settings.push_ca)
        super().__init__("otlp", self.connection.url)
        self.resource = make_resource(otlp.find_resource(context.host).items())
        self.options = context.options
        self.read_clock = context.read_clock
        self.spool = Spool(settings.push_spool_bytes, self.counts)
        self.max_points = MAX_POINTS

    async def connect(self) -> None:
        """Have the connection of the last push, or let the next request make one."""
        await self.connection.connect()

    async def write(self, snapshot: Snapshot) -> int:
        """Send what waits, then all of `snapshot`; return how many data points were taken."""
        problems: list[str] = []
        try:
            self.spool.put(await self.pack(snapshot, problems))
            return await self.send(problems)
        finally:
            self.report(problems)

    async def disconnect(self) -> None:
        """Close the connection."""
        await self.connection.disconnect()

    async def pack(self, snapshot: Snapshot, problems: list[str]) -> list[Parcel]:
        """Return the requests for a snapshot, made in turns with everything else."""
        writer = Writer(self.resource, self.options, self.read_clock(), self.max_points, problems)
        parcels = []
        for request in writer.write(snapshot):
            await trio.lowlevel.checkpoint()
            if request is not None:
                body = await compress(cut(request.body)) if self.is_compressing else request.body
                parcels.append(Parcel(body, request.points))
        return parcels

    async def send(self, problems: list[str]) -> int:
        """Send all that waits, the oldest first; return how many data points were taken.

        Whatever is taken or refused waits no more, even if the rest cannot be sent.
        """
        taken = refused = 0
        refusal = ""
        while self.spool:
            parcel = self.spool.first
            answer = await self.connection.send("POST", body=parcel.body)
            if answer.status in RETRYABLE:
                raise PushError(describe(answer), answer.find_pause(self.read_clock()))
            if answer.is_good:
                taken += self.take_verdict(answer, parcel, problems)
            else:
                refused += parcel.series
                refusal = refusal or describe(answer)
                self.take_refusal(answer, parcel)
            self.spool.take_out()
        if refused and not taken:
            raise PushError(refusal, is_final=True)
        if refused:
            problems.append(f"The receiver of OTLP at {self.address} has refused a part of the series: {refusal}.")
        return taken

    def take_verdict(self, answer: Answer, parcel: Parcel, problems: list[str]) -> int:
        """Note what is said of a request that was taken; return how many of its data points were."""
        verdict = read_verdict(answer.body, answer.headers.get("content-type", ""))
        if verdict is None:
            raise PushError(f"{answer.describe()}, which is no answer of OTLP")
        rejected = min(max(verdict.rejected, 0), parcel.series)
        self.counts.rejected += rejected
        said = replace(answer, body=verdict.message.encode()).describe()
        if rejected:
            problems.append(f"The receiver of OTLP at {self.address} has rejected some series: {said}.")
        elif verdict.message:
            problems.append(f"The receiver of OTLP at {self.address} has taken all, with a warning: {said}.")
        return parcel.series - rejected

    def take_refusal(self, answer: Answer, parcel: Parcel) -> None:
        """Note that a request was refused. If it is too large, those of the next push are half as large."""
        self.counts.rejected += parcel.series
        if answer.status == TOO_LARGE:
            self.max_points = min(self.max_points, max(parcel.series // 2, MIN_POINTS))


def cut(body: bytes) -> Iterator[bytes]:
    """Yield `body` in pieces."""
    return (body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES))


def describe(answer: Answer) -> str:
    """Return what a refusal says, for the end of a sentence."""
    if answer.headers.get("content-type", "").startswith(CONTENT_TYPE):
        return replace(answer, body=read_message(answer.body).encode()).describe()
    return answer.describe()
