"""Pushes to a receiver of Prometheus' remote write, 1.0 or 2.0: Prometheus itself, Mimir, Thanos, VictoriaMetrics.

Such a receiver wants every sample, in the order of time. So what it could not take waits in a spool, and goes first.

Which version it takes is found out by a message of 2.0 that is empty in both. Who does not know 2.0 refuses it, or
takes it for an empty one of 1.0 and has no headers in its answer that say how much was written (specification 2.0,
"Required Written Response Headers"). Until somebody has answered, what is put into the spool is 1.0, which most take.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import trio
from cramjam import snappy

from pipeline.errors import PushError
from pipeline.formats import PrometheusOptions
from pipeline.formats.prometheus.remote_write import Message, Message1, Message2, Writer
from pipeline.metrics import Snapshot
from pipeline.push_settings import PushSettings, RemoteWriteSettings
from pipeline.pushers.http import PASSING, Answer, HttpConnection
from pipeline.pushers.pusher import PushContext
from pipeline.pushers.spool import Parcel, Spool
from pipeline.pushers.spooled_pusher import SpooledPusher

logger = logging.getLogger(__name__)

Headers: TypeAlias = Mapping[str, str]

NANOSECONDS_PER_MILLISECOND = 1_000_000

WRITTEN = "x-prometheus-remote-write-{}-written"
SAMPLES_WRITTEN, HISTOGRAMS_WRITTEN = WRITTEN.format("samples"), WRITTEN.format("histograms")
MAX_DIGITS = 18

UNKNOWN_MEDIA_TYPE = 415
UNKNOWN_MESSAGE = (400, UNKNOWN_MEDIA_TYPE)
"""How those who do not know 2.0 refuse it. The second is what it asks for, the first what a 1.0 does."""

REFUSED_CONTENT = (400, 409, 413, UNKNOWN_MEDIA_TYPE, 422)
"""How single requests are refused. What else there is from 400 to 499 is about the way here, and so about all."""

EMPTY = bytes(snappy.compress_raw(Message2().finish().body))


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the protocol."""

    name: str
    message: type[Message[Any]]
    headers: Headers


VERSION_1 = Version(
    "1.0",
    Message1,
    {"content-type": "application/x-protobuf", "x-prometheus-remote-write-version": "0.1.0"},
)
VERSION_2 = Version(
    "2.0",
    Message2,
    {
        "content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        "x-prometheus-remote-write-version": "2.0.0",
    },
)
VERSIONS = {version.name: version for version in (VERSION_1, VERSION_2)}


@dataclass(frozen=True, slots=True)
class WriteParcel(Parcel):
    """A request of one of the versions."""

    version: Version


class OutdatedError(Exception):
    """The receiver does not know version 2.0 any longer."""


