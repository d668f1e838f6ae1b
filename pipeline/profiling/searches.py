"""How often the searches of a program run, and how often they find something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.language import Position
from pipeline.runtime import Process, Search, find_searches, replace_searches


@dataclass(slots=True)
class SearchCount:
    """What one search of a pattern did. A test for a text that the pattern requires is not a search."""

    position: Position
    calls: int = 0
    found: int = 0


def count_searches(process: Process, counts: dict[str, SearchCount]) -> Process:
    """Return a copy of a generated function that counts into `counts` what its searches do, by their names."""
    for name, place in find_searches(process).items():
        counts.setdefault(name, SearchCount(place))
    return replace_searches(process, lambda name, search: count_search(search, counts[name]))


def count_search(search: Search, count: SearchCount) -> Search:
    """Return a search that also counts."""

    def counted(subject: bytes) -> object:
        match = search(subject)
        count.calls += 1
        count.found += match is not None
        return match

    return counted


def share_searches(counts: Iterable[SearchCount], lines: int) -> dict[Position, tuple[float, float]]:
    """Return for each pattern the share of `lines` with a search, and with one that found something."""
    by_place: dict[Position, list[SearchCount]] = {}
    for count in counts:
        by_place.setdefault(count.position, []).append(count)
    return {
        position: (max(count.calls for count in steps) / lines, sum(count.found for count in steps) / lines)
        for position, steps in by_place.items()
    }
