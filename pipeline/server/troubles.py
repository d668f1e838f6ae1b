"""What needs attention, found in the status: a sentence each, the worst first. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.server.message_status import EndpointStatus, MessageStatus
from pipeline.server.status import (
    DaemonStatus,
    ProgramState,
    ProgramStatus,
    PushStatus,
    SourceState,
    SourceStatus,
    Status,
)
from pipeline.server.status_values import MAX_PROBLEMS, Listing

MAX_EXCERPT_LINES = 20


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that needs attention, and what is known of it."""

    text: str
    detail: str = ""
    excerpt: str = ""
    program: str = ""
    """Whose page tells more."""


def find_troubles(status: Status) -> Listing[Trouble]:
    """Return what needs attention."""
    found = [
        *find_life_troubles(status.daemon),
        *(trouble for program in status.programs.rows for trouble in find_program_troubles(program)),
        *(trouble for source in status.sources.rows for trouble in find_source_troubles(source)),
        *(trouble for push in status.pushes for trouble in find_push_troubles(push)),
        *(find_message_troubles(status.messages) if status.messages is not None else ()),
    ]
    return Listing.cut(found, MAX_PROBLEMS)


def shorten(text: str) -> str:
    """Return the first lines of all errors of a program; its own page has the others."""
    lines = text.split("\n")
    left = len(lines) - MAX_EXCERPT_LINES
    return text if left <= 0 else "\n".join([*lines[:MAX_EXCERPT_LINES], f"… and {left:,} more lines"])


def find_life_troubles(daemon: DaemonStatus) -> Iterator[Trouble]:
    """Yield what is wrong with the daemon itself."""
    if daemon.reload.failure:
        yield Trouble("The last reload did nothing", daemon.reload.failure)
    if daemon.state is not None and daemon.state.is_failing:
        failures = f"{daemon.state.write_failures:,}"
        yield Trouble(
            f"The state file {daemon.state.path} cannot be written",
            f"The one that is there stays, and it is tried again; so far it failed {failures} times. The log says why.",
        )


def find_program_troubles(program: ProgramStatus) -> Iterator[Trouble]:
    """Yield why a program does not run as its file says, or does not count what it should."""
    if program.load_error:
        stays = program.state is ProgramState.OUTDATED
        yield Trouble(
            f"Program {program.name} does not load",
            "The version that was there before runs on." if stays else "",
            shorten(program.load_error),
            program.name,
        )
    if program.error_rate:
        yield Trouble(
            f"Program {program.name} fails on lines",
            f"What it should have counted on them is missing. Since the start it failed on {program.runtime_errors:,}.",
            program=program.name,
        )


def find_source_troubles(source: SourceStatus) -> Iterator[Trouble]:
    """Yield why a source is not read, or not whole."""
    if source.state is SourceState.FAILING:
        yield Trouble(f"Source {source.name} fails: {source.failure}", "It is opened again and again.")
    if source.state is SourceState.TROUBLED:
        yield Trouble(f"Source {source.name} has errors", f"{source.errors:,} since the start. The log says which.")
    if source.loss_rate:
        yield Trouble(
            f"Source {source.name} does not come through whole", f"Since the start: {'; '.join(source.losses)}."
        )


def find_push_troubles(push: PushStatus) -> Iterator[Trouble]:
    """Yield why a destination does not get everything."""
    if push.failure:
        yield Trouble(f"The last push to {push.destination} at {push.address} failed: {push.failure}")
    if push.spool_dropped:
        yield Trouble(
            f"What waits for {push.destination} is more than there is room for",
            f"{push.spool_dropped:,} series were dropped; --push_spool_bytes says how much may wait.",
        )
    for problem in push.problems.rows:
        yield Trouble(f"{push.destination} does not get everything as it is", problem)
    if push.problems.more:
        yield Trouble(f"{push.destination} does not get everything as it is", f"… and {push.problems.more:,} more.")


def find_message_troubles(messages: MessageStatus) -> Iterator[Trouble]:
    """Yield why messages do not arrive, or are none."""
    for endpoint in messages.endpoints.rows:
        yield from find_endpoint_troubles(endpoint)
    if messages.invalid_rate and messages.last_invalid is not None:
        yield Trouble(
            "Lines come that are no envelopes of metlog",
            f"The last one, from {messages.last_invalid.source}: {messages.last_invalid.reason}.",
        )
    if messages.unrouted_rate:
        yield Trouble(
            "Messages come that no route takes",
            f"{messages.unrouted:,} since the start. A last route to drop says that this is meant.",
        )


def find_endpoint_troubles(endpoint: EndpointStatus) -> Iterator[Trouble]:
    """Yield why an endpoint does not pass on everything."""
    if endpoint.failure:
        waiting = f"Messages that wait: {endpoint.queued:,}. It is tried again." if endpoint.queued else ""
        yield Trouble(f"Endpoint {endpoint.name} at {endpoint.address} fails: {endpoint.failure}", waiting)
    if endpoint.dropped_rate and not endpoint.is_for_dropping:
        yield Trouble(
            f"Endpoint {endpoint.name} drops messages",
            f"There is no room for more to wait. Since the start it dropped {endpoint.dropped:,}.",
        )
    if endpoint.refused_rate:
        last = f" The last one: {endpoint.last_refusal}." if endpoint.last_refusal else ""
        yield Trouble(f"Endpoint {endpoint.name} refuses messages", f"{endpoint.refused:,} since the start.{last}")
    if endpoint.set_aside:
        yield Trouble(
            f"The spool of endpoint {endpoint.name} has files that cannot be read",
            f"Set aside: {endpoint.set_aside:,}. The log says which.",
        )
