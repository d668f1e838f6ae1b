"""The client: what an application calls.

Every call makes an envelope, asks the filters, and gives it to the sender, in the caller's thread. Nothing that goes
wrong there reaches the application: it is counted, told on standard error at most once a minute, and, once sending
works again, told in a message of type `metlog.dropped`.
"""

from __future__ import annotations

import os
import random
import socket
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from types import MethodType

from pipeline.metlog.arguments import (
    collect_names,
    name_fields,
    names_one,
    read_rate,
    read_time,
    write_number,
)
from pipeline.metlog.envelope import (
    DEFAULT_SEVERITY,
    ENV_VERSION,
    SEVERITY,
    Message,
    Stamper,
    complete,
    is_whole,
    restore,
)
from pipeline.metlog.harmless import mend_text
from pipeline.metlog.losses import (
    DROPPED_TYPE,
    REPORT_SECONDS,
    ClientCounts,
    Reporter,
    SenderLike,
    watch_sender,
    write_line,
)
from pipeline.metlog.old_style import OldStyle, spell
from pipeline.metlog.senders import NoSendSender
from pipeline.metlog.senders.sender import ENDINGS
from pipeline.metlog.timers import NoTimer, Timer

__all__ = ["SEVERITY", "Filter", "MetlogClient"]

Filter = Callable[[Message], object]
"""Says whether a message is to be sent, and may change it."""

Fields = Mapping[str, object]


Plugin = Callable[..., object]
"""A function that becomes a method of a client."""


