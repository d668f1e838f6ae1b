"""Keeps descriptors from one run of a source to the next, as systemd does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline.descriptors import Descriptors, identify_descriptor


@dataclass(slots=True)
class Keeper:
    """To be notified in systemd's place (sd_notify(3))."""

    kept: list[tuple[int, str]] = field(default_factory=list)

    def __call__(self, text: str, descriptors: Sequence[int]) -> None:
        fields = dict(line.split("=", 1) for line in text.splitlines())
        if "FDSTORE" in fields:
            known = {identify_descriptor(descriptor) for descriptor, _ in self.kept}
            new = [descriptor for descriptor in descriptors if identify_descriptor(descriptor) not in known]
            self.kept += [(os.dup(descriptor), fields["FDNAME"]) for descriptor in new]
        if "FDSTOREREMOVE" in fields:
            for descriptor, name in [one for one in self.kept if one[1] == fields["FDNAME"]]:
                self.kept.remove((descriptor, name))
                os.close(descriptor)

    def start(self) -> Descriptors:
        """Return what a run that starts now is passed."""
        passed = [(os.dup(descriptor), name) for descriptor, name in self.kept]
        return Descriptors.receive(passed, self, stores=True)

    def close(self) -> None:
        for descriptor, _ in self.kept:
            os.close(descriptor)
        self.kept.clear()


@contextmanager
def keeping() -> Iterator[Keeper]:
    keeper = Keeper()
    try:
        yield keeper
    finally:
        keeper.close()
