"""What `emit` may be told: where to send, how much, how fast, and what."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SettingError
from pipeline.setting_checks import require_at_least, require_not_negative

STDIN = Path("-")
STDOUT = "-"

MAX_SENDERS = 64
"""More processes than any machine needs to be busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmitSettings:
    """Messages or lines for a receiver.

    Without a `count` there is one, or as many as there is time or lines for; a `count` of 0 has no end.
    """

    to: str = ""
    rate: int = 0
    count: int | None = None
    duration_seconds: float = 0.0
    senders: int = 1
    wait_seconds: float = 1.0
    type: str = "counter"
    logger: str = "emit"
    severity: int = 6
    payload: str = ""
    field: tuple[tuple[str, str], ...] = ()
    line: str = ""
    lines: Path | None = None

    def __post_init__(self) -> None:
        if not self.to:
            raise SettingError("No receiver is given. Name one with --to.")
        require_at_least("rate", self.rate, 0)
        require_at_least("count", self.count or 0, 0)
        require_not_negative("duration", self.duration_seconds)
        require_not_negative("wait", self.wait_seconds)
        if not 1 <= self.senders <= MAX_SENDERS:
            raise SettingError(f"--senders must be from 1 to {MAX_SENDERS}, not {self.senders}.")
        if not 0 <= self.severity <= 7:
            raise SettingError(f"--severity must be from 0 (emergency) to 7 (debug), not {self.severity}.")
        if self.line and self.lines:
            raise SettingError("--line and --lines exclude each other: there is one line, or those of a file.")
        if "\n" in self.line:
            raise SettingError("--line must be one line.")
        if self.lines == STDIN and self.senders > 1:
            raise SettingError("Standard input can be read by one sender only, not by --senders.")
        if self.to.startswith("journal://") and self.has_lines:
            raise SettingError("The journal takes entries, not lines: leave out --line and --lines.")

    @property
    def has_lines(self) -> bool:
        """Whether plain lines are sent, and no messages."""
        return bool(self.line) or self.lines is not None

    @property
    def limit(self) -> int | None:
        """How many are sent at most by all senders together; None if there is no limit."""
        if self.count is None:
            return None if self.duration_seconds or self.lines else 1
        return self.count or None

    @property
    def wanted(self) -> int | None:
        """How many there will be, if nothing is slower than it should be; None if nobody can know."""
        if self.lines is not None and not self.is_repeated:
            return None
        numbers = [] if self.limit is None else [self.limit]
        if self.rate and self.duration_seconds:
            numbers.append(math.ceil(self.rate * round(self.duration_seconds * 1e9) / 1e9))
        elif self.duration_seconds:
            return None
        return min(numbers, default=None)

    @property
    def is_repeated(self) -> bool:
        """Whether the lines of a file begin again at its end."""
        return self.lines != STDIN and bool(self.count is not None or self.duration_seconds)
