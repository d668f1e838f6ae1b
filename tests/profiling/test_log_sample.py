"""The lines that a program is profiled with."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.profiling.log import BATCH_BYTES, MAX_BYTES, read_sample


def test_short_log_is_repeated_to_the_size_of_a_batch(tmp_path: Path) -> None:
    """In whole, so that shares of its lines stay what they are; a last line without a line feed is one, too."""
    (tmp_path / "log").write_text("a\r\nbb\nccc")
    sample = read_sample(str(tmp_path / "log"))
    assert sample.lines == 3
    assert sample.origin == str(tmp_path / "log").encode()
    (block,) = sample.blocks
    assert BATCH_BYTES <= len(block) < BATCH_BYTES + 9
    assert block.replace(b"a\nbb\nccc\n", b"") == b""


def test_batches_come_again_and_again(tmp_path: Path) -> None:
    """Each unsplit, as the daemon gets it."""
    (tmp_path / "log").write_text("a\n")
    first, second = islice(read_sample(str(tmp_path / "log")).repeat(), 2)
    assert first == second
    assert first is not second


def test_beginning_of_a_large_log_is_read(tmp_path: Path) -> None:
    """It is kept in memory."""
    (tmp_path / "log").write_bytes((b"-" * 1023 + b"\n") * (MAX_BYTES // 1024 + 1024))
    sample = read_sample(str(tmp_path / "log"))
    assert sum(map(len, sample.blocks)) == MAX_BYTES
    assert sample.lines == MAX_BYTES // 1024


def test_empty_log_has_no_lines(tmp_path: Path) -> None:
    """And no batches."""
    (tmp_path / "log").touch()
    sample = read_sample(str(tmp_path / "log"))
    assert (sample.lines, sample.blocks) == (0, ())


def test_missing_log_is_refused(tmp_path: Path) -> None:
    """In one sentence."""
    with pytest.raises(SettingError) as caught:
        read_sample(str(tmp_path / "log"))
    assert str(caught.value) == f"{tmp_path}/log cannot be read: no such file or directory."
