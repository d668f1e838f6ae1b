"""The page of a program: its state, figures, metrics and patterns, and its text in pages."""

from __future__ import annotations

import re
from dataclasses import replace

from pipeline.server import Listing, MetricStatus, PatternStatus, ProgramDetails, ProgramState, ProgramStatus
from pipeline.server.listing import LINES_PER_PAGE
from tests.server.status_pages import DETAILS, NOW, Outline, read_text, show_program


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
