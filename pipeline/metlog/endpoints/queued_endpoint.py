"""An endpoint whose messages may have to wait: a backlog, one attempt at a time, and pauses behind those that fail.

`take` puts messages into the backlog and wakes the task that sends. That takes the oldest in hand and calls `send`,
which says of them, in order, which have arrived and which never can (`settle`). If it fails, or runs out of time, the
rest is laid back and tried again: behind a pause that doubles from one failure to the next, up to
`MAX_PAUSE_SECONDS`, less up to half of it by chance, so that those who failed together do not come back together; or
behind the one that the destination asks for.
"""

from __future__ import annotations

import logging
import random
from abc import abstractmethod
from collections.abc import Sequence
from time import monotonic

import trio

from pipeline.endpoint_settings import QueueSettings
from pipeline.errors import PushError, describe_os_error
from pipeline.metlog.endpoints.backlog import Backlog, MemoryBacklog
from pipeline.metlog.endpoints.endpoint import Endpoint
from pipeline.metlog.endpoints.entry import Entry
from pipeline.metlog.endpoints.message import Message
from pipeline.metlog.endpoints.spool import Spool
from pipeline.rate_limit import RateLimit

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
# Whoever mends a destination sees messages again within this time.
MAX_PAUSE_SECONDS = 300.0
# A destination may ask for more, as Sentry does when a quota is used up. Nobody means a year.
MAX_ASKED_SECONDS = 24 * 3600.0

# TLS says goodbye to a peer that may not listen.
DISCONNECT_SECONDS = 1.0
WARNING_SECONDS = 60

# A destination that has settled nothing for so long may be dead: it is not waited for until it settles something. A
# file or a server in its usual state settles a batch in milliseconds.
PATIENCE_SECONDS = 2.0


