"""Lazy decorators choose what to do when the function is first called by an application that is configured."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator

import pytest

from pipeline.metlog.client import MetlogClient
from pipeline.metlog.decorators import MetlogDecorator, incr_count, timeit
from pipeline.metlog.registry import CLIENT_HOLDER
from pipeline.metlog.senders import DebugCaptureSender
from tests.metlog.generator_clients import make_client, read_message, read_messages


@pytest.fixture
def holder() -> Iterator[MetlogClient]:
    """The default client of an empty holder, not yet configured."""
    clients, config = CLIENT_HOLDER._clients, CLIENT_HOLDER.global_config
    CLIENT_HOLDER._clients, CLIENT_HOLDER.global_config = {}, {}
    yield CLIENT_HOLDER.get_client("shop")
    CLIENT_HOLDER._clients, CLIENT_HOLDER.global_config = clients, config


def configure(client: MetlogClient, **global_config: object) -> None:
    """Give a client a sender, as the application's configuration does."""
    client.setup(DebugCaptureSender(), "shop")
    CLIENT_HOLDER.global_config.update(global_config)


def test_function_runs_undecorated_until_there_is_a_sender(holder: MetlogClient) -> None:
    """Then it is measured, under its dotted name."""

    @timeit
    @incr_count
    def add(first: int, second: int = 1) -> int:
        """Add."""
        return first + second

    assert add(1) == 2
    assert holder.counts.failed == 0
    configure(holder)
    assert add(1, second=2) == 3
    messages = read_messages(holder)
    assert [(message["type"], message["fields"]) for message in messages] == [
        ("counter", {"name": f"{__name__}.add", "rate": 1.0}),
        ("timer", {"name": f"{__name__}.add", "rate": 1.0}),
    ]
    assert (add.__name__, add.__doc__) == ("add", "Add.")


def test_arguments_are_those_of_the_call(holder: MetlogClient) -> None:
    """By place or by name; where no name of a metric is given, it is the function's."""

    @timeit("slow", "till", fields={"a": 1})
    @incr_count("calls", 3, severity=7)
    @incr_count(count=5)
    def work() -> None:
        """Do nothing."""

    configure(holder)
    work()
    messages = read_messages(holder)
    assert [(message["type"], message["logger"], message["severity"]) for message in messages] == [
        ("counter", "shop", 6),
        ("counter", "shop", 7),
        ("timer", "till", 6),
    ]
    assert [message["payload"] for message in messages[:2]] == ["5", "3"]
    assert [message["fields"]["name"] for message in messages] == [f"{__name__}.work", "calls", "slow"]  # type: ignore[index]


@pytest.mark.parametrize("disabled", [["timeit"], "timeit", ["timeit", "other"]])
def test_decorator_is_switched_off(holder: MetlogClient, disabled: object) -> None:
    """By the global option, and the others stay."""

    @timeit
    @incr_count
    def work() -> None:
        """Do nothing."""

    configure(holder, disabled_decorators=disabled)
    work()
    work()
    assert [message["type"] for message in read_messages(holder)] == ["counter", "counter"]


@pytest.mark.parametrize("name", ["work", "*", f"{__name__}.work"])
def test_timer_is_switched_off(holder: MetlogClient, name: str) -> None:
    """By the name of the function, or that of its metric."""

    @timeit
    def work() -> None:
        """Do nothing."""

    holder.setup(DebugCaptureSender(), disabled_timers=[name])
    work()
    assert read_messages(holder) == []


def test_choice_is_made_once(holder: MetlogClient) -> None:
    """A later change of the option is not seen."""

    @incr_count
    def work() -> None:
        """Do nothing."""

    configure(holder)
    work()
    configure(holder, disabled_decorators=["incr_count"])
    work()
    assert len(read_messages(holder)) == 1


def test_client_is_given_or_named(holder: MetlogClient) -> None:
    """In place of the default one."""
    given = make_client("given")

    @timeit(client=given)
    @incr_count("n", client_name="named")
    def work() -> None:
        """Do nothing."""

    CLIENT_HOLDER.get_client("named").setup(DebugCaptureSender(), "named")
    work()
    assert read_message(given)["type"] == "timer"
    assert read_message(CLIENT_HOLDER.get_client("named"))["type"] == "counter"
    assert not holder.is_active


