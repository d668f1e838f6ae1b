"""Things of Python by their dotted names, as files of configuration spell them."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.metlog.envelope import Message
from pipeline.metlog.exceptions import ConfigError
from pipeline.metlog.path import resolve_name
from pipeline.metlog.senders.sender import SenderError

Formatter = Callable[[Message], str]


def find_callable(formatter: Formatter | str | None) -> Formatter | None:
    """Return what a dotted name stands for, and anything else as it is; raises `SenderError`."""
    if not isinstance(formatter, str):
        return formatter
    try:
        found = resolve_name(formatter)
    except ConfigError as error:
        raise SenderError(f"There is no formatter {formatter!r}: {error.__cause__}.") from error
    if not callable(found):
        raise SenderError(f"{formatter!r} cannot be called, so it is no formatter.")
    result: Formatter = found
    return result
