"""The pages for people, made or served for tests, and what a reader finds on them."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import httpx
import trio

from pipeline.formats import PrometheusOptions
from pipeline.metrics import Store
from pipeline.server import (
    MAX_PROBLEMS,
    Answers,
    DaemonStatus,
    FailureStatus,
    Listing,
    MetricStatus,
    PatternStatus,
    ProgramDetails,
    ProgramState,
    ProgramStatus,
    PushStatus,
    ReloadStatus,
    SeriesStatus,
    SourceState,
    SourceStatus,
    StateStatus,
    Status,
    UnknownProgram,
    bind_server,
    make_app,
    serve,
)
from pipeline.server.html import write_program, write_status
from pipeline.settings import ServerSettings

SECOND = 10**9
NOW = 1_700_000_000 * SECOND

EVIL = "<script>alert(1)</script>\"'&\u202e\x1b[31m\n{{ 7 * 7 }}\udcff\0"
"""What a file name or a log line may hold, and more: markup, a template, control characters, a byte that is no text."""

FAILURE = FailureStatus("torn.mtail", "it failed", 3, 7, "3 |   x\n  |   ^", "/log", "the line", NOW - 5 * SECOND)


class Outline(HTMLParser):
    """Notes tags, links and anchors of a page."""

    VOID = frozenset({"meta", "link"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read_text(page: str) -> str:
    """Return what a reader sees, in one line."""
    body = page.partition("<body>")[2]
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", body)).split())


def show(status: Status) -> str:
    """Return the first page."""
    return b"".join(write_status(status)).decode()


def show_program(details: ProgramDetails | UnknownProgram, page: int = 1) -> str:
    """Return the page of a program."""
    return b"".join(write_program(details, page, "asked.mtail")).decode()


@asynccontextmanager
async def serving(
    tmp_path: Path, status: Status, programs: dict[str, ProgramDetails] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve, and give a client."""
    path = tmp_path / "s"
    bound = bind_server(ServerSettings(unix_socket=path))
    assert bound is not None

    def read_program(name: str) -> ProgramDetails | UnknownProgram:
        return (programs or {}).get(name) or UnknownProgram(Listing.cut(list(programs or {}), MAX_PROBLEMS))

    answers = Answers(Store().snapshot, lambda: status, lambda: True, read_program)
    shutdown = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, make_app(answers, PrometheusOptions()), bound.socket, shutdown)
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            yield client
        shutdown.set()
    bound.close()


STATUS = Status(
    DaemonStatus(
        host="www1",
        programs_path="/etc/p",
        started=NOW - 93_784 * SECOND,
        now=NOW,
        lines=1_234_567,
        line_rate=1234.4,
        rate_seconds=61,
        programs=3,
        running_programs=2,
        series=4321,
        resident_bytes=56_700_000,
        cpu_seconds=12.34,
        reload=ReloadStatus(NOW - 60 * SECOND, is_successful=False, reloads=7),
        state=StateStatus("/var/state", NOW - 30 * SECOND, 0, is_failing=False),
    ),
    Listing(
        (
            ProgramStatus(
                "good.mtail",
                ProgramState.RUNNING,
                lines=98_765,
                line_rate=0.25,
                match_rate=0.01,
                share=0.123,
                line_ns=456.7,
                bound_to=("unix:///s", "-"),
            ),
            ProgramStatus("bad.mtail", ProgramState.BROKEN, load_error="bad.mtail:1:1: error: x"),
            ProgramStatus("old.mtail", ProgramState.OUTDATED, load_error="old.mtail:2:2: error: y"),
            ProgramStatus("torn.mtail", ProgramState.RUNNING, runtime_errors=12_345, last_failure=FAILURE),
        )
    ),
    Listing(
        (
            SourceStatus("/log", lines=5, line_rate=9, byte_rate=1500, waiting_bytes=65_536, silent_seconds=71.0),
            SourceStatus("unix:///s", SourceState.FAILING, "address in use", errors=3, connections=1000),
            SourceStatus("-", SourceState.ENDED),
            SourceStatus("udp://:1", silent_seconds=0.0, losses=("9 datagrams dropped by the kernel",)),
        )
    ),
    (
        PushStatus(
            "graphite", "g:2003", 1234, 5, 4321, time=NOW - 9 * SECOND, seconds=0.0123, next_seconds=51.0, rejected=2
        ),
        PushStatus("otlp", "o:4318", 1, 1, failure="it hung", time=NOW, spooled_bytes=2_000_000, spool_dropped=6),
        PushStatus("new", "n:1"),
    ),
)

DETAILS = ProgramDetails(
    ProgramStatus(
        "a.mtail",
        ProgramState.RUNNING,
        lines=7,
        line_rate=2,
        match_rate=1,
        share=0.5,
        line_ns=12_345,
        is_sieved=True,
        runtime_errors=2,
        last_failure=replace(FAILURE, program="a.mtail"),
    ),
    NOW,
    loaded=NOW - 3600 * SECOND,
    warnings=Listing(("a.mtail:1:1: warning: w",), 3),
    text="counter a by k\r\n/x/ {\n  a[strptime($1, 2)]++\n}\n",
    patterns=Listing(
        (
            PatternStatus(2, 1, "x", "literal", "it is a plain text", ns=41.6, searched=0.5, found=0.25),
            PatternStatus(2, 9, "y", "literal", "so is it"),
        ),
        1,
    ),
    guard='Lines that matter hold one of:\n    "x"\n',
    metrics=Listing(
        (
            MetricStatus(
                "a",
                "counter",
                ("k", "l"),
                1,
                help_text="What it is.",
                unit="seconds",
                is_hidden=True,
                series=12_345,
                limit="limit 20,000",
                notes=("7 series made room for newer ones at the limit",),
                losses=("8 new series were not kept",),
                newest=Listing(
                    (SeriesStatus('k="v", l="w"', "17", NOW - 2 * SECOND), SeriesStatus("", "3", 0)), 12_343
                ),
            ),
            MetricStatus("b", "gauge", (), 1),
        ),
        4,
    ),
)
