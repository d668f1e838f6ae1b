"""A daemon in this process, with a source of each kind: run and stopped, sent to, scraped, and read by people."""

from __future__ import annotations

import html
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.daemon import Daemon
from pipeline.settings import (
    DaemonSettings,
    FormatSettings,
    LanguageSettings,
    ProgramSettings,
    ServerSettings,
    SourceSettings,
    StoreSettings,
)
from tests.readiness import wait_obeying

PROGRAM = """counter lines_total
counter words_total by word
lines_total++
/^word (?P<word>.*)/ {
  words_total[$word]++
}
/^forget (?P<word>.*)/ {
  del words_total[$word]
}
/^(?P<word>.*) for a moment$/ {
  words_total[$word]++
  del words_total[$word] after 1ms
}
/^date (?P<date>.*)/ {
  strptime($date, "2006")
}
"""


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    """Put the handlers back that a stop gives up."""
    before = {
        number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def settings(tmp_path: Path) -> DaemonSettings:
    """One program, a pipe, a socket of each kind, and the server."""
    (tmp_path / "progs").mkdir()
    (tmp_path / "progs" / "p.mtail").write_text(PROGRAM)
    return DaemonSettings(
        programs=ProgramSettings(progs=tmp_path / "progs", language=LanguageSettings()),
        sources=SourceSettings(
            logs=(f"{tmp_path}/log.fifo", f"unix://{tmp_path}/stream", f"unixgram://{tmp_path}/datagram")
        ),
        store=StoreSettings(),
        formats=FormatSettings(emit_prog_label=False),
        server=ServerSettings(unix_socket=tmp_path / "http"),
    )


@asynccontextmanager
async def running(settings: DaemonSettings) -> AsyncIterator[httpx.AsyncClient]:
    """Run the daemon, give a client for its server, and stop the daemon by a signal."""
    with ExitStack() as stack:
        daemon = Daemon(settings)
        daemon.prepare(stack)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            await wait_obeying()
            transport = httpx.AsyncHTTPTransport(uds=str(settings.server.unix_socket))
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                yield client
            if not daemon.stopping.cancel_called:
                os.kill(os.getpid(), signal.SIGTERM)


async def scrape(client: httpx.AsyncClient) -> dict[str, float]:
    """Return the value of each series, by name and labels."""
    await wait_all_tasks_blocked()
    page = (await client.get("/metrics")).raise_for_status().text
    rows = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def send(kind: socket.SocketKind, path: Path, data: bytes) -> None:
    """Send to a unix socket, and hang up."""
    with socket.socket(socket.AF_UNIX, kind) as sock:
        sock.connect(str(path))
        sock.send(data)


async def read_page(client: httpx.AsyncClient, path: str = "/") -> str:
    """Return what a reader of a page sees, in one line."""
    await wait_all_tasks_blocked()
    text = (await client.get(path)).raise_for_status().text.partition("<body>")[2]
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", text)).split())
