"""The flags that say which lines belong together."""

from __future__ import annotations

from pipeline.flag import LINES, Flag, flatten_values
from pipeline.flag_types import DURATION, INTEGER, SOURCES, TEXT, TextType
from pipeline.record_settings import RecordSettings


class SeparatorType(TextType):
    """A text that may be a blank, which the help would not show."""

    def spell(self, value: object) -> str:
        """Return it between quotes."""
        return f"'{value}'"


RECORD_FLAGS = (
    Flag(
        of=RecordSettings,
        name="record_start",
        type=TEXT,
        section=LINES,
        help="Join lines to records: a line that matches this pattern begins one. Alone, any other goes on with it.",
    ),
    Flag(
        of=RecordSettings,
        name="record_continue",
        type=TEXT,
        section=LINES,
        help="The same: a line that matches goes on with the one before. Alone, any other begins a record.",
    ),
    Flag(
        of=RecordSettings,
        name="record_header",
        type=TEXT,
        section=LINES,
        help="What stands at the beginning of each line before its message. Lines belong together only if its groups "
        "hold the same, and the two patterns look at the message.",
    ),
    Flag(
        of=RecordSettings,
        name="record_sources",
        type=SOURCES,
        section=LINES,
        repeatable=True,
        callback=flatten_values,
        help="Join lines of these sources only: names as in --logs, or patterns of them. Comma-separated, repeatable.",
    ),
    Flag(
        of=RecordSettings,
        name="record_separator",
        type=SeparatorType(),
        section=LINES,
        help="What stands between the lines of a record.",
    ),
    Flag(
        of=RecordSettings,
        name="max_record_lines",
        type=INTEGER,
        section=LINES,
        help="A record keeps no more lines than this; what is more is cut off, and counted.",
    ),
    Flag(
        of=RecordSettings,
        name="max_record_bytes",
        type=INTEGER,
        section=LINES,
        help="The same for its bytes.",
    ),
    Flag(
        of=RecordSettings,
        name="max_open_records",
        type=INTEGER,
        section=LINES,
        help="With --record_header, so many records of one source may wait for their next line; the oldest ends.",
    ),
    Flag(
        of=RecordSettings,
        name="record_timeout",
        type=DURATION,
        section=LINES,
        help="How long a record waits for its next line. 0: until one comes that begins another.",
    ),
)
