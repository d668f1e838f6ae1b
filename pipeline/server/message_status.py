"""What the first page shows of metlog's router: values only, as in `status`. Rates are those of the last minute."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.server.status_values import Listing, Mark


@dataclass(frozen=True, slots=True)
class InvalidStatus:
    """The last line that was no envelope."""

    reason: str
    source: str
    line: str
    """Its beginning."""
    time: int
    """In ns since 1970."""


@dataclass(frozen=True, slots=True)
class RouteStatus:
    """One route, in words, and how many messages took it."""

    number: int
    matches: str
    to: tuple[str, ...]
    goes_on: bool = False
    messages: int = 0
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """One endpoint, and what became of the messages that came to it."""

    name: str
    address: str = ""
    taken: int = 0
    rate: float = 0.0
    """Of those taken."""
    delivered: int = 0
    refused: int = 0
    refused_rate: float = 0.0
    last_refusal: str = ""
    dropped: int = 0
    dropped_rate: float = 0.0
    is_for_dropping: bool = False
    """Whether it is the one that drops on purpose."""
    queued: int = 0
    queued_bytes: int = 0
    set_aside: int = 0
    failures: int = 0
    failure: str = ""
    """Why the last attempt failed, if it did."""

    @property
    def mark(self) -> Mark:
        if self.failure:
            return Mark.BAD
        return Mark.GOOD if self.taken or self.delivered else Mark.NEITHER

    @property
    def state(self) -> str:
        return {Mark.GOOD: "works", Mark.BAD: "fails", Mark.NEITHER: "no message yet"}[self.mark]


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """The router."""

    lines: int = 0
    line_rate: float = 0.0
    unrouted: int = 0
    unrouted_rate: float = 0.0
    invalid: int = 0
    invalid_rate: float = 0.0
    invalid_by_reason: tuple[tuple[str, int], ...] = ()
    """In words, of those that there were."""
    last_invalid: InvalidStatus | None = None
    sources: tuple[str, ...] = ()
    routes: Listing[RouteStatus] = Listing()
    endpoints: Listing[EndpointStatus] = Listing()
