"""Messages as Sentry's events (develop.sentry.dev, "Event Payloads").

- The payload is the event's message, the logger its logger, the host its `server_name`. Severities become the five
  levels that Sentry knows.
- The field `exception` that our generator sends (type, module, value, frames) becomes the exception of the event.
- The fields that the operator names become tags; all others, and the rest of the envelope, are shown as extra data.
- A message of metlog-raven's type `sentry` has a whole event as its payload: JSON, compressed with zlib, in Base64. It
  goes on as it is, but for what identifies it. Where it says to send it is not obeyed.
"""

from __future__ import annotations

import binascii
import re
import zlib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

import orjson

from pipeline.decoders import Value
from pipeline.errors import PipelineError
from pipeline.metlog.endpoints.entry import Entry
from pipeline.metlog.endpoints.message import Message, spell_value

LEVELS = ("fatal", "fatal", "fatal", "error", "warning", "info", "info", "debug")
"""By severity."""

OLD_TYPE = "sentry"
"""What metlog-raven sends."""
EVENT_ID = re.compile(r"[0-9a-f]{32}")

# "Size Limits" of the envelope: 1 MB for an event. Relay reckons in MiB, which is more.
MAX_EVENT_BYTES = 1_000_000
# The message interface has 8192 characters at most, a tag's name 32 and its value 200.
MAX_MESSAGE_CHARACTERS = 8192
MAX_TAG_NAME = 32
MAX_TAG_CHARACTERS = 200
NOT_IN_TAG_NAMES = re.compile(r"[^A-Za-z0-9_.:-]")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")

NANOSECONDS = 1_000_000_000
LEFT_OUT = {"left out": "it had no room in an event"}


class EventError(PipelineError):
    """A message that makes no event. Its text says why."""


@dataclass(frozen=True, slots=True)
class EventForm:
    """What the operator says about all events."""

    environment: str = ""
    release: str = ""
    tags: tuple[str, ...] = ()

    def write(self, message: Message, event_id: str) -> tuple[str, bytes]:
        """Return the id of the event and its JSON; raises `EventError`."""
        if message.record["type"] == OLD_TYPE:
            event = self.complete_old(read_old_event(message.record["payload"]), message, event_id)
        else:
            event = self.make(message, event_id)
        return str(event["event_id"]), shrink(event)

    def make(self, message: Message, event_id: str) -> dict[str, object]:
        """Return the event of a message."""
        record = message.record
        fields = record["fields"] if isinstance(record["fields"], Mapping) else {}
        severity = record["severity"]
        exception = make_exception(fields.get("exception"))
        known = {*self.tags, "exception"} if exception is not None else {*self.tags}
        event: dict[str, object] = {
            "event_id": event_id,
            "timestamp": message.time / NANOSECONDS,
            "platform": "other" if exception is None else "python",
            "level": LEVELS[severity] if isinstance(severity, int) else "error",
            "message": {"formatted": spell_value(record["payload"])[:MAX_MESSAGE_CHARACTERS]},
            "tags": self.make_tags(record, fields),
            "extra": {
                **{name: value for name, value in fields.items() if name not in known},
                "metlog_pid": record["metlog_pid"],
                "env_version": record["env_version"],
            },
        }
        if exception is not None:
            event["exception"] = {"values": [exception]}
        return self.add_names(event, record)

    def add_names(self, event: dict[str, object], record: Mapping[str, Value]) -> dict[str, object]:
        """Return an event with what names its origin, where it does not say so itself."""
        names = {
            "logger": spell_value(record["logger"]),
            "server_name": spell_value(record["metlog_hostname"]),
            "environment": self.environment,
            "release": self.release,
        }
        return {**{name: value for name, value in names.items() if value}, **event}

    def make_tags(self, record: Mapping[str, Value], fields: Mapping[str, Value]) -> dict[str, str]:
        """Return the tags: the type, and the fields that the operator has named."""
        tags = {"metlog.type": spell_tag(record["type"])}
        for name in self.tags:
            text = spell_tag(fields.get(name))
            if text:
                tags[NOT_IN_TAG_NAMES.sub("_", name[:MAX_TAG_NAME])] = text
        return tags

    def complete_old(self, event: dict[str, object], message: Message, event_id: str) -> dict[str, object]:
        """Return an event of metlog-raven with what each event must have."""
        own_id = str(event.get("event_id", "")).replace("-", "").lower()
        event["event_id"] = own_id if EVENT_ID.fullmatch(own_id) else event_id
        event.setdefault("timestamp", message.time / NANOSECONDS)
        event.setdefault("platform", "python")
        event.setdefault("level", "error")
        return self.add_names(event, message.record)


def make_event_id(identity: bytes, entry: Entry) -> str:
    """Return the id of the event of an entry: the same each time it is tried, and never that of another."""
    digest = blake2b(b"%d" % entry.number, key=identity, digest_size=16).digest()
    return UUID(bytes=digest, version=4).hex


def spell_tag(value: Value) -> str:
    """Return a value as that of a tag."""
    return CONTROL.sub(" ", spell_value(value))[:MAX_TAG_CHARACTERS].strip()


def make_exception(value: Value) -> dict[str, object] | None:
    """Return the exception that a field describes as our generator does; None if it does not."""
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        return None
    exception: dict[str, object] = {"type": value["type"], "value": spell_value(value.get("value"))}
    if value.get("module"):
        exception["module"] = spell_value(value["module"])
    traceback = value.get("traceback")
    frames = [make_frame(one) for one in traceback if isinstance(one, Mapping)] if isinstance(traceback, list) else []
    if frames:
        exception["stacktrace"] = {"frames": frames}
    return exception


def make_frame(frame: Mapping[str, Value]) -> dict[str, object]:
    """Return a frame of a stack trace, which both sides write from the outermost to the innermost."""
    line = frame.get("line")
    named = {
        "filename": spell_value(frame.get("file")),
        "abs_path": spell_value(frame.get("file")),
        "function": spell_value(frame.get("function")),
        "context_line": spell_value(frame.get("code")),
    }
    number: dict[str, object] = {"lineno": line} if isinstance(line, int) and not isinstance(line, bool) else {}
    return {**{name: text for name, text in named.items() if text}, **number}


def read_old_event(payload: Value) -> dict[str, object]:
    """Return the event that metlog-raven has packed; raises `EventError`. What unpacks to too much is none."""
    try:
        packed = b64decode(spell_value(payload), validate=True)
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(packed, MAX_EVENT_BYTES + 1)
        if not unpacker.eof:
            raise EventError("its event is larger than Sentry takes, or not whole")
        event = orjson.loads(text)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise EventError("its payload is no event of metlog-raven") from error
    if not isinstance(event, dict):
        raise EventError("its payload is no event of metlog-raven")
    return event


def shrink(event: dict[str, object]) -> bytes:
    """Return the JSON of an event, without what makes it too large; raises `EventError` if that does not help."""
    for name in ("", "extra", "exception"):
        if name and name in event:
            event = {**event, name: LEFT_OUT} if name == "extra" else {**event, name: None}
        try:
            text = orjson.dumps(event)
        except orjson.JSONEncodeError:  # it is nested too deeply
            continue
        if len(text) <= MAX_EVENT_BYTES:
            return text
    raise EventError("it is larger than Sentry takes")
