"""The router: lines become messages, messages reach their endpoints, and all of them are accounted for."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import Batch
from pipeline.metlog.endpoints import Endpoint, Message
from pipeline.metlog.endpoints.built_in import DropEndpoint, ProgramsEndpoint
from pipeline.metlog.router import EXPLANATIONS, Router
from pipeline.metlog.router.faults import find_fault
from pipeline.metlog_settings import RouteSettings

NOW = 1_700_000_000 * 10**9
ORIGIN = b"unixgram:///run/metlog.sock"


class Shelf(Endpoint):
    """Keeps what it takes."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "here")
        self.taken: list[tuple[list[bytes], int]] = []

    def take(self, messages: Sequence[Message], now: int) -> None:
        self.taken.append(([message.line for message in messages], now))

    @property
    def lines(self) -> list[bytes]:
        return [line for lines, _ in self.taken for line in lines]


def write(**fields: object) -> bytes:
    """Return an envelope."""
    return json.dumps({"type": "t", **fields}).encode()


def make_router(*routes: RouteSettings, names: Sequence[str] = ("a", "b")) -> tuple[Router, dict[str, Shelf]]:
    """Return a router with endpoints of these names."""
    shelves = {name: Shelf(name) for name in names}
    return Router(routes, shelves), shelves


def send(router: Router, *lines: bytes) -> None:
    """Route some lines as one batch."""
    router.route(Batch.of(lines, ORIGIN), NOW)


def test_messages_reach_their_endpoints_in_order() -> None:
    """Each as it came, all those of a batch at once."""
    router, shelves = make_router(
        RouteSettings(type=("x",), to=("a",)), RouteSettings(type=("y",), to=("a", "b")), RouteSettings(to=("b",))
    )
    lines = [write(type=kind, payload=str(number)) for number, kind in enumerate("xyzxzy")]
    send(router, *lines)
    assert shelves["a"].taken == [([lines[0], lines[1], lines[3], lines[5]], NOW)]
    assert shelves["b"].taken == [([lines[1], lines[2], lines[4], lines[5]], NOW)]
    assert router.counts.routes == [2, 2, 2]


def test_endpoint_that_two_routes_name_gets_a_message_once() -> None:
    """What goes on does so for other endpoints."""
    router, shelves = make_router(RouteSettings(to=("a",), goes_on=True), RouteSettings(to=("a", "b")))
    send(router, write())
    assert (len(shelves["a"].lines), len(shelves["b"].lines)) == (1, 1)
    assert router.counts.routes == [1, 1]


def test_batch_that_nothing_is_in_for_an_endpoint_does_not_reach_it() -> None:
    """It is not bothered with nothing."""
    router, shelves = make_router(RouteSettings(type=("x",), to=("a",)))
    send(router, write())
    assert shelves["a"].taken == []
    assert router.counts.unrouted == 1


def test_batches_do_not_mix() -> None:
    """What was handed over is not handed over again, nor counted."""
    router, shelves = make_router(RouteSettings(to=("a",)))
    send(router, write(payload="1"))
    send(router, write(payload="2"))
    assert [len(lines) for lines, _ in shelves["a"].taken] == [1, 1]
    assert router.counts.routes == [2]


def test_message_has_the_time_of_its_stamp() -> None:
    """Or that of its reading, where it has none."""
    seen: list[Message] = []

    class Watch(Shelf):
        def take(self, messages: Sequence[Message], now: int) -> None:
            seen.extend(messages)

    router = Router([RouteSettings(to=("a",))], {"a": Watch("a")})
    send(router, write(timestamp="2023-11-14T22:13:21.500000Z"), write())
    assert [message.time for message in seen] == [NOW + 1_500_000_000, NOW]
    assert {message.origin for message in seen} == {ORIGIN}


def test_programs_see_the_lines_of_messages_with_their_origin() -> None:
    """As one batch, in order."""
    batches: list[tuple[Batch, int]] = []
    programs = ProgramsEndpoint(lambda batch, now: batches.append((batch, now)))
    router = Router([RouteSettings(type=("log",), to=("programs",))], {"programs": programs})
    lines = [write(type="log", payload=str(number)) for number in range(3)]
    send(router, lines[0], write(type="other"), lines[1], b"no envelope", lines[2])
    assert batches == [(Batch.of(lines, ORIGIN), NOW)]
    assert (programs.counts.taken, programs.counts.delivered) == (3, 3)


