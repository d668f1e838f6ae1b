"""The router on the first page: what it shows, what needs attention, and that nothing of it is more than text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.server import (
    MAX_ROWS,
    DaemonStatus,
    EndpointStatus,
    InvalidStatus,
    Listing,
    MessageStatus,
    RouteStatus,
    Status,
)
from tests.server.status_pages import EVIL, NOW, SECOND, Outline, read_text, show

STORE = EndpointStatus("store", "our own metrics", taken=1234, rate=5.0, delivered=1230, refused=4)
MESSAGES = MessageStatus(
    lines=12_345,
    line_rate=67.0,
    unrouted=8,
    invalid=9,
    invalid_by_reason=(("it is not valid JSON", 7), ("it has no type", 2)),
    last_invalid=InvalidStatus("it has no type", "unixgram:///m", "{}", NOW - 5 * SECOND),
    sources=("unixgram:///m", "-"),
    routes=Listing(
        (
            RouteStatus(1, "severity <=4", ("archive",), goes_on=True, messages=3, rate=0.5),
            RouteStatus(2, "all", ("store", "drop"), messages=1234, rate=5.0),
        )
    ),
    endpoints=Listing(
        (
            STORE,
            EndpointStatus(
                "archive", "/var/log/x", 10, 0.5, 2, queued=8, queued_bytes=2000, failures=3, failure="full"
            ),
            EndpointStatus("drop", "nowhere", is_for_dropping=True),
        )
    ),
)


def show_messages(messages: MessageStatus) -> str:
    """Return the text of a page with a router."""
    return read_text(show(Status(DaemonStatus(now=NOW), messages=messages)))


def test_page_shows_what_becomes_of_messages() -> None:
    """Each figure where a reader looks for it."""
    text = show_messages(MESSAGES)
    for part in (
        "Sources unixgram:///m , -",
        "Envelopes 67 a second, 12,345 lines since the start No route 8",
        "No envelopes 9: it is not valid JSON (7); it has no type (2)",
        "The last line that is no envelope: it has no type 5 s ago It came from unixgram:///m : {}",
        "store our own metrics ✓ works 5.0 1,234 1,230 4 0 0 0 B 0 ",
        "archive /var/log/x ✗ fails 0.5 10 2 0 0 8 2.0 kB 3 ",
        "drop nowhere – no message yet 0 0 0 0 0 0 0 B 0 ",
        "1 severity <=4 archive and on to later routes 0.5 3 ",
        "2 all store, drop 5.0 1,234 ",
    ):
        assert part in text
    links = Outline(show(Status(messages=MESSAGES))).links
    assert "#metlog" in links


def test_page_without_a_router_says_nothing_of_it() -> None:
    """Most have none."""
    assert "metlog" not in show(Status())


@pytest.mark.parametrize(
    ("messages", "trouble"),
    [
        (
            replace(MESSAGES, endpoints=Listing((MESSAGES.endpoints.rows[1],))),
            "Endpoint archive at /var/log/x fails: full Messages that wait: 8. It is tried again.",
        ),
        (
            MessageStatus(endpoints=Listing((replace(STORE, failure="no"),))),
            "Endpoint store at our own metrics fails: no",
        ),
        (
            MessageStatus(endpoints=Listing((replace(STORE, dropped=1234, dropped_rate=0.1),))),
            "Endpoint store drops messages There is no room for more to wait. Since the start it dropped 1,234.",
        ),
        (
            MessageStatus(
                endpoints=Listing((replace(STORE, refused_rate=0.1, last_refusal="its payload is no number"),))
            ),
            "Endpoint store refuses messages 4 since the start. The last one: its payload is no number.",
        ),
        (
            MessageStatus(endpoints=Listing((replace(STORE, refused_rate=0.1),))),
            "Endpoint store refuses messages 4 since the start.",
        ),
        (
            MessageStatus(endpoints=Listing((replace(STORE, set_aside=2),))),
            "The spool of endpoint store has files that cannot be read Set aside: 2. The log says which.",
        ),
        (
            replace(MESSAGES, endpoints=Listing(), invalid_rate=0.1),
            "Lines come that are no envelopes of metlog The last one, from unixgram:///m: it has no type.",
        ),
        (
            replace(MESSAGES, endpoints=Listing(), unrouted_rate=0.1),
            "Messages come that no route takes 8 since the start. A last route to drop says that this is meant.",
        ),
    ],
)
def test_what_is_lost_needs_attention(messages: MessageStatus, trouble: str) -> None:
    """As long as more is."""
    attention = show_messages(messages).partition("What needs attention ")[2].partition(" In numbers ")[0]
    assert attention == trouble


def test_what_is_meant_or_over_needs_no_attention() -> None:
    """Who drops on purpose has nothing to mend, nor who has mended it."""
    drop = EndpointStatus("drop", taken=9, dropped=9, dropped_rate=1.0, is_for_dropping=True)
    assert "All is well" in show_messages(replace(MESSAGES, endpoints=Listing((drop, STORE))))


def test_tables_of_the_router_have_an_end() -> None:
    """A table of settings may be long."""
    messages = MessageStatus(
        routes=Listing.cut([RouteStatus(number, "all", ("a",)) for number in range(MAX_ROWS + 3)], MAX_ROWS),
        endpoints=Listing.cut([EndpointStatus(str(number)) for number in range(MAX_ROWS + 4)], MAX_ROWS),
    )
    text = show_messages(messages)
    assert "… and 4 more. Routes" in text
    assert "… and 3 more. Reloads and restarts" in text


def test_everything_of_the_router_is_escaped() -> None:
    """A stranger's message is nothing but text on the page."""
    messages = MessageStatus(
        lines=1,
        invalid_rate=1.0,
        invalid_by_reason=((EVIL, 1),),
        last_invalid=InvalidStatus(EVIL, EVIL, EVIL, NOW),
        sources=(EVIL,),
        routes=Listing((RouteStatus(1, EVIL, (EVIL,)),)),
        endpoints=Listing(
            (EndpointStatus(EVIL, EVIL, taken=1, refused=1, refused_rate=1.0, last_refusal=EVIL, failure=EVIL),)
        ),
    )
    page = show(Status(DaemonStatus(now=NOW), messages=messages))
    body = page.partition("<body>")[2]
    assert set(Outline(page).tags).isdisjoint({"script", "img", "iframe"})
    assert body.count("alert(1)&lt;/script&gt;") >= 12
    assert not set(body) & {"\u202e", "\x1b", "\0", "\udcff"}
    assert "{{ 7 * 7 }}" in body