class QueuedEndpoint(Endpoint):
    """Keeps what it takes until `send` has settled it."""

    def __init__(self, name: str, address: str, settings: QueueSettings) -> None:
        super().__init__(name, address)
        self.deadline = settings.deadline_seconds
        self.batch_messages = settings.batch_messages
        self.batch_bytes = settings.batch_bytes
        self.batch_delay = settings.batch_delay_seconds
        self.backlog = self.make_backlog(settings)
        self.arrived = trio.Event()
        self.sending = trio.Lock()
        self.draw = random.random
        self.settled = trio.Event()
        """Something of the queue has been settled, or an attempt has failed, since somebody began to wait for room."""
        self.is_stuck = False
        """It was waited for in vain."""
        self.failures_in_a_row = 0
        self.asked_until = 0.0
        """By Trio's clock: until then the destination wants to be left alone."""
        self.told = ""
        """The failure that stands in the log, and need not be told again."""
        self.refusals = RateLimit(WARNING_SECONDS)
        self.losses = RateLimit(WARNING_SECONDS)

    def make_backlog(self, settings: QueueSettings) -> Backlog:
        """Return where messages wait."""
        if settings.spool is None:
            return MemoryBacklog(self.counts, settings.queue_messages, settings.queue_bytes)
        return Spool(
            self.counts,
            settings.spool,
            max_bytes=settings.spool_bytes,
            max_memory_messages=settings.queue_messages,
            max_memory_bytes=settings.queue_bytes,
            fsync=settings.spool_fsync,
        )

    def prepare(self) -> None:
        """Open the spool, if there is one. Raises `SettingError` when that cannot be."""
        self.backlog.open()
        if self.counts.queued:
            logger.info(
                "Metlog endpoint %s goes on with what waits in its spool. Messages: %d.", self.name, self.counts.queued
            )

    def take(self, messages: Sequence[Message], now: int) -> None:
        """Take messages; the oldest go if there is no room. `now` is the wall clock in ns since 1970."""
        self.counts.taken += len(messages)
        dropped = self.counts.dropped
        self.backlog.put(messages, now)
        self.arrived.set()
        dropped = self.counts.dropped - dropped
        if dropped and self.losses.admit(int(monotonic())) is not None:
            logger.error(
                "Metlog endpoint %s has no room for more. Messages dropped, the oldest first: %d; in all: %d.",
                self.name,
                dropped,
                self.counts.dropped,
            )

    async def wait_room(self) -> None:
        """Wait while the queue is more than half full and the destination takes what is in it."""
        while self.backlog.is_filling and not self.is_stuck and not self.failures_in_a_row:
            if trio.current_time() < self.asked_until:
                return
            if self.settled.is_set():
                self.settled = trio.Event()
            with trio.move_on_after(PATIENCE_SECONDS) as scope:
                await self.settled.wait()
            self.is_stuck = scope.cancelled_caught

    # The task

    async def run(self) -> None:
        """Send what was taken, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.backlog.run)
            try:
                while True:
                    await self.wait_batch()
                    await trio.sleep_until(max(self.asked_until, trio.current_time()))
                    if not await self.attempt():
                        await trio.sleep(self.find_pause())
            finally:
                await self.disconnect_soon()

    async def wait_batch(self) -> None:
        """Wait until there is something, and then a while for more."""
        await self.wait_queued(1)
        if self.batch_delay:
            with trio.move_on_after(self.batch_delay):
                await self.wait_queued(self.batch_messages)

    async def wait_queued(self, count: int) -> None:
        """Wait until so many messages are there, or as many bytes as one attempt may have."""
        await trio.lowlevel.checkpoint()
        while self.counts.queued < count and self.counts.queued_bytes < self.batch_bytes:
            self.arrived = trio.Event()
            await self.arrived.wait()

    async def attempt(self) -> bool:
        """Send a batch; return whether that went well. What is not settled waits again."""
        async with self.sending:
            settled = self.counts.delivered + self.counts.refused
            try:
                entries = await self.backlog.fetch(self.batch_messages, self.batch_bytes)
                if entries:
                    with trio.fail_after(self.deadline):
                        await self.send(entries)
            except trio.TooSlowError:
                await self.fail(f"it did not take everything within {self.deadline:g} s", 0.0)
            except PushError as error:
                await self.fail(str(error), error.pause_seconds)
            except OSError as error:
                await self.fail(describe_os_error(error), 0.0)
            except trio.Cancelled:
                # What was begun cannot be gone on with: of a stream, the next would stand in the middle of a message.
                await self.disconnect_soon()
                raise
            else:
                self.note_success()
            finally:
                self.backlog.lay_back()
            if self.failures_in_a_row and self.counts.delivered + self.counts.refused > settled:
                self.failures_in_a_row = 1  # it is slow, and no pause makes it faster
        return not self.failures_in_a_row

    @abstractmethod
    async def send(self, entries: Sequence[Entry]) -> None:
        """Send messages and settle them, all or the first of them. It raises `PushError` or `OSError` when it fails.

        Those that it has not settled when it returns come again at once. It may be cancelled at any time.
        """

    async def disconnect(self) -> None:
        """Give up the way to the destination, if there is one."""

    async def disconnect_soon(self) -> None:
        """Give up the way to the destination, also when this task is cancelled."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + DISCONNECT_SECONDS):
            await self.disconnect()

    def settle(self, delivered: int = 0, refused: int = 0) -> None:
        """Note what became of the first of those in hand."""
        self.counts.delivered += delivered
        self.counts.refused += refused
        self.backlog.settle(delivered + refused)
        self.is_stuck = False
        self.settled.set()

    def refuse(self, count: int, reason: str) -> None:
        """Give up the first `count` of those in hand."""
        self.settle(refused=count)
        self.tell_refusal(reason)

    def tell_refusal(self, reason: str) -> None:
        """Say why a message is refused; in the log not for each."""
        self.counts.last_refusal = reason
        if self.refusals.admit(int(monotonic())) is not None:
            logger.warning(
                "Metlog endpoint %s at %s cannot deliver a message: %s. It is not tried again.",
                self.name,
                self.address,
                reason,
            )

    def note_success(self) -> None:
        """Log that it works again, if it did not."""
        if self.failures_in_a_row:
            logger.info(
                "Metlog endpoint %s at %s works again, after %d failures.",
                self.name,
                self.address,
                self.failures_in_a_row,
            )
        self.failures_in_a_row = 0
        self.counts.last_failure = self.told = ""

    def hold_off(self, seconds: float) -> None:
        """Leave the destination alone for so long, as it asks for."""
        self.asked_until = max(self.asked_until, trio.current_time() + min(seconds, MAX_ASKED_SECONDS))

    async def fail(self, text: str, asked: float) -> None:
        """Count a failure; log it, but not one like the last. `asked` is the pause that the destination wants."""
        await self.disconnect_soon()
        self.counts.failures += 1
        self.failures_in_a_row += 1
        self.settled.set()
        self.hold_off(asked)
        if text != self.told:
            logger.warning(
                "Metlog endpoint %s at %s failed: %s. Messages that wait for the next attempt: %d.",
                self.name,
                self.address,
                text,
                self.counts.queued,
            )
        self.counts.last_failure = self.told = text

    def find_pause(self) -> float:
        """Return how long a destination that fails is left alone."""
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** min(self.failures_in_a_row - 1, 32), MAX_PAUSE_SECONDS)
        return max(pause * (1 - self.draw() / 2), self.asked_until - trio.current_time())

    # The end

    async def finish(self) -> None:
        """Send what is left, as long as that goes well. One that wants to be left alone is left alone.

        The task that sends runs on meanwhile, and may be in the middle of an attempt: it alone closes the connection.
        """
        while self.counts.queued and trio.current_time() >= self.asked_until and await self.attempt():
            pass

    def close(self) -> None:
        """Close the spool; without one, what is left is lost."""
        dropped = self.counts.dropped
        self.backlog.close()
        dropped = self.counts.dropped - dropped
        if dropped:
            logger.error(
                "Metlog endpoint %s could not deliver everything in time. Messages lost: %d.", self.name, dropped
            )
