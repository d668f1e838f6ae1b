"""Envelopes on their way: each line of a source is decoded, and handed to the endpoints that the routes name.

All of it happens within the task of the source, for a batch at once, as programs are run: what an endpoint cannot pass
on it queues. A line that is no envelope is counted by what is wrong with it, and the last one can be looked at.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pipeline.batch import Batch
from pipeline.decoders import DECODERS, DecoderOptions, Value
from pipeline.message_counts import MessageCounts
from pipeline.metlog.endpoints import Endpoint, Message
from pipeline.metlog.router.faults import EXPLANATIONS, find_fault
from pipeline.metlog.router.matcher import Matcher
from pipeline.metlog_settings import RouteSettings
from pipeline.rate_limit import RateLimit
from pipeline.runtime import show_bytes

logger = logging.getLogger(__name__)

REPORT_INTERVAL = 60 * 10**9


@dataclass(slots=True)
class Plan:
    """What becomes of messages that take the same routes."""

    routes: tuple[int, ...]
    """Their numbers, from 0."""
    lots: tuple[list[Message], ...]
    """Where they are put in the meantime, one for each endpoint."""
    count: int = 0
    """How many there were in this batch."""


@dataclass(frozen=True, slots=True)
class InvalidLine:
    """The last line that was no envelope. `time` is in ns since 1970."""

    reason: str
    origin: bytes
    line: bytes
    time: int


class Router:
    """Decides for each message where it goes. `counts` belongs to it."""

    def __init__(self, routes: Sequence[RouteSettings], endpoints: Mapping[str, Endpoint]) -> None:
        """Every endpoint that a route names is one of `endpoints`."""
        self.routes = routes
        self.endpoints = endpoints
        self.decode = DECODERS["metlog"].make(DecoderOptions())
        self.lots: dict[str, list[Message]] = {name: [] for name in endpoints}
        self.matcher = Matcher(routes, self.make_plan)
        self.counts = MessageCounts(
            invalid=dict.fromkeys(EXPLANATIONS, 0),
            routes=[0] * len(routes),
            endpoints=[endpoint.counts for endpoint in endpoints.values()],
        )
        self.limit = RateLimit(REPORT_INTERVAL)
        self.last_invalid: InvalidLine | None = None

    def make_plan(self, numbers: tuple[int, ...]) -> Plan:
        """Return what the routes of these numbers mean. An endpoint that two of them name gets a message once."""
        names = dict.fromkeys(name for number in numbers for name in self.routes[number].to)
        return Plan(numbers, tuple(self.lots[name] for name in names))

    def route(self, batch: Batch, now: int) -> None:
        """Hand the messages of a batch to their endpoints, in order; `now` is the wall clock in ns since 1970."""
        decode, find, origin = self.decode, self.matcher.find, batch.origin
        plans: list[Plan] = []
        for line in batch.lines:
            decoded = decode(line)
            if decoded is None:
                self.note_invalid(line, origin, now)
                continue
            record = cast("Mapping[str, Value]", decoded[0])
            plan = find(record)
            if not plan.count:
                plans.append(plan)
            plan.count += 1
            if plan.lots:
                message = Message(line, record, now, origin)
                for lot in plan.lots:
                    lot.append(message)
        self.counts.received += len(batch.lines)
        self.settle(plans)
        self.hand_over(now)

    def settle(self, plans: Sequence[Plan]) -> None:
        """Count which routes the messages of a batch took."""
        for plan in plans:
            for number in plan.routes:
                self.counts.routes[number] += plan.count
            if not plan.routes:
                self.counts.unrouted += plan.count
            plan.count = 0

    def hand_over(self, now: int) -> None:
        """Give each endpoint what is for it."""
        for name, lot in self.lots.items():
            if lot:
                messages = lot[:]
                lot.clear()
                self.endpoints[name].take(messages, now)

    def note_invalid(self, line: bytes, origin: bytes, now: int) -> None:
        """Count a line that is no envelope, and say so, at a limited rate."""
        reason = find_fault(line)
        self.counts.invalid[reason] += 1
        self.last_invalid = InvalidLine(reason, origin, line, now)
        if (suppressed := self.limit.admit(now)) is not None:
            logger.warning(
                "A line from %s is no envelope of metlog: %s. It is left out; it was %r.%s",
                show_bytes(origin),
                EXPLANATIONS[reason],
                show_bytes(line),
                f" {suppressed} were since the last report." if suppressed else "",
                extra={"source": os.fsdecode(origin)},
            )
