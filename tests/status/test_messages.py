"""What is read of the router for the pages for people."""

from __future__ import annotations

import pytest

from pipeline.batch import Batch
from pipeline.metlog.endpoints import EndpointContext
from pipeline.metlog.router import RouterService
from pipeline.metlog_settings import MetlogSettings, RouteSettings
from pipeline.metrics import Store
from pipeline.status.messages import MAX_SHOWN_CHARACTERS, MessageReader, describe_matches

CONTEXT = EndpointContext(host="h", read_clock=lambda: 0)


def test_router_is_read() -> None:
    """Counts since the start, rates since the last looks, the last line that was no envelope."""
    routes = (RouteSettings(type=("counter",), to=("store",)), RouteSettings(type=("x",), to=("drop",)))
    settings = MetlogSettings(metlog_logs=("-",), routes=routes)
    service = RouterService(settings, Store(), lambda _batch, _now: None, CONTEXT)
    reader = MessageReader(service, ("-",), 0.0)
    lines = [
        b'{"type":"counter","payload":"1","fields":{"name":"n"}}',
        b'{"type":"counter"}',
        b'{"type":"x"}',
        b'{"type":"y"}',
        b"[]",
        b"{}",
    ]
    service.router.route(Batch.of(lines, b"-"), 77)
    status = reader.read(2.0)
    assert (status.lines, status.line_rate) == (6, 3.0)
    assert (status.unrouted, status.unrouted_rate) == (1, 0.5)
    assert (status.invalid, status.invalid_rate) == (2, 1.0)
    assert status.invalid_by_reason == (("it is JSON, but no object", 1), ("it has no type that is a text", 1))
    assert status.last_invalid is not None
    assert (status.last_invalid.source, status.last_invalid.line, status.last_invalid.time) == ("-", "{}", 77)
    assert status.sources == ("-",)
    first, second = status.routes.rows
    assert (first.number, first.matches, first.to, first.messages, first.rate) == (
        1,
        "type counter",
        ("store",),
        2,
        1.0,
    )
    assert (second.number, second.messages) == (2, 1)
    store, drop = status.endpoints.rows
    assert (store.name, store.taken, store.rate, store.delivered) == ("store", 2, 1.0, 1)
    assert (store.refused, store.refused_rate) == (1, 0.5)
    assert store.last_refusal == (
        "a message of type counter and name  from nobody: its fields have no name that a metric can have"
    )
    assert (drop.name, drop.dropped, drop.is_for_dropping) == ("drop", 1, True)


def test_router_without_any_message_is_read() -> None:
    """Nothing was wrong yet."""
    service = RouterService(MetlogSettings(metlog_logs=("-",)), Store(), lambda _batch, _now: None, CONTEXT)
    status = MessageReader(service, ("-",), 0.0).read(2.0)
    assert (status.lines, status.last_invalid, status.invalid_by_reason) == (0, None, ())
    assert [endpoint.state for endpoint in status.endpoints.rows] == ["no message yet", "no message yet"]


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (RouteSettings(to=("x",)), "all"),
        (
            RouteSettings(
                to=("x",), type=("a", "b*"), logger=("c",), severity="<4", fields=(("d.e", ("f", "g")), ("h", ("i",)))
            ),
            "type a, b*; logger c; severity <4; d.e f, g; h i",
        ),
        (RouteSettings(to=("x",), type=("a" * 300,)), "type " + "a" * (MAX_SHOWN_CHARACTERS - 5) + "…"),
    ],
)
def test_route_is_told_in_words(route: RouteSettings, words: str) -> None:
    """With an end, if it is long."""
    assert describe_matches(route) == words
