"""The names of metlog-py's senders over ZeroMQ, so that who has configured one is told what to use instead."""

from __future__ import annotations

from pipeline.metlog.envelope import Message
from pipeline.metlog.senders.sender import Sender, SenderError


class ZmqPubSender(Sender):
    """Cannot be made: ZeroMQ is a library of its own, and the daemon does not speak it."""

    def __init__(self, *arguments: object, **options: object) -> None:
        raise SenderError(
            f"There is no {type(self).__name__}: use UnixDatagramSender on the same machine, and UdpSender to another."
        )

    def send_message(self, message: Message) -> None:
        """Never called."""
        raise NotImplementedError


class ZmqHandshakePubSender(ZmqPubSender):
    """Cannot be made either."""
