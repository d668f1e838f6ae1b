"""A record that has begun, and how it goes over to the next run. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pipeline.record_settings import RecordSettings

Key: TypeAlias = tuple[bytes | None, ...]
"""What the groups of a header hold. Lines without a header have none, and so have all where none is asked for."""

Spelled: TypeAlias = Sequence[Mapping[str, object]]
"""Records that have begun, as JSON can write them."""


@dataclass(slots=True)
class BegunRecord:
    """The lines of a record that may go on, as far as they are kept."""

    text: bytearray
    since: float
    """When its last line came."""
    lines: int = 1
    kept: int = 1
    """How many of its lines are in the text, if only in part."""
    is_cut: bool = False
    """Whether some of it was thrown away."""

    def extend(self, lines: Sequence[bytes], separator: bytes, settings: RecordSettings) -> None:
        """Go on with lines: with all in one step, where the limits let them all in."""
        kept = self.kept + len(lines)
        if lines and not self.is_cut and kept <= settings.max_record_lines:
            more = separator + separator.join(lines)
            if len(self.text) + len(more) <= settings.max_record_bytes:
                self.text += more
                self.lines += len(lines)
                self.kept = kept
                return
        for line in lines:
            self.add(line, separator, settings)

    def add(self, line: bytes, separator: bytes, settings: RecordSettings) -> None:
        """Go on with a line, as far as the limits let it in; what is beyond is thrown away, as is all that follows.

        The first line is as long as it is: that has a limit of its own.
        """
        self.lines += 1
        if self.is_cut:
            return
        room = settings.max_record_bytes - len(self.text) - len(separator)
        if self.kept >= settings.max_record_lines or room < min(len(line), 1):
            self.is_cut = True
            return
        self.is_cut = len(line) > room
        self.kept += 1
        self.text += separator
        self.text += line[:room]

    def spell(self, key: Key) -> dict[str, object]:
        """Return it as JSON can write it."""
        return {
            "text": encode(self.text),
            "lines": self.lines,
            "kept": self.kept,
            "cut": self.is_cut,
            "key": [None if part is None else encode(part) for part in key],
        }


def read_records(spelled: object, now: float) -> list[tuple[Key, BegunRecord]]:
    """Return what `BegunRecord.spell` wrote; what is none of ours is left out. They wait from `now` on."""
    if not isinstance(spelled, Iterable):
        return []
    return [found for entry in spelled if (found := read_record(entry, now)) is not None]


def read_record(entry: object, now: float) -> tuple[Key, BegunRecord] | None:
    """Return one of them, None if it is something else."""
    match entry:
        case {"text": str(text), "lines": int(lines), "kept": int(kept), "cut": bool(is_cut), "key": list(key)}:
            try:
                record = BegunRecord(bytearray(decode(text)), now, lines, kept, is_cut)
                parts = tuple(None if part is None else decode(part) for part in key)
            except (ValueError, TypeError):
                return None
            return None if b"\n" in record.text else (parts, record)
        case _:
            return None


def split_lines(block: bytes) -> list[bytes]:
    """Return the lines of a block."""
    lines = block.split(b"\n")
    del lines[-1]
    return lines


def join_lines(lines: Sequence[bytes]) -> bytes:
    """Return lines as a block."""
    return b"\n".join(lines) + b"\n" if lines else b""


def encode(text: bytes | bytearray) -> str:
    return base64.b64encode(text).decode("ascii")


def decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
