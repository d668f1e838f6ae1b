"""Messages like those of the standard library's logging: a level, percent formatting, an exception."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from pipeline.metlog.envelope import SEVERITY
from pipeline.metlog.exception_capture import describe_exception, find_exception, write_traceback

OLD_STYLE_TYPE = "oldstyle"
EXCEPTION = "exception"
"""The field with an exception."""


class OldStyle(ABC):
    """The methods from `debug` to `critical`.

    All take arguments for percent formatting, and as keywords `exc_info` (an exception, a triple as `sys.exc_info`
    returns it, or True for the one being handled), `fields`, `extra`, which is the same, and `logger`.
    """

    @abstractmethod
    def metlog(
        self,
        type: str,  # noqa: A002 - the name of the field
        logger: str | None = None,
        severity: int | None = None,
        payload: object = "",
        fields: Mapping[str, object] | None = None,
    ) -> None:
        """Send a message."""

    @abstractmethod
    def count_failure(self, error: Exception) -> None:
        """Count a message that is lost for an exception, and report it."""

    def debug(self, msg: object, *args: object, **kwargs: object) -> None:
        """Send a message of severity 7."""
        self._send_old_style(SEVERITY.DEBUG, msg, args, kwargs)

    def info(self, msg: object, *args: object, **kwargs: object) -> None:
        """Send a message of severity 6."""
        self._send_old_style(SEVERITY.INFORMATIONAL, msg, args, kwargs)

    def warn(self, msg: object, *args: object, **kwargs: object) -> None:
        """Send a message of severity 4."""
        self._send_old_style(SEVERITY.WARNING, msg, args, kwargs)

    def warning(self, msg: object, *args: object, **kwargs: object) -> None:
        """Send a message of severity 4."""
        self._send_old_style(SEVERITY.WARNING, msg, args, kwargs)

    def error(self, msg: object, *args: object, **kwargs: object) -> None:
        """Send a message of severity 3."""
        self._send_old_style(SEVERITY.ERROR, msg, args, kwargs)

    def exception(self, msg: object, *args: object, **kwargs: object) -> None:
        """Send a message of severity 1, with the exception that is being handled.

        In metlog-py the first argument behind the text is `exc_info`; it is so here, too, if it can be nothing else.
        """
        if args and (type(args[0]) is bool or is_triple(args[0])):
            kwargs, args = {"exc_info": args[0], **kwargs}, args[1:]
        self._send_old_style(SEVERITY.ALERT, msg, args, {"exc_info": True, **kwargs})

    def critical(self, msg: object, *args: object, **kwargs: object) -> None:
        """Send a message of severity 2."""
        self._send_old_style(SEVERITY.CRITICAL, msg, args, kwargs)

    def _send_old_style(self, severity: int, msg: object, args: tuple[object, ...], options: dict[str, object]) -> None:
        try:
            payload = format_text(msg, args) if args else msg
            fields = merge_fields(options.get("extra"), options.get("fields"))
            error = find_exception(options["exc_info"]) if "exc_info" in options else None
            if error is not None:
                payload, exception = attach_traceback(payload, error)
                fields = {EXCEPTION: exception, **(fields or {})}
            logger = options.get("logger")
        except Exception as failure:  # noqa: BLE001 - telemetry must not fail an application
            self.count_failure(failure)
        else:
            self.metlog(OLD_STYLE_TYPE, logger if isinstance(logger, str) else None, severity, payload, fields)


def format_text(msg: object, args: tuple[object, ...]) -> str:
    """Return a text with its arguments; one mapping alone is asked for names. What does not fit stands behind it."""
    values: object = args
    if len(args) == 1 and isinstance(args[0], Mapping) and args[0]:
        values = args[0]
    try:
        return str(msg) % values
    except Exception:  # noqa: BLE001 - a wrong format, or an object that fails to be text
        return " ".join([spell(msg), *map(spell, args)])


def spell(value: object) -> str:
    """Return what a value looks like, whatever it is."""
    try:
        return value if isinstance(value, str) else repr(value)
    except Exception:  # noqa: BLE001 - it is the application's object
        return f"<{type(value).__name__}>"


def merge_fields(*several: object) -> dict[str, object] | None:
    """Return the fields of all, the last ones first; None if there are none."""
    merged: dict[str, object] = {}
    for fields in several:
        if isinstance(fields, Mapping):
            merged.update(fields)
        elif fields is not None:
            merged["value"] = fields
    return merged or None


def attach_traceback(payload: object, error: BaseException) -> tuple[str, dict[str, object]]:
    """Return a text with the traceback on the next line, and the field with the exception."""
    text = spell(payload)
    try:
        traceback = write_traceback(error)
        return text.removesuffix("\n") + "\n" + traceback, describe_exception(error)
    except Exception:  # noqa: BLE001 - an exception class of the application may fail in any way
        return text, {"type": type(error).__qualname__}


def is_triple(value: object) -> bool:
    """Tell whether a value is what `sys.exc_info` returns."""
    return type(value) is tuple and len(value) == 3 and (issubclass(type(value[1]), BaseException) or value[0] is None)