class RemoteWritePusher(SpooledPusher):
    """Sends the series that a scrape gives, some thousand samples with each request.

    While the version is not known, one push may ask for it as long as it has patience.
    """

    def __init__(self, settings: PushSettings, context: PushContext) -> None:
        write = settings.remote_write
        headers = {**dict(write.remote_write_headers), "content-encoding": "snappy"}
        connection = HttpConnection(write.remote_write_url, headers, settings.push_ca)
        super().__init__("remote_write", connection, settings)
        self.options = add_labels(context.options, write, context.host)
        self.read_clock = context.read_clock
        self.is_choosing = write.remote_write_version not in VERSIONS
        self.version = VERSIONS.get(write.remote_write_version)
        """None as long as it is not known."""
        self.writer_version = self.version or VERSION_1
        self.writer: Writer[Any] = Writer(self.writer_version.message, self.options)
        self.last_time = 0
        self.native_spool = Spool(settings.push_spool_bytes // 4, self.counts)
        """Requests that hold nothing but histograms with native buckets. They leave the others their room."""
        self.refusal = ""
        """What was said of series that were refused; of the first, if there were more."""
        self.native_failure = ""
        self.is_silent = False
        """The receiver did not say how much it has written, which version 2.0 asks of it."""

    async def write(self, snapshot: Snapshot) -> int:
        """Send what waits, then all of `snapshot`; return how many series were taken."""
        self.refusal = self.native_failure = ""
        self.is_silent = False
        try:
            failure = None if self.version is not None else await self.try_to_choose()
            await self.pack(snapshot)
            if failure is not None:
                raise failure
            return await self.send()
        except OutdatedError:
            self.fall_back()
            await self.pack(snapshot)
            return await self.send()
        finally:
            self.report([*self.writer.problems, *self.describe_answers()])

    def describe_answers(self) -> Iterator[str]:
        """Yield a sentence for each thing that was said, or was not, of what was sent."""
        receiver = f"The receiver of remote write at {self.address}"
        if self.refusal:
            yield f"{receiver} has refused some series: {self.refusal}."
        if self.native_failure:
            yield f"{receiver} does not take native histograms, which wait: {self.native_failure}."
        if self.is_silent:
            yield f"{receiver} does not say how much it has written, as if it knew version 1.0 only."

    async def finish(self) -> None:
        """Send what there was no time for."""
        try:
            await super().finish()
        except OutdatedError:
            self.fall_back()
        if self.native_failure:
            raise PushError(f"native histograms were not taken: {self.native_failure}")

    # The version

    async def try_to_choose(self) -> PushError | OSError | None:
        """Find out which version the receiver takes; return why that could not be found out."""
        try:
            with trio.fail_after(self.patience):
                answer = await self.connection.send("POST", body=EMPTY, headers=VERSION_2.headers)
        except trio.TooSlowError:
            if not self.is_reached:
                return PushError(f"it could not be reached within {self.patience:g} s")
            return PushError(f"it did not say within {self.patience:g} s which version of remote write it takes")
        except (PushError, OSError) as error:
            return error
        if answer.is_good:
            self.version = VERSION_2 if tells_written(answer) else VERSION_1
        elif answer.status in UNKNOWN_MESSAGE:
            self.version = VERSION_1
        else:
            return answer.make_error(self.read_clock())
        logger.info("The receiver of remote write at %s takes version %s.", self.address, self.version.name)
        return None

    def fall_back(self) -> None:
        """Go on with version 1.0. What waits cannot be written anew."""
        dropped = 0
        for spool in (self.spool, self.native_spool):
            while spool:
                dropped += spool.take_out().series
        self.counts.rejected += dropped
        self.version = VERSION_1
        logger.warning(
            "The receiver of remote write at %s does not take version 2.0 any longer. %d samples are dropped, and "
            "version 1.0 is sent from now on.",
            self.address,
            dropped,
        )

    # Requests

    async def pack(self, snapshot: Snapshot) -> None:
        """Put the requests for a snapshot into the spools; they are made in turns with everything else."""
        version = self.version or VERSION_1
        if version is not self.writer_version:
            self.writer_version, self.writer = version, Writer(version.message, self.options)
        now = self.read_clock() // NANOSECONDS_PER_MILLISECOND
        # Two samples of one series and one time would be refused.
        self.last_time = now + 1 if now == self.last_time else now
        parcels: list[Parcel] = []
        natives: list[Parcel] = []
        for request in self.writer.write(snapshot, self.last_time):
            await trio.lowlevel.checkpoint()
            if request is not None:
                body = bytes(snappy.compress_raw(request.body))
                parcel = WriteParcel(body, request.samples + request.histograms, version)
                (natives if request.histograms else parcels).append(parcel)
        self.spool.put(parcels)
        self.native_spool.put(natives)
        for _ in self.writer.let_go():
            await trio.lowlevel.checkpoint()

    async def send(self) -> int:
        """Send what waits; return how many series were taken.

        Native histograms come last and hold nothing up: a Prometheus that does not have them switched on answers as
        if it were out of order (500), and that has to be taken for something that passes.
        """
        begun = trio.current_time()
        taken = await super().send()
        try:
            taken += await self.send_waiting(self.native_spool, begun)
        except PushError as error:
            self.native_failure = str(error)
        if self.refusal and not taken:
            raise PushError(self.refusal, is_final=True)
        return taken

    async def send_first(self, spool: Spool) -> int:
        """Send the oldest request; return how many of its series were taken. It waits on if it can be sent again."""
        parcel = spool.first
        assert isinstance(parcel, WriteParcel)
        answer = await self.connection.send("POST", body=parcel.body, headers=parcel.version.headers)
        if self.is_choosing and parcel.version is VERSION_2 and is_outdated(answer):
            raise OutdatedError
        if not answer.is_good and not is_refusal(answer):
            raise answer.make_error(self.read_clock())
        spool.take_out()
        self.is_silent |= answer.is_good and parcel.version is VERSION_2 and not tells_written(answer)
        written = count_written(answer, parcel)
        self.counts.rejected += parcel.series - written
        if answer.is_good or answer.status in REFUSED_CONTENT:
            if written < parcel.series:
                self.refusal = self.refusal or answer.describe()
            return written
        raise answer.make_error(self.read_clock())


# Answers


def tells_written(answer: Answer) -> bool:
    """Return whether an answer says how much was written."""
    return SAMPLES_WRITTEN in answer.headers or HISTOGRAMS_WRITTEN in answer.headers


def is_outdated(answer: Answer) -> bool:
    """Return whether an answer to a request of version 2.0 is of somebody who does not know it."""
    return answer.status == UNKNOWN_MEDIA_TYPE or (answer.is_good and not tells_written(answer))


def is_refusal(answer: Answer) -> bool:
    """Return whether a request would be refused another time, too."""
    return 400 <= answer.status < 500 and answer.status not in PASSING


def count_written(answer: Answer, parcel: WriteParcel) -> int:
    """Return how many series of a request were written.

    Who knows version 2.0 says it, also of a request of which a part was refused. What is no number says nothing.
    """
    told = [answer.headers.get(name, "0") for name in (SAMPLES_WRITTEN, HISTOGRAMS_WRITTEN)]
    is_known = parcel.version is VERSION_2 and tells_written(answer)
    if is_known and all(text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS for text in told):
        return min(sum(map(int, told)), parcel.series)
    return parcel.series if answer.is_good else 0


def add_labels(options: PrometheusOptions, write: RemoteWriteSettings, host: str) -> PrometheusOptions:
    """Return the options with the labels that every series has here. Those that nobody has asked for replace none."""
    labels, constants = dict(write.find_labels(host)), dict(options.constant_labels)
    merged = {**constants, **labels} if write.remote_write_labels else {**labels, **constants}
    return replace(options, constant_labels=tuple(merged.items()))
