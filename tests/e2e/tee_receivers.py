"""Stand-ins for Logstash and Graylog that check what comes against the published rules of its protocol.

JSON lines: each line is one object, in UTF-8, with a line feed behind it (https://jsonlines.org); Logstash wants its
`@timestamp` as ISO 8601 and its `@version` to be "1".

GELF 1.1 (https://go2docs.graylog.org/current/getting_in_log_data/gelf.html): one object of JSON for each message,
over TCP with a NUL behind it, over UDP in a datagram of its own. `version`, `host` and `short_message` must be there
and be texts that are not empty, `timestamp` is a number of seconds and `level` one of syslog's. Further fields begin
with an underscore, have names of word characters, dots and dashes, and hold texts or numbers; `_id` is not allowed.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

Document = dict[str, object]
Judge = Callable[[Document], list[str]]

POLL_SECONDS = 0.1
MAX_DATAGRAM_BYTES = 65536

GELF_FIELDS = {"version", "host", "short_message", "full_message", "timestamp", "level", "facility", "line", "file"}
GELF_ADDITIONAL = re.compile(r"_[\w.\-]+")


@dataclass(slots=True)
class Received:
    """What has come, in order, and what is wrong with it."""

    documents: list[Document] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def take(self, data: bytes, judge: Judge) -> None:
        """Keep a document, or say what is wrong with it."""
        try:
            document = json.loads(data.decode())
        except ValueError as error:
            self.faults.append(f"{error}: {data!r}")
            return
        if isinstance(document, dict):
            self.faults += judge(document)
            self.documents.append(document)
        else:
            self.faults.append(f"no object: {data!r}")


def judge_logstash(document: Document) -> list[str]:
    """Return what Logstash would not understand."""
    faults = []
    stamp = document.get("@timestamp")
    try:
        if datetime.fromisoformat(str(stamp)).tzinfo is None:
            faults.append(f"no zone: {stamp!r}")
    except ValueError as error:
        faults.append(str(error))
    if document.get("@version") != "1":
        faults.append(f"@version: {document.get('@version')!r}")
    if not isinstance(document.get("message"), str):
        faults.append(f"message: {document.get('message')!r}")
    return faults


def judge_gelf(document: Document) -> list[str]:
    """Return what is against the rules of GELF 1.1."""
    faults = [f"no {name}" for name in ("version", "host", "short_message") if not document.get(name)]
    if document.get("version") != "1.1":
        faults.append(f"version: {document.get('version')!r}")
    for name, value in document.items():
        if name in ("timestamp", "level"):
            if isinstance(value, bool) or not isinstance(value, int | float):
                faults.append(f"{name}: {value!r}")
        elif name not in GELF_FIELDS and (name == "_id" or not GELF_ADDITIONAL.fullmatch(name)):
            faults.append(f"name of a field: {name!r}")
        elif isinstance(value, bool) or not isinstance(value, str | int | float):
            faults.append(f"{name}: {value!r}")
    level = document.get("level", 1)
    if not isinstance(level, int) or level not in range(8):
        faults.append(f"level: {level!r}")
    return faults


@contextmanager
def receiving_logstash(port: int) -> Iterator[Received]:
    """Be Logstash's input `tcp` with the codec `json_lines` while the block runs."""
    with receiving_stream(port, b"\n", judge_logstash) as received:
        yield received


@contextmanager
def receiving_gelf_tcp(port: int) -> Iterator[Received]:
    """Be Graylog's input GELF TCP while the block runs."""
    with receiving_stream(port, b"\0", judge_gelf) as received:
        yield received


@contextmanager
def receiving_gelf_udp(port: int) -> Iterator[Received]:
    """Be Graylog's input GELF UDP while the block runs; it takes neither chunks nor what is compressed."""
    received = Received()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        server.bind(("127.0.0.1", port))
        with at_work(server, lambda _: received.take(server.recv(MAX_DATAGRAM_BYTES), judge_gelf)):
            yield received


@contextmanager
def receiving_stream(port: int, end: bytes, judge: Judge) -> Iterator[Received]:
    """Take connections, one after the other, on which each document has `end` behind it."""
    received = Received()

    def serve(stopped: threading.Event) -> None:
        connection, _ = server.accept()
        with connection:
            connection.settimeout(POLL_SECONDS)
            rest = b""
            while not stopped.is_set():
                try:
                    data = connection.recv(1 << 20)
                except TimeoutError:
                    continue
                if not data:
                    break
                *documents, rest = (rest + data).split(end)
                for document in documents:
                    received.take(document, judge)
            if rest:
                received.faults.append(f"no end: {rest!r}")

    with socket.create_server(("127.0.0.1", port)) as server, at_work(server, serve):
        yield received


@contextmanager
def at_work(server: socket.socket, step: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do one step after the other in a thread until the block ends, of which a step that takes long is told."""
    stopped = threading.Event()
    server.settimeout(POLL_SECONDS)

    def work() -> None:
        while not stopped.is_set():
            try:
                step(stopped)
            except TimeoutError:
                continue

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
