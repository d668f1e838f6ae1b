"""The store as an endpoint: counters, timers and gauges become series, without a program."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import cast

from pipeline.decoders import Value
from pipeline.metlog.endpoints.endpoint import Endpoint
from pipeline.metlog.endpoints.message import Message, spell_value
from pipeline.metlog.endpoints.message_metrics import KINDS, MessageMetrics, name_metric
from pipeline.metlog_settings import StoreEndpointSettings
from pipeline.metrics import Datum, HistogramDatum, Metric
from pipeline.rate_limit import RateLimit

logger = logging.getLogger(__name__)

REPORT_INTERVAL = 60 * 10**9

INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
FRACTION = re.compile(r"[+-]?(?:[0-9]{1,60}\.?[0-9]{0,60}|\.[0-9]{1,60})(?:[eE][+-]?[0-9]{1,3})?")

MAX_EXACT = 1 << 53
"""Up to here a Float tells whole numbers apart. No message has counted more than that, nor lasted more milliseconds:
a sum with more in it would never tell anything again."""

MAX_REMEMBERED = 4096
"""Types with names, and loggers: more than applications have, and what strangers think of is forgotten again."""
MAX_REMEMBERED_CHARACTERS = 256

REFUSAL_INTERVAL = 10 * 10**9
"""Nanoseconds for which it is remembered that a name is refused."""

MILLISECONDS = 1000.0

ENVELOPE_LABELS = ("severity", "metlog_pid", "metlog_hostname")
"""Labels that are read of the envelope itself, if they are listed: gauges of two hosts would overwrite each other."""

EXPLANATIONS = {
    "type": "it is no counter, timer or gauge",
    "name": "its fields have no name that a metric can have",
    "payload": "its payload is no number that its type can have",
    "rate": "its rate is not a number above 0 and up to 1",
    "name_taken": "its metric would have a name that another one has",
    "too_many_metrics": "there are as many metrics as max_metrics says",
    "too_many_series": "max_series, --max_series_per_metric or --max_label_value_bytes forbids another series",
}
"""Why a message is refused, by the word for it in our own metrics."""


class StoreEndpoint(Endpoint):
    """Counts what messages say. Nothing waits: a message is delivered or refused at once."""

    def __init__(self, name: str, settings: StoreEndpointSettings, metrics: MessageMetrics) -> None:
        super().__init__(name, "our own metrics")
        self.settings = settings
        self.metrics = metrics
        self.places: dict[tuple[str, str], Place] = {}
        """Where messages of a type and a name count, as far as that is remembered."""
        metrics.memories.append(self.places)
        self.forgot = 0
        """When refusals were forgotten, in ns since 1970."""
        self.keys: dict[str, tuple[bytes, ...]] = {}
        """Label values, by logger, where there are no other labels."""
        self.limit = RateLimit(REPORT_INTERVAL)
        self.untold = 0
        """Refusals since the log told of one."""
        self.counts.refusals = dict.fromkeys(EXPLANATIONS, 0)

    def take(self, messages: Sequence[Message], now: int) -> None:
        """Count messages."""
        if abs(now - self.forgot) >= REFUSAL_INTERVAL:
            self.forget_refusals(now)
        places, keys = self.places, self.keys if not self.settings.labels else {}
        refused: list[tuple[Message, str]] = []
        for message in messages:
            record = message.record
            fields = cast("Mapping[str, Value]", record["fields"])
            try:
                place = places[record["type"], fields["name"]]  # type: ignore[index] # what is no text is not there
            except (KeyError, TypeError):
                place = self.find_place(record, fields, now)
            key = keys.get(record["logger"]) or self.find_key(record, fields)  # type: ignore[arg-type] # it is a text
            reason = place.count(record, fields, key, now)
            if reason:
                refused.append((message, reason))
                self.counts.refusals[reason] += 1
        self.counts.taken += len(messages)
        self.counts.delivered += len(messages) - len(refused)
        if refused:
            self.note_refusals(len(refused), *refused[-1], now)

    def forget_refusals(self, now: int) -> None:
        """Try names again that were refused: there may be room for them, or they are free."""
        self.forgot = now
        for key in [key for key, place in self.places.items() if isinstance(place, Refusal)]:
            del self.places[key]

    def find_place(self, record: Mapping[str, Value], fields: Mapping[str, Value], now: int) -> Place:
        """Return where messages of this type and name count, and remember it."""
        kind, name = record["type"], fields.get("name")
        assert isinstance(kind, str)
        if kind not in KINDS:
            return Refusal("type")
        if not isinstance(name, str):
            return Refusal("name")
        place = self.make_place(kind, name, now)
        if len(name) <= MAX_REMEMBERED_CHARACTERS:
            if len(self.places) >= MAX_REMEMBERED:
                self.places.clear()
            self.places[kind, name] = place
        return place

    def make_place(self, kind: str, name: str, now: int) -> Place:
        """Return where messages of this type and name count."""
        full_name = name_metric(kind, name, self.settings.prefix)
        if full_name is None:
            return Refusal("name")
        metric = self.metrics.find(full_name, KINDS[kind], self.settings, self.source, now)
        if isinstance(metric, str):
            return Refusal(metric)
        if not metric.help_text:
            metric.help_text = f"What messages of type {kind} and name {show(name)} say."
        return PLACES[kind](metric, self.metrics)

    @property
    def source(self) -> str:
        """Who makes the metrics, for those who read about one."""
        return f"metlog.endpoint.{self.name}"

    def find_key(self, record: Mapping[str, Value], fields: Mapping[str, Value]) -> tuple[bytes, ...]:
        """Return the label values of a message; one whose field is absent is empty."""
        sender = cast("str", record["logger"])
        names = self.settings.labels
        values = [(record if name in ENVELOPE_LABELS else fields).get(name) for name in names]
        key = (encode(sender), *(encode(spell_value(value)) for value in values))
        if not names and len(sender) <= MAX_REMEMBERED_CHARACTERS:
            if len(self.keys) >= MAX_REMEMBERED:
                self.keys.clear()
            self.keys[sender] = key
        return key

    def note_refusals(self, count: int, message: Message, reason: str, now: int) -> None:
        """Count the messages of a batch that are no series, and tell of `message`, the last, at a limited rate."""
        record, fields = message.record, cast("Mapping[str, Value]", message.record["fields"])
        self.counts.refused += count
        self.counts.last_refusal = (
            f"a message of type {show(record['type'])} and name {show(fields.get('name'))} "
            f"from {show(record['logger']) or 'nobody'}: {EXPLANATIONS[reason]}"
        )
        self.untold += count
        if self.limit.admit(now) is not None:
            more = f" {self.untold - 1} others were since the last report." if self.untold > 1 else ""
            logger.warning("Metlog endpoint %s refuses %s.%s", self.name, self.counts.last_refusal, more)
            self.untold = 0


class Place(ABC):
    """Where the messages of one type and name count."""

    @abstractmethod
    def count(self, record: Mapping[str, Value], fields: Mapping[str, Value], key: tuple[bytes, ...], now: int) -> str:
        """Count one in the series `key`; return why not, in a word, or nothing."""


class Refusal(Place):
    """Messages that no metric can hold."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def count(
        self, _record: Mapping[str, Value], _fields: Mapping[str, Value], _key: tuple[bytes, ...], _now: int
    ) -> str:
        return self.reason


