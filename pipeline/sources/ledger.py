"""Which files are read, and were read, by all sources together: nothing is to be counted twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every source knows the ledger, and few know files
    from pipeline.sources.files.identity import Identity, Mark
    from pipeline.sources.files.tail import Tail

MAX_PAST = 256
"""How many files are remembered that are no longer read. It matters when one is moved back, or a copy of it comes
to light; both happen within days, and a rotation adds one."""


@dataclass(slots=True)
class Ledger:
    """Shared by the sources of one daemon."""

    tails: dict[Identity, Tail] = field(default_factory=dict)
    past: deque[Mark] = field(default_factory=lambda: deque(maxlen=MAX_PAST))
    readers: dict[str, object] = field(default_factory=dict)
    """Which source reads a path: the first that found it."""

    def claim(self, path: str, reader: object) -> bool:
        """Return whether `reader` is the one to read `path`."""
        return self.readers.setdefault(path, reader) is reader

    def release(self, path: str) -> None:
        """Let another source read `path`; whoever has claimed it calls this."""
        del self.readers[path]

    def find_past(self, identity: Identity, head: bytes, size: int) -> Mark | None:
        """Return how far a file was read that was let go of, and is here again."""
        return next((mark for mark in reversed(self.past) if mark.identity == identity and mark.fits(head, size)), None)

    def marks_like(self, tail: Tail) -> Iterator[Mark]:
        """Return what is known of other files; of those that are read now, only if they begin as `tail` does.

        A mark takes 5 µs, and with a thousand files a new one would otherwise take a thousand (measured).
        """
        yield from self.past
        head = tail.head
        for other in self.tails.values():
            if other.head and (head.startswith(other.head) or other.head.startswith(head)) and other is not tail:
                yield other.mark
