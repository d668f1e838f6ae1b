"""Standard input with confirmations; a pipe stands for it here, and another one for standard output."""

from __future__ import annotations

import os
import select
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner
from trio.testing import wait_all_tasks_blocked

from pipeline.cli import main
from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources import confirm
from pipeline.sources.confirm import ConfirmingSource
from pipeline.sources.kinds import parse_items
from pipeline.sources.omprog import REFUSED
from pipeline.sources.surroundings import Surroundings
from tests.sources.collector import PATIENCE_SECONDS, SETTINGS, Collector, running

NOBODY_READS = "Nobody reads our confirmations any more. rsyslog sends again what was not confirmed."


@dataclass(slots=True)
class Omprog:
    """rsyslog's side of the two pipes, and what the source did about them."""

    stdin: int
    stdout: int
    to_us: int
    from_us: int
    surroundings: Surroundings = field(default_factory=Surroundings)

    @property
    def source(self) -> ConfirmingSource:
        return ConfirmingSource("-", SETTINGS, self.surroundings, descriptor=self.stdin, answers=self.stdout)

    def say(self, text: bytes) -> None:
        """Write messages."""
        os.write(self.to_us, text)

    def hang_up(self) -> None:
        """Close our standard input."""
        os.close(self.to_us)
        self.to_us = -1

    def stop_reading(self) -> None:
        """Close our standard output."""
        os.close(self.from_us)
        self.from_us = -1

    @property
    def heard(self) -> bytes:
        """What was answered since the last look."""
        ready, _, _ = select.select([self.from_us], [], [], 0)
        return os.read(self.from_us, 1 << 20) if ready else b""

    async def wait_heard(self) -> bytes:
        """Wait for answers and return them."""
        with trio.fail_after(PATIENCE_SECONDS):
            await trio.lowlevel.wait_readable(self.from_us)
        return self.heard

    async def ask(self, text: bytes) -> bytes:
        """Write messages and return the answers."""
        self.say(text)
        return await self.wait_heard()

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[Collector]:
        """Run the source until the end of the block, when it is stopped in good order."""
        async with running(self.source) as collector:
            assert await self.wait_heard() == b"OK\n"
            yield collector


@pytest.fixture
def omprog(monkeypatch: pytest.MonkeyPatch) -> Iterator[Omprog]:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    stdin, to_us = os.pipe()
    from_us, stdout = os.pipe()
    pair = Omprog(stdin, stdout, to_us, from_us)
    yield pair
    for descriptor in (stdin, stdout, pair.to_us, pair.from_us):
        if descriptor >= 0:
            os.close(descriptor)


async def test_first_answer_says_that_we_are_ready(omprog: Omprog) -> None:
    """It comes when the source runs, which is when everything is bound; not before."""
    source = omprog.source
    source.prepare()
    assert omprog.heard == b""
    async with trio.open_nursery() as nursery:
        await nursery.start(source.run, Collector())
        await wait_all_tasks_blocked()
        assert omprog.heard == b"OK\n"
        nursery.cancel_scope.cancel()


async def test_message_is_confirmed_when_it_was_delivered(omprog: Omprog) -> None:
    """One by one, as omprog waits."""
    async with omprog.talking() as collector:
        for number in range(3):
            assert await omprog.ask(b"line %d\n" % number) == b"OK\n"
            assert len(collector.lines) == number + 1
    assert collector.lines == [b"line 0", b"line 1", b"line 2"]


async def test_message_begun_is_not_confirmed(omprog: Omprog) -> None:
    """A long one comes in pieces."""
    async with omprog.talking() as collector:
        omprog.say(b"one ")
        await wait_all_tasks_blocked()
        assert omprog.heard == b""
        assert await omprog.ask(b"line\n") == b"OK\n"
        assert collector.lines == [b"one line"]


async def test_over_long_message_is_cut_and_confirmed(omprog: Omprog) -> None:
    """Otherwise rsyslog would send it again for ever."""
    source = omprog.source
    async with running(source) as collector:
        assert await omprog.wait_heard() == b"OK\n"
        with trio.fail_after(PATIENCE_SECONDS):
            await trio.to_thread.run_sync(omprog.say, b"x" * 70_000 + b"\n")
            await trio.lowlevel.wait_readable(omprog.from_us)
        assert omprog.heard == b"OK\n"
    assert collector.lines == [b"x" * SETTINGS.max_line_bytes]
    assert source.counts.lines_truncated == 1


async def test_transaction_is_one_batch(omprog: Omprog) -> None:
    """From the second one on, since the first may be the rest of one."""
    async with omprog.talking() as collector:
        answers = await omprog.ask(b"BEGIN TRANSACTION\nb\nCOMMIT TRANSACTION\n")
        assert answers == b"OK\nDEFER_COMMIT\n" + REFUSED
        assert collector.lines == []
        assert await omprog.ask(b"BEGIN TRANSACTION\n") == b"OK\n"
        assert await omprog.ask(b"a\n") == b"DEFER_COMMIT\n"
        assert await omprog.ask(b"b\n") == b"DEFER_COMMIT\n"
        assert collector.lines == []
        assert await omprog.ask(b"COMMIT TRANSACTION\n") == b"OK\n"
    assert [batch.block for batch in collector.batches] == [b"a\nb\n"]