class MetricPlace(Place):
    """A metric that holds them."""

    def __init__(self, metric: Metric, metrics: MessageMetrics) -> None:
        self.metric = metric
        self.metrics = metrics

    def add_series(self, key: tuple[bytes, ...], now: int) -> Datum | HistogramDatum | None:
        """Return a new series, None if a limit forbids it."""
        return self.metrics.add_series(self.metric, key, now)


class Counter(MetricPlace):
    """Adds up what was counted, each message with the weight that its rate gives it."""

    def count(self, record: Mapping[str, Value], fields: Mapping[str, Value], key: tuple[bytes, ...], now: int) -> str:
        payload = record["payload"]
        number = 1 if payload == "1" else read_number(cast("str", payload))
        if number is None or number < 0 or number > MAX_EXACT:
            return "payload"
        rate = fields.get("rate")
        if rate is not None and rate != 1:
            weighted = weigh(number, rate)
            if weighted is None:
                return "rate"
            number = weighted
        series = self.metric.data.get(key) or self.add_series(key, now)
        if series is None:
            return "too_many_series"
        assert type(series) is Datum
        series.value += number  # type: ignore[operator] # it holds no text
        series.time = now
        return ""


class Gauge(MetricPlace):
    """Holds the last value."""

    def count(self, record: Mapping[str, Value], fields: Mapping[str, Value], key: tuple[bytes, ...], now: int) -> str:
        number = read_number(cast("str", record["payload"]))
        if number is None:
            return "payload"
        series = self.metric.data.get(key) or self.add_series(key, now)
        if series is None:
            return "too_many_series"
        assert type(series) is Datum
        series.value = float(number)
        series.time = now
        return ""


class Timer(MetricPlace):
    """Observes durations: they come in milliseconds, and are kept in seconds."""

    def count(self, record: Mapping[str, Value], _fields: Mapping[str, Value], key: tuple[bytes, ...], now: int) -> str:
        number = read_number(cast("str", record["payload"]))
        if number is None or number < 0 or number > MAX_EXACT:
            return "payload"
        series = self.metric.data.get(key) or self.add_series(key, now)
        if series is None:
            return "too_many_series"
        assert type(series) is HistogramDatum
        seconds = number / MILLISECONDS
        series.counts[bisect_left(self.metric.bounds, seconds)] += 1
        series.count += 1
        series.total += seconds
        series.time = now
        if series.native is not None:
            series.native.observe(seconds)
        return ""


PLACES: dict[str, type[MetricPlace]] = {"counter": Counter, "gauge": Gauge, "timer": Timer}
"""By the type of a message."""


def read_number(text: str) -> int | float | None:
    """Return the number that a payload spells, None if it spells none. Whole numbers are ints, as far as Floats go."""
    if INTEGER.fullmatch(text):
        return int(text)
    if not FRACTION.fullmatch(text):
        return None
    number = float(text)
    if not isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) <= MAX_EXACT else number


def weigh(number: float, rate: Value) -> int | float | None:
    """Return what was counted where a message was sent with this probability; None if it is no probability.

    What is whole but for the last digits of Floats is whole.
    """
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1:
        return None
    weighted = number / rate
    if weighted > MAX_EXACT:
        return None
    whole = round(weighted)
    return whole if abs(weighted - whole) <= 1e-9 * weighted else weighted


def encode(text: str) -> bytes:
    """Return a label value."""
    return text.encode("utf-8", "surrogateescape")


def show(value: Value) -> str:
    """Return the beginning of what a stranger wrote, as it can be printed."""
    text = spell_value(value)[:100]
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
