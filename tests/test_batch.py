"""The batch: what is asked of its lines agrees with its block."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import Batch

LINES = st.lists(st.sampled_from([b"", b"a", b"abc", b"\r", b"\xff", "ä".encode()]), min_size=1)


@given(LINES)
def test_lines_are_those_of_the_block(lines: list[bytes]) -> None:
    """Empty ones too."""
    batch = Batch.of(lines, b"-")
    assert batch.block == b"".join(line + b"\n" for line in lines)
    assert batch.lines == lines


@pytest.mark.parametrize("is_split", [False, True])
@given(LINES)
def test_lines_are_counted(is_split: bool, lines: list[bytes]) -> None:
    """Whether they were split before or not."""
    batch = Batch.of(lines, b"-")
    if is_split:
        assert batch.lines
    assert (batch.line_count, batch.line_count) == (len(lines), len(lines))


@given(LINES)
def test_batch_is_ascii_when_every_line_is(lines: list[bytes]) -> None:
    """One byte that is not, anywhere, is enough."""
    batch = Batch.of(lines, b"-")
    assert batch.is_ascii == all(line.isascii() for line in lines)


def test_lines_are_split_once() -> None:
    """All programs share them."""
    batch = Batch.of([b"a", b"b"], b"-")
    assert batch.lines is batch.lines


def test_batches_are_equal_by_what_they_hold() -> None:
    """Whatever has been asked of one of them."""
    batch = Batch.of([b"a", b"b"], b"-")
    assert batch.line_count == len(batch.lines) == 2
    assert batch == Batch(b"a\nb\n", b"-")
    assert batch != Batch(b"a\nb\n", b"/log")