class Disk:
    """A place where saving takes as long as the test wants; notes how many lines there were at each time."""

    def __init__(self) -> None:
        self.saved: list[int] = []
        self.collector = Collector()
        self.may_go_on = trio.Event()

    async def save(self) -> None:
        lines = len(self.collector.lines)
        await self.may_go_on.wait()
        self.saved.append(lines)


async def test_confirmation_waits_for_the_disk(omprog: Omprog) -> None:
    """What is confirmed survives us."""
    disk = Disk()
    omprog.surroundings = Surroundings(save=disk.save)
    source = omprog.source
    source.prepare()
    async with trio.open_nursery() as nursery:
        await nursery.start(source.run, disk.collector)
        assert await omprog.wait_heard() == b"OK\n"
        omprog.say(b"line\n")
        await wait_all_tasks_blocked()
        assert (disk.collector.lines, omprog.heard) == ([b"line"], b"")
        disk.may_go_on.set()
        await wait_all_tasks_blocked()
        assert (disk.saved, omprog.heard) == ([1], b"OK\n")
        nursery.cancel_scope.cancel()


async def test_only_the_end_of_a_transaction_waits_for_the_disk(omprog: Omprog) -> None:
    """Before it nothing is counted."""
    disk = Disk()
    disk.may_go_on.set()
    omprog.surroundings = Surroundings(save=disk.save)
    source = omprog.source
    source.prepare()
    async with trio.open_nursery() as nursery:
        await nursery.start(source.run, disk.collector)
        await omprog.wait_heard()
        await omprog.ask(b"BEGIN TRANSACTION\nCOMMIT TRANSACTION\n")
        await omprog.ask(b"BEGIN TRANSACTION\n")
        await omprog.ask(b"a\n")
        await omprog.ask(b"b\n")
        assert disk.saved == []
        await omprog.ask(b"COMMIT TRANSACTION\n")
        assert disk.saved == [2]
        nursery.cancel_scope.cancel()


async def test_stop_finishes_what_is_in_hand(omprog: Omprog) -> None:
    """A message whose programs ran is confirmed, and so are those that have come; then the source ends."""
    disk = Disk()
    omprog.surroundings = Surroundings(save=disk.save)
    source = omprog.source
    source.prepare()
    async with trio.open_nursery() as nursery:
        await nursery.start(source.run, disk.collector)
        await omprog.wait_heard()
        omprog.say(b"first\n")
        await wait_all_tasks_blocked()
        omprog.say(b"second\nbegun")
        nursery.cancel_scope.cancel()
        disk.may_go_on.set()
    assert disk.collector.lines == [b"first", b"second"]
    assert omprog.heard == b"OK\nOK\n"