def test_what_is_dropped_is_counted() -> None:
    """Somebody may wonder where it is."""
    drop = DropEndpoint()
    router = Router([RouteSettings(to=("drop",))], {"drop": drop})
    send(router, write(), write())
    assert (drop.counts.taken, drop.counts.dropped) == (2, 2)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "json"),
        (b"Nov 22 01:02:03 host app: hello", "json"),
        (b'{"type":"t"', "json"),
        (b'{"type":"t"} {"type":"t"}', "json"),
        (b'{"type":"t","fields":{"n":1e400}}', "json"),
        (b'\xef\xbb\xbf{"type":"t","severity":8}', "field"),
        (b"[1]", "object"),
        (b"null", "object"),
        (b"{}", "type"),
        (b'{"type":5}', "type"),
        (b'{"type":"t","timestamp":"yesterday"}', "timestamp"),
        (b'{"type":"t","timestamp":"2023-02-30T00:00:00.000000Z"}', "timestamp"),
        (b'{"type":"t","timestamp":5}', "field"),
        (b'{"type":"t","severity":8}', "field"),
        (b'{"type":"t","severity":"6"}', "field"),
        (b'{"type":"t","payload":1}', "field"),
        (b'{"type":"t","fields":[]}', "field"),
    ],
)
def test_line_that_is_no_envelope_is_counted_by_what_is_wrong(line: bytes, reason: str) -> None:
    """Those before and behind it are none the worse."""
    router, shelves = make_router(RouteSettings(to=("a",)))
    good = write()
    send(router, good, line, good)
    assert {word: count for word, count in router.counts.invalid.items() if count} == {reason: 1}
    assert shelves["a"].lines == [good, good]
    last = router.last_invalid
    assert last is not None
    assert (last.reason, last.origin, last.line, last.time) == (reason, ORIGIN, line, NOW)


def test_lines_that_are_no_envelopes_are_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever sends them could fill the log otherwise, or write lines of their own into it."""
    router, _ = make_router(RouteSettings(to=("a",)))
    with caplog.at_level(logging.WARNING):
        send(router, b"one\x1b[2J" + b"x" * 5000, b"two", b"three")
        router.route(Batch.of([b"[]"], ORIGIN), NOW + 60 * 10**9)
    first, second = [record.getMessage() for record in caplog.records]
    assert first.startswith(
        "A line from unixgram:///run/metlog.sock is no envelope of metlog: it is not valid JSON. It is left out; "
        "it was 'one\ufffd[2Jxxx"
    )
    assert len(first) < 500
    assert second == (
        "A line from unixgram:///run/metlog.sock is no envelope of metlog: it is JSON, but no object. It is left out; "
        "it was '[]'. 2 were since the last report."
    )


@given(
    st.lists(
        st.one_of(
            st.binary().map(lambda line: line.replace(b"\n", b"")),
            st.builds(
                write,
                type=st.one_of(st.text(), st.integers()),
                severity=st.integers(-1, 8),
                logger=st.one_of(st.text(), st.none()),
            ),
        ),
        min_size=1,
    )
)
def test_each_line_is_routed_or_unrouted_or_invalid(lines: list[bytes]) -> None:
    """And nothing that it holds is too much."""
    router, shelves = make_router(RouteSettings(severity="<4", to=("a",)), RouteSettings(logger=("*a*",), to=("b",)))
    send(router, *lines)
    counts = router.counts
    assert counts.received == len(lines)
    assert counts.received == sum(counts.routes) + counts.unrouted + sum(counts.invalid.values())
    assert counts.routes == [len(shelf.lines) for shelf in shelves.values()]


@given(st.binary())
def test_every_fault_has_words(line: bytes) -> None:
    """What is wrong can be told, whatever it is."""
    assert find_fault(line) in EXPLANATIONS
