"""Functions that run others with something around each call, and are of their kind: `inspect` tells no difference.

What is around lasts as long as the call does: until a coroutine has returned, and until a generator has ended, with all
that its reader did in between.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager, nullcontext

Function = Callable[..., object]
Around = Callable[[], AbstractContextManager[object]]


def surround(function: Function, around: Around) -> Function:
    """Return a function that enters a context of its own around each call of the other."""
    if isinstance(function, staticmethod | classmethod):
        return type(function)(surround(function.__func__, around))
    return make_alike(function, around, function)


def relay(function: Function, target: Function) -> Function:
    """Return a function that looks like one and calls another, which returns the same."""
    return make_alike(function, nullcontext, target)


def make_alike(function: Function, around: Around, target: Function) -> Function:
    """Return a function of the kind of another that calls the target, with a context of its own around each call."""
    if is_kind(function, inspect.iscoroutinefunction):
        return functools.wraps(function)(make_coroutine_function(around, target))
    if is_kind(function, inspect.isasyncgenfunction):
        return functools.wraps(function)(make_async_generator_function(around, target))
    if is_kind(function, inspect.isgeneratorfunction):
        return functools.wraps(function)(make_generator_function(around, target))

    @functools.wraps(function)
    def call(*args: object, **kwargs: object) -> object:
        with around():
            return target(*args, **kwargs)

    return call


def is_kind(function: Function, test: Callable[[object], bool]) -> bool:
    """Tell of what kind a function is, or the `__call__` of an object."""
    return test(function) or test(getattr(function, "__call__", None))  # noqa: B004 - not whether, but of what kind


def make_coroutine_function(around: Around, target: Function) -> Function:
    """What is around ends when the coroutine has."""

    async def call(*args: object, **kwargs: object) -> object:
        with around():
            return await target(*args, **kwargs)  # type: ignore[misc]

    return call


def make_generator_function(around: Around, target: Function) -> Function:
    """What is around begins when the first item is asked for, and ends with the generator."""

    def call(*args: object, **kwargs: object) -> Generator[object, object, object]:
        with around():
            return (yield from target(*args, **kwargs))  # type: ignore[misc]

    return call


def make_async_generator_function(around: Around, target: Function) -> Function:
    """As with a generator. What `yield from` does for those is spelled out here."""

    async def call(*args: object, **kwargs: object) -> AsyncGenerator[object, object]:
        with around():
            inner: AsyncGenerator[object, object] = target(*args, **kwargs)  # type: ignore[assignment]
            step = anext(inner)
            while True:
                try:
                    item = await step
                except StopAsyncIteration:
                    return
                try:
                    step = inner.asend((yield item))
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever it is, it is for the inner one
                    step = inner.athrow(error)

    return call
