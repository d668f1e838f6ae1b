"""An endpoint that speaks HTTP: what an answer means for the messages that were sent.

- What is taken is delivered.
- An answer that is about the request (400, 413, 422) to one of several messages is not final: it is split, until the
  message that is not wanted is alone. Requests grow again with each that is taken.
- When time runs out before there is an answer, the next request has half as many messages: a slow server takes these.
- One that is about us (401, 403, 404, 407), or about where we ask (300 to 399), is for the operator to mend. The
  messages wait for that, as they do for a server that is down (408, 425, 429, from 500 on, no answer).
- Any other from 400 to 499 is final: the messages are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from pipeline.endpoint_settings import QueueSettings
from pipeline.errors import PushError
from pipeline.metlog.endpoints.queued_endpoint import QueuedEndpoint
from pipeline.pushers import compress, make_http_connection

if TYPE_CHECKING:
    from pipeline.pushers import Answer

ABOUT_THE_REQUEST = (400, 413, 422)
FOR_THE_OPERATOR = (401, 403, 404, 407)
FOR_LATER = (408, 425, 429)

PIECE_BYTES = 64 * 1024
"""As much is compressed before others have their turn."""


class HttpEndpoint(QueuedEndpoint):
    """Sends over one connection that is kept."""

    def __init__(
        self,
        name: str,
        settings: QueueSettings,
        read_clock: Callable[[], int],
        *,
        url: str,
        headers: Mapping[str, str],
        secrets: tuple[str, ...],
        ca: Path | None,
    ) -> None:
        """`secrets` are never shown, nor is what stands in `headers`, also if the server says it."""
        connection = make_http_connection(url, headers, ca, f"metlog.endpoint.{name}.ca")
        connection.secrets = tuple(sorted({*connection.secrets, *filter(None, secrets)}, key=len, reverse=True))
        super().__init__(name, connection.url, settings)
        self.connection = connection
        self.read_clock = read_clock
        self.max_batch = self.batch_messages

    async def post(self, body: bytes, headers: Mapping[str, str], *, is_compressed: bool) -> Answer:
        """Send one request and return the answer."""
        await self.connection.connect()
        if is_compressed:
            body = await compress(cut(body))
            headers = {**headers, "content-encoding": "gzip"}
        try:
            return await self.connection.send("POST", body=body, headers=headers)
        except trio.Cancelled:
            self.batch_messages = max(len(self.backlog.hand) // 2, 1)
            raise

    def obey(self, answer: Answer, count: int) -> None:
        """Settle `count` messages as the answer says. Raises `PushError` when they are to be tried again."""
        status = answer.status
        if answer.is_good:
            self.settle(delivered=count)
            self.batch_messages = min(self.batch_messages * 2, self.max_batch)
        elif status in ABOUT_THE_REQUEST and count > 1:
            self.batch_messages = count // 2
        elif 400 <= status < 500 and status not in (*FOR_THE_OPERATOR, *FOR_LATER):
            self.refuse(count, answer.describe())
        else:
            raise PushError(answer.describe(), answer.find_pause(self.read_clock()))

    async def disconnect(self) -> None:
        """Close the connection."""
        await self.connection.disconnect()


def cut(body: bytes) -> Iterator[bytes]:
    """Yield a body in pieces."""
    return (body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES))
