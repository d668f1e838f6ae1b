"""What rsyslog's omprog says and expects to hear when it has confirmMessages="on", without I/O.

It sends a message, which is one line, and waits for a line in answer before it sends the next: `OK`, or
it sends the message again. With useTransactions="on" a line before and a line after each of its batches
mark a transaction. The marks are answered `OK`, the messages between them `DEFER_COMMIT`. (rsyslog,
plugins/external/INTERFACE.md.)

What happens to a transaction that we do not live to see the end of decides the rest (rsyslog 8.2302: action.c, and
tried). It starts us again and sends the mark of the beginning, the message that was not answered, and what
follows; the messages that were answered `DEFER_COMMIT` before it does not repeat. Yet when the end of a
transaction is not answered `OK`, it repeats the whole of it: first each message as a transaction of its own,
then those of them that were refused again as one. So the lines of a transaction are held until its end; the first one
after a start, which may be the rest of one, is refused, and so are those of one message that may follow it. Then
each message comes again, together with the others, and counts once.
"""

from __future__ import annotations

from typing import NamedTuple

BEGIN = b"BEGIN TRANSACTION"
COMMIT = b"COMMIT TRANSACTION"

OK = b"OK\n"
DEFERRED = b"DEFER_COMMIT\n"
REFUSED = b"The first transaction after a start may be the rest of one: send the whole of it.\n"
"""What is none of the words above means a failure; `reportFailures` has rsyslog log it."""

MAX_HELD_BYTES = 1024 * 1024
"""What is held of a transaction: as much as a batch of rsyslog has by default, 128 messages of at most 8 KiB. What
is more goes to the programs before its end, and counts twice if it is repeated."""


class Turn(NamedTuple):
    """What follows from something heard: the block of lines that is due, and what to answer when programs ran on it."""

    block: bytes
    answers: bytes


class Dialogue:
    """One run's talk with omprog. Whether it has transactions shows in the first line that it sends."""

    __slots__ = ("has_begun", "has_transactions", "held", "held_bytes", "refused")

    def __init__(self) -> None:
        self.has_transactions: bool | None = None
        self.held: list[bytes] | None = None
        """The lines of the transaction under way; None between two."""
        self.held_bytes = 0
        self.has_begun = False
        """Whether a transaction was taken; from then on all are."""
        self.refused: list[bytes] | None = None
        """The lines of the last transaction, if it was refused."""

    def hear(self, block: bytes) -> Turn:
        """Return what follows from a block of whole lines."""
        due: list[bytes] = []
        answers = [self.hear_line(line, due) for line in block.split(b"\n")[:-1]]
        return Turn(join_lines(due), b"".join(answers))

    def hear_line(self, line: bytes, due: list[bytes]) -> bytes:
        """Add to `due` the lines that are due after this one, and return its answer."""
        if self.has_transactions is None:
            self.has_transactions = line == BEGIN
        if self.held is not None:
            return self.hear_inside(line, self.held, due)
        if not self.has_transactions or line not in (BEGIN, COMMIT):
            due.append(line)
        elif line == BEGIN:
            self.held = []
        return OK

    def hear_inside(self, line: bytes, held: list[bytes], due: list[bytes]) -> bytes:
        """Do the same within a transaction."""
        if line == COMMIT:
            self.held, self.held_bytes = None, 0
            return self.end_transaction(held, due)
        held.append(line)
        self.held_bytes += len(line) + 1
        if self.held_bytes > MAX_HELD_BYTES:
            due.extend(held)
            held.clear()
            self.held_bytes = 0
        return DEFERRED

    def end_transaction(self, held: list[bytes], due: list[bytes]) -> bytes:
        """Take a transaction, or refuse it: only the first must be. One that comes again at once is all there is."""
        if not self.has_begun and (self.refused is None or (len(held) == 1 and held != self.refused)):
            self.refused = held
            return REFUSED
        self.has_begun, self.refused = True, None
        due.extend(held)
        return OK

    def end(self) -> bytes:
        """Return the block of lines that are held when rsyslog has gone, and will not repeat them."""
        held, self.held, self.held_bytes = self.held or [], None, 0
        return join_lines(held)


def join_lines(lines: list[bytes]) -> bytes:
    """Return lines as a block."""
    return b"".join([line + b"\n" for line in lines])
