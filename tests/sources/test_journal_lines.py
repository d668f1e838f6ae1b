"""How an entry of the journal becomes a line."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.journal_lines import MICROSECONDS, Entry, LineWriter, escape_controls

TIME = 1_709_618_828
"""2024-03-05 06:07:08 UTC."""

ENTRY = Entry(TIME * MICROSECONDS, b"web1", b"sshd", b"42", b"Accepted")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, b"Mar  5 06:07:08 web1 sshd[42]: Accepted"),
        ({"process": b""}, b"Mar  5 06:07:08 web1 sshd: Accepted"),
        ({"identifier": b"", "host": b""}, b"Mar  5 06:07:08 - unknown[42]: Accepted"),
        ({"message": b" indented"}, b"Mar  5 06:07:08 web1 sshd[42]:  indented"),
        ({"message": b""}, b"Mar  5 06:07:08 web1 sshd[42]: "),
        ({"message": b"one\ntwo\n"}, b"Mar  5 06:07:08 web1 sshd[42]: one#012two"),
        ({"message": b"\xff\x7f\xc3\xa9\0"}, b"Mar  5 06:07:08 web1 sshd[42]: \xff\x7f\xc3\xa9"),
        ({"identifier": b"a\tb"}, b"Mar  5 06:07:08 web1 a#011b[42]: Accepted"),
        ({"time": 1_735_689_599_999_999}, b"Dec 31 23:59:59 web1 sshd[42]: Accepted"),
    ],
)
def test_entry_becomes_a_line_of_syslog(change: dict[str, Any], line: bytes) -> None:
    """In the form of rsyslog's traditional file format."""
    assert LineWriter(UTC, message_only=False).write(ENTRY._replace(**change)) == line


def test_message_alone_may_be_the_line() -> None:
    """Its control characters are escaped all the same: a line has no line feed."""
    assert LineWriter(UTC, message_only=True).write(ENTRY._replace(message=b" a\x00b\n")) == b" a#000b"


def test_time_is_that_of_the_zone() -> None:
    """In summer, too; each second anew."""
    writer = LineWriter(ZoneInfo("Europe/Berlin"), message_only=False)
    summer = 1_719_792_000 * MICROSECONDS
    stamps = [writer.write(ENTRY._replace(time=time))[:15] for time in (ENTRY.time, ENTRY.time + 1, summer)]
    assert stamps == [b"Mar  5 07:07:08", b"Mar  5 07:07:08", b"Jul  1 02:00:00"]


@given(st.binary())
def test_escapes_can_be_read_back(text: bytes) -> None:
    """Nothing else changes, and no byte below 32 is left."""
    escaped = escape_controls(text)
    assert min(escaped, default=32) >= 32
    marked = text.replace(b"#", b"")
    back = re.sub(rb"#(\d{3})", lambda found: bytes([int(found[1], 8)]), escape_controls(marked))
    assert back == marked
