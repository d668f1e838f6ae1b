"""Neighbours on the page with their text, kept from page to page.

A block is written with its template, again and again, until a series of it goes or one comes that
belongs in it. Then a draft of it is made, and a block of the draft. Blocks are never changed, only
replaced: who is writing a page goes on with the blocks it began with.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from pipeline.formats.prometheus.samples import LABELS, SampleForm, list_keys, list_labels
from pipeline.metrics import SeriesView

T = TypeVar("T")

STEP = 512
"""How many series are looked at before somebody else has a turn: about 1 ms where their texts are made (measured)."""


# Compared as what it is and not by what it holds, so that others can keep for a block what they make of it.
@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Block:
    """Neighbours on the page.

    `members` are all, `indexes` says of which form each is, `shown` those that have a place on the
    page, and `shown_indexes` of which form these are. `lost` has for each of the others the index of
    its form, and of that of the series that has its labels.
    """

    members: tuple[SeriesView, ...]
    indexes: tuple[int, ...]
    shown: tuple[SeriesView, ...]
    shown_indexes: tuple[int, ...]
    template: str
    lost: tuple[tuple[int, int], ...] = ()


class Draft:
    """What becomes a block, by columns: a tuple for each series would keep the garbage collector busy.

    `keys` is empty as long as nothing was added; then the series are in order. A text is empty
    until the block is composed, unless it is taken over from an earlier block.
    """

    __slots__ = ("forms", "indexes", "keys", "members", "texts")

    def __init__(self, forms: Sequence[SampleForm]) -> None:
        self.forms = forms
        self.members: list[SeriesView] = []
        self.indexes: list[int] = []
        self.texts: list[str] = []
        self.keys: list[str] = []

    def __len__(self) -> int:
        return len(self.members)

    def take_over(self, block: Block) -> None:
        """Begin with the series of `block`."""
        self.members += block.members
        self.indexes += block.indexes
        self.texts += [""] * len(block.members) if block.lost else self.split_template(block)

    def split_template(self, block: Block) -> Iterator[str]:
        """Return the text of each series shown; a label value holds no line feed, but its escape."""
        lines = iter(block.template.split("\n"))
        return ("\n".join(islice(lines, self.forms[index].samples)) + "\n" for index in block.indexes)

    def remove(self, index: int, gone: frozenset[SeriesView]) -> None:
        """Let series of one form go."""
        kept = [
            spot
            for spot, (its, one) in enumerate(zip(self.indexes, self.members, strict=True))
            if its != index or one not in gone
        ]
        self.pick(kept)

    def add(self, index: int, one: SeriesView, key: str) -> None:
        """Add a series."""
        if len(self.keys) < len(self.members):
            self.make_keys()
        self.members.append(one)
        self.indexes.append(index)
        self.texts.append("")
        self.keys.append(key)

    def make_keys(self) -> None:
        """Find the keys of all series."""
        self.keys = [""] * len(self.members)
        for index, form in enumerate(self.forms):
            spots = [spot for spot, its in enumerate(self.indexes) if its == index]
            for spot, key in zip(spots, list_keys(form, [self.members[spot] for spot in spots]), strict=True):
                self.keys[spot] = key

    def sort(self) -> None:
        """Sort by key; of equal keys the first metric's first."""
        if self.keys:
            order = sorted(range(len(self.members)), key=self.indexes.__getitem__)
            order.sort(key=self.keys.__getitem__)
            self.pick(order)

    def pick(self, spots: Sequence[int]) -> None:
        """Keep the series at `spots`, in that order."""
        self.members = [self.members[spot] for spot in spots]
        self.indexes = [self.indexes[spot] for spot in spots]
        self.texts = [self.texts[spot] for spot in spots]
        self.keys = [self.keys[spot] for spot in spots] if self.keys else []

    def cut_off(self, start: int) -> Draft:
        """Take the series from `start` on away and return them."""
        rest = Draft(self.forms)
        rest.members, self.members = self.members[start:], self.members[:start]
        rest.indexes, self.indexes = self.indexes[start:], self.indexes[:start]
        rest.texts, self.texts = self.texts[start:], self.texts[:start]
        rest.keys, self.keys = self.keys[start:], self.keys[:start]
        return rest

    def compose(self) -> Generator[None, None, Block]:
        """Return the block. It takes more than one step if there are more than `STEP` texts to be made."""
        self.sort()
        for index, form in enumerate(self.forms):
            blank = [
                spot
                for spot, (its, text) in enumerate(zip(self.indexes, self.texts, strict=True))
                if its == index and not text
            ]
            for spots in cut(blank, STEP):
                labels = list_labels(form, [self.members[spot] for spot in spots])
                for spot, text in zip(spots, labels, strict=True):
                    self.texts[spot] = form.text.replace(LABELS, text)
                yield
        return self.drop_doubles()

    def drop_doubles(self) -> Block:
        """Return the block; of series with equal labels it shows the first."""
        members, indexes = tuple(self.members), tuple(self.indexes)
        tails = self.list_tails()
        if len({*tails}) == len(tails):
            return Block(members, indexes, members, indexes, "".join(self.texts))
        owners: dict[str, int] = {}
        shown: list[int] = []
        lost: list[tuple[int, int]] = []
        for spot, (index, tail) in enumerate(zip(indexes, tails, strict=True)):
            if tail in owners:
                lost.append((index, owners[tail]))
            else:
                owners[tail] = index
                shown.append(spot)
        return Block(
            members,
            indexes,
            tuple(members[spot] for spot in shown),
            tuple(indexes[spot] for spot in shown),
            "".join(self.texts[spot] for spot in shown),
            tuple(lost),
        )

    def list_tails(self) -> list[str]:
        """Return for each series its last sample's text, which is the same if and only if the labels are."""
        if all(form.samples == 1 for form in self.forms):
            return self.texts
        return [text[text.rfind("\n", 0, -1) + 1 :] for text in self.texts]


def cut(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Return `items` in parts of up to `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))
