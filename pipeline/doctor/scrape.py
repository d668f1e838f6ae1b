"""What our daemon answers on its HTTP socket, with a deadline for each answer as a whole."""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import httpx
import trio

MAX_PAGE_BYTES = 256 * 1024 * 1024
"""What is longer is not ours."""

TEST_LINES = "doctor_test_lines_total"
"""The metric of the program doctor.mtail."""

LINES = "syslog_pipeline_log_lines_total"
PROGRAM_LINES = "syslog_pipeline_prog_lines_total"
UNMATCHED_LINES = "syslog_pipeline_prog_lines_unmatched_total"
PROGRAM_ERRORS = "syslog_pipeline_prog_runtime_errors_total"
OVERFLOWS = "syslog_pipeline_series_overflows_total"
BUILD = "syslog_pipeline_build_info"
"""Of the daemon's own metrics those that are looked at."""

SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \S+)?$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Reach(Enum):
    """How far a connection to a unix socket comes."""

    SERVED = "somebody listens"
    MISSING = "nothing is there"
    STALE = "a socket that nobody listens on"
    FORBIDDEN = "we may not connect"
    FULL = "somebody listens and takes no connection"
    FOREIGN = "it is no socket, or none of this kind"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer over HTTP."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a page of metrics."""

    name: str
    labels: dict[str, str]
    value: float


def try_connect(path: Path, kind: socket.SocketKind, seconds: float) -> tuple[Reach, int]:
    """Return how far a connection to the socket at `path` comes, and the number of the process that listens."""
    with socket.socket(socket.AF_UNIX, kind) as client:
        client.settimeout(seconds)
        try:
            client.connect(os.fspath(path))
        except OSError as error:
            return read_reach(error), 0
        size = struct.calcsize("3i")
        pid: int = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0]
        return Reach.SERVED, pid


def read_reach(error: OSError) -> Reach:
    """Return what an error of connect(2) says."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return Reach.MISSING
        case ConnectionRefusedError():
            return Reach.STALE
        case PermissionError():
            return Reach.FORBIDDEN
        case TimeoutError() | BlockingIOError():
            return Reach.FULL
        case _:
            assert error.errno != errno.EISCONN
            return Reach.FOREIGN


def ask(path: Path, target: str, seconds: float) -> Answer | None:
    """Return the answer to a GET on the HTTP socket at `path`; None if there is no whole one within `seconds`."""
    # Nothing is verified on a unix socket, and to load the authorities takes longer than the answer.
    transport = httpx.AsyncHTTPTransport(uds=str(path), verify=False)
    return trio.run(fetch, httpx.AsyncClient(transport=transport, base_url="http://localhost"), target, seconds)


async def fetch(client: httpx.AsyncClient, target: str, seconds: float) -> Answer | None:
    """Return the answer to a GET; None if there is no whole one within `seconds`, or nobody is there."""
    body = bytearray()
    with trio.move_on_after(seconds):
        try:
            async with client, client.stream("GET", target, timeout=None) as response:
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > MAX_PAGE_BYTES:
                        return None
                return Answer(response.status_code, body.decode(errors="replace"))
        except httpx.HTTPError:
            pass
    return None


def read_samples(page: str) -> list[Sample]:
    """Return the samples of a page in the Prometheus format, those that can be read."""
    samples = []
    for match in SAMPLE.finditer(page):
        try:
            value = float(match[3])
        except ValueError:
            continue
        samples.append(Sample(match[1], dict(LABEL.findall(match[2] or "")), value))
    return samples


def select_target(*names: str) -> str:
    """Return the path of the page that has only the metrics of these names."""
    return "/metrics?" + "&".join(f"name[]={name}" for name in names)
