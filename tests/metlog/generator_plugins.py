"""What an application brings along, and its configuration names: a sender, a filter, a plugin, a formatter."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.metlog.client import MetlogClient
from pipeline.metlog.senders import DebugCaptureSender

Message = dict[str, object]


class OwnSender(DebugCaptureSender):
    """A sender with arguments."""

    def __init__(self, *places: object, **options: object) -> None:
        super().__init__()
        self.places = places
        self.options = options


def own_filter(word: str) -> Callable[[Message], bool]:
    """Return a filter that keeps what has a word in its payload."""
    return lambda message: word in str(message["payload"])


def own_plugin(config: dict[str, object]) -> Callable[..., object]:
    """Return a method that says how it is configured."""

    def dummy(self: MetlogClient, *args: object) -> object:
        return self.logger, config, args

    dummy.metlog_name = "dummy"  # type: ignore[attr-defined]
    return dummy


def named_plugin(config: dict[str, object]) -> Callable[..., object]:
    """Return a method of the name that is asked for."""

    def method(self: MetlogClient) -> None:
        return None

    method.metlog_name = config["name"]  # type: ignore[attr-defined]
    return method


def own_incr(config: dict[str, object]) -> Callable[..., object]:
    """Return a method in the place of one of the client's own."""

    def counted(self: MetlogClient, name: str) -> str:
        return f"{config['prefix']}{name}"

    counted.metlog_name = "incr"  # type: ignore[attr-defined]
    return counted


def no_filter() -> int:
    """Return what is no filter."""
    return 5


def no_plugin(config: dict[str, object]) -> int:
    """Return what is no plugin."""
    return 5


NOT_CALLABLE = 5
