"""The decorators `timeit` and `incr_count`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Protocol, TypeVar, cast, overload

from pipeline.metlog.client import MetlogClient
from pipeline.metlog.decorators.base import MetlogDecorator
from pipeline.metlog.wrapping import Function, surround

F = TypeVar("F", bound=Callable[..., object])
Fields = Mapping[str, object]


class Measuring(MetlogDecorator, ABC):
    """Measures calls, under the dotted name of the function unless another is given."""

    def metlog_call(self, *args: object, **kwargs: object) -> object:
        """Call the function and measure it."""
        return self.measured(*args, **kwargs)

    @cached_property
    def measured(self) -> Function:
        """The function with what measures it."""
        client = self.client
        assert client is not None
        args, kwargs = self.args or (), dict(self.kwargs or {})
        if not args:
            kwargs.setdefault("name", self._fn_fq_name)
        return self.measure(client, args, kwargs)

    @abstractmethod
    def measure(self, client: MetlogClient, args: tuple[object, ...], kwargs: dict[str, object]) -> Function:
        """Return the function with what measures it, by the arguments of the client's method."""


class TimeIt(Measuring):
    """Times each call."""

    decorator_name = "timeit"

    def predicate(self) -> bool:
        """Tell whether neither the decorator nor the function's own name is disabled."""
        disabled = self.client._disabled_timers if self.client else frozenset()  # noqa: SLF001 - metlog-py's name
        return disabled.isdisjoint(("*", getattr(self._fn, "__name__", ""))) and super().predicate()

    def measure(self, client: MetlogClient, args: tuple[object, ...], kwargs: dict[str, object]) -> Function:
        """Return the function with a timer around it."""
        return client.timer(*args, **kwargs)(self._fn)  # type: ignore[arg-type]


class IncrCount(Measuring):
    """Counts each call, when it has ended, whether by returning or by an exception."""

    decorator_name = "incr_count"

    def measure(self, client: MetlogClient, args: tuple[object, ...], kwargs: dict[str, object]) -> Function:
        """Return the function with a counter behind it."""
        return surround(self._fn, lambda: Counting(lambda: client.incr(*args, **kwargs)))  # type: ignore[arg-type]


class Counting:
    """Counts when it is left."""

    __slots__ = ("count",)

    def __init__(self, count: Callable[[], None]) -> None:
        self.count = count

    def __enter__(self) -> None:
        """Do nothing yet."""

    def __exit__(self, *_: object) -> None:
        """Count."""
        self.count()


class TimeItType(Protocol):
    """How `timeit` is written."""

    @overload
    def __call__(self, function: F, /, *, client: MetlogClient | None = None, client_name: str = "") -> F: ...

    @overload
    def __call__(
        self,
        name: str = ...,
        logger: str | None = None,
        severity: int | None = None,
        fields: Fields | None = None,
        rate: float = 1.0,
        *,
        client: MetlogClient | None = None,
        client_name: str = "",
    ) -> Callable[[F], F]: ...


class IncrCountType(Protocol):
    """How `incr_count` is written."""

    @overload
    def __call__(self, function: F, /, *, client: MetlogClient | None = None, client_name: str = "") -> F: ...

    @overload
    def __call__(
        self,
        name: str = ...,
        count: float = 1,
        logger: str | None = None,
        severity: int | None = None,
        fields: Fields | None = None,
        rate: float = 1.0,
        *,
        client: MetlogClient | None = None,
        client_name: str = "",
    ) -> Callable[[F], F]: ...


# They are classes, which return functions: no class can say so to those who check types.
timeit = cast(TimeItType, TimeIt)
incr_count = cast(IncrCountType, IncrCount)
