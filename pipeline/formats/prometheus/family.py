"""The series of a family in order, kept from page to page.

A page that finds the same series as the last one writes all blocks as they are. Series that came or
went cost the making anew of the blocks they belong in: a page costs by what changed and not by what
there is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterator, Sequence

from pipeline.formats.prometheus.blocks import STEP, Block, Draft, cut
from pipeline.formats.prometheus.samples import SampleForm, list_keys
from pipeline.metrics import SeriesView

BLOCK_SAMPLES = 256
"""A block that grows to twice this is halved. Smaller blocks cost more to write, larger ones to make anew."""

SPARSE_BLOCKS = 8
"""A family may have so many blocks beyond twice those that it needs before it is divided anew."""


class Family:
    """The series of metrics with one exported name. A metric is known by the place of its form.

    `contents[i]` holds the keys from `lows[i]` on to `lows[i + 1]`.
    """

    def __init__(self, forms: tuple[SampleForm, ...], block_samples: int = BLOCK_SAMPLES) -> None:
        self.forms = forms
        self.capacity = max(block_samples // max(form.samples for form in forms), 1)
        self.clear()

    def clear(self) -> None:
        """Forget all series."""
        self.known: list[tuple[SeriesView, ...]] = [()] * len(self.forms)
        self.lows = [""]
        self.contents: list[Block | Draft] = [Draft(self.forms)]

    def list_blocks(self) -> tuple[Block, ...]:
        """Return the blocks in order of the page. No update may be under way."""
        return tuple(content for content in self.contents if isinstance(content, Block))

    def update(self, current: list[tuple[SeriesView, ...]]) -> Iterator[None]:
        """Take in which series each metric has now, in order of creation. If they are the same it takes no step.

        An update that is not carried through to its end leaves the family of no use.
        """
        if len(self.contents) > SPARSE_BLOCKS + 2 * sum(map(len, current)) // self.capacity:
            self.clear()
        for index, series in enumerate(current):
            gone, born = yield from find_changes(self.known[index], series)
            if gone:
                yield from self.remove(index, frozenset(gone))
            for part in cut(born, STEP):
                yield from self.place(index, part)
                yield
        self.known = current
        for spot, content in enumerate(self.contents):
            if isinstance(content, Draft):
                self.contents[spot] = yield from content.compose()
                yield

    def remove(self, index: int, gone: frozenset[SeriesView]) -> Iterator[None]:
        """Take series of one metric out of their blocks."""
        for spot, content in enumerate(self.contents):
            if not gone.isdisjoint(content.members):
                self.open(spot).remove(index, gone)
                yield

    def place(self, index: int, series: Sequence[SeriesView]) -> Iterator[None]:
        """Put series of one metric into the blocks they belong in."""
        for key, one in zip(list_keys(self.forms[index], series), series, strict=True):
            spot = bisect_right(self.lows, key) - 1
            if isinstance(self.contents[spot], Block):
                yield
            draft = self.open(spot)
            draft.add(index, one, key)
            if len(draft) % (2 * self.capacity) == 0:
                self.split(spot)

    def open(self, spot: int) -> Draft:
        """Return a draft in place of a block."""
        content = self.contents[spot]
        if isinstance(content, Draft):
            return content
        draft = self.contents[spot] = Draft(self.forms)
        draft.take_over(content)
        return draft

    def split(self, spot: int) -> None:
        """Make two drafts of one, unless all its keys are equal: these stay together, since labels may be equal."""
        draft = self.open(spot)
        draft.sort()
        middle = draft.keys[len(draft) // 2]
        start = bisect_left(draft.keys, middle) or bisect_right(draft.keys, middle)
        if start < len(draft):
            rest = draft.cut_off(start)
            self.contents.insert(spot + 1, rest)
            self.lows.insert(spot + 1, rest.keys[0])


def find_changes(
    known: tuple[SeriesView, ...], current: tuple[SeriesView, ...]
) -> Generator[None, None, tuple[list[SeriesView], tuple[SeriesView, ...]]]:
    """Return which of `known` are gone, and which of `current` are new. Both are in order of creation.

    So nobody has to count what comes and goes. To compare 100,000 series takes 1 ms where none is gone (measured).
    """
    gone = []
    spot = 0
    for part in cut(known, STEP):
        if part == current[spot : spot + len(part)]:
            spot += len(part)
            continue
        for one in part:
            if spot < len(current) and one is current[spot]:
                spot += 1
            else:
                gone.append(one)
        yield
    return gone, current[spot:]
