"""Timers: how long something took, as a context manager or around a function.

One timer may be used by several threads and tasks at the same time, and within itself. So its beginnings are kept in
the context of whoever uses it: each thread has one of its own, and each task of Trio or asyncio.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol, TypeVar, cast

from pipeline.metlog.wrapping import Function, surround

# A context manager that is entered in one context and left in another, as generators can, leaves its beginning behind.
MAX_RUNNING = 64
"""So many timers can run within each other in one thread or task; of more, the outermost know only their last start."""

MAX_RESULTS = 8
"""How many results a thread or task knows to be its own; of older ones it is shown the last of all."""

F = TypeVar("F", bound=Callable[..., object])


class TimerClient(Protocol):
    """What a timer needs of its client."""

    def is_sampled(self, rate: float) -> bool:
        """Decide whether this use is one of those that are sent."""

    def timer_send(
        self,
        name: str,
        elapsed: float,
        logger: str | None = None,
        severity: int | None = None,
        fields: Mapping[str, object] | None = None,
        rate: float = 1.0,
    ) -> None:
        """Send how long something took, in ms."""

    def round_milliseconds(self, nanoseconds: int) -> float:
        """Return a duration as it is sent, in ms."""


class Timer:
    """Sends a message of type `timer` each time its block, or the function that it decorates, comes to its end.

    With a rate below 1, each use is sent or not by chance, and `result` is None where it is not.
    """

    __slots__ = ("_is_running", "_latest", "_start", "client", "fields", "logger", "name", "rate", "severity")

    def __init__(
        self,
        client: TimerClient,
        name: str,
        logger: str | None = None,
        severity: int | None = None,
        fields: Mapping[str, object] | None = None,
        rate: float = 1.0,
    ) -> None:
        self.client = client
        self.name = name
        self.logger = logger
        self.severity = severity
        self.fields = fields
        self.rate = rate
        self._is_running = False
        self._start: int | None = None
        self._latest: float | None = None

    @property
    def result(self) -> float | None:
        """How many ms the last use took: of this thread or task, or if it has none, of any."""
        for timer, result in reversed(_RESULTS.get()):
            if timer is self:
                return result
        return self._latest

    def __call__(self, function: F) -> F:
        """Return a function of the same kind that is timed at each call."""
        if not isinstance(function, Callable | classmethod):  # type: ignore[arg-type] # as mypy has it, a special form
            raise ValueError("A timer can decorate what can be called, and nothing else.")
        return cast(F, surround(cast(Function, function), self._make_use))

    def __enter__(self) -> Timer:
        """Begin, in this thread or task.

        The first beginning is kept here: most timers have one, and the context takes longer. Between the look and the
        note CPython lets no other thread in.
        """
        running = _RUNNING.get()
        start = time.perf_counter_ns() if self.rate >= 1.0 or self.client.is_sampled(self.rate) else None
        if self._is_running or running:
            _RUNNING.set((*running[1 - MAX_RUNNING :], (self, start)))
        else:
            self._is_running = True
            self._start = start
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End, and send how long it took. An exception passes through."""
        now = time.perf_counter_ns()
        start = self._take_start()
        self.finish(None if start is None else now - start)

    def finish(self, nanoseconds: int | None) -> None:
        """Send how long a use took, and keep it as its result; None is one that is not sent."""
        result = None if nanoseconds is None else self.client.round_milliseconds(nanoseconds)
        _RESULTS.set((*_RESULTS.get()[1 - MAX_RESULTS :], (self, result)))
        self._latest = result
        if result is not None:
            self.client.timer_send(self.name, result, self.logger, self.severity, self.fields, self.rate)

    def _take_start(self) -> int | None:
        """Return when the innermost use of this timer here has begun, and forget it."""
        running = _RUNNING.get()
        for place in range(len(running) - 1, -1, -1):
            timer, start = running[place]
            if timer is self:
                _RUNNING.set(running[:place] + running[place + 1 :])
                return start
        self._is_running = False
        return self._start

    def _make_use(self) -> Use:
        return Use(self)


class NoTimer(Timer):
    """Stands for a timer that is switched off: it times nothing, and leaves functions as they are."""

    __slots__ = ()

    @property
    def result(self) -> None:
        """There is none."""

    def __call__(self, function: F) -> F:
        """Return the function itself."""
        return function

    def __enter__(self) -> NoTimer:
        """Begin nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End nothing."""


class Use:
    """One call of a decorated function: it knows its own beginning."""

    __slots__ = ("start", "timer")

    def __init__(self, timer: Timer) -> None:
        self.timer = timer
        self.start: int | None = None

    def __enter__(self) -> Use:
        """Begin."""
        if self.timer.client.is_sampled(self.timer.rate):
            self.start = time.perf_counter_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End."""
        self.timer.finish(None if self.start is None else time.perf_counter_ns() - self.start)


_RUNNING: ContextVar[tuple[tuple[Timer, int | None], ...]] = ContextVar("metlog_running", default=())
_RESULTS: ContextVar[tuple[tuple[Timer, float | None], ...]] = ContextVar("metlog_results", default=())
