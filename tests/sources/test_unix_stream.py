"""Unix stream sockets: real ones, with real clients."""

from __future__ import annotations

import errno
import logging
import os
import resource
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.descriptors import Descriptors
from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources import intake
from pipeline.sources.surroundings import Surroundings
from pipeline.sources.unix_address import UnixAddress
from pipeline.sources.unix_stream import UnixStreamSource
from pipeline.unix_socket import BoundSocket
from tests.sources.collector import PATIENCE_SECONDS, SETTINGS, Collector, join_lines, number_lines, running
from tests.sources.keeper import Keeper, keeping


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "socket"


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(str(path))
    return client


def send(path: Path, lines: list[bytes]) -> None:
    with connect(path) as client:
        client.sendall(join_lines(lines))


async def test_lines_carry_the_address_as_origin(path: Path) -> None:
    """`getfilename()` returns the address."""
    async with running(UnixStreamSource(UnixAddress(str(path)), SETTINGS)) as collector:
        send(path, [b"a", b"b"])
        await collector.wait_lines(2)
    assert collector.batches == [Batch.of([b"a", b"b"], f"unix://{path}".encode())]


async def test_each_connection_has_lines_of_its_own(path: Path) -> None:
    """A line begun on one connection is not ended on another."""
    async with running(UnixStreamSource(UnixAddress(str(path)), SETTINGS)) as collector:
        with connect(path) as first, connect(path) as second:
            for client, part in ((first, b"fir"), (second, b"sec"), (first, b"st\n"), (second, b"ond\n")):
                client.sendall(part)
                await wait_all_tasks_blocked()
    assert collector.lines == [b"first", b"second"]


async def test_end_of_a_connection_ends_its_last_line(path: Path) -> None:
    """A client that leaves without a line feed loses nothing."""
    async with running(UnixStreamSource(UnixAddress(str(path)), SETTINGS)) as collector:
        with connect(path) as client:
            client.sendall(b"a\nunended")
        await collector.wait_lines(2)
    assert collector.lines == [b"a", b"unended"]


async def test_every_line_of_many_connections_arrives_once(path: Path) -> None:
    """100,000 lines over four connections at once, each one's in order."""
    sent = [number_lines(25_000, f"client {client}") for client in range(4)]
    async with running(UnixStreamSource(UnixAddress(str(path)), SETTINGS)) as collector, trio.open_nursery() as nursery:
        for lines in sent:
            nursery.start_soon(trio.to_thread.run_sync, send, path, lines)
    assert len(collector.lines) == 100_000
    for client, lines in enumerate(sent):
        assert [line for line in collector.lines if line.startswith(b"client %d" % client)] == lines


async def test_stop_reads_what_was_sent(path: Path) -> None:
    """Served connections and those that still wait to be accepted are read to their end; then nobody can send."""
    async with running(UnixStreamSource(UnixAddress(str(path)), SETTINGS)) as collector:
        served = connect(path)
        await wait_all_tasks_blocked()
        waiting = connect(path)
        for client, name in ((served, b"served"), (waiting, b"waiting")):
            client.sendall(name + b"\n" + name + b" unended")
    assert sorted(collector.lines) == [b"served", b"served unended", b"waiting", b"waiting unended"]
    for client in (served, waiting):
        with client, pytest.raises(BrokenPipeError):
            client.sendall(b"late\n")


async def test_socket_file_is_removed_at_the_end(path: Path) -> None:
    """Owner and group may connect while it is there."""
    source = UnixStreamSource(UnixAddress(str(path)), SETTINGS)
    async with running(source):
        assert stat.filemode(os.lstat(path).st_mode) == "srw-rw----"
    assert not os.path.lexists(path)
    source.close()


async def test_served_socket_is_left_alone(path: Path) -> None:
    """A second instance says in one sentence that it cannot start, and the first goes on."""
    async with running(UnixStreamSource(UnixAddress(str(path)), SETTINGS)) as collector:
        with pytest.raises(SettingError) as caught:
            UnixStreamSource(UnixAddress(str(path)), SETTINGS).prepare()
        send(path, [b"still here"])
        await collector.wait_lines(1)
    assert str(caught.value) == f"Somebody already serves the socket {path}."


async def test_connections_over_the_limit_are_closed_and_counted(path: Path) -> None:
    """The ones before go on; a place that comes free is given away again."""
    source = UnixStreamSource(UnixAddress(str(path)), SourceSettings(logs=(), max_connections=1))
    async with running(source) as collector:
        with connect(path) as first:
            await wait_all_tasks_blocked()
            with connect(path) as refused:
                await wait_all_tasks_blocked()
                assert refused.recv(1) == b""
            first.sendall(b"first\n")
        await collector.wait_lines(1)
        await wait_all_tasks_blocked()
        send(path, [b"second"])
        await collector.wait_lines(2)
    assert source.counts.connections_refused == 1
    assert collector.lines == [b"first", b"second"]


