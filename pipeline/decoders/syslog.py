"""Syslog messages: the header of RFC 5424 or of RFC 3164, as it is sent or as syslog daemons write it into files."""

from __future__ import annotations

import re
from typing import Final

from pipeline.decoders.decoder import Decode, Decoder, DecoderOptions, Record, Value
from pipeline.decoders.stamps import RFC3164_PATTERN, Stamps, read_rfc3339

FIELDS: Final = (
    "facility",
    "severity",
    "facility_text",
    "severity_text",
    "version",
    "timestamp",
    "hostname",
    "app",
    "procid",
    "msgid",
    "sd",
    "message",
)
FACILITIES: Final = (
    *(b"kern", b"user", b"mail", b"daemon", b"auth", b"syslog", b"lpr", b"news", b"uucp", b"cron", b"authpriv"),
    *(b"ftp", b"ntp", b"audit", b"alert", b"clock"),
    *(b"local%d" % number for number in range(8)),
)
SEVERITIES: Final = (b"emerg", b"alert", b"crit", b"err", b"warning", b"notice", b"info", b"debug")
"""The keywords of rsyslog."""
MAX_PRIORITY: Final = 191

PRIORITY: Final = re.compile(rb"<([0-9]{1,3})>")
PARAMETER: Final = re.compile(rb' ([^ ="\]]+)="((?:[^"\\]++|\\.)*+)"', re.DOTALL)
ELEMENT: Final = re.compile(rb'\[([^ ="\]]+)((?: [^ ="\]]+="(?:[^"\\]++|\\.)*+")*+)\]', re.DOTALL)
RFC3339_PATTERN: Final = (
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
RFC5424: Final = re.compile(
    rb"([1-9][0-9]{0,2}) (-|" + RFC3339_PATTERN + rb") ([^ ]++) ([^ ]++) ([^ ]++) ([^ ]++)"
    rb' (-|(?:\[[^ ="\]]+(?: [^ ="\]]+="(?:[^"\\]++|\\.)*+")*+\])++)(?: (?:\xef\xbb\xbf)?(.*))?',
    re.DOTALL,
)
# What comes from a socket of the same machine has no host name: the first word ends with a colon.
TAG: Final = rb"([^ :\[]++)(?:\[([^\] ]*+)\])?:"
RFC3164: Final = re.compile(
    rb"(" + RFC3164_PATTERN + rb"|" + RFC3339_PATTERN + rb")"
    rb"(?:(?: " + TAG + rb"(?= |\Z)| ([^ ]++)(?: " + TAG + rb")?)?(?: ?(.*)))?",
    re.DOTALL,
)


def decode_syslog(text: bytes) -> tuple[Record] | None:
    """Return the parts of a message; None if it has neither a priority nor a time stamp, or a broken header."""
    record: dict[str, Value] = {}
    start = 0
    if text.startswith(b"<"):
        match = PRIORITY.match(text)
        if match is None or (priority := int(match[1])) > MAX_PRIORITY:
            return None
        record = {
            "facility": priority >> 3,
            "severity": priority & 7,
            "facility_text": FACILITIES[priority >> 3],
            "severity_text": SEVERITIES[priority & 7],
        }
        start = match.end()
    match = RFC5424.fullmatch(text, start)
    if match is not None:
        read_5424(record, match)
        return (record,)
    match = RFC3164.fullmatch(text, start)
    if match is not None:
        stamp, own_app, own_pid, host, app, pid, message = match.groups()
        record["timestamp"] = stamp
        record["hostname"] = host
        record["app"] = own_app or app
        record["procid"] = own_pid or pid
        record["message"] = message or b""
        return (record,)
    if start:
        record["message"] = text[start:]
        return (record,)
    return None


def read_5424(record: dict[str, Value], match: re.Match[bytes]) -> None:
    """Write the parts of an RFC 5424 header into `record`."""
    version, stamp, host, app, pid, message_id, data, message = match.groups()
    record["version"] = int(version)
    for name, value in (("timestamp", stamp), ("hostname", host), ("app", app), ("procid", pid), ("msgid", message_id)):
        record[name] = None if value == b"-" else value
    record["sd"] = None if data == b"-" else read_data(data)
    record["message"] = message or b""


def read_data(data: bytes) -> dict[str, Value]:
    """Return the structured data: by element, by parameter."""
    return {
        name.decode("utf-8", "surrogateescape"): {
            key.decode("utf-8", "surrogateescape"): re.sub(rb'\\(["\\\]])', rb"\1", value)
            for key, value in PARAMETER.findall(parameters)
        }
        for name, parameters in ELEMENT.findall(data)
    }


stamps: Final = Stamps()


def read_time(record: Record, now: int, options: DecoderOptions) -> int | None:
    """Return the instant of the time stamp; None if there is none, or the day does not exist."""
    stamp = record.get("timestamp") if isinstance(record, dict) else None
    if not isinstance(stamp, bytes):
        return None
    if stamp[0] > 57:
        return stamps.read(stamp, now, options.zone, options.use_current_year)
    return read_rfc3339(stamp)


def make_syslog(_options: DecoderOptions) -> Decode:
    """Return the function that decodes."""
    return decode_syslog


SYSLOG: Final = Decoder(
    name="syslog",
    make=make_syslog,
    help="a message of syslog, by RFC 5424 or RFC 3164",
    fields=FIELDS,
    read_time=read_time,
)
