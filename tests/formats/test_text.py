"""Invalid UTF-8 in texts of a format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats.text import decode_text, encode_text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain", "plain"),
        ("ü\ufffd".encode(), "ü\ufffd"),
        (b"a\xffb", "a\ufffdb"),
        (b"\xe2\x82", "\ufffd\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xc0\xaf", "\ufffd\ufffd"),
    ],
)
def test_each_invalid_byte_becomes_one_replacement(data: bytes, text: str) -> None:
    """As Go reads them, one by one; a real U+FFFD stays."""
    assert decode_text(data) == text


@given(st.binary())
def test_any_bytes_become_valid_text(data: bytes) -> None:
    """And it can be written as UTF-8."""
    assert decode_text(decode_text(data).encode()) == decode_text(data)


def test_file_name_with_invalid_bytes_can_be_written() -> None:
    """Python holds such a byte as a lone surrogate."""
    assert encode_text("w\udcffb.mtail ü") == "w\ufffdb.mtail ü".encode()
