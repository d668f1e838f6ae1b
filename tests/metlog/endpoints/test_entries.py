"""Messages as they wait, and as files and servers get them: one line of JSON that every reader takes."""

from __future__ import annotations

import json

import orjson
import pytest

from pipeline.metlog.endpoints.backlog import make_entry
from tests.metlog.endpoints.messages import NOW, read_message


@pytest.mark.parametrize(
    ("line", "payload"),
    [
        (b'{"type":"x","payload":"plain"}', "plain"),
        (b'{"type":"x",\n"payload"\r\n:"blanks"}', "blanks"),
        (b'{"type":"x","payload":"caf\xc3\xa9 \xf0\x9f\x90\xb1"}', "café 🐱"),
        (b'{"type":"x","payload":"a\xffb\xc3"}', "a\ufffdb\ufffd"),
        (b'{"type":"x","payload":"half \\ud83d"}', "half \ufffd"),
        (b'{"type":"x","payload":"whole \\ud83d\\udc31 \\u00e9"}', "whole 🐱 é"),
        (b'{"type":"x","payload":"no escape \\\\ud83d"}', "no escape \\ud83d"),
        (b'\xef\xbb\xbf{"type":"x","payload":"mark"}', "mark"),
    ],
    ids=["plain", "blanks", "utf-8", "no-utf-8", "half-pair", "pair", "no-escape", "byte-order-mark"],
)
def test_message_waits_as_json_that_every_reader_takes(line: bytes, payload: str) -> None:
    """Otherwise one that a stranger has sent would make a server refuse all that go with it."""
    entry = make_entry(read_message(line), 7, NOW)
    assert b"\n" not in entry.line
    assert b"\r" not in entry.line
    # Of the two readers one is strict, and the other is everybody's.
    assert orjson.loads(entry.line) == json.loads(entry.line.decode()) == {"type": "x", "payload": payload}
