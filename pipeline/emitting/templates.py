"""What is sent: messages and lines made from what the operator gave, with numbers and times put in."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from itertools import count, islice, repeat
from pathlib import Path
from typing import BinaryIO, TypeAlias

from pipeline.emit_settings import STDIN, EmitSettings
from pipeline.errors import SettingError, describe_os_error
from pipeline.metlog.envelope import ENV_VERSION, Message, Stamper
from pipeline.metlog.harmless import mend_text

PLACEHOLDER = re.compile(r"\{(n|time)\}")
NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?")
TRUTHS = {"true": True, "false": False}

MEASURES = ("counter", "timer", "gauge")
"""Types whose payload is a number, and which have a name."""

# The longest line of a file; what is longer is sent in parts.
MAX_LINE_BYTES = 1024 * 1024

Fill: TypeAlias = Callable[[int, int], str]
"""Returns a text with the number of a message, and the time in ns since 1970."""

Make: TypeAlias = Callable[[int, int], Message | bytes]
"""Returns what is sent, of the same."""


def make_fill(text: str, stamper: Stamper) -> Fill:
    """Return what puts numbers and times in the place of `{n}` and `{time}`."""
    if not PLACEHOLDER.search(text):
        return lambda _number, _now: text

    def fill(number: int, now: int) -> str:
        told = {"n": str(number), "time": stamper.write(now)}
        return PLACEHOLDER.sub(lambda found: told[found[1]], text)

    return fill


def read_value(text: str) -> object:
    """Return the number or truth that a text spells, or else the text."""
    if NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return TRUTHS.get(text, text)


def make_envelopes(settings: EmitSettings, host: str, process: int) -> Make:
    """Return what makes messages. What an argument has that is no UTF-8 is sent as U+FFFD."""
    stamper = Stamper()
    is_measure = settings.type in MEASURES
    kind, logger = mend_text(settings.type), mend_text(settings.logger)
    payload = make_fill(mend_text(settings.payload) or ("1" if is_measure else "message {n}"), stamper)
    given = {mend_text(name): mend_text(text) for name, text in settings.field}
    named = {"name": "emit", **given} if is_measure else given
    fields = {name: make_fill(text, stamper) for name, text in named.items()}
    more: dict[str, object] = {} if "rate" in given or not is_measure or settings.type == "gauge" else {"rate": 1.0}

    def make(number: int, now: int) -> Message:
        return {
            "type": kind,
            "timestamp": stamper.write(now),
            "logger": logger,
            "severity": settings.severity,
            "payload": payload(number, now),
            "fields": {**{name: read_value(fill(number, now)) for name, fill in fields.items()}, **more},
            "env_version": ENV_VERSION,
            "metlog_pid": process,
            "metlog_hostname": host,
        }

    return make


def make_line(line: bytes, stamper: Stamper) -> Make:
    """Return what makes lines from one."""
    if b"{" not in line:
        return lambda _number, _now: line
    fill = make_fill(line.decode("utf-8", "surrogateescape"), stamper)
    return lambda number, now: fill(number, now).encode("utf-8", "surrogateescape")


def list_contents(settings: EmitSettings, share: int, host: str, process: int) -> Iterator[tuple[int, Make]]:
    """Yield what one of the senders sends, with numbers: all of them together send 1, 2, 3 and so on."""
    numbers = count(share + 1, settings.senders)
    if settings.limit is not None:
        numbers = islice(numbers, max(0, -(-(settings.limit - share) // settings.senders)))  # type: ignore[assignment]
    return zip(numbers, list_makers(settings, share, host, process), strict=False)


def list_makers(settings: EmitSettings, share: int, host: str, process: int) -> Iterator[Make]:
    """Yield what makes one message or line after the other."""
    stamper = Stamper()
    if settings.lines is not None:
        return (make_line(line, stamper) for line in islice(read_lines(settings), share, None, settings.senders))
    if settings.line:
        return repeat(make_line(settings.line.encode("utf-8", "surrogateescape"), stamper))
    return repeat(make_envelopes(settings, host, process))


def read_lines(settings: EmitSettings) -> Iterator[bytes]:
    """Yield the lines of a file, again and again if more are wanted."""
    assert settings.lines is not None
    while True:
        is_empty = True
        with open_lines(settings.lines) as file:
            while line := file.readline(MAX_LINE_BYTES):
                is_empty = False
                yield line.removesuffix(b"\n")
        if is_empty or not settings.is_repeated:
            return


def open_lines(path: Path) -> BinaryIO:
    """Open a file, or standard input; raises `SettingError`."""
    try:
        if path == STDIN:
            return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
        return path.open("rb")
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {describe_os_error(error)}.") from error
