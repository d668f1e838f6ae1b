"""Which lines belong together: what an operator may say about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.errors import SettingError
from pipeline.setting_checks import require_at_least, require_not_negative


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSettings:
    """How lines of some sources are joined to records. Without a pattern, none are."""

    record_start: str = ""
    record_continue: str = ""
    record_header: str = ""
    """Stands at the beginning of each line, and its groups tell which lines have to do with each other."""
    record_sources: tuple[str, ...] = ()
    """Names of sources, or patterns of names as in fnmatch(3); none stands for all."""
    record_separator: str = " "
    # A stack trace of Java has some 100 lines of 100 bytes for each cause. Filebeat takes 500 lines, too.
    max_record_lines: int = 500
    max_record_bytes: int = 64 * 1024
    # Filebeat and Fluent Bit wait for as long. A trace is written at once; between may be a syslog daemon's queue.
    record_timeout_seconds: float = 5.0
    # Who is told apart by a header is a process of a host; each costs at most one record of memory.
    max_open_records: int = 1000
    where: str = field(default="--", compare=False)
    """What messages about a pattern begin with, before the name of the setting."""

    def __post_init__(self) -> None:
        require_at_least("max_record_lines", self.max_record_lines, 2)
        require_at_least("max_record_bytes", self.max_record_bytes, 1)
        require_at_least("max_open_records", self.max_open_records, 1)
        require_not_negative("record_timeout", self.record_timeout_seconds)
        if "\n" in self.record_separator:
            raise SettingError("--record_separator must not hold a line feed, which would end the line.")
        if not self.joins and (self.record_header or self.record_sources):
            name = "record_header" if self.record_header else "record_sources"
            raise SettingError(f"--{name} does nothing without --record_start or --record_continue.")

    @property
    def joins(self) -> bool:
        """Whether any lines are joined."""
        return bool(self.record_start or self.record_continue)
