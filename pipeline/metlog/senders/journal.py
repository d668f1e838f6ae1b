"""Messages as entries of the journal, with fields, in journald's own protocol (JOURNAL_NATIVE_PROTOCOL).

A field is `NAME=VALUE` and a line feed. If the value has a line feed, the field is its name, a line feed, the length of
the value in 8 bytes, the least first, the value, and a line feed. An entry is a datagram; if it is too large for that,
it goes as a sealed file in memory, whose descriptor is sent instead.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import struct
from array import array
from collections.abc import Iterable, Iterator

from pipeline.metlog.envelope import Message, encode_message
from pipeline.metlog.harmless import write_json
from pipeline.metlog.senders.datagram import UnixDatagramSender
from pipeline.metlog.senders.logging import collect_types, includes
from pipeline.metlog.senders.patience import TIMEOUT_SECONDS

JOURNAL = "/run/systemd/journal/socket"

# A stack trace with all its variables is smaller, and an entry stays in the journal for long.
MAX_BYTES = 1024 * 1024

# Of which journald takes 1,024 (ENTRY_FIELD_COUNT_MAX).
MAX_FIELDS = 200

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE

FIELD_PREFIX = "METLOG_FIELD_"
LEFT_OUT = "METLOG_FIELDS_LEFT_OUT"
MAX_NAME = 64
NOT_IN_NAME = re.compile("[^A-Z0-9_]")

TOLD = {
    "PRIORITY": "severity",
    "SYSLOG_IDENTIFIER": "logger",
    "SYSLOG_PID": "metlog_pid",
    "METLOG_TYPE": "type",
    "METLOG_TIMESTAMP": "timestamp",
    "METLOG_HOSTNAME": "metlog_hostname",
}
"""Fields of the journal, and what they are of a message."""


class JournalSender(UnixDatagramSender):
    """Sends to journald.

    MESSAGE is the payload of log messages, and the whole message as JSON for other types; `fields` become
    METLOG_FIELD_NAME, the first 200 of them; METLOG_FIELDS_LEFT_OUT says how many more there were.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = JOURNAL,
        *,
        payload_types: str | Iterable[str] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(path, timeout_seconds=timeout_seconds, max_bytes=max_bytes)
        self.payload_types = collect_types(payload_types, "oldstyle")

    def encode(self, message: Message) -> bytes:
        """Return a message as an entry."""
        if includes(self.payload_types, message.get("type")):
            text = str(message.get("payload", "")).encode("utf-8", "replace")
        else:
            text = encode_message(message)
        told = {name: message[key] for name, key in TOLD.items() if message.get(key) not in (None, "")}
        told |= name_fields(message.get("fields"))
        return b"".join(
            [write_field("MESSAGE", text), *(write_field(name, spell(value)) for name, value in told.items())]
        )

    def put(self, sock: socket.socket, data: bytes) -> None:
        """Hand over one entry."""
        try:
            sock.send(data)
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                raise
            send_in_memory(sock, data)


def name_fields(fields: object) -> dict[str, object]:
    """Return the fields of a message by their names in the journal."""
    if not isinstance(fields, dict):
        return {}
    left_out = len(fields) - MAX_FIELDS
    return dict(list_fields(fields)) | ({LEFT_OUT: left_out} if left_out > 0 else {})


def list_fields(fields: dict[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the first fields with their names in the journal: capitals, digits and underscores."""
    for name, value in list(fields.items())[:MAX_FIELDS]:
        yield (FIELD_PREFIX + NOT_IN_NAME.sub("_", str(name).upper()))[:MAX_NAME], value


def spell(value: object) -> bytes:
    """Return a value as text: what is none, as JSON."""
    return (value if isinstance(value, str) else write_json(value)).encode("utf-8", "replace")


def write_field(name: str, value: bytes) -> bytes:
    """Return a field of an entry."""
    if b"\n" in value:
        return b"%b\n%b%b\n" % (name.encode(), struct.pack("<Q", len(value)), value)
    return b"%b=%b\n" % (name.encode(), value)


def send_in_memory(sock: socket.socket, data: bytes) -> None:
    """Hand over an entry in a file in memory, which nobody can change any more."""
    file = os.memfd_create("metlog", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, SEALS)
        sock.sendmsg([], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [file]))])
    finally:
        os.close(file)
