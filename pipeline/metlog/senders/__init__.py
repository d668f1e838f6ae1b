"""Where a client's messages go: a module for each kind of sender, under metlog-py's names where it has them.

All of them need the standard library alone.
"""

from __future__ import annotations

from pipeline.metlog.senders.addresses import open_sender
from pipeline.metlog.senders.byte_sender import ByteSender
from pipeline.metlog.senders.datagram import UnixDatagramSender
from pipeline.metlog.senders.dev import DebugCaptureSender, StdErrSender, StdOutSender, StreamSender
from pipeline.metlog.senders.encoding import format_line, format_pretty
from pipeline.metlog.senders.file import FileSender
from pipeline.metlog.senders.journal import JournalSender
from pipeline.metlog.senders.logging import StdLibLoggingSender
from pipeline.metlog.senders.no_send import NoSendSender
from pipeline.metlog.senders.pipe import PipeSender
from pipeline.metlog.senders.queued import QueuedSender
from pipeline.metlog.senders.sender import GONE, Sender, SenderCounts, SenderError
from pipeline.metlog.senders.syslog import SyslogSender
from pipeline.metlog.senders.tcp import TcpSender
from pipeline.metlog.senders.udp import UdpSender
from pipeline.metlog.senders.unix_stream import UnixStreamSender
from pipeline.metlog.senders.zmq import ZmqHandshakePubSender, ZmqPubSender

SENDERS: dict[str, type[Sender]] = {
    "unixgram": UnixDatagramSender,
    "unix": UnixStreamSender,
    "pipe": PipeSender,
    "udp": UdpSender,
    "tcp": TcpSender,
    "syslog": SyslogSender,
    "journal": JournalSender,
    "file": FileSender,
    "stdout": StdOutSender,
    "stderr": StdErrSender,
    "logging": StdLibLoggingSender,
    "capture": DebugCaptureSender,
    "none": NoSendSender,
}
"""By the short names that a configuration may use."""

__all__ = [
    "GONE",
    "SENDERS",
    "ByteSender",
    "DebugCaptureSender",
    "FileSender",
    "JournalSender",
    "NoSendSender",
    "PipeSender",
    "QueuedSender",
    "Sender",
    "SenderCounts",
    "SenderError",
    "StdErrSender",
    "StdLibLoggingSender",
    "StdOutSender",
    "StreamSender",
    "SyslogSender",
    "TcpSender",
    "UdpSender",
    "UnixDatagramSender",
    "UnixStreamSender",
    "ZmqHandshakePubSender",
    "ZmqPubSender",
    "format_line",
    "format_pretty",
    "open_sender",
]
