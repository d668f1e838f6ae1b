"""A log of lines nobody cares for, with a wanted one strewn into each group of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random


def strew_lines(
    wanted: Iterable[bytes], noise: Iterable[bytes], *, groups: int, one_in: int, seed: int = 1
) -> Iterator[list[bytes]]:
    """Yield `groups` groups of `one_in` lines: one wanted line in each, at a random place. Both stay in order."""
    rng = Random(seed)
    rest = iter(noise)
    for line in itertools.islice(wanted, groups):
        group = list(itertools.islice(rest, one_in - 1))
        group.insert(rng.randrange(one_in), line)
        yield group


def write_strewn_log(path: Path, wanted: Iterable[bytes], noise: Iterable[bytes], *, groups: int, one_in: int) -> None:
    """Write the groups. The lines end in line feeds already."""
    with path.open("wb") as log:
        for group in strew_lines(wanted, noise, groups=groups, one_in=one_in):
            log.writelines(group)
