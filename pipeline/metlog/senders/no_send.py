"""What a client has until it is told where to send."""

from __future__ import annotations

from pipeline.metlog.envelope import Message
from pipeline.metlog.senders.sender import Sender


class NoSendSender(Sender):
    """Raises whatever it is given: somebody has forgotten to configure a sender."""

    def send_message(self, message: Message) -> None:
        """Raise."""
        raise NotImplementedError("No sender is configured, so nothing can be sent.")
