"""What the status pages show of metlog's router: its sources, its routes, and what became of messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.metlog.endpoints import Endpoint
from pipeline.metlog.router import EXPLANATIONS, RouterService
from pipeline.metlog_settings import DROP, RouteSettings
from pipeline.runtime import show_bytes
from pipeline.server import (
    MAX_ROWS,
    EndpointStatus,
    InvalidStatus,
    Listing,
    MessageStatus,
    RouteStatus,
)
from pipeline.status.history import Window

ROUTER_KEY = ("", "")
"""Of the counts of the router itself."""

MAX_SHOWN_CHARACTERS = 200
"""Of what a route matches."""


@dataclass(slots=True)
class MessageReader:
    """Reads what the router and its endpoints know."""

    service: RouterService
    sources: tuple[str, ...]
    """The names of those that carry envelopes."""
    now: float
    """When the reading of rates begins, by Trio's clock."""
    window: Window[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.window = Window(self.read_counts, self.now)

    def read_counts(self) -> Iterator[tuple[tuple[str, str], tuple[int, ...]]]:
        """Yield what rates are shown of."""
        yield ROUTER_KEY, self.count_lines()
        for number, count in enumerate(self.service.counts.routes):
            yield ("route", str(number)), (count,)
        for name, endpoint in self.service.endpoints.items():
            yield ("endpoint", name), count_endpoint(endpoint)

    def count_lines(self) -> tuple[int, int, int]:
        """Return the lines that came, those that no route took, and those that are no envelope."""
        counts = self.service.counts
        return counts.received, counts.unrouted, sum(counts.invalid.values())

    def read(self, now: float) -> MessageStatus:
        """Return what is shown."""
        counts = self.service.counts
        counted = self.count_lines()
        line_rate, unrouted_rate, invalid_rate = self.window.read_rates(ROUTER_KEY, counted, now)
        return MessageStatus(
            lines=counts.received,
            line_rate=line_rate,
            unrouted=counts.unrouted,
            unrouted_rate=unrouted_rate,
            invalid=counted[2],
            invalid_rate=invalid_rate,
            invalid_by_reason=tuple((EXPLANATIONS[word], count) for word, count in counts.invalid.items() if count),
            last_invalid=self.read_invalid(),
            sources=self.sources,
            routes=Listing.cut([self.read_route(number, now) for number in range(len(counts.routes))], MAX_ROWS),
            endpoints=Listing.cut(
                [self.read_endpoint(endpoint, now) for endpoint in self.service.endpoints.values()], MAX_ROWS
            ),
        )

    def read_invalid(self) -> InvalidStatus | None:
        """Return the last line that was no envelope."""
        last = self.service.router.last_invalid
        if last is None:
            return None
        return InvalidStatus(EXPLANATIONS[last.reason], show_bytes(last.origin), show_bytes(last.line), last.time)

    def read_route(self, number: int, now: float) -> RouteStatus:
        """Return what is shown of a route."""
        route = self.service.settings.routes[number]
        count = self.service.counts.routes[number]
        return RouteStatus(
            number=number + 1,
            matches=describe_matches(route),
            to=route.to,
            goes_on=route.goes_on,
            messages=count,
            rate=self.window.read_rates(("route", str(number)), (count,), now)[0],
        )

    def read_endpoint(self, endpoint: Endpoint, now: float) -> EndpointStatus:
        """Return what is shown of an endpoint."""
        counts = endpoint.counts
        rates = self.window.read_rates(("endpoint", endpoint.name), count_endpoint(endpoint), now)
        return EndpointStatus(
            name=endpoint.name,
            address=endpoint.address,
            taken=counts.taken,
            rate=rates[0],
            delivered=counts.delivered,
            refused=counts.refused,
            refused_rate=rates[1],
            last_refusal=counts.last_refusal,
            dropped=counts.dropped,
            dropped_rate=rates[2],
            is_for_dropping=endpoint.name == DROP,
            queued=counts.queued,
            queued_bytes=counts.queued_bytes,
            set_aside=counts.set_aside,
            failures=counts.failures,
            failure=counts.last_failure,
        )


def count_endpoint(endpoint: Endpoint) -> tuple[int, int, int]:
    """Return the messages that came to an endpoint, those that it refused, and those that it dropped."""
    return endpoint.counts.taken, endpoint.counts.refused, endpoint.counts.dropped


def describe_matches(route: RouteSettings) -> str:
    """Return which messages a route is for, in words."""
    parts = [f"{key} {', '.join(names)}" for key, names in (("type", route.type), ("logger", route.logger)) if names]
    if route.severity:
        parts.append(f"severity {route.severity}")
    parts.extend(f"{name} {', '.join(patterns)}" for name, patterns in route.fields)
    text = "; ".join(parts) or "all"
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"
