"""Sentry, or what speaks its protocol: one event with each request, in an envelope over HTTP.

An event has the same id each time it is tried, and Sentry takes no id twice: so nothing is doubled. While Sentry wants
none, be it for hours, they wait as long as there is room. What was lost it is told with the next event.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.endpoint_settings import SentryEndpointSettings
from pipeline.metlog.endpoints.endpoint import EndpointContext
from pipeline.metlog.endpoints.entry import Entry
from pipeline.metlog.endpoints.http_endpoint import HttpEndpoint
from pipeline.metlog.endpoints.reading import read_entry
from pipeline.metlog.endpoints.secret import read_secret
from pipeline.metlog.endpoints.sentry_event import EventError, EventForm, make_event_id
from pipeline.metlog.endpoints.sentry_protocol import (
    CONTENT_TYPE,
    find_limit,
    parse_dsn,
    write_envelope,
    write_report,
)

if TYPE_CHECKING:
    from pipeline.pushers import Answer

DEFAULT_VARIABLE = "SENTRY_DSN"
# Less is not worth it.
MIN_COMPRESSED_BYTES = 1024
NANOSECONDS = 1_000_000_000


class SentryEndpoint(HttpEndpoint):
    """Makes events of messages."""

    def __init__(self, name: str, settings: SentryEndpointSettings, context: EndpointContext) -> None:
        """Raises `SettingError` when there is no DSN."""
        what = f"The DSN of metlog endpoint {name}"
        variable = settings.dsn_variable or ("" if settings.dsn_file else DEFAULT_VARIABLE)
        dsn = parse_dsn(what, read_secret(what, variable, settings.dsn_file))
        super().__init__(
            name,
            settings,
            context.read_clock,
            url=dsn.url,
            headers={"x-sentry-auth": dsn.authorize()},
            secrets=(dsn.key, dsn.secret),
            ca=settings.ca,
        )
        self.address = dsn.address
        self.batch_messages = self.max_batch = 1
        self.form = EventForm(settings.environment, settings.release, settings.tags)
        self.has_reports = settings.client_reports
        self.discarded = {"send_error": 0, "event_processor": 0}
        """Events that were given up, by Sentry's reasons, and that it has not been told of."""
        self.dropped_told = 0

    async def send(self, entries: Sequence[Entry]) -> None:
        """Send the first of the messages."""
        entry = entries[0]
        try:
            event_id, event = self.form.write(read_entry(entry), make_event_id(self.backlog.identity, entry))
        except EventError as error:
            self.refuse(1, str(error))
            self.discarded["event_processor"] += 1
            return
        now = self.spell_now()
        discarded, dropped = self.list_discarded()
        items = [("event", event)]
        if any(discarded.values()):
            items.append(("client_report", write_report(now, discarded)))
        body = write_envelope(event_id, now, items)
        answer = await self.post(body, {"content-type": CONTENT_TYPE}, is_compressed=len(body) >= MIN_COMPRESSED_BYTES)
        self.take_answer(answer)
        if answer.is_good:
            self.dropped_told = dropped
            for reason in self.discarded:
                self.discarded[reason] -= discarded[reason]

    def list_discarded(self) -> tuple[dict[str, int], int]:
        """Return what Sentry is to be told, and how many events were dropped in all."""
        dropped = self.counts.dropped
        if not self.has_reports:
            return dict.fromkeys(self.discarded, 0), dropped
        return {"queue_overflow": dropped - self.dropped_told, **self.discarded}, dropped

    def take_answer(self, answer: Answer) -> None:
        """Do what an answer says. Any may have a limit with it, a good one too."""
        limit = find_limit(answer.status, answer.headers, answer.find_pause(self.read_clock()))
        self.hold_off(limit)
        refused = self.counts.refused
        self.obey(answer, 1)
        self.discarded["send_error"] += self.counts.refused - refused

    def spell_now(self) -> str:
        """Return the time, as RFC 3339 has it."""
        now = datetime.fromtimestamp(self.read_clock() / NANOSECONDS, UTC)
        return now.isoformat(timespec="microseconds").replace("+00:00", "Z")
