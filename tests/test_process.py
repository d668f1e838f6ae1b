"""What the kernel says of this process."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

from pipeline.process import PROC, count_descriptors, find_start, read_usage


def test_usage_is_that_of_this_process() -> None:
    """Descriptors, memory and start are within what can be."""
    usage = read_usage()
    assert usage.cpu_seconds > 0
    assert usage.max_fds == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert usage.resident_bytes is not None
    assert usage.virtual_bytes is not None
    assert 10 * 2**20 < usage.resident_bytes < usage.virtual_bytes
    assert usage.start_seconds is not None
    assert usage.start_seconds < time.time_ns() / 1e9


def test_opened_descriptors_are_counted() -> None:
    """One more for each."""
    before = count_descriptors(PROC)
    assert before is not None
    descriptors = os.pipe()
    assert count_descriptors(PROC) == before + 2
    for descriptor in descriptors:
        os.close(descriptor)
    assert count_descriptors(PROC) == before


def make_proc(folder: Path) -> Path:
    """Make what we read of proc(5), with numbers that tell the fields apart."""
    (folder / "self").mkdir()
    (folder / "self/statm").write_text("7 3 2 1 0 4 0\n")
    fields = " ".join(str(number) for number in range(4, 53))
    (folder / "self/stat").write_text(f"42 (a) b) S {fields}\n")
    (folder / "stat").write_text("cpu  1 2 3\nintr 0\nbtime 1700000000\nprocesses 9\n")
    return folder


def test_files_of_proc_are_read_as_documented(tmp_path: Path) -> None:
    """Pages, and ticks since the machine booted; the program's name may hold a parenthesis."""
    proc = make_proc(tmp_path)
    usage = read_usage(proc)
    assert usage.virtual_bytes == 7 * resource.getpagesize()
    assert usage.resident_bytes == 3 * resource.getpagesize()
    assert usage.start_seconds == 1_700_000_000 + 22 / os.sysconf("SC_CLK_TCK")


def test_descriptors_are_listed_where_the_folder_has_no_size(tmp_path: Path) -> None:
    """As before Linux 6.2, and as it still is for threads; the descriptor of the look itself does not count."""
    (tmp_path / "self").mkdir()
    (tmp_path / "self/fd").symlink_to("/proc/self/task")
    assert count_descriptors(tmp_path) == len([*Path("/proc/self/task").iterdir()]) - 1


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    """Where proc(5) is not mounted."""
    usage = read_usage(tmp_path)
    assert (usage.open_fds, usage.resident_bytes, usage.virtual_bytes, usage.start_seconds) == (None,) * 4
    assert find_start(tmp_path) is None
