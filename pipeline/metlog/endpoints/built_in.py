"""Endpoints that there are without being set: the programs, and nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.batch import Batch
from pipeline.metlog.endpoints.endpoint import Endpoint
from pipeline.metlog.endpoints.message import Message
from pipeline.metlog_settings import DROP, PROGRAMS


class ProgramsEndpoint(Endpoint):
    """Runs the programs on the lines of messages: they come as one batch, from where they came from."""

    def __init__(self, run_programs: Callable[[Batch, int], None]) -> None:
        super().__init__(PROGRAMS, "the programs")
        self.run_programs = run_programs

    def take(self, messages: Sequence[Message], now: int) -> None:
        """Run the programs on messages, which are all of one origin."""
        self.run_programs(Batch.of([message.line for message in messages], messages[0].origin), now)
        self.counts.taken += len(messages)
        self.counts.delivered += len(messages)


class DropEndpoint(Endpoint):
    """Drops messages, and counts them."""

    def __init__(self) -> None:
        super().__init__(DROP, "nowhere")

    def take(self, messages: Sequence[Message], _now: int) -> None:
        """Count messages."""
        self.counts.taken += len(messages)
        self.counts.dropped += len(messages)