class MetlogClient(OldStyle):
    """Sends messages of one application through one sender. It may be used by any threads and tasks."""

    env_version = ENV_VERSION

    def __init__(
        self,
        sender: SenderLike | None,
        logger: str = "",
        severity: int = DEFAULT_SEVERITY,
        disabled_timers: Iterable[str] | None = None,
        filters: Iterable[Filter] | None = None,
        *,
        report_seconds: float | None = REPORT_SECONDS,
        timer_digits: int = 0,
    ) -> None:
        """Without a sender it sends nothing until `setup` gives it one.

        Losses are told every `report_seconds` at most, on standard error; never if that is None. Timers are sent in
        whole milliseconds, unless `timer_digits` asks for up to three digits of a fraction.
        """
        self.hostname = mend_text(socket.gethostname())
        self.pid = os.getpid()
        self.counts = ClientCounts()
        self._config = "{}"
        self._dynamic_methods: dict[str, Plugin] = {}
        self._configured_methods: set[str] = set()
        self._stamper = Stamper()
        self._reporter = Reporter(report_seconds)
        self.setup(
            sender,
            logger,
            severity,
            disabled_timers,
            filters,
            report_seconds=report_seconds,
            timer_digits=timer_digits,
        )
        _CLIENTS.add(self)

    def setup(
        self,
        sender: SenderLike | None = None,
        logger: str = "",
        severity: int = DEFAULT_SEVERITY,
        disabled_timers: Iterable[str] | None = None,
        filters: Iterable[Filter] | None = None,
        *,
        report_seconds: float | None = REPORT_SECONDS,
        timer_digits: int = 0,
    ) -> None:
        """Configure the client anew, while it is used or not. The sender that it had is not closed."""
        self.logger = logger or ""
        self.severity = severity
        self._disabled_timers = collect_names(disabled_timers)
        self.filters: list[Filter] = list(filters or ())
        self.timer_digits = int(min(max(timer_digits, 0), MAX_TIMER_DIGITS))
        self._reporter.interval_seconds = report_seconds
        self.sender = NoSendSender() if sender is None else sender

    @property
    def sender(self) -> SenderLike:
        """What messages are given to."""
        return self._sender

    @sender.setter
    def sender(self, sender: SenderLike) -> None:
        self._watch = watch_sender(sender)
        self._sender = sender

    @property
    def is_active(self) -> bool:
        """Whether there is a sender."""
        return not isinstance(self._sender, NoSendSender)

    # Messages

    def metlog(
        self,
        type: str,  # noqa: A002 - the name of the field, and the keyword of metlog-py
        logger: str | None = None,
        severity: int | None = None,
        payload: object = "",
        fields: Fields | None = None,
        timestamp: datetime | float | None = None,
    ) -> None:
        """Send a message. The time is now, unless it is given: with its zone, or in seconds since 1970."""
        try:
            now = time.time_ns()
            if timestamp is not None:
                now = read_time(timestamp, now)
            message: Message = {
                "type": type,
                "timestamp": self._stamper.write(now),
                "logger": self.logger if logger is None else logger,
                "severity": self.severity if severity is None else severity,
                "payload": payload,
                "fields": {} if fields is None else fields.copy() if fields.__class__ is dict else fields,
                "env_version": ENV_VERSION,
                "metlog_pid": self.pid,
                "metlog_hostname": self.hostname,
            }
        except Exception as error:  # noqa: BLE001 - telemetry must not fail an application
            self.count_failure(error)
        else:
            self.send_message(message)

    def send_message(self, msg: Message) -> None:
        """Give a message to the filters, in order, and to the sender. What it lacks of an envelope is added."""
        try:
            if not is_whole(msg):
                msg = self._restore(msg)
            if self.filters:
                if not self._is_wanted(msg):
                    self.counts.filtered += 1
                    return
                msg = self._restore(msg)
            if self._deliver(msg) and self._reporter.owes:
                self._tell_losses()
        except Exception as error:  # noqa: BLE001 - telemetry must not fail an application
            self.count_failure(error)

    def incr(
        self,
        name: str,
        count: float = 1,
        logger: str | None = None,
        severity: int | None = None,
        fields: Fields | None = None,
        rate: float = 1.0,
    ) -> None:
        """Add to a counter. With a rate below 1 only that share of the calls is sent, by chance."""
        self._send_number("counter", name, count, logger, severity, fields, rate)

    def gauge(
        self,
        name: str,
        value: float,
        logger: str | None = None,
        severity: int | None = None,
        fields: Fields | None = None,
        rate: float = 1.0,
    ) -> None:
        """Set a gauge."""
        self._send_number("gauge", name, value, logger, severity, fields, rate)

    def timer_send(
        self,
        name: str,
        elapsed: float,
        logger: str | None = None,
        severity: int | None = None,
        fields: Fields | None = None,
        rate: float = 1.0,
    ) -> None:
        """Send a duration in ms. It is always sent: the rate says how it was sampled elsewhere."""
        try:
            if type(rate) is not float or rate != 1.0:
                rate = read_rate(rate) or 1.0
            payload, full = write_number(elapsed), name_fields(name, rate, fields)
        except Exception as error:  # noqa: BLE001 - telemetry must not fail an application
            self.count_failure(error)
        else:
            self.metlog("timer", logger, severity, payload, full)

    def timer(
        self,
        name: str,
        logger: str | None = None,
        severity: int | None = None,
        fields: Fields | None = None,
        rate: float = 1.0,
    ) -> Timer:
        """Return a timer, for `with` or as a decorator; one that does nothing if its name or `*` is disabled."""
        if self._disabled_timers and names_one(self._disabled_timers, name):
            return NoTimer(self, name)
        if type(rate) is not float or rate != 1.0:
            rate = read_rate(rate)
        return Timer(self, name, logger, severity, fields, rate)

    def round_milliseconds(self, nanoseconds: int) -> float:
        """Return a duration as timers send it."""
        if self.timer_digits:
            return round(nanoseconds / 1_000_000, self.timer_digits)
        return (nanoseconds + 500_000) // 1_000_000

    def is_sampled(self, rate: float) -> bool:
        """Decide by chance whether to send something of this rate, and count it if not."""
        if rate >= 1.0 or _RANDOM.random() < rate:
            return True
        self.counts.sampled_out += 1
        return False

    # Plugins

    def add_method(self, method: Plugin, override: bool | str = False) -> None:
        """Bind a function as a method, by its attribute `metlog_name`, or by the name that `override` says.

        Raises `SyntaxError`, as metlog-py does, if there is something of that name and `override` is false.
        """
        name = override if isinstance(override, str) else getattr(method, "metlog_name", None)
        name = str(name or getattr(method, "__name__", ""))
        if not override and hasattr(self, name):
            raise SyntaxError(f"The client has something of the name {name!r}; override=True puts this in its place.")
        self._dynamic_methods[name] = method
        setattr(self, name, MethodType(method, self))

    def replace_methods(self, methods: Iterable[tuple[Plugin, bool | str]]) -> None:
        """Bind the methods of a configuration, in the place of those of the last one; raises as `add_method` does."""
        before, bound = self._dynamic_methods.copy(), self.__dict__.copy()
        for name in self._configured_methods:
            self._dynamic_methods.pop(name, None)
            self.__dict__.pop(name, None)
        others = set(self._dynamic_methods)
        try:
            for method, override in methods:
                self.add_method(method, override)
        except SyntaxError:
            for name in self._dynamic_methods.keys() | before.keys():
                self.__dict__.pop(name, None)
            self.__dict__.update({name: bound[name] for name in before.keys() & bound.keys()})
            self._dynamic_methods = before
            raise
        self._configured_methods = set(self._dynamic_methods) - others

    # The sender

    def flush(self, timeout_seconds: float = 1.0) -> bool:
        """Wait until the sender has passed on what it holds, and tell whether it has."""
        flush = getattr(self._sender, "flush", None)
        return True if flush is None else bool(flush(timeout_seconds))

    def close(self) -> None:
        """Close the sender. The next message opens it again."""
        close = getattr(self._sender, "close", None)
        if close is not None:
            close()

    # Inside

    def _send_number(
        self,
        type: str,  # noqa: A002 - as above
        name: str,
        number: float,
        logger: str | None,
        severity: int | None,
        fields: Fields | None,
        rate: float,
    ) -> None:
        try:
            if rate.__class__ is not float or rate != 1.0:
                rate = read_rate(rate)
                if not self.is_sampled(rate):
                    return
            payload, full = write_number(number), name_fields(name, rate, fields)
        except Exception as error:  # noqa: BLE001 - telemetry must not fail an application
            self.count_failure(error)
        else:
            self.metlog(type, logger, severity, payload, full)

    def _is_wanted(self, msg: Message) -> bool:
        fields = msg["fields"]
        if isinstance(fields, Mapping):
            msg["fields"] = dict(fields)  # a filter may change it, and it is the caller's
        return all(keep(msg) for keep in self.filters)

    def _deliver(self, msg: Message) -> bool:
        """Give a message to the sender, and tell whether nothing was dropped. Raises what the sender raises."""
        if complete(msg, self.severity):
            self.counts.mended += 1
        self._sender.send_message(msg)
        self.counts.sent += 1
        if self._watch.is_silent():
            return True
        self._count_drops()
        return False

    def _restore(self, msg: Mapping[str, object]) -> Message:
        return restore(
            msg,
            {
                "type": "",
                "timestamp": self._stamper.write(time.time_ns()),
                "logger": self.logger,
                "severity": self.severity,
                "payload": "",
                "fields": {},
                "env_version": ENV_VERSION,
                "metlog_pid": self.pid,
                "metlog_hostname": self.hostname,
            },
        )

    def count_failure(self, error: Exception) -> None:
        """Count a message that is lost for an exception, and report it."""
        self.counts.failed += 1
        try:
            self._report(f"{error.__class__.__name__}: {error}")
        except Exception:  # noqa: BLE001 - it may fail to say what it is
            self._report(error.__class__.__name__)

    def _count_drops(self) -> None:
        """Count what the sender has dropped; that can be more than this message, and it may have been another's."""
        dropped, unwanted = self._watch.claim()
        self.counts.dropped += dropped
        self.counts.filtered += unwanted
        self.counts.sent -= dropped + unwanted
        if dropped:
            self._report(self._watch.reason)

    def _report(self, reason: str) -> None:
        """Write a line, unless there was one within the last minute."""
        reporter = self._reporter
        reporter.owes = True
        reporter.reason = reason[:MAX_REASON]
        self._write_report(reporter.find_line(self.counts.lost, time.monotonic()))

    def _report_rest(self) -> None:
        """Write what no line has told, at the end of the process."""
        if not self._watch.is_silent():
            self._count_drops()
        self._write_report(self._reporter.find_rest(self.counts.lost))

    def _write_report(self, news: int) -> None:
        if not news:
            return
        logger, reason = spell(self.logger)[:MAX_REASON], self._reporter.reason
        many = "1 message was" if news == 1 else f"{news} messages were"
        sender = type(self._sender).__name__
        if not write_line(f"metlog: {many} lost by the client {logger!r}, last by {sender}: {reason!r}"):
            self._reporter.told_line -= news

    def _tell_losses(self) -> None:
        """Send how many were lost, past the filters, unless there was such a message within the last minute."""
        counts, lost, reporter = self.counts, self.counts.lost, self._reporter
        news = reporter.find_message(lost, time.monotonic())
        if not news:
            return
        fields = {"lost": news, "failed": counts.failed, "dropped": counts.dropped, "reason": reporter.reason}
        message = self._restore(
            {"type": DROPPED_TYPE, "severity": SEVERITY.WARNING, "payload": str(news), "fields": fields}
        )
        self._deliver(message)
        if counts.lost == lost:
            reporter.told, reporter.owes = lost, False

    def _start_anew(self) -> None:
        """Go on in a process that was forked: it has a number and counts of its own."""
        self.pid = os.getpid()
        self.counts = ClientCounts()
        self._reporter = Reporter(self._reporter.interval_seconds)
        self._watch.start_anew()


MAX_TIMER_DIGITS = 3
"""Of a fraction of a millisecond: clocks know no more."""

MAX_REASON = 200
"""Characters of a reason; the text of an exception may hold a whole message."""

_CLIENTS: weakref.WeakSet[MetlogClient] = weakref.WeakSet()

# A generator of its own: an application that seeds Python's gets the same numbers with and without telemetry.
_RANDOM = random.Random()  # noqa: S311 - for samples, not for secrets


def _start_all_anew() -> None:
    _RANDOM.seed()
    for client in list(_CLIENTS):
        with suppress(Exception):  # counts that an application has made may fail in any way
            client._start_anew()  # noqa: SLF001 - of this module


def _report_all_rest() -> None:
    for client in list(_CLIENTS):
        with suppress(Exception):
            client._report_rest()  # noqa: SLF001 - of this module


os.register_at_fork(after_in_child=_start_all_anew)
ENDINGS.append(_report_all_rest)
