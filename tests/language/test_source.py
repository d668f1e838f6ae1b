"""The text of a program, and places in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.language.source import Position, SourceFile, Span


def test_spans_join() -> None:
    """The smallest span that covers both, whichever comes first."""
    assert Span(5, 7) | Span(1, 2) == Span(1, 7)
    assert Span(1, 9) | Span(2, 3) == Span(1, 9)


def test_positions_count_lines_and_bytes_from_one() -> None:
    """As editors do; a tab is one byte."""
    source = SourceFile("a.mtail", "a\n\t日b\n\nc")
    assert source.position(0) == Position(1, 1)
    assert source.position(1) == Position(1, 2)
    assert source.position(3) == Position(2, 2)
    assert source.position(4) == Position(2, 5)
    assert source.position(6) == Position(3, 1)
    assert source.position(8) == Position(4, 2)


def test_empty_text_has_one_line() -> None:
    """So that its end is a place."""
    source = SourceFile("a.mtail", "")
    assert source.position(0) == Position(1, 1)
    assert source.line_text(1) == ""


def test_line_has_no_line_end() -> None:
    """Neither a line feed nor the carriage return before it."""
    source = SourceFile("a.mtail", "a\r\nb\n\nc")
    assert [source.line_text(line) for line in (1, 2, 3, 4)] == ["a", "b", "", "c"]


def test_place_is_described_by_first_and_last_column() -> None:
    """As HELP texts and JSON show it; a single column, or a span of several lines, by the first."""
    source = SourceFile("a.mtail", "counter lines\nab\ncd\n")
    assert source.describe(Span(8, 13)) == "a.mtail:1:9-13"
    assert source.describe(Span(8, 9)) == "a.mtail:1:9"
    assert source.describe(Span(8, 8)) == "a.mtail:1:9"
    assert source.describe(Span(14, 19)) == "a.mtail:2:1"


def test_every_undecodable_byte_becomes_one_sign() -> None:
    """So that columns count what is in the file, as far as they can."""
    assert (
        SourceFile.from_bytes("a.mtail", b"a\xff\xe2\x82b\xed\xa0\x80").text == "a\ufffd\ufffd\ufffdb\ufffd\ufffd\ufffd"
    )
    assert SourceFile.from_bytes("a.mtail", "日".encode()).text == "日"


@given(st.binary())
def test_any_bytes_are_a_text(data: bytes) -> None:
    """Valid UTF-8 is kept, and everything can be written again."""
    text = SourceFile.from_bytes("a.mtail", data).text
    text.encode()
    assert "\ufffd" in text or text.encode() == data


@given(st.text(alphabet="a\té日\n"), st.data())
def test_position_is_where_the_text_before_ends(text: str, data: st.DataObject) -> None:
    """For every place, the end of the text too."""
    offset = data.draw(st.integers(0, len(text)))
    before = text[:offset].encode().split(b"\n")
    assert SourceFile("a.mtail", text).position(offset) == Position(len(before), len(before[-1]) + 1)
