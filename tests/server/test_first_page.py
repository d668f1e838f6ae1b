"""The first page for people: figures, what needs attention, links, and no more of anything than there is room for."""

from __future__ import annotations

from dataclasses import replace

from pipeline.server import (
    MAX_PROBLEMS,
    MAX_ROWS,
    DaemonStatus,
    Listing,
    ProgramDetails,
    ProgramState,
    ProgramStatus,
    PushStatus,
    ReloadStatus,
    SourceState,
    SourceStatus,
    StateStatus,
    Status,
)
from pipeline.server.html import PIECE_CHARACTERS, write_status
from tests.server.status_pages import FAILURE, NOW, STATUS, Outline, read_text, show, show_program


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
