"""What is compressed, and what is a log."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pytest

from pipeline.sources.compressed import find_compression, may_be_compressed


@pytest.mark.parametrize(
    ("data", "program"),
    [
        (gzip.compress(b"line\n", mtime=0), "gzip"),
        (bz2.compress(b"line\n"), "bzip2"),
        (bz2.compress(b"line\n", 1), "bzip2"),
        (lzma.compress(b"line\n"), "xz"),
        (b"(\xb5/\xfd\x04", "zstd"),
        (b"Big line\n", None),
        (b"BZhang logged in\n", None),
        (b"", None),
    ],
)
def test_compressed_file_is_known(data: bytes, program: str | None) -> None:
    """By what the programs write first."""
    assert find_compression(data) == program


def test_a_first_byte_does_not_tell() -> None:
    """More has to come before it is a log or not."""
    assert may_be_compressed(b"B")
    assert may_be_compressed(b"BZh9")
    assert not may_be_compressed(b"B\n")
    assert not may_be_compressed(b"BZh9 ")
