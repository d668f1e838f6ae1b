"""Exceptions as text for people, and as fields for what looks at them."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType

MAX_FRAMES = 50
"""Of deeper stacks the innermost frames are kept; the outermost say least."""

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


def find_exception(exc_info: object) -> BaseException | None:
    """Return the exception that is meant: itself, the one of a triple, or the one that is being handled."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if len(exc_info) == 3 and isinstance(exc_info[1], BaseException) else None
    return sys.exception() if exc_info else None


def write_traceback(error: BaseException) -> str:
    """Return what Python would print of an exception and of those that led to it, without a line feed at the end."""
    return "".join(traceback.format_exception(error, limit=-MAX_FRAMES)).removesuffix("\n")


def describe_exception(error: BaseException) -> dict[str, object]:
    """Return an exception as a field: `type`, `module`, `value`, and `traceback`, its frames, the innermost last."""
    kind = type(error)
    return {
        "type": kind.__qualname__,
        "module": kind.__module__,
        "value": describe_value(error),
        "traceback": [
            {"file": frame.filename, "line": frame.lineno, "function": frame.name, "code": frame.line}
            for frame in traceback.extract_tb(error.__traceback__, limit=-MAX_FRAMES)
        ],
    }


def describe_value(error: BaseException) -> str:
    """Return what an exception says. Its own `__str__` may fail."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - it is the application's class
        return f"<{type(error).__name__}>"
