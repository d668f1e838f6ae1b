"""A program whose counter has as many series as its log has different lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

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


def spell_line(number: int) -> bytes:
    return b"series client-%d /shelf/%d\n" % (number % CLIENTS, number // CLIENTS)


def spell_lines(count: int) -> bytes:
    """Return lines that make `count` series, or change each of them."""
    return b"".join(map(spell_line, range(count)))


def pick_lines(count: int, rng: Random) -> Iterator[bytes]:
    """Yield for ever lines that change one of `count` series."""
    while True:
        yield spell_line(rng.randrange(count))


def count_series(page: bytes) -> int:
    """Return how many of the series a page shows."""
    return page.count(f"\n{METRIC}{{".encode("ascii"))
