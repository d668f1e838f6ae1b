"""Syslog messages: the header of RFC 5424 or of RFC 3164, as it is sent or as syslog daemons write it into files."""

from __future__ import annotations

import re
from typing import Final

from pipeline.decoders.decoder import Decode, Decoder, DecoderOptions, Record, Value
from pipeline.decoders.stamps import RFC3164_PATTERN, RFC3339_PATTERN, Stamps, read_rfc3339

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

PRIORITIES: Final[dict[bytes, dict[str, Value]]] = {
    b"<%d>" % priority: {
        "facility": priority >> 3,
        "severity": priority & 7,
        "facility_text": FACILITIES[priority >> 3],
        "severity_text": SEVERITIES[priority & 7],
    }
    for priority in range(192)
}
"""What a priority says, by its text."""

# The structured data of RFC 5424, section 6.3: `[ID name="value" …]`. In a value, `"`, `\` and `]` have a backslash
# before them; before any other character a backslash is one itself. A bracket is also read without its backslash.
NAME: Final = rb'[^ ="\]]++'
QUOTED: Final = rb'(?:[^"\\]++|\\.)*+'
ELEMENTS: Final = rb"(?:\[%b(?: %b=\"%b\")*+\])++" % (NAME, NAME, QUOTED)
ELEMENT: Final = re.compile(rb"\[(%b)((?: %b=\"%b\")*+)\]" % (NAME, NAME, QUOTED), re.DOTALL)
PARAMETER: Final = re.compile(rb' (%b)="(%b)"' % (NAME, QUOTED), re.DOTALL)
ESCAPE: Final = re.compile(rb'\\(["\\\]])')

MAX_REMEMBERED: Final = 64
MAX_REMEMBERED_BYTES: Final = 256
"""Longer data are read anew, so that a stranger's lines cannot fill our memory."""
remembered_data: Final[dict[bytes, dict[str, Value]]] = {}

VERSION_AND_STAMP: Final = rb"([1-9][0-9]{0,2}) (-|%b) " % RFC3339_PATTERN
RFC5424: Final = re.compile(
    VERSION_AND_STAMP + rb"([^ ]++) ([^ ]++) ([^ ]++) ([^ ]++) (-|%b)(?: (?:\xef\xbb\xbf| )?(.*))?" % ELEMENTS,
    re.DOTALL,
)
"""Section 6, behind the priority. A byte order mark before the message says that it is UTF-8; a space there comes from
rsyslog, which keeps the one of RFC 3164 when it writes such a message anew."""
RFC5424_BEGINNING: Final = re.compile(VERSION_AND_STAMP)

# RFC 3164, sections 4.1.2 and 4.1.3, and what is written into files: stamp, host name, tag, message. What comes from a
# socket of the same machine has no host name: then the first word is the tag, which shows by the colon and the space.
TAG_PATTERN: Final = rb"([^ :\[]++)(?:\[([^ \]]*+)\]:?|:)"
TAG: Final = re.compile(TAG_PATTERN + rb"(?: |\Z)(.*)", re.DOTALL)
RFC3164: Final = re.compile(
    rb"(%b|%b):?(?: ++(?:%b(?: |\Z)|([^ ]++)(?: %b)? ?)|\Z)(.*)"
    % (RFC3164_PATTERN, RFC3339_PATTERN, TAG_PATTERN, TAG_PATTERN),
    re.DOTALL,
)


def decode_syslog(text: bytes) -> tuple[dict[str, Value]] | None:
    """Return the parts of a message; None if it has neither a priority nor a time stamp, or a broken header."""
    start = 0
    record: dict[str, Value] = {}
    if text.startswith(b"<"):
        start = text.find(b">", 2, 5) + 1
        said = PRIORITIES.get(text[:start])
        if said is None:
            return None
        record = said.copy()
    if match := RFC5424.fullmatch(text, start):
        read_5424(record, match)
    elif match := RFC3164.match(text, start):
        stamp, own_app, own_pid, host, app, pid, message = match.groups()
        record["timestamp"] = stamp
        record["hostname"] = host
        record["app"] = own_app or app
        record["procid"] = own_pid or pid or None
        record["message"] = message
    elif start and not RFC5424_BEGINNING.match(text, start):
        # RFC 3164, section 4.3.3: what is behind the priority is content. Where it begins as a tag does, it is one.
        match = TAG.match(text, start)
        record["app"], record["procid"], record["message"] = match.groups() if match else (None, None, text[start:])
    else:
        return None
    return (record,)


def read_5424(record: dict[str, Value], match: re.Match[bytes]) -> None:
    """Write the parts of an RFC 5424 message into `record`. What is only a hyphen is absent."""
    version, stamp, host, app, pid, message_id, data, message = match.groups()
    record["version"] = int(version)
    record["timestamp"] = stamp if stamp != b"-" else None
    record["hostname"] = host if host != b"-" else None
    record["app"] = app if app != b"-" else None
    record["procid"] = pid if pid != b"-" else None
    record["msgid"] = message_id if message_id != b"-" else None
    record["sd"] = read_data(data) if data != b"-" else None
    record["message"] = message or b""


def read_data(data: bytes) -> dict[str, Value]:
    """Return the structured data: by element, by parameter. The last of equal names counts.

    Many senders write the same into each message: what was read last is remembered.
    """
    found = remembered_data.get(data)
    if found is None:
        found = {decode_name(name): read_parameters(parameters) for name, parameters in ELEMENT.findall(data)}
        if len(data) <= MAX_REMEMBERED_BYTES:
            if len(remembered_data) >= MAX_REMEMBERED:
                remembered_data.clear()
            remembered_data[data] = found
    return found


def read_parameters(parameters: bytes) -> dict[str, Value]:
    """Return the values by their names."""
    pairs = PARAMETER.findall(parameters)
    if b"\\" in parameters:
        pairs = [(name, ESCAPE.sub(rb"\1", value)) for name, value in pairs]
    return {decode_name(name): value for name, value in pairs}


def decode_name(name: bytes) -> str:
    """Return a name of structured data; the RFC has only printable ASCII in them."""
    return name.decode("utf-8", "surrogateescape")


# Time --------------------------------------------------------------------------------------------

stamps: Final = Stamps()


def read_time(record: Record, now: int, options: DecoderOptions) -> int | None:
    """Return the instant of the time stamp; None if there is none, or the day does not exist."""
    stamp = record.get("timestamp") if isinstance(record, dict) else None
    if not isinstance(stamp, bytes):
        return None
    if stamp[0] > ord("9"):
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
    texts=bytes,
    spells_values=True,
    derived=frozenset({"facility", "severity", "facility_text", "severity_text", "version", "sd"}),
    read_time=read_time,
)
