"""Clients whose messages a test can look at, and what may be in those."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hypothesis import strategies as st

from pipeline.metlog.client import MetlogClient
from pipeline.metlog.config import client_from_dict_config
from pipeline.metlog.senders import DebugCaptureSender

Message = dict[str, object]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.text(st.characters(categories=["Cs"]))
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters()) | st.integers() | st.none() | st.binary(), inner)
        | st.frozensets(st.integers() | st.text())
    ),
    max_leaves=10,
)
"""Whatever an application may put into a message."""


class FailingSender:
    """Raises while it is told to, and keeps the rest: a sender that an application has written, without counts."""

    def __init__(self) -> None:
        self.error: Exception | None = OSError("nobody listens")
        self.messages: list[Message] = []

    def send_message(self, message: Message) -> None:
        """Raise, or keep a message."""
        if self.error is not None:
            raise self.error
        self.messages.append(message)


class DroppingSender(DebugCaptureSender):
    """Drops what it is given and counts that, as those do whose receiver is away."""

    is_away = True

    def send_message(self, message: Message) -> None:
        """Drop or keep a message."""
        if self.is_away:
            self.counts.drop("no room", "the queue is full")
        else:
            super().send_message(message)


def make_client(logger: str = "shop", **options: object) -> MetlogClient:
    """Return a client with a ring of messages."""
    return MetlogClient(DebugCaptureSender(), logger, **options)  # type: ignore[arg-type]


def from_config(**config: object) -> MetlogClient:
    """Return a client of a configuration, with a ring of messages unless it says otherwise."""
    return client_from_dict_config({"sender_class": "capture", **config})


def read_messages(client: MetlogClient) -> list[Message]:
    """Return what a client has sent, as a receiver reads it, and forget it."""
    sender = client.sender
    assert isinstance(sender, DebugCaptureSender)
    messages = [json.loads(text) for text in sender.msgs]
    sender.msgs.clear()
    return messages


def read_message(client: MetlogClient) -> Message:
    """Return the one message that a client has sent."""
    (message,) = read_messages(client)
    return message


def read_fields(client: MetlogClient) -> Mapping[str, object]:
    """Return the fields of the one message that a client has sent."""
    fields = read_message(client)["fields"]
    assert isinstance(fields, dict)
    return fields
