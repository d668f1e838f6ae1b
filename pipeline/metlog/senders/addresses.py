"""Senders by address, spelled as the daemon's sources are: for files of configuration and for `emit`."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable

from pipeline.metlog.senders.byte_sender import ByteSender
from pipeline.metlog.senders.datagram import UnixDatagramSender
from pipeline.metlog.senders.dev import StdOutSender
from pipeline.metlog.senders.encoding import format_line
from pipeline.metlog.senders.file import FileSender
from pipeline.metlog.senders.journal import JOURNAL, JournalSender
from pipeline.metlog.senders.pipe import PipeSender
from pipeline.metlog.senders.sender import SenderError
from pipeline.metlog.senders.syslog import DEV_LOG, SyslogSender
from pipeline.metlog.senders.tcp import TcpSender
from pipeline.metlog.senders.udp import UdpSender
from pipeline.metlog.senders.unix_stream import UnixStreamSender

HOST_AND_PORT = re.compile(r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")
UNKNOWN_SCHEME = re.compile(r"[a-z0-9+.-]+://", re.IGNORECASE)

LOOPBACK = "localhost"
"""The host of an address that names none."""


def split_host(text: str) -> tuple[str, int]:
    """Return the host and the port that an address names; raises `SenderError`."""
    found = HOST_AND_PORT.fullmatch(text)
    if found is None:
        raise SenderError(f"{text!r} names no host and port: write HOST:PORT or [IPV6]:PORT.")
    return found["bracketed"] or found["host"] or LOOPBACK, int(found["port"])


def open_udp(text: str) -> ByteSender:
    return UdpSender(*split_host(text))


def open_tcp(text: str) -> ByteSender:
    return TcpSender(*split_host(text))


SCHEMES: dict[str, Callable[[str], ByteSender]] = {
    "unixgram://": UnixDatagramSender,
    "unix://": UnixStreamSender,
    "udp://": open_udp,
    "tcp://": open_tcp,
    "syslog://": lambda path: SyslogSender(path or DEV_LOG),
    "journal://": lambda path: JournalSender(path or JOURNAL),
    "file://": lambda path: FileSender(require_path(path)),
}
"""What an address names, by how it begins. One of none of these is standard output, a named pipe or a file."""


def open_sender(address: str) -> ByteSender:
    """Return a sender to an address; raises `SenderError` if it names none."""
    if address == "-":
        return StdOutSender(format_line)
    for scheme, make in SCHEMES.items():
        if address.startswith(scheme):
            return make(address.removeprefix(scheme))
    if UNKNOWN_SCHEME.match(address):
        raise SenderError(f"{address!r} is of no known kind: there are {', '.join(SCHEMES)}, paths, and - for output.")
    return open_path(require_path(address))


def open_path(path: str) -> ByteSender:
    """Return a sender to what is at a path: a named pipe, or a file, which is made if it is missing."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a path is only a text here
    except OSError:
        return FileSender(path)
    if stat.S_ISSOCK(mode):
        raise SenderError(f"{path} is a socket: write unix://{path} or unixgram://{path}.")
    if stat.S_ISDIR(mode):
        raise SenderError(f"{path} is a directory, not a named pipe or a file.")
    return PipeSender(path) if stat.S_ISFIFO(mode) else FileSender(path)


def require_path(path: str) -> str:
    """Return a path; raises `SenderError` if it is none."""
    if not path or "\0" in path:
        raise SenderError(f"{path!r} is no path.")
    return path