async def test_stop_does_not_wait_for_a_reader_that_does_not_read(
    omprog: Omprog, autojump_clock: trio.testing.MockClock
) -> None:
    """rsyslog would; whoever else started us may have stopped."""
    os.set_blocking(omprog.stdout, False)
    while True:
        try:
            os.write(omprog.stdout, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(omprog.stdout, True)
    async with running(omprog.source) as collector:
        omprog.say(b"line\n")
        await wait_all_tasks_blocked()
    assert collector.lines == []


async def test_stop_within_a_transaction_leaves_it_to_rsyslog(omprog: Omprog) -> None:
    """It sends it again to the next run; were it delivered, it would count twice."""
    async with omprog.talking() as collector:
        await omprog.ask(b"BEGIN TRANSACTION\na\n")
    assert collector.lines == []


async def test_stop_does_not_wait_for_a_busy_writer(omprog: Omprog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is stopped reads a limited number of bytes, however much there is."""
    monkeypatch.setattr(confirm, "MAX_DRAIN_BYTES", 1)
    source = omprog.source
    source.prepare()
    collector = Collector()
    async with trio.open_nursery() as nursery:
        nursery.cancel_scope.cancel()
        omprog.say((b"x" * 299 + b"\n") * 1000)
        nursery.start_soon(source.run, collector)
    assert 0 < len(collector.lines) < 1000


async def test_stop_obeys_the_deadline(omprog: Omprog) -> None:
    """When there is no time left nothing more is read."""
    omprog.surroundings = Surroundings(may_drain=lambda: False)
    async with omprog.talking() as collector:
        omprog.say(b"line\n")
    assert collector.lines == []
    assert omprog.heard == b""


async def test_stop_that_meets_the_end_delivers_what_is_held(omprog: Omprog) -> None:
    """When rsyslog has gone, nobody sends it again."""
    async with omprog.talking() as collector:
        await omprog.ask(b"BEGIN TRANSACTION\na\nb\n")
        omprog.hang_up()
    assert collector.lines == [b"a", b"b"]


@pytest.mark.parametrize("text", [b"a\nb", b"BEGIN TRANSACTION\na\nb"])
async def test_end_of_input_is_the_end_of_the_daemon(omprog: Omprog, text: bytes) -> None:
    """Even if there are other sources. What is held or unended is delivered."""
    stops: list[str] = []
    omprog.surroundings = Surroundings(stop=lambda: stops.append("stop"))
    source = omprog.source
    source.prepare()
    collector = Collector()
    omprog.say(text)
    omprog.hang_up()
    await source.run(collector)
    source.close()
    assert collector.lines == [b"a", b"b"]
    assert source.counts.lines_partial == 1
    assert stops == ["stop"]


async def test_reader_that_left_ends_the_source(omprog: Omprog, caplog: pytest.LogCaptureFixture) -> None:
    """In good order: what came is delivered, though nobody hears that."""
    async with trio.open_nursery() as nursery:
        source = omprog.source
        source.prepare()
        collector = Collector()
        await nursery.start(source.run, collector)
        await wait_all_tasks_blocked()
        omprog.stop_reading()
        omprog.say(b"line\n")
    assert collector.lines == [b"line"]
    assert caplog.messages == [NOBODY_READS]


async def test_stop_after_the_reader_left(omprog: Omprog) -> None:
    """A stop that cannot confirm any more ends too."""
    async with omprog.talking() as collector:
        omprog.say(b"line\n")
        omprog.stop_reading()
    assert collector.lines == [b"line"]


async def test_answers_wait_for_a_reader_that_is_slow(omprog: Omprog) -> None:
    """No answer is lost when the pipe is full, and the loop goes on meanwhile."""
    async with running(omprog.source) as collector:
        await trio.to_thread.run_sync(omprog.say, b"a\n" * 100_000)
        await wait_all_tasks_blocked()
        heard = b""
        with trio.fail_after(PATIENCE_SECONDS):
            while heard.count(b"\n") < 100_001:
                await trio.lowlevel.wait_readable(omprog.from_us)
                heard += omprog.heard
    assert heard == b"OK\n" * 100_001
    assert len(collector.lines) == 100_000


async def test_answers_may_go_into_a_file(omprog: Omprog, tmp_path: Path) -> None:
    """A file cannot be waited for, and is simply written."""
    omprog.say(b"a\nb\n")
    omprog.hang_up()
    with (tmp_path / "answers").open("wb") as file:
        source = ConfirmingSource("-", SETTINGS, descriptor=omprog.stdin, answers=file.fileno())
        source.prepare()
        await source.run(Collector())
    assert (tmp_path / "answers").read_bytes() == b"OK\nOK\nOK\n"


async def test_second_run_does_not_say_again_that_it_is_ready(omprog: Omprog) -> None:
    """A source that failed is run again, and rsyslog would take the word for an answer."""
    source = omprog.source
    for expected in (b"OK\n", b""):
        source.prepare()
        async with trio.open_nursery() as nursery:
            await nursery.start(source.run, Collector())
            await wait_all_tasks_blocked()
            assert omprog.heard == expected
            nursery.cancel_scope.cancel()


async def test_systemd_hears_nothing_from_us(omprog: Omprog, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take it for rsyslog's, whose environment we have."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    omprog.source.prepare()
    assert "NOTIFY_SOCKET" not in os.environ


def test_terminal_as_standard_output_is_one_sentence(omprog: Omprog) -> None:
    """Somebody tries the flag by hand."""
    controller, terminal = os.openpty()
    with pytest.raises(SettingError) as caught:
        ConfirmingSource("-", SETTINGS, descriptor=omprog.stdin, answers=terminal).prepare()
    os.close(controller)
    os.close(terminal)
    assert str(caught.value) == "--confirm answers rsyslog's omprog on standard output, but that is a terminal."


def test_closed_standard_output_is_one_sentence(omprog: Omprog) -> None:
    """Nothing could be answered there."""
    descriptor = os.dup(omprog.stdout)
    os.close(descriptor)
    with pytest.raises(SettingError) as caught:
        ConfirmingSource("-", SETTINGS, descriptor=omprog.stdin, answers=descriptor).prepare()
    assert str(caught.value) == "Standard output is closed, so nothing can be confirmed there."


def test_replay_confirms_nothing() -> None:
    """Standard output is for the metrics there."""
    told = CliRunner().invoke(main, ["run", "--one_shot", "--confirm", "--progs", "x.mtail", "--logs", "-"])
    assert told.exit_code == 2
    assert told.stderr == "Error: --confirm is for the daemon and does not go with --one_shot.\n"


def test_confirm_is_about_standard_input() -> None:
    """It needs it among the sources, by whichever name."""
    (source,) = parse_items(SourceSettings(logs=("/dev/stdin",), confirm=True), Surroundings()).values()
    assert type(source) is ConfirmingSource
    with pytest.raises(SettingError) as caught:
        parse_items(SourceSettings(logs=("/run/log.fifo",), confirm=True), Surroundings())
    assert str(caught.value) == "--confirm is about standard input, and that is not among --logs: add -."
