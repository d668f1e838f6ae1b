"""Pushes to a receiver of OTLP over HTTP: the collector of OpenTelemetry, Prometheus, or one who sells storage.

Such a receiver wants every sample, so what it could not take waits in a spool and goes first. By the rules of the
protocol (OTLP 1.x, "OTLP/HTTP Response"), a request is sent again after no answer, or one of `RETRYABLE`. One that is
too large is sent in parts. What is refused otherwise never would be taken: it is dropped and counted, and the rest is
sent nevertheless.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import trio

from pipeline.errors import PushError

# Not by way of `formats`, which would import the classes of protobuf for all who push nothing to here.
from pipeline.formats.otlp import (
    MAX_POINTS,
    Request,
    Writer,
    make_resource,
    read_message,
    read_verdict,
    split_request,
)
from pipeline.metrics import Snapshot
from pipeline.push_settings import PushSettings
from pipeline.pushers.compression import compress, decompress
from pipeline.pushers.http import Answer, HttpConnection
from pipeline.pushers.pusher import PushContext
from pipeline.pushers.spool import Parcel, Spool
from pipeline.pushers.spooled_pusher import SpooledPusher

CONTENT_TYPE = "application/x-protobuf"
RETRYABLE = (429, 502, 503, 504)
TOO_LARGE = 413

# Who finds fewer than twice as many too large has another reason, and smaller requests would be of no use.
MIN_POINTS = 100

PIECE_BYTES = 64 * 1024
"""As much is compressed before others have their turn: half a millisecond (measured)."""


class OtlpPusher(SpooledPusher):
    """Sends the series as data points, some thousand with each request."""

    def __init__(self, settings: PushSettings, context: PushContext) -> None:
        otlp = settings.otlp
        self.is_compressing = otlp.otlp_compression == "gzip"
        encoding = {"content-encoding": "gzip"} if self.is_compressing else {}
        headers = {"content-type": CONTENT_TYPE, **encoding, **dict(otlp.otlp_headers)}
        super().__init__("otlp", HttpConnection(otlp.find_url(), headers, settings.push_ca), settings)
        self.resource = make_resource(otlp.find_resource(context.host).items())
        self.options = context.options
        self.read_clock = context.read_clock
        self.max_points = MAX_POINTS
        self.problems_of_writing: list[str] = []
        self.told = Told()

    async def write(self, snapshot: Snapshot) -> int:
        """Send what waits, then all of `snapshot`; return how many data points were taken."""
        self.told = Told()
        try:
            await self.pack(snapshot)
            return await self.send()
        finally:
            self.report([*self.problems_of_writing, *self.told.describe(self.address)])

    async def pack(self, snapshot: Snapshot) -> None:
        """Put the requests for a snapshot to what waits; they are made in turns with everything else."""
        self.problems_of_writing = []
        writer = Writer(self.resource, self.options, self.read_clock(), self.max_points, self.problems_of_writing)
        parcels = []
        for request in writer.write(snapshot):
            await trio.lowlevel.checkpoint()
            if request is not None:
                parcels.append(await self.wrap(request))
        self.spool.put(parcels)

    async def wrap(self, request: Request) -> Parcel:
        """Return a request as it is sent."""
        body = await compress(cut(request.body)) if self.is_compressing else request.body
        return Parcel(body, request.points)

    async def send(self) -> int:
        """Send what waits; return how many data points were taken."""
        self.told = Told()
        taken = await super().send()
        if self.told.refusal and not taken:
            raise PushError(self.told.take_refusal(), is_final=True)
        return taken

    async def send_first(self, spool: Spool) -> int:
        """Send the oldest request; return how many data points were taken. It waits on if it can be sent again."""
        parcel = spool.first
        answer = await self.connection.send("POST", body=parcel.body)
        if answer.status in RETRYABLE:
            raise PushError(describe(answer), answer.find_pause(self.read_clock()))
        if answer.status == TOO_LARGE and parcel.series >= 2 * MIN_POINTS:
            await self.split(parcel)
            return 0
        spool.take_out()
        if answer.is_good:
            return self.take_verdict(answer, parcel)
        self.told.refusal = self.told.refusal or describe(answer)
        self.counts.rejected += parcel.series
        return 0

    async def split(self, parcel: Parcel) -> None:
        """Have two smaller requests in the place of one that is too large. Later pushes make none so large."""
        halves = split_request(decompress(parcel.body) if self.is_compressing else parcel.body)
        self.max_points = min(self.max_points, parcel.series // 2)
        self.spool.split_first([await self.wrap(half) for half in halves])

    def take_verdict(self, answer: Answer, parcel: Parcel) -> int:
        """Note what is said of a request that was taken; return how many of its data points were."""
        verdict = read_verdict(answer.body, answer.headers.get("content-type", ""))
        if verdict is None:
            self.told.nonsense = self.told.nonsense or answer.describe()
            return parcel.series
        rejected = min(max(verdict.rejected, 0), parcel.series)
        self.counts.rejected += rejected
        said = replace(answer, body=verdict.message.encode()).describe()
        if rejected:
            self.told.rejection = self.told.rejection or said
        elif verdict.message:
            self.told.warning = self.told.warning or said
        return parcel.series - rejected


@dataclass(slots=True)
class Told:
    """What was said of the requests of one push; of each sort the first, since there may be hundreds."""

    refusal: str = ""
    rejection: str = ""
    warning: str = ""
    nonsense: str = ""

    def take_refusal(self) -> str:
        """Return the refusal, which is told elsewhere then."""
        refusal, self.refusal = self.refusal, ""
        return refusal

    def describe(self, address: str) -> Iterator[str]:
        """Yield a sentence for each."""
        receiver = f"The receiver of OTLP at {address}"
        if self.refusal:
            yield f"{receiver} has refused a part of the series: {self.refusal}."
        if self.rejection:
            yield f"{receiver} has rejected some series: {self.rejection}."
        if self.warning:
            yield f"{receiver} has taken all, with a warning: {self.warning}."
        if self.nonsense:
            yield f"{receiver} does not answer as OTLP demands, which is taken for a yes: {self.nonsense}."


def cut(body: bytes) -> Iterator[bytes]:
    """Yield `body` in pieces."""
    return (body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES))


def describe(answer: Answer) -> str:
    """Return what a refusal says, for the end of a sentence."""
    if answer.headers.get("content-type", "").startswith(CONTENT_TYPE):
        return replace(answer, body=read_message(answer.body).encode()).describe()
    return answer.describe()
