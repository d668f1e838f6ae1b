"""From the standard library's logging to a client. The other way goes `senders.StdLibLoggingSender`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from pipeline.metlog.client import SEVERITY, MetlogClient
from pipeline.metlog.exception_capture import describe_exception
from pipeline.metlog.old_style import EXCEPTION, OLD_STYLE_TYPE
from pipeline.metlog.registry import CLIENT_HOLDER

LEVELS = (
    (logging.CRITICAL, SEVERITY.CRITICAL),
    (logging.ERROR, SEVERITY.ERROR),
    (logging.WARNING, SEVERITY.WARNING),
    ((logging.INFO + logging.WARNING) // 2, SEVERITY.NOTICE),
    (logging.INFO, SEVERITY.INFORMATIONAL),
)
"""The severity of a record, by the highest level that it reaches; below all of them it is 7."""

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has. What an application adds with `extra` are the others."""

_STATE = threading.local()


class MetlogHandler(logging.Handler):
    """Sends each record as a message of type `oldstyle`, with its arguments and its exception.

    The client is given, or named, or else the default one at the time of the record. What is logged while a record is
    being sent, by the sender or below it, is not sent: that would go round for ever.
    """

    def __init__(self, metlog_client: MetlogClient | str | None = None, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self.given_client = metlog_client

    @property
    def metlog_client(self) -> MetlogClient | None:
        """The client that records are sent with."""
        if isinstance(self.given_client, str):
            return CLIENT_HOLDER.get_client(self.given_client)
        return self.given_client or CLIENT_HOLDER.default_client

    def handle(self, record: logging.LogRecord) -> bool:
        """Send a record, if the filters of the handler want it, and beside those of other threads.

        With the lock of other handlers all threads would wait for one that hangs. A client needs none.
        """
        wanted: object = self.filter(record)  # from Python 3.12 on it may be another record
        if wanted:
            self.emit(wanted if isinstance(wanted, logging.LogRecord) else record)
        return bool(wanted)

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record."""
        client = self.metlog_client
        if client is None or getattr(_STATE, "is_sending", False):
            return
        _STATE.is_sending = True
        try:
            client.metlog(
                OLD_STYLE_TYPE,
                severity=find_severity(record.levelno),
                payload=self.format(record),
                fields=collect_fields(record),
                timestamp=record.created,
            )
        except Exception:  # noqa: BLE001 - the text of a record may fail in any way
            self.handleError(record)
        finally:
            _STATE.is_sending = False


def find_severity(level: int) -> int:
    """Return the severity of a level of logging."""
    return next((severity for least, severity in LEVELS if level >= least), SEVERITY.DEBUG)


def collect_fields(record: logging.LogRecord) -> Mapping[str, object]:
    """Return what a record says beside its text."""
    fields = {name: value for name, value in vars(record).items() if name not in STANDARD}
    fields |= {"logger_name": record.name, "function": record.funcName, "file": record.pathname, "line": record.lineno}
    if record.exc_info and record.exc_info[1] is not None:
        fields[EXCEPTION] = describe_exception(record.exc_info[1])
    return fields


def hook_logger(logger_name: str | None, client: MetlogClient | str | None = None) -> None:
    """Send the records of a logger, and of those below it, with a client. A second call for both does nothing."""
    logger = logging.getLogger(logger_name)
    if not any(isinstance(handler, MetlogHandler) and handler.given_client is client for handler in logger.handlers):
        logger.addHandler(MetlogHandler(client))
