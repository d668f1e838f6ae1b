"""The files that hold programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.program_files import MAX_PROGRAM_BYTES, find_programs, read_program


def test_found_programs_are_paths(tmp_path: Path) -> None:
    """`check` and `explain` take them one by one."""
    (tmp_path / "a.mtail").touch()
    assert find_programs(tmp_path) == [tmp_path / "a.mtail"]


def test_program_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """A log with a program's name is not read into memory."""
    path = tmp_path / "a.mtail"
    path.write_bytes(b"#" * (MAX_PROGRAM_BYTES + 1))
    with pytest.raises(OSError, match="it has more than 1,048,576 bytes"):
        read_program(path)
    path.write_bytes(b"#" * MAX_PROGRAM_BYTES)
    assert len(read_program(path)) == MAX_PROGRAM_BYTES