async def test_connections_that_come_together_keep_to_the_limit(path: Path) -> None:
    """Whoever comes at the same moment as the last that is let in is one too many."""
    source = UnixStreamSource(UnixAddress(str(path)), SourceSettings(logs=(), max_connections=1))
    async with running(source):
        for _ in range(20):
            with ExitStack() as clients:
                for _ in range(3):
                    clients.enter_context(connect(path))
                await wait_all_tasks_blocked()
                assert source.counts.connections == 1
            await wait_all_tasks_blocked()
    assert source.counts.connections_refused == 40


async def test_connection_waits_while_there_is_no_descriptor(
    path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Without descriptors the source goes on, and takes the connection once there is one."""
    source = UnixStreamSource(UnixAddress(str(path)), SETTINGS)
    async with running(source) as collector:
        client = connect(path)
        client.sendall(b"patient\n")
        with forbid_descriptors():
            await trio.sleep(0.25)
        await collector.wait_lines(1)
        client.close()
    assert source.counts.errors >= 2
    assert caplog.record_tuples == [
        (
            "pipeline.sources.stream",
            logging.WARNING,
            f"unix://{path}: a new connection has to wait: too many open files."
            " It is tried again every 0.1 s; more failures are only counted.",
        )
    ]


async def test_stop_takes_who_waits_without_a_descriptor_to_spare(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One is held for that, and does for all, one after the other."""
    source = UnixStreamSource(UnixAddress(str(path)), SETTINGS)
    collector = Collector()
    source.prepare()
    clients = [connect(path) for _ in range(3)]
    for number, client in enumerate(clients):
        client.sendall(b"patient %d\n" % number)
    with forbid_descriptors():
        async with trio.open_nursery() as nursery:
            await nursery.start(source.run, collector)
            nursery.cancel_scope.cancel()
    for client in clients:
        client.close()
    assert collector.lines == [b"patient 0", b"patient 1", b"patient 2"]
    assert source.counts.errors == 0
    assert caplog.messages == []


async def test_stop_goes_on_where_nobody_can_be_taken(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The failure is counted, and said."""
    source = UnixStreamSource(UnixAddress(str(path)), SETTINGS)
    source.prepare()
    source.close_spare()
    holder = os.dup(0)
    with connect(path) as client:
        client.sendall(b"lost\n")
        with forbid_descriptors():
            async with trio.open_nursery() as nursery:
                await nursery.start(source.run, Collector())
                nursery.cancel_scope.cancel()
    os.close(holder)
    assert source.counts.errors == 1
    assert caplog.messages == [f"unix://{path}: what waiting writers have sent is lost: too many open files."]


def test_start_without_a_descriptor_to_spare_is_one_sentence(path: Path) -> None:
    """It says what is missing, and leaves no socket."""
    with ExitStack() as limits:

        class LastDescriptorSource(UnixStreamSource):
            def bind(self) -> list[BoundSocket]:
                bound = super().bind()
                limits.enter_context(forbid_descriptors())
                return bound

        with pytest.raises(SettingError) as caught:
            LastDescriptorSource(UnixAddress(str(path)), SETTINGS).prepare()
    assert str(caught.value) == f"unix://{path} cannot be read: too many open files."
    assert not os.path.lexists(path)


@contextmanager
def forbid_descriptors() -> Iterator[None]:
    """Let the kernel refuse every new descriptor."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_broken_listener_is_not_hidden(path: Path) -> None:
    """What cannot be waited for ends the daemon, instead of a loop that does nothing."""
    source = UnixStreamSource(UnixAddress(str(path)), SETTINGS)
    source.prepare()
    not_listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with not_listening, pytest.raises(OSError, match="Invalid argument"):
        await source.accept(not_listening)
    source.close()


def make_kept(path: Path, keeper: Keeper) -> UnixStreamSource:
    """Return the source of a run that starts now, where descriptors are kept."""
    source = UnixStreamSource(UnixAddress(str(path)), SETTINGS, Surroundings(descriptors=keeper.start()))
    source.prepare()
    source.surroundings.descriptors.settle()
    return source


async def run_once(source: UnixStreamSource, steps: int = 0) -> list[bytes]:
    """Run a source until nobody has anything to do, or for some steps of the loop; return the lines."""
    collector = Collector()
    async with trio.open_nursery() as nursery:
        await nursery.start(source.run, collector)
        for _ in range(steps):
            await trio.lowlevel.checkpoint()
        if not steps:
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    source.surroundings.descriptors.hand_over()
    return collector.lines


async def test_connection_goes_on_in_the_next_run(path: Path) -> None:
    """In the middle of a line, of a frame, or between two lines; it is framed as it was."""
    with keeping() as keeper, ExitStack() as stack:
        source = make_kept(path, keeper)
        lined, counted, fresh = (stack.enter_context(connect(path)) for _ in range(3))
        lined.sendall(b"be")
        counted.sendall(b"12 <13>")
        first = await run_once(source)
        lined.sendall(b"gun\n")
        counted.sendall(b"f\n")
        second = await run_once(make_kept(path, keeper))
        lined.sendall(b"5 <is no count\n")
        counted.sendall(b"rame\nz4 <1>x")
        fresh.sendall(b"5 <1>yz")
        third = await run_once(make_kept(path, keeper))
    assert (first, sorted(second)) == ([], [b"<13>f", b"begun"])
    assert sorted(third) == [b"5 <is no count", b"<1>x", b"<1>yz", b"rame", b"z"]


async def test_stop_while_a_writer_writes_on_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run leaves what it has not read, and the beginning of a line, to the next one."""
    monkeypatch.setattr(intake, "MAX_DRAIN_BYTES", 1000)
    monkeypatch.setattr(intake, "READ_BUFFER", bytearray(777))
    lines = number_lines(20_000)
    delivered: list[bytes] = []
    with keeping() as keeper:
        source = make_kept(path, keeper)
        with trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(trio.to_thread.run_sync, send, path, lines, abandon_on_cancel=True))
                while len(delivered) < len(lines):
                    delivered += await run_once(source, steps=50)
                    source = make_kept(path, keeper)
        source.close()
    assert delivered == lines


async def test_listener_without_its_file_is_bound_anew(path: Path) -> None:
    """Who waits at the one that was passed is served, and who comes now finds the new one."""
    with keeping() as keeper:
        make_kept(path, keeper).close()
        with connect(path) as early:
            early.sendall(b"early\n")
            path.unlink()
            source = make_kept(path, keeper)
            with connect(path) as late:
                late.sendall(b"late\n")
                assert sorted(await run_once(source)) == [b"early", b"late"]


async def test_listener_that_is_passed_is_left_as_it_is(path: Path) -> None:
    """A `.socket` unit has made it, and has its file; who waits at the end waits for the next run."""
    lines = []
    with socket.socket(socket.AF_UNIX) as unit, ExitStack() as clients:
        unit.bind(str(path))
        unit.listen()
        for text in (b"first", b"second"):
            descriptors = Descriptors.receive([(os.dup(unit.fileno()), "log.socket")], Keeper(), stores=False)
            source = UnixStreamSource(UnixAddress(str(path)), SETTINGS, Surroundings(descriptors=descriptors))
            async with running(source) as collector:
                await wait_all_tasks_blocked()
                clients.enter_context(connect(path)).sendall(text)
            lines.append(collector.lines)
        assert path.is_socket()
    assert lines == [[], [b"first"]]


def test_source_that_is_opened_again_lets_the_old_socket_go(path: Path) -> None:
    """As long as systemd held it, the address would be taken."""
    with keeping() as keeper:
        source = make_kept(path, keeper)
        source.close()
        source.prepare()
        assert len(keeper.kept) == 1
        source.close()


async def test_connection_that_is_not_served_is_left_in_the_store(path: Path) -> None:
    """A start that fails later on lets go of what it took, and the next one goes on with it."""
    with keeping() as keeper, ExitStack() as stack:
        source = make_kept(path, keeper)
        client = stack.enter_context(connect(path))
        client.sendall(b"be")
        assert await run_once(source) == []
        failing = UnixStreamSource(UnixAddress(str(path)), SETTINGS, Surroundings(descriptors=keeper.start()))
        failing.prepare()
        assert len(failing.found) == 1
        failing.close()
        client.sendall(b"gun\n")
        assert await run_once(make_kept(path, keeper)) == [b"begun"]


def test_connection_that_fails_is_counted_and_delivers_its_rest(path: Path) -> None:
    """A reset is the writer's affair; that its machine does not answer any more is worth a look."""
    source = UnixStreamSource(UnixAddress(str(path)), SETTINGS)
    collector = Collector()
    for number in (errno.ECONNRESET, errno.ETIMEDOUT):
        intake = source.make_intake(collector)
        intake.feed(b"rest", 4)
        source.lose_connection(OSError(number, os.strerror(number)), intake)
    assert collector.lines == [b"rest", b"rest"]
    assert source.counts.errors == 1
    assert source.position is None


async def test_what_waits_on_the_connections_is_known(path: Path) -> None:
    """Of those that are open, as long as nobody reads it."""
    source = UnixStreamSource(UnixAddress(str(path)), SETTINGS)
    waiting: list[int | None] = []
    clients: list[socket.socket] = []

    def deliver(batch: Batch) -> None:
        waiting.append(source.waiting_bytes)
        if len(waiting) == 1:
            clients[0].sendall(b"x" * 1000 + b"\n")
            waiting.append(source.waiting_bytes)

    source.prepare()
    assert source.waiting_bytes == 0
    async with trio.open_nursery() as nursery:
        await nursery.start(source.run, deliver)
        with connect(path) as client:
            clients.append(client)
            client.sendall(b"first\n")
            await wait_all_tasks_blocked()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert waiting == [0, 1001, 0]
    assert source.open_connections == set()
