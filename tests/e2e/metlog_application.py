"""An application that sends messages with the generator: one process of several, which knows of no destination.

    metlog_application.py NUMBER TIMEOUT PLACE

The place is a unix datagram socket or a file. It sends as many rounds as each line of its standard input says, answers
`done`, and says at the end what its sender has counted. Each message has an identity, `process-round`, or adds to what
tells whether one is missing or doubled.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from pipeline.metlog.client import MetlogClient
from pipeline.metlog.senders import FileSender, UnixDatagramSender

TIMER_NAMES = 40
"""So few of each that statsd shows them all."""

ERROR_EVERY = 10
MESSAGES_PER_ROUND = 9
"""Beside an error in each tenth round."""


def send_round(client: MetlogClient, process: str, number: int) -> None:
    """Send a message of each sort."""
    identity = f"{process}-{number}"
    own = {"process": process}
    client.incr("rounds", fields=own)
    client.incr("numbers", count=number, fields=own)
    client.timer_send(f"work_{number % TIMER_NAMES}", number, fields=own)
    client.gauge("level", number, fields=own)
    client.metlog("audit", payload=f"user {number} logged in", fields={"id": identity}, severity=5)
    client.metlog("request", payload="/index.html", fields={"id": identity, "status": 200})
    client.metlog("stray", fields={"id": identity})
    client.info("said %s", identity, fields={"id": identity})
    client.debug("thought %s", identity, fields={"id": identity})
    if number % ERROR_EVERY == 0:
        try:
            sell(identity)
        except LookupError:
            client.exception("failed at %s", identity, fields={"id": identity})


def sell(identity: str) -> None:
    """Fail."""
    raise LookupError(f"no stock for {identity}")


def count_messages(rounds: int) -> int:
    """Return how many messages a process sends in its first rounds."""
    return rounds * MESSAGES_PER_ROUND + len(range(0, rounds, ERROR_EVERY))


def read_orders() -> Iterator[int]:
    """Yield how many rounds are asked for, each time."""
    for line in sys.stdin:
        yield int(line)


def main() -> None:
    """Send what is asked for."""
    process, timeout, place = sys.argv[1:]
    is_socket = place.endswith(".sock")
    sender = UnixDatagramSender(place, timeout_seconds=float(timeout)) if is_socket else FileSender(place)
    client = MetlogClient(sender, logger="shop")
    number = 0
    for rounds in read_orders():
        for _ in range(rounds):
            send_round(client, process, number)
            number += 1
        sys.stdout.write("done\n")
        sys.stdout.flush()
    counts = sender.counts
    sys.stdout.write(json.dumps({"sent": counts.sent, "dropped": counts.dropped}))


if __name__ == "__main__":
    main()
