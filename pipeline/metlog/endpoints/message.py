"""A message on its way through the router: the envelope as it came, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.decoders import Value


@dataclass(slots=True)
class Message:
    """One envelope. Nobody changes it; to make one that is frozen takes three times as long.

    `line` is its JSON text without a line feed, and what endpoints keep and send. `record` has all nine fields, those
    that were not given with their defaults; `time` is the time stamp in ns since 1970, or the time of reading where
    there is none.
    """

    line: bytes
    record: Mapping[str, Value]
    time: int
