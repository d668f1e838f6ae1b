"""Standard input as rsyslog's omprog writes it, each message answered on standard output once programs ran on it.

Where a state is kept, it is on the disk before an answer goes out. So what was confirmed survives us, and what
was not rsyslog sends again.

rsyslog ends us by closing standard input, and then starts another of us: so the end of this source is that
of the daemon.
"""

from __future__ import annotations

import logging
import os
import select
from contextlib import suppress
from functools import partial

import trio

from pipeline.batch import Batch, Deliver
from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources.intake import MAX_DRAIN_BYTES, STDIN, Intake
from pipeline.sources.omprog import OK, Dialogue
from pipeline.sources.records import RecordWay, release_records
from pipeline.sources.stdin import StdinSource, is_ready
from pipeline.sources.surroundings import Surroundings

logger = logging.getLogger(__name__)

STDOUT = 1

END_SECONDS = 3.0
"""How long the last answers may take at a stop. rsyslog looks for one all the time; 5 s after it closed our
standard input it gives us up (omprog, closeTimeout)."""


class ConfirmingSource(StdinSource):
    """Reads standard input once, and answers each of its messages."""

    def __init__(
        self,
        name: str,
        settings: SourceSettings,
        surroundings: Surroundings | None = None,
        *,
        descriptor: int = STDIN,
        answers: int = STDOUT,
    ) -> None:
        super().__init__(name, settings, surroundings, descriptor=descriptor)
        self.answers = answers
        self.dialogue = Dialogue()
        self.owed = bytearray(OK)
        """The answers that are not written yet. The first says that we are ready."""
        self.is_unsaved = False
        self.records: RecordWay | None = None
        self.saved = self.surroundings.positions.get(name)
        """The records that the last run had begun, until this one goes on with them."""

    @property
    def position(self) -> object:
        """The records that have begun: rsyslog was told that we have their lines, and sends them to nobody again."""
        return self.saved if self.records is None else list(self.records.joiner.spell()) or None

    def prepare(self) -> None:
        super().prepare()
        try:
            os.fstat(self.answers)
        except OSError as error:
            raise SettingError("Standard output is closed, so nothing can be confirmed there.") from error
        if os.isatty(self.answers):
            raise SettingError("--confirm answers rsyslog's omprog on standard output, but that is a terminal.")
        # omprog passes on rsyslog's environment, and to tell systemd something there is to speak for rsyslog.
        os.environ.pop("NOTIFY_SOCKET", None)

    async def run(self, deliver: Deliver, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        intake = Intake(self.counts, partial(self.receive, deliver), self.settings.max_line_bytes)
        task_status.started()
        self.resume_records(deliver)
        try:
            await self.converse(intake)
        except trio.Cancelled:
            await self.end_conversation(intake, deliver)
            raise
        except BrokenPipeError:
            logger.warning("Nobody reads our confirmations any more. rsyslog sends again what was not confirmed.")
        self.finish(intake, deliver)
        self.surroundings.stop()

    async def converse(self, intake: Intake) -> None:
        """Read and answer until the end."""
        await self.settle()
        await self.wait_readable()
        while intake.read(self.descriptor):
            await self.settle()
            await self.wait_readable()

    def receive(self, deliver: Deliver, batch: Batch) -> None:
        """Deliver what is due after the lines that came, and note what to answer."""
        block, answers = self.dialogue.hear(batch.block)
        self.owed += answers
        if block:
            self.is_unsaved = True
            self.pass_on(block, deliver)

    def resume_records(self, deliver: Deliver) -> None:
        """Go on with the records that the last run has begun; where no lines are joined any more, deliver them."""
        self.records = self.open_records(deliver)
        saved, self.saved = self.saved, None
        if self.records is not None:
            self.records.has_more = self.is_waited_for
            self.records.resume(saved)
        elif block := release_records(saved):
            deliver(Batch(block, self.counts.origin))

    def is_waited_for(self) -> bool:
        """Return whether rsyslog waits for us: it sends the next line when it has the answer to the last."""
        return self.is_unsaved or bool(self.owed) or is_ready(self.descriptor, select.POLLIN)

    def pass_on(self, block: bytes, deliver: Deliver) -> None:
        """Deliver lines, or the records that end with them."""
        if self.records is not None:
            block = self.records.take(block)
        if block:
            deliver(Batch(block, self.counts.origin))

    async def settle(self) -> None:
        """Write the answers that are due, when what they confirm is on the disk, if it is to be.

        When it is cancelled, another call goes on. Standard output stays blocking, because that setting is shared.
        A pipe that has room takes PIPE_BUF bytes without a wait (pipe(7)).
        """
        if self.is_unsaved:
            await self.surroundings.save()
            self.is_unsaved = False
        while self.owed:
            if not is_ready(self.answers, select.POLLOUT):
                await trio.lowlevel.wait_writable(self.answers)
            size = os.write(self.answers, self.owed[: select.PIPE_BUF])
            del self.owed[:size]

    async def end_conversation(self, intake: Intake, deliver: Deliver) -> None:
        """Answer what can be read now without waiting, as long as there is time.

        What is held of a transaction rsyslog sends again, and the message it has begun; unless it has gone.
        """
        remaining = MAX_DRAIN_BYTES
        with trio.move_on_after(END_SECONDS, shield=True), suppress(BrokenPipeError):
            await self.settle()
            while remaining > 0 and self.surroundings.may_drain() and is_ready(self.descriptor, select.POLLIN):
                size = intake.read(self.descriptor)
                if not size:
                    self.finish(intake, deliver)
                    return
                remaining -= size
                await self.settle()
        self.end_records()

    def finish(self, intake: Intake, deliver: Deliver) -> None:
        """Deliver what is left when rsyslog has gone: nobody will send it again."""
        intake.finish()
        if block := self.dialogue.end():
            self.pass_on(block, deliver)
        self.end_records()

    def end_records(self) -> None:
        """Deliver the records that have begun, unless the next run goes on with them."""
        if self.records is not None and not self.surroundings.keeps_state:
            self.records.finish()