def test_without_any_client_the_function_runs(holder: MetlogClient) -> None:
    """An application that never configures one needs none."""
    CLIENT_HOLDER.delete_client("shop")

    @timeit
    def work() -> int:
        return 5

    assert work() == 5


def test_exception_is_counted_and_passes_through(holder: MetlogClient) -> None:
    """By both."""

    @timeit
    @incr_count
    def fail() -> None:
        raise LookupError

    configure(holder)
    with pytest.raises(LookupError):
        fail()
    assert [message["type"] for message in read_messages(holder)] == ["counter", "timer"]


def test_methods_are_measured(holder: MetlogClient) -> None:
    """Of objects and classes; each decorated one by itself."""
    count = incr_count("n")

    class Shop:
        @count
        def sell(self, thing: str) -> tuple[object, str]:
            return self, thing

        @count
        def buy(self, thing: str) -> str:
            return thing.upper()

        @timeit
        @classmethod
        def open(cls) -> object:
            return cls

        @timeit
        @staticmethod
        def close(value: int) -> int:
            return value

    configure(holder)
    shop = Shop()
    assert shop.sell("egg") == (shop, "egg")
    assert shop.buy("egg") == "EGG"
    assert (shop.open(), Shop.close(3)) == (Shop, 3)
    assert [message["type"] for message in read_messages(holder)] == ["counter", "counter", "timer", "timer"]


async def test_functions_of_each_kind_stay_what_they_are(holder: MetlogClient) -> None:
    """And are measured to their end."""

    @timeit
    @incr_count
    async def wait() -> int:
        return 1

    @timeit
    @incr_count
    def generate() -> Iterator[int]:
        yield 2

    @timeit
    @incr_count
    async def stream() -> AsyncIterator[int]:
        yield 3

    assert inspect.iscoroutinefunction(wait)
    assert inspect.isgeneratorfunction(generate)
    assert inspect.isasyncgenfunction(stream)
    for _ in range(2):  # before and after the configuration
        assert await wait() == 1
        assert list(generate()) == [2]
        assert [number async for number in stream()] == [3]
        assert holder.counts.failed == 0
        if holder.is_active:
            break
        configure(holder)
    assert [message["type"] for message in read_messages(holder)] == ["counter", "timer"] * 3


def test_applied_decorators_can_be_looked_up(holder: MetlogClient) -> None:
    """By class, arguments, and keywords as JSON; the innermost are there, too."""

    @timeit
    @incr_count("calls", count=3)
    def work() -> None:
        """Do nothing."""

    assert work._metlog_decorators == {(timeit, None, None), (incr_count, ("calls",), '{"count": 3}')}  # type: ignore[attr-defined]


class announce(MetlogDecorator):  # noqa: N801 - decorators are written like functions
    """A decorator of an application: a message before each call."""

    def metlog_call(self, *args: object, **kwargs: object) -> object:
        """Send a message, and call."""
        assert self.client is not None
        self.client.metlog("announcement", payload=self._fn_fq_name, fields=dict(self.kwargs or {}))
        return self._invoke(*args, **kwargs)


def test_application_has_decorators_of_its_own(holder: MetlogClient) -> None:
    """Bare, with arguments, switched off, and around others of all kinds."""

    @announce
    @timeit
    def bare(value: int) -> int:
        return value

    @announce(loud=True)
    def loud() -> None:
        """Do nothing."""

    configure(holder)
    assert bare(5) == 5  # type: ignore[arg-type, comparison-overlap]
    loud()
    messages = read_messages(holder)
    assert [(message["type"], message["payload"]) for message in messages] == [
        ("announcement", f"{__name__}.bare"),
        ("timer", "0"),
        ("announcement", f"{__name__}.loud"),
    ]
    assert messages[2]["fields"] == {"loud": True}
    configure(holder, disabled_decorators=["announce"])

    @announce
    def quiet() -> None:
        """Do nothing."""

    quiet()  # type: ignore[call-arg]
    assert read_messages(holder) == []


def test_decorator_without_a_call_says_so(holder: MetlogClient) -> None:
    """When it is used."""
    configure(holder)
    decorated = MetlogDecorator()(len)
    with pytest.raises(NotImplementedError):
        decorated("x")


def test_what_cannot_be_called_is_not_decorated() -> None:
    """It is found out where the application is read."""
    with pytest.raises(ValueError, match="can be called"):
        timeit("name")(5)  # type: ignore[type-var]
