"""The table of decoders. Each is imported when it is first asked for, with the library that it needs.

To import all of them takes as long as to compile a program, and most programs decode nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from pipeline.decoders.decoder import Decoder


class DecoderTable(Mapping[str, Decoder]):
    """Decoders by their names: that of a module beside this one, which has its decoder under the name in capitals."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.loaded: dict[str, Decoder] = {}

    def __getitem__(self, name: str) -> Decoder:
        if name not in self.loaded:
            if name not in self.names:
                raise KeyError(name)
            self.loaded[name] = getattr(import_module(f"pipeline.decoders.{name}"), name.upper())
        return self.loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)
