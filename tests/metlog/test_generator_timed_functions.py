"""Timers around functions, methods, coroutines and generators, which stay what they are."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator

import pytest
import trio
import trio.testing

from pipeline.metlog.client import MetlogClient
from tests.metlog.generator_clients import make_client, read_messages
from tests.metlog.generator_clock import SECOND, Clock, client, clock, make_timer, read_payloads

__all__ = ["client", "clock"]


def test_function_is_timed(client: MetlogClient, clock: Clock) -> None:
    """Its name, its arguments and its result stay."""
    timer = make_timer(client)

    @timer
    def add(first: int, second: int = 2) -> int:
        """Add."""
        clock.now += SECOND
        return first + second

    assert add(1, second=5) == 6
    assert (add.__name__, add.__doc__, read_payloads(client), timer.result) == ("add", "Add.", ["1000"], 1000)


def test_function_that_calls_itself_is_timed_each_time(client: MetlogClient, clock: Clock) -> None:
    """The innermost call ends first."""

    @client.timer("work")
    def count(number: int) -> int:
        clock.now += SECOND
        return count(number - 1) + 1 if number else 0

    assert count(2) == 2
    assert read_payloads(client) == ["1000", "2000", "3000"]


class Shop:
    """Methods of each kind."""

    client = make_client()

    @client.timer("method")
    def method(self) -> object:
        """Return the object."""
        return self

    @client.timer("class")
    @classmethod
    def of_class(cls) -> object:
        """Return the class."""
        return cls

    @client.timer("static")
    @staticmethod
    def of_none(value: int) -> int:
        """Return the value."""
        return value

    @property
    @client.timer("property")
    def value(self) -> int:
        """Return a value."""
        return 7

    @client.timer("call")
    async def __call__(self) -> object:
        """Return the object."""
        return self


def test_methods_are_timed() -> None:
    """Whether they belong to an object, a class or neither."""
    shop = Shop()
    assert [shop.method(), shop.of_class(), Shop.of_class(), shop.of_none(1), Shop.of_none(2), shop.value] == [
        shop,
        Shop,
        Shop,
        1,
        2,
        7,
    ]
    names = [message["fields"]["name"] for message in read_messages(Shop.client)]  # type: ignore[index]
    assert names == ["method", "class", "class", "static", "static", "property"]


async def test_coroutine_is_timed_until_it_has_returned(
    client: MetlogClient, clock: Clock, autojump_clock: trio.testing.MockClock
) -> None:
    """Not until it was made."""

    @client.timer("work")
    async def wait(value: int) -> int:
        await trio.sleep(3)
        clock.now += SECOND
        return value

    assert inspect.iscoroutinefunction(wait)
    coroutine = wait(4)
    clock.now += SECOND
    assert await coroutine == 4
    assert read_payloads(client) == ["1000"]


async def test_object_with_a_coroutine_as_its_call_is_timed(client: MetlogClient) -> None:
    """And so is a partial function."""
    shop = Shop()
    assert await client.timer("work")(shop)() is shop
    assert await client.timer("work")(functools.partial(Shop.__call__, shop))() is shop
    assert len(read_messages(client)) == 2
    read_messages(Shop.client)


async def test_coroutine_that_is_cancelled_is_timed(
    client: MetlogClient, autojump_clock: trio.testing.MockClock
) -> None:
    """The cancellation passes through."""

    @client.timer("work")
    async def wait() -> None:
        await trio.sleep_forever()

    with trio.move_on_after(1) as scope:
        await wait()
    assert scope.cancelled_caught
    assert len(read_messages(client)) == 1


def test_generator_is_timed_from_first_to_last(client: MetlogClient, clock: Clock) -> None:
    """It is a generator as before: what is sent or thrown arrives, and its value is returned."""
    seen: list[object] = []

    @client.timer("work")
    def generate(first: int) -> Generator[int, str, str]:
        try:
            seen.append((yield first))
            yield first + 1
        except LookupError:
            yield -1
        return "value"

    assert inspect.isgeneratorfunction(generate)
    generator = generate(1)
    clock.now += SECOND
    assert next(generator) == 1
    clock.now += SECOND
    assert generator.send("word") == 2
    assert generator.throw(LookupError()) == -1
    assert read_messages(client) == []
    with pytest.raises(StopIteration) as end:
        next(generator)
    assert (end.value.value, seen, read_payloads(client)) == ("value", ["word"], ["1000"])


def test_generator_that_is_closed_is_timed(client: MetlogClient) -> None:
    """It knows that it was closed."""
    closed = []

    @client.timer("work")
    def generate() -> Iterator[int]:
        try:
            yield 1
        finally:
            closed.append(True)

    generator = generate()
    next(generator)
    generator.close()  # type: ignore[attr-defined]
    assert (closed, len(read_messages(client))) == ([True], 1)


def make_async_generator(client: MetlogClient, seen: list[object]) -> Callable[[int], AsyncGenerator[int, object]]:
    """Return a function that makes timed generators."""

    @client.timer("work")
    async def generate(first: int) -> AsyncGenerator[int, object]:
        try:
            seen.append((yield first))
            yield first + 1
        except LookupError:
            await trio.lowlevel.checkpoint()
            yield -1
        finally:
            seen.append("end")

    return generate


async def test_async_generator_is_timed_from_first_to_last(client: MetlogClient, clock: Clock) -> None:
    """What is sent arrives."""
    seen: list[object] = []
    generate = make_async_generator(client, seen)
    assert inspect.isasyncgenfunction(generate)
    generator = generate(1)
    assert await anext(generator) == 1
    clock.now += SECOND
    assert await generator.asend("word") == 2
    assert await anext(generator, "over") == "over"
    assert (seen, read_payloads(client)) == (["word", "end"], ["1000"])


async def test_exception_is_thrown_into_an_async_generator(client: MetlogClient) -> None:
    """What it does not catch comes out again."""
    seen: list[object] = []
    generator = make_async_generator(client, seen)(1)
    await anext(generator)
    assert await generator.athrow(LookupError()) == -1
    with pytest.raises(ZeroDivisionError):
        await generator.athrow(ZeroDivisionError())
    assert (seen, len(read_messages(client))) == (["end"], 1)


async def test_async_generator_is_closed(client: MetlogClient) -> None:
    """Its end runs."""
    seen: list[object] = []
    generator = make_async_generator(client, seen)(1)
    await anext(generator)
    await generator.aclose()
    assert (seen, len(read_messages(client))) == (["end"], 1)


async def test_async_loop_reads_all(client: MetlogClient) -> None:
    """As an application does."""

    @client.timer("work")
    async def generate() -> AsyncIterator[int]:
        for number in range(5):
            yield number

    assert [number async for number in generate()] == [0, 1, 2, 3, 4]
    assert len(read_messages(client)) == 1
