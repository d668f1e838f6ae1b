"""Envelopes of metlog: a JSON object of nine fields, one for each log message or measurement."""

from __future__ import annotations

from typing import Final

from pipeline.decoders.decoder import Decode, Decoder, DecoderOptions, Record, Value
from pipeline.decoders.json import JSON, decode_json
from pipeline.decoders.stamps import read_rfc3339

FIELDS: Final = (
    "type",
    "timestamp",
    "logger",
    "severity",
    "payload",
    "fields",
    "env_version",
    "metlog_pid",
    "metlog_hostname",
)
DEFAULT_SEVERITY: Final = 6
"""Informational, on the scale of syslog."""
TEXT_FIELDS: Final = ("type", "timestamp", "logger", "payload", "env_version", "metlog_hostname")


def decode_metlog(text: bytes) -> tuple[dict[str, Value]] | None:
    """Return the nine fields of an envelope, those that are not given, or null, with their defaults.

    None if the text is not an envelope: it is no JSON object, has no type, a field is of another type than the
    envelope has it, or the time stamp is none; or it has a number that many readers refuse, who would get it as it is.
    """
    decoded = decode_json(text, keeps_huge=False)
    if decoded is None or not isinstance(given := decoded[0], dict):
        return None
    if is_whole(given):
        return (given,)
    record: dict[str, Value] = {name: given.get(name) for name in FIELDS}
    if not isinstance(record["type"], str) or not has_types(record):
        return None
    if record["severity"] is None:
        record["severity"] = DEFAULT_SEVERITY
    if record["fields"] is None:
        record["fields"] = {}
    record["logger"] = record["logger"] or ""
    record["payload"] = record["payload"] or ""
    return (record,)


def is_whole(given: dict[str, Value]) -> bool:
    """Return whether an object is an envelope as generators write it: it has all nine fields, and nothing else.

    That is so of nearly all, and found out in a third of the time.
    """
    try:
        return (
            len(given) == len(FIELDS)
            and type(given["type"]) is str
            and type(given["logger"]) is str
            and type(given["payload"]) is str
            and type(given["fields"]) is dict
            and type(severity := given["severity"]) is int
            and 0 <= severity <= 7
            and type(given["metlog_pid"]) is int
            and type(given["metlog_hostname"]) is str
            and type(given["env_version"]) is str
            and type(stamp := given["timestamp"]) is str
            and read_rfc3339(stamp.encode()) is not None
        )
    except KeyError:
        return False


def has_types(record: dict[str, Value]) -> bool:
    """Return whether what is given of an envelope has the types of its fields."""
    for name in TEXT_FIELDS:
        if not isinstance(record[name], str | None):
            return False
    severity, pid = record["severity"], record["metlog_pid"]
    # To Python a Bool is an int.
    if severity is not None and not (type(severity) is int and 0 <= severity <= 7):
        return False
    if pid is not None and type(pid) is not int:
        return False
    stamp = record["timestamp"]
    if isinstance(stamp, str) and read_rfc3339(stamp.encode()) is None:
        return False
    return isinstance(record["fields"], dict | None)


def read_time(record: Record, _now: int, _options: DecoderOptions) -> int | None:
    """Return the instant of the time stamp; None if the envelope has none."""
    stamp = record.get("timestamp") if isinstance(record, dict) else None
    return read_rfc3339(stamp.encode()) if isinstance(stamp, str) else None


def make_metlog(_options: DecoderOptions) -> Decode:
    """Return the function that decodes."""
    return decode_metlog


METLOG: Final = Decoder(
    name="metlog",
    make=make_metlog,
    help="an envelope of metlog",
    fields=FIELDS,
    texts=str,
    sure=frozenset({"type", "logger", "payload"}),
    spells_values=True,
    escapes=JSON.escapes,
    read_time=read_time,
)
