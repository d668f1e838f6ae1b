"""A program whose counter has as many series as its log has different lines."""

from __future__ import annotations

from pathlib import Path

METRIC = "bench_requests_total"
PROGRAM = f"""counter {METRIC} by client, page

/^series (?P<client>[^ ]+) (?P<page>[^ ]+)$/ {{
  {METRIC}[$client, $page]++
}}
"""
CLIENTS = 1000


def write_program(folder: Path) -> Path:
    """Write the program into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("series.mtail").write_text(PROGRAM, encoding="utf-8")
    return folder


def spell_lines(count: int) -> bytes:
    """Return lines that make `count` series."""
    lines = (f"series client-{number % CLIENTS} /shelf/{number // CLIENTS}\n" for number in range(count))
    return "".join(lines).encode("ascii")


def count_series(page: bytes) -> int:
    """Return how many of the series a page shows."""
    return page.count(f"\n{METRIC}{{".encode("ascii"))
