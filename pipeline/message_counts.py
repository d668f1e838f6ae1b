"""What is counted about the messages of metlog, in plain numbers: once for each batch, or for each attempt to send."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class EndpointCounts:
    """What one endpoint counts, in messages where nothing else is said.

    Each message that was taken is delivered, refused, dropped, or queued: these add up, over a restart too where there
    is a spool on disk.
    """

    name: str
    taken: int = 0
    delivered: int = 0
    refused: int = 0
    """Those that can never be delivered: what the destination does not want, or what this endpoint cannot express."""
    dropped: int = 0
    """Those that found no room in the queue or the spool, the oldest first, or were left at the end."""
    queued: int = 0
    queued_bytes: int = 0
    set_aside: int = 0
    """Files of the spool in which something could not be read."""
    failures: int = 0
    """Attempts that failed; what was in them is tried again."""
    last_failure: str = ""
    """Why the last attempt failed; empty when it did not."""
    refusals: dict[str, int] = field(default_factory=dict)
    """Of the refused, by reason, in a word, where that is known."""
    last_refusal: str = ""
    """What was refused last, and why."""


@dataclass(slots=True)
class MessageCounts:
    """What the router counts."""

    received: int = 0
    """Lines of the sources of envelopes: each is routed, unrouted or invalid."""
    unrouted: int = 0
    """Messages that no route took."""
    invalid: dict[str, int] = field(default_factory=dict)
    """Lines that are no envelope, by reason."""
    routes: list[int] = field(default_factory=list)
    """Messages that each route took, in order."""
    endpoints: list[EndpointCounts] = field(default_factory=list)
