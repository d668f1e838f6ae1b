"""The pages for people: what stands on them, over a real unix socket."""

from __future__ import annotations

import html
import os
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import cast
from urllib.parse import unquote_to_bytes, urljoin

import httpx
import pytest
import trio
from starlette.types import ASGIApp

from pipeline.formats import PrometheusOptions
from pipeline.metrics import Store
from pipeline.server import (
    MAX_PROBLEMS,
    MAX_ROWS,
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
from pipeline.server.html import PIECE_CHARACTERS, TEMPLATES, load_templates, write_program, write_status
from pipeline.server.listing import LINES_PER_PAGE
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


def test_first_page_says_how_it_goes() -> None:
    """Each figure where a reader looks for it."""
    text = read_text(show(STATUS))
    for part in (
        "syslog-pipeline on www1 ",
        "running for 1 d 2 h, since 2023-11-13 20:10:16 UTC .",
        "Lines a second 1,234 Lines 1,234,567 Programs running 2 of 3 Series 4,321 Memory 57 MB Processor time 12.3 s",
        "good.mtail sees only unix:///s, - ✓ running 0.2 < 0.1 98,765 12 % 457 ns 0 ",
        "bad.mtail ✗ does not load 0 0 0 – – 0 ",
        "old.mtail ✗ running, the last change does not load 0 ",
        "torn.mtail ✓ running 0 0 0 – – 12,345 ",
        "Rates are those of the last minute.",
        "/log ✓ read 9.0 1.5 kB 5 66 kB 1 min 11 s ago 0 ",
        "unix:///s 1,000 connected ✗ failing 0 0 B 0 – never 3 ",
        "- – not read 0 0 B 0 – never 0 ",
        "udp://:1 9 datagrams dropped by the kernel ✓ read 0 0 B 0 – just now 0 ",
        "graphite g:2003 ✓ works 9 s ago in 51 s 12 ms 4,321 1,234 5 2 0 B ",
        "otlp o:4318 ✗ failed just now – 0 ms 0 1 1 0 2.0 MB ",
        "new n:1 – not yet pushed – – – 0 0 0 0 0 B ",
        "Programs read 1 min 0 s ago , not all of them load Reloads 7 State file /var/state , written 30 s ago ",
    ):
        assert part in text


def test_first_page_says_what_needs_attention() -> None:
    """And in full, above everything else."""
    text = read_text(show(STATUS))
    attention = text.partition("What needs attention ")[2].partition(" In numbers ")[0]
    assert attention == (
        "Program bad.mtail does not load bad.mtail:1:1: error: x "
        "Program old.mtail does not load old.mtail:2:2: error: y The version that was there before runs on. "
        "Source unix:///s fails: address in use It is opened again and again. "
        "The last push to otlp at o:4318 failed: it hung "
        "What waits for otlp is more than there is room for 6 series were dropped; --push_spool_bytes says how much"
        " may wait."
    )
    assert "All is well" not in text
    assert "<title>(5) syslog-pipeline on www1</title>" in show(STATUS)


def test_first_page_shows_the_last_failure_of_a_program() -> None:
    """Where, when, from which source, on which line."""
    page = show(STATUS)
    assert (
        "torn.mtail : it failed 5 s ago Where torn.mtail:3:7 When 5 s ago Source /log 3 | x | ^ The line was: the line"
    ) in read_text(page)
    assert "program/torn.mtail#L3" in Outline(page).links
    assert '">3 |   x\n  |   ^</pre>' in page


def test_first_page_links_to_all_others() -> None:
    """By relative links: a proxy may have put the pages below a path."""
    links = Outline(show(STATUS)).links
    assert {
        "metrics",
        "json",
        "varz",
        "graphite",
        "-/healthy",
        "-/ready",
        *(f"program/{program.name}" for program in STATUS.programs.rows),
    } <= set(links)
    assert [link for link in links if link.startswith(("/", "http"))] == []


def test_first_page_links_to_its_parts() -> None:
    """There may be 200 sources above the pushes."""
    outline = Outline(show(STATUS))
    places = {link.removeprefix("#") for link in outline.links if link.startswith("#")}
    assert {"programs", "sources", "pushes", "life"} <= places <= {*outline.ids}


def test_first_page_of_nothing_says_what_to_do() -> None:
    """No empty tables, and nothing wrong."""
    page = show(Status(DaemonStatus(programs_path="/etc/p")))
    text = read_text(page)
    for part in (
        "✓ All is well",
        "No program runs. Put one, *.mtail , into /etc/p , and have the daemon read it: systemctl reload",
        "No source is read. Name one with --logs .",
        "Nothing is pushed.",
        "State file none: values begin anew at each start, unless --state_file names one",
    ):
        assert part in text
    assert "table" not in Outline(page).tags


def test_lines_that_are_lost_need_attention() -> None:
    """As long as more are: not all is well where a program fails on lines, or a source has errors or drops some."""
    program = ProgramStatus("torn.mtail", ProgramState.RUNNING, runtime_errors=12_345)
    dropping = SourceStatus("udp://:1", losses=("datagrams dropped by the kernel: 9", "lines cut: 2"))
    faulty = SourceStatus("/log", SourceState.TROUBLED, errors=1234)
    lost = Status(
        programs=Listing((replace(program, error_rate=0.1),)),
        sources=Listing((replace(dropping, loss_rate=0.1), faulty)),
    )
    assert (
        "What needs attention "
        "Program torn.mtail fails on lines What it should have counted on them is missing. Since the start it failed on"
        " 12,345. "
        "Source udp://:1 does not come through whole Since the start: datagrams dropped by the kernel: 9; lines cut: 2."
        " Source /log has errors 1,234 since the start. The log says which. In numbers"
    ) in read_text(show(lost))
    assert "program/torn.mtail" in Outline(show(lost)).links
    assert "/log ✗ has errors " in read_text(show(lost))
    over = Status(programs=Listing((program,)), sources=Listing((dropping, replace(faulty, state=SourceState.READ))))
    assert "All is well" in read_text(show(over))


def test_troubles_of_the_daemon_itself_are_shown() -> None:
    """A reload that found nothing, and a state that cannot be written."""
    state = StateStatus("/var/state", 0, 3, is_failing=True)
    text = read_text(show(Status(DaemonStatus(reload=ReloadStatus(NOW, failure="It is gone."), state=state))))
    assert "The last reload did nothing It is gone." in text
    assert "The state file /var/state cannot be written The one that is there stays" in text
    assert "so far it failed 3 times." in text
    assert "State file /var/state , not written yet" in text


def test_what_a_push_could_not_tell_is_shown() -> None:
    """With an end, if it is much."""
    push = PushStatus("statsd", "s:1", 1, problems=Listing(("Metric `a` is left out.",), 7))
    text = read_text(show(Status(pushes=(push,))))
    assert "statsd does not get everything as it is Metric `a` is left out." in text
    assert "statsd does not get everything as it is … and 7 more." in text


def test_errors_of_a_program_are_cut_on_the_first_page() -> None:
    """Its own has them all."""
    errors = "\n".join(f"a.mtail:{number}:1: error: x" for number in range(1, 101))
    program = ProgramStatus("a.mtail", ProgramState.BROKEN, errors)
    first = show(Status(programs=Listing((program,))))
    assert "a.mtail:20:1: error: x\n… and 80 more lines</pre>" in first
    assert "a.mtail:100:1: error: x" in show_program(ProgramDetails(program, NOW))


def make_many(limit: int) -> Status:
    """Return a status with as much as there may be, and more that is left out."""
    error = "a.mtail:1:1: error: x"
    failing = [
        ProgramStatus(f"{number}.mtail", ProgramState.BROKEN, error, last_failure=replace(FAILURE, time=NOW - number))
        for number in range(limit)
    ]
    return Status(
        DaemonStatus(now=NOW),
        Listing(tuple(failing), 5),
        Listing(tuple(SourceStatus(f"/log/{number}") for number in range(limit)), 6),
    )


def test_no_table_has_more_rows_than_it_may() -> None:
    """What is left out is told."""
    page = show(make_many(MAX_ROWS))
    assert Outline(page).tags.count("tr") == 2 * (MAX_ROWS + 1)
    text = read_text(page)
    for part in (
        "… and 5 more. Last failures",
        "… and 6 more. Pushes",
        f"… and {MAX_ROWS - MAX_PROBLEMS} more. In numbers",
        f"… and {MAX_ROWS - MAX_PROBLEMS} more. Sources",
    ):
        assert part in text


def test_pages_are_made_in_small_pieces() -> None:
    """Between two of them lines are read."""
    pieces = list(write_status(make_many(MAX_ROWS)))
    assert max(map(len, pieces)) < 4 * PIECE_CHARACTERS
    assert b"" in pieces


def test_templates_are_those_of_the_run(tmp_path: Path) -> None:
    """An upgrade on the disk does not reach the daemon that runs: new templates ask for what old code does not give."""
    for template in TEMPLATES.iterdir():
        (tmp_path / template.name).write_bytes(template.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_templates().loader, "searchpath", [str(tmp_path)])
        environment = load_templates().overlay()
        before = environment.get_template("unknown.html").render(unknown=UnknownProgram(), name="x", folder="")
        (tmp_path / "unknown.html").write_text("{{ what_only_new_code_gives }}")
        os.utime(tmp_path / "unknown.html", (1, 1))
        after = environment.get_template("unknown.html").render(unknown=UnknownProgram(), name="x", folder="")
    assert before == after


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


def test_page_of_a_program_tells_all_of_it() -> None:
    """Its state, figures, metrics, patterns, text, and what went wrong."""
    page = show_program(DETAILS)
    text = read_text(page)
    for part in (
        "a.mtail ✓ running , loaded 1 h 0 min ago .",
        "Lines a second 2.0 Matched a second 1.0 Lines 7 Share of time 50 % Time per line 12 µs Failed lines 2",
        "it failed Where a.mtail:3:7 When 5 s ago Source /log 3 | x | ^ The line was: the line",
        "Warnings a.mtail:1:1: warning: w … and 3 more.",
        "a What it is. 7 series made room for newer ones at the limit 8 new series were not kept"
        " counter, hidden, in seconds k, l line 1 12,345"
        " limit 20,000 ",
        "b gauge none line 1 0 – ",
        "… and 4 more.",
        'k="v", l="w" 17 2 s ago without labels 3 … and 12,343 more.',
        "2:1 x literal 42 ns 50 % 25 % it is a plain text 2:9 y literal – – – so is it … and 1 more.",
        "syslog-pipeline explain --profile LOG PROGRAM",
        'Lines that matter hold one of: "x" The sieve stands before this program.',
        "counter a by k /x/ { literal a[strptime($1, 2)]++ last failure } syslog-pipeline",
    ):
        assert part in text
    outline = Outline(page)
    assert {"L1", "L2", "L3", "L4"} <= set(outline.ids)
    assert {"#L1", "#L2", "#L3", "../", "../#programs"} <= set(outline.links)
    assert '<li id="L3" value="3" class="fault"><code>  a[strptime($1, 2)]++</code>' in page


def test_program_that_does_not_load_has_its_page() -> None:
    """With the text that does not load, and why."""
    status = ProgramStatus("a.mtail", ProgramState.BROKEN, load_error="a.mtail:2:1: error: x\n 2 | ?\n   | ^")
    page = show_program(ProgramDetails(status, NOW, text="counter a\n?\n", error_lines=(2,)))
    text = read_text(page)
    assert "✗ does not load . ✗ Why it does not load a.mtail:2:1: error: x 2 | ? | ^ When it is mended" in text
    assert "The version that was there before runs on" not in text
    assert '<li id="L2" value="2" class="fault"><code>?</code> <small>error</small></li>' in page
    assert "Metrics" not in text


def test_program_whose_change_does_not_load_says_which_version_is_shown() -> None:
    """The one that runs."""
    status = ProgramStatus("a.mtail", ProgramState.OUTDATED, load_error="a.mtail:9:1: error: x", bound_to=("-",))
    text = read_text(show_program(replace(DETAILS, program=status)))
    assert "The version that was there before runs on. All else on this page is about that one." in text
    assert "It sees only -." in text


def test_program_without_anything_has_its_page() -> None:
    """Each part says that it is empty."""
    status = ProgramStatus("a.mtail", ProgramState.RUNNING)
    text = read_text(show_program(ProgramDetails(status, NOW, loaded=NOW)))
    for part in ("Metrics It declares none.", "Patterns It has none.", "No sieve stands", "Text It is not known"):
        assert part in text
    metric = MetricStatus("a", "counter", ("k",), 1)
    text = read_text(show_program(ProgramDetails(status, NOW, loaded=NOW, metrics=Listing((metric,)))))
    assert "Newest series There are none yet" in text
    gone = ProgramStatus("a.mtail", ProgramState.GONE)
    assert "– unloaded, its file is gone ." in read_text(show_program(ProgramDetails(gone, NOW)))


def test_long_text_is_shown_in_pages() -> None:
    """A link to a line names the page that it is on."""
    text = "".join(f"# {number}\n" for number in range(1, 2 * LINES_PER_PAGE + 2))
    pattern = PatternStatus(LINES_PER_PAGE + 1, 1, "x", "re", "it is")
    details = replace(DETAILS, text=text, patterns=Listing((pattern,)))
    pages = [show_program(details, number) for number in (1, 2, 3, 999_999, 0)]
    shown = [[int(one[1:]) for one in Outline(page).ids if re.fullmatch(r"L\d+", one)] for page in pages]
    assert [(numbers[0], numbers[-1], len(numbers)) for numbers in shown] == [
        (1, LINES_PER_PAGE, LINES_PER_PAGE),
        (LINES_PER_PAGE + 1, 2 * LINES_PER_PAGE, LINES_PER_PAGE),
        (2 * LINES_PER_PAGE + 1, 2 * LINES_PER_PAGE + 1, 1),
        (2 * LINES_PER_PAGE + 1, 2 * LINES_PER_PAGE + 1, 1),
        (1, LINES_PER_PAGE, LINES_PER_PAGE),
    ]
    assert f"?page=2#L{LINES_PER_PAGE + 1}" in Outline(pages[0]).links
    assert {"?page=1#L3", "?page=1#text", "?page=3#text"} <= set(Outline(pages[1]).links)
    assert f"Lines 1,001 to 2,000 of {2 * LINES_PER_PAGE + 1:,}." in read_text(pages[1])


def test_line_that_no_person_wrote_is_cut() -> None:
    """A file may be one line of a megabyte."""
    page = show_program(replace(DETAILS, text="x" * 1_000_000))
    assert "x… and 998,000 more characters" in page
    assert len(page) < 50_000


async def test_everything_is_escaped(tmp_path: Path) -> None:
    """Whoever names a file or writes a log line puts nothing into a page but text."""
    evil = EVIL
    failure = FailureStatus(evil, evil, 1, 1, evil, evil, evil, NOW)
    program = ProgramStatus(evil, ProgramState.OUTDATED, evil, last_failure=failure, bound_to=(evil,))
    status = Status(
        DaemonStatus(
            host=evil,
            programs_path=evil,
            now=NOW,
            reload=ReloadStatus(failure=evil),
            state=StateStatus(evil, 1, 1, is_failing=True),
        ),
        Listing((program,)),
        Listing((SourceStatus(evil, SourceState.FAILING, evil, connections=1, losses=(evil,)),)),
        (PushStatus(evil, evil, 1, failure=evil, time=NOW, problems=Listing((evil,))),),
    )
    metric = MetricStatus(
        evil,
        evil,
        (evil,),
        1,
        evil,
        evil,
        series=1,
        limit=evil,
        notes=(evil,),
        losses=(evil,),
        newest=Listing((SeriesStatus(evil, evil, 1),)),
    )
    details = ProgramDetails(
        program,
        NOW,
        loaded=NOW,
        warnings=Listing((evil,)),
        text=evil,
        patterns=Listing((PatternStatus(1, 1, evil, evil, evil),)),
        guard=evil,
        metrics=Listing((metric,)),
    )
    async with serving(tmp_path, status, {evil: details}) as client:
        first = await client.get("/")
        (link,) = {link.partition("#")[0] for link in Outline(first.text).links if link.startswith("program/")}
        assert os.fsdecode(unquote_to_bytes(link.removeprefix("program/"))) == evil
        second = await client.get(f"/{link}")
        empty = await client.get(f"/{link}x")
    assert [answer.status_code for answer in (first, second, empty)] == [200, 200, 404]
    for answer in (first, second, empty):
        body = answer.content.decode().partition("<body>")[2]
        assert set(Outline(answer.text).tags).isdisjoint({"script", "img", "iframe"})
        assert "<script" not in body
        assert "alert(1)&lt;/script&gt;" in body
        assert not set(body) & {"\u202e", "\x1b", "\0", "\udcff"}
        assert "{{ 7 * 7 }}" in body


async def test_pages_are_read_one_in_a_round_of_the_loop() -> None:
    """However many ask: lines are read in between."""
    rounds: list[int] = []
    count = 0

    def read_status() -> Status:
        rounds.append(count)
        return STATUS

    def read_program(_name: str) -> ProgramDetails:
        rounds.append(count)
        return DETAILS

    app = make_app(Answers(Store().snapshot, read_status, lambda: True, read_program), PrometheusOptions())
    transport = httpx.ASGITransport(app=cast("ASGIApp", app))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client, trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(client.get, ("/", "/program/a.mtail")[number % 2])
        while len(rounds) < 20:
            await trio.lowlevel.checkpoint()
            count += 1
    # Trio shuffles the tasks of a round: the last of one and the first of the next can see the same number.
    assert Counter(rounds).most_common(1)[0][1] <= 2


async def test_name_of_a_program_is_found_whatever_bytes_it_has(tmp_path: Path) -> None:
    """Slashes excepted, a file may be called anything."""
    names = [
        "a b.mtail",
        "ü.mtail",
        "\udcff\udce9.mtail",
        "a\nb.mtail",
        "%41.mtail",
        "?#.mtail",
        "a:b+c&d=;.mtail",
        "..x.mtail",
    ]
    programs = {name: replace(DETAILS, program=ProgramStatus(name, ProgramState.RUNNING)) for name in names}
    status = Status(programs=Listing(tuple(one.program for one in programs.values())))
    async with serving(tmp_path, status, programs) as client:
        links = [link for link in Outline((await client.get("/")).text).links if link.startswith("program/")]
        answers = [await client.get(f"/{link}") for link in links]
    assert [answer.status_code for answer in answers] == [200] * len(names)
    titles = [re.findall("<title>(.*?) – syslog-pipeline</title>", answer.text, re.DOTALL) for answer in answers]
    assert titles[0] == ["a b.mtail"]
    assert titles[2] == ["\ufffd\ufffd.mtail"]
    assert titles[4] == ["%41.mtail"]


SPELLED, SLASHED = b"/%70rogram/a%20b.mtail", b"/program%2fx"
"""Both are below `/program/` to who reads them (RFC 3986 section 2.3), the second without a name."""


async def test_program_that_there_is_not_is_404_and_names_others(tmp_path: Path) -> None:
    """HEAD too."""
    async with serving(tmp_path, STATUS, {"a b.mtail": DETAILS}) as client:
        answer, head = await client.get("/program/x/y.mtail"), await client.head("/program/x")
        nothing = await client.get("/program/")
        post = await client.post("/program/a%20b.mtail")
        spelled = [await client.get(httpx.URL("http://x", raw_path=path)) for path in (SPELLED, SLASHED)]
    assert [one.status_code for one in spelled] == [200, 404]
    assert (answer.status_code, head.status_code, nothing.status_code, post.status_code) == (404, 404, 404, 405)
    assert head.content == b""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "There is no program x/y.mtail . Those that there are a b.mtail" in read_text(answer.text)
    links = [urljoin(str(answer.url), link) for link in Outline(answer.text).links]
    assert links[-3:] == [f"http://x/{link}" for link in ("", "#programs", "program/a%20b.mtail")]
    assert "There is none at all." in read_text(show_program(UnknownProgram()))


async def test_pages_answer_head_and_pages_of_text(tmp_path: Path) -> None:
    """What is no number asks for the first page."""
    text = "".join(f"# {number}\n" for number in range(2 * LINES_PER_PAGE))
    async with serving(tmp_path, STATUS, {"a.mtail": replace(DETAILS, text=text)}) as client:
        heads = [await client.head(path) for path in ("/", "/program/a.mtail")]
        queries = ("", "?page=2", "?page=x", "?page=-1", "?page=9999999999", "?page=%D9%A2")
        pages = [(await client.get(f"/program/a.mtail{query}")).text for query in queries]
    assert [(head.status_code, head.content, head.headers["content-type"]) for head in heads] == [
        (200, b"", "text/html; charset=utf-8")
    ] * 2
    assert [f'id="L{LINES_PER_PAGE + 1}"' in page for page in pages] == [False, True, False, False, False, False]


async def test_page_is_loaded_again_only_where_that_is_asked_for(tmp_path: Path) -> None:
    """And says how to stop it."""
    async with serving(tmp_path, STATUS) as client:
        answers = [await client.get(f"/{query}") for query in ("", "?refresh=10", "?refresh=1", "?refresh=x")]
        head = await client.head("/?refresh=10")
    assert [answer.headers.get("refresh") for answer in answers] == [None, "10", None, None]
    assert head.headers.get("refresh") == "10"
    assert "?refresh=10" in Outline(answers[0].text).links
    assert "This page is loaded again every 10 s: stop that ." in read_text(answers[1].text)
    assert [("./" in Outline(answer.text).links) for answer in answers] == [False, True, False, False]
