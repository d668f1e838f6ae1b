"""What docs/sources.md promises is tested: each cell of the table of sources, and each row of that of rotations."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

NOT_APPLICABLE = "–"
"""What a cell holds where nothing can be promised."""

STOPS = "e2e/test_stops.py::"
DISK = "e2e/test_disk.py::"
OMPROG = "e2e/test_omprog.py::"
STDIN = "e2e/test_stdin.py::"
SYSTEMD = "e2e/test_under_systemd.py::"
FILES = "sources/files/test_path_source.py::"
MEMORY = "sources/files/test_memory.py::"
ROTATION = "sources/files/test_rotation.py::"

WAITS = (f"{STOPS}test_nobody_reads_and_nothing_is_lost_unseen",)
STOP = (f"{STOPS}test_clean_stop_counts_what_was_sent", f"{STOPS}test_what_is_written_meanwhile_is_lost")
RESTART = (f"{SYSTEMD}test_restarts_lose_nothing", f"{SYSTEMD}test_restarts_deliver_no_line_in_pieces")
KILL = (f"{STOPS}test_kill_loses_what_lies_in_the_source",)
KEPT = (*KILL, f"{SYSTEMD}test_kill_loses_nothing_that_lies_in_pipes_and_sockets")
WAITS_ON_DISK = (f"{DISK}test_what_is_on_the_disk_waits_for_us",)
GOES_ON = (f"{DISK}test_next_run_goes_on_where_it_knows_the_position",)

SOURCES: dict[str, tuple[tuple[str, ...], ...]] = {
    "named pipe": (
        WAITS,
        STOP,
        RESTART,
        (*KEPT, f"{STOPS}test_kill_leaves_what_lies_in_a_pipe_that_is_held"),
    ),
    "unix stream socket": (WAITS, STOP, RESTART, KEPT),
    "unix datagram socket": (WAITS, STOP, RESTART, KEPT),
    "TCP": (WAITS, STOP, RESTART, KEPT),
    "UDP": (WAITS, STOP, (*RESTART, "sources/test_udp.py::test_drops_are_counted_once_by_two_runs"), KEPT),
    "file": (
        WAITS_ON_DISK,
        GOES_ON,
        RESTART,
        (
            *GOES_ON,
            "e2e/test_reload.py::test_crashes_count_the_lines_of_a_file_once",
            "e2e/test_logrotate.py::test_killed_daemon_goes_on_where_its_state_was_written",
        ),
    ),
    "journal": (
        WAITS_ON_DISK,
        (*GOES_ON, "e2e/test_journal.py::test_what_is_logged_while_we_are_away_is_counted_after"),
        (f"{SYSTEMD}test_journal_goes_on_by_its_position",),
        (*GOES_ON, "e2e/test_journal.py::test_what_was_counted_before_a_kill_is_counted_once"),
    ),
    "standard input": (
        (
            f"{STDIN}test_every_line_is_counted",
            "sources/test_stdin.py::test_many_lines_through_a_pipe_are_all_delivered",
        ),
        (f"{STDIN}test_sigterm_takes_what_was_written",),
        (),
        (f"{STDIN}test_kill_leaves_what_lies_in_a_pipe_that_is_held",),
    ),
    "standard input with `--confirm`": (
        (f"{OMPROG}test_messages_in_transactions_are_counted_exactly",),
        (f"{OMPROG}test_stop_loses_nothing",),
        (),
        (f"{OMPROG}test_kill_loses_nothing", f"{OMPROG}test_kill_without_state_loses_no_message"),
    ),
}
"""The tests of each cell, by the source and in the order of the columns."""

ROTATIONS: dict[str, tuple[str, ...]] = {
    "renamed, and a new file made (logrotate's `create`)": (
        "create",
        "create, all at once",
        "create, the writer comes over late",
        "create, twice",
        f"{FILES}test_old_file_is_read_to_its_end_first",
        "e2e/test_logrotate.py::test_create_loses_and_doubles_nothing",
    ),
    "renamed, and no new file yet": ("create, the new file comes late",),
    "renamed within the pattern (`app.log*`)": ("renamed within the pattern",),
    "copied and truncated (logrotate's `copytruncate`)": (
        "copytruncate",
        "copytruncate, before all was read",
        "copytruncate, the copy matches",
        "e2e/test_logrotate.py::test_copytruncate_loses_what_the_copy_lacks_and_no_more",
    ),
    "truncated": ("truncate", "truncate, and grown beyond", "truncate, and grown to the same size"),
    "a symbolic link is switched": (
        "link switched",
        "link switched, where files match too",
        f"{FILES}test_writing_through_a_link_wakes_us",
    ),
    "made again with the wrong mode": ("wrong mode",),
    "deleted, and made again": (
        "deleted and back",
        "deleted and back, all at once",
        f"{FILES}test_deleted_file_is_let_go_soon",
    ),
    "a new date in the name (`app-*.log`)": ("dates in names",),
    "any of these while the daemon is away, with `--read_positions`": (
        "create while away",
        "copytruncate while away",
        "truncate while away",
        "new date while away",
        "wrong mode while away",
        f"{MEMORY}test_file_that_was_renamed_while_away_keeps_its_new_name",
    ),
}
"""The tests of each row; what is no function is a row of the test of rotations."""


@cache
def read_table(head: str) -> dict[str, list[str]]:
    """Return the cells of the table in docs/sources.md that begins with a row, by the first of each row."""
    page = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    lines = page.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {first: cells for first, *cells in rows}


@cache
def parse_tests(path: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of the functions of a test file, and all its texts."""
    nodes = list(ast.walk(ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))))
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return frozenset(functions), frozenset(str(node.value) for node in nodes if isinstance(node, ast.Constant))


def exists(test: str) -> bool:
    """Whether there is such a test, or such a row of the test of rotations."""
    path, separator, name = test.rpartition("::")
    return name in (parse_tests(path)[0] if separator else parse_tests(ROTATION.removesuffix("::"))[1])


def test_each_promise_about_a_source_has_its_tests() -> None:
    """None is forgotten, whoever adds a source or a column; a cell that promises nothing has none."""
    table = read_table("Source | When programs are slow")
    assert table.keys() == SOURCES.keys()
    for source, cells in table.items():
        assert [cell != NOT_APPLICABLE for cell in cells] == [bool(tests) for tests in SOURCES[source]], source


def test_each_rotation_has_its_tests() -> None:
    """None is forgotten, whoever adds a row."""
    assert read_table("What happens").keys() == ROTATIONS.keys()
    assert all(ROTATIONS.values())


NAMED = sorted(
    {
        *(test for cells in SOURCES.values() for tests in cells for test in tests),
        *(test for tests in ROTATIONS.values() for test in tests),
    }
)


@pytest.mark.parametrize("test", NAMED)
def test_named_test_exists(test: str) -> None:
    """Whoever renames a test names it anew here."""
    assert exists(test)
