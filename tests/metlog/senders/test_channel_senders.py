"""Messages as lines over what may take a part of a line: unix stream sockets and TCP."""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.metlog.senders import SenderError, TcpSender, UnixStreamSender
from pipeline.metlog.senders.sender import FULL, GONE
from pipeline.metlog.senders.unix_stream import StreamSocketSender
from tests.metlog.senders.peers import DEADLINE_SECONDS, listening, make_message, read_payload, read_waiting, run_forked
from tests.ports import find_port

LONG = "x" * 60_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a receiver may listen, again and again, and what sends there."""

    make_sender: Callable[..., StreamSocketSender]
    listen: Callable[[], socket.socket]


def make_unix_place(folder: Path) -> Place:
    path = folder / "log"

    def listen() -> socket.socket:
        path.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(str(path))
        return sock

    return Place(lambda **options: UnixStreamSender(path, **options), listen)


def make_tcp_place(folder: Path) -> Place:
    port = find_port()

    def listen() -> socket.socket:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        sock.bind(("127.0.0.1", port))
        return sock

    # On a machine that is busy a connection may take longer than anybody would wait elsewhere.
    return Place(lambda **options: TcpSender("127.0.0.1", port, **{"timeout_seconds": 10.0, **options}), listen)


@pytest.fixture(params=[make_unix_place, make_tcp_place], ids=["unix", "tcp"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    made: Place = request.param(tmp_path)
    return made


@contextmanager
def serving(place: Place) -> Iterator[socket.socket]:
    """Listen until the block ends."""
    with place.listen() as server:
        server.listen(8)
        server.settimeout(DEADLINE_SECONDS)
        yield server


def read_lines(peer: socket.socket, count: int) -> list[str]:
    """Return the payloads of the next lines."""
    peer.settimeout(DEADLINE_SECONDS)
    data = b""
    while data.count(b"\n") < count:
        piece = peer.recv(65536)
        assert piece, "it has hung up"
        data += piece
    assert data.endswith(b"\n")
    return [read_payload(line) for line in data.splitlines()]


def accept(server: socket.socket) -> socket.socket:
    return server.accept()[0]


def test_messages_arrive_as_lines(place: Place) -> None:
    """Over one connection, in order; a line feed in a message is no end of a line."""
    sender = place.make_sender()
    payloads = ["1", "two\nlines", "3"]
    with serving(place) as server:
        for payload in payloads:
            sender.send_message(make_message(payload))
        with accept(server) as peer:
            assert read_lines(peer, 3) == payloads
            assert sender.flush()
        sender.close()
    assert (sender.counts.sent, sender.counts.dropped) == (3, 0)


def test_receiver_that_is_not_there_yet(place: Place) -> None:
    """What is sent before it comes is dropped and counted."""
    sender = place.make_sender()
    sender.send_message(make_message("lost"))
    assert sender.counts.causes == {GONE: 1}
    assert sender.counts.last_failure in {f"{GONE}: Connection refused", f"{GONE}: No such file or directory"}
    with serving(place) as server:
        sender.send_message(make_message("2"))
        with accept(server) as peer:
            assert read_lines(peer, 1) == ["2"]
    sender.close()


def test_receiver_that_goes_and_comes_back(place: Place) -> None:
    """The first message behind its return arrives."""
    sender = place.make_sender()
    for number in ("1", "2", "3"):
        with serving(place) as server:
            sender.send_message(make_message(number))
            with accept(server) as peer:
                assert read_lines(peer, 1) == [number]
        sender.send_message(make_message("lost"))
    sender.close()
    assert (sender.counts.sent, sender.counts.causes) == (3, {GONE: 3})


@pytest.mark.parametrize(
    ("make_place", "how"),
    [
        pytest.param(make_unix_place, socket.SHUT_RD, id="unix RD"),
        pytest.param(make_unix_place, socket.SHUT_WR, id="unix WR"),
        pytest.param(make_unix_place, socket.SHUT_RDWR, id="unix RDWR"),
        pytest.param(make_tcp_place, socket.SHUT_WR, id="tcp WR"),
        pytest.param(make_tcp_place, socket.SHUT_RDWR, id="tcp RDWR"),
    ],
)
def test_connection_that_is_half_closed(make_place: Callable[[Path], Place], how: int, tmp_path: Path) -> None:
    """The next message arrives, over the old connection if somebody reads it, and otherwise over a new one."""
    place = make_place(tmp_path)
    sender = place.make_sender()
    with serving(place) as server:
        sender.send_message(make_message("1"))
        with accept(server) as peer:
            assert read_lines(peer, 1) == ["1"]
            peer.shutdown(how)
            if isinstance(sender, TcpSender):
                assert select.select([sender.fileno()], [], [], DEADLINE_SECONDS)[0]
            sender.send_message(make_message("2"))
            readable, _, _ = select.select(
                [server, peer] if how == socket.SHUT_WR else [server], [], [], DEADLINE_SECONDS
            )
            if readable == [peer]:
                assert read_lines(peer, 1) == ["2"]
            else:
                with accept(server) as new:
                    assert read_lines(new, 1) == ["2"]
        sender.close()
    assert (sender.counts.sent, sender.counts.dropped) == (2, 0)


@pytest.mark.parametrize("timeout_seconds", [0.0, 0.01])
def test_receiver_that_hangs(timeout_seconds: float, tmp_path: Path) -> None:
    """What finds no room is dropped, nothing blocks, and no line is mixed with another."""
    sender = UnixStreamSender(tmp_path / "log", timeout_seconds=timeout_seconds)
    with listening(tmp_path / "log") as server:
        for number in range(40):
            sender.send_message(make_message(f"{number} {LONG}"))
        assert sender.counts.held == 1
        assert sender.counts.sent + sender.counts.dropped + sender.counts.held == 40
        assert set(sender.counts.causes) == {FULL}
        with accept(server) as peer:
            data = read_waiting(peer.fileno())
            assert not data.endswith(b"\n")
            assert sender.flush()
            assert sender.counts.held == 0
            sender.send_message(make_message("again"))
            data += read_waiting(peer.fileno())
        sender.close()
    payloads = [read_payload(line).split()[0] for line in data.splitlines()]
    assert payloads == [*map(str, range(sender.counts.sent - 1)), "again"]


def test_rest_of_a_line_goes_before_the_next(place: Place) -> None:
    """Without being asked."""
    sender = place.make_sender(timeout_seconds=1.0)
    with serving(place) as server:
        sender.send_message(make_message("first"))
        with accept(server) as peer:
            assert read_lines(peer, 1) == ["first"]
            sender.patience.timeout_seconds = 0.0
            number = 0
            while not sender.counts.held:
                sender.send_message(make_message(f"{number} {LONG}"))
                number += 1
            sender.patience.timeout_seconds = DEADLINE_SECONDS
            reader: list[str] = []
            thread = threading.Thread(target=lambda: reader.extend(read_lines(peer, number + 1)))
            thread.start()
            sender.send_message(make_message("last"))
            thread.join(DEADLINE_SECONDS)
    sender.close()
    assert [payload.split()[0] for payload in reader] == [*map(str, range(number)), "last"]


def test_receiver_that_goes_in_the_middle_of_a_line(tmp_path: Path) -> None:
    """The line is lost and counted; the next receiver gets whole lines only."""
    sender = UnixStreamSender(tmp_path / "log", timeout_seconds=0.0)
    with listening(tmp_path / "log") as server:
        while not sender.counts.held:
            sender.send_message(make_message(LONG))
        accept(server).close()
        before = sender.counts.sent
        sender.send_message(make_message("whole"))
        with accept(server) as peer:
            assert read_lines(peer, 1) == ["whole"]
    sender.close()
    assert (sender.counts.sent, sender.counts.held, sender.counts.causes) == (before + 1, 0, {GONE: 1})
    assert sender.counts.last_failure == "nobody listens: it went in the middle of a line"


def test_nobody_accepts_connections(tmp_path: Path) -> None:
    """Connecting is not waited for."""
    with listening(tmp_path / "log", backlog=0):
        senders = [UnixStreamSender(tmp_path / "log") for _ in range(3)]
        for sender in senders:
            sender.send_message(make_message())
            sender.close()
    assert [sender.counts.causes for sender in senders] == [{}, {FULL: 1}, {FULL: 1}]


def test_connection_over_tcp_that_takes_long() -> None:
    """What is sent meanwhile is dropped, and the connection made in the end is the first one."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            # The queue of those who may wait is full: the kernel answers nobody.
            sender = TcpSender("127.0.0.1", port, timeout_seconds=0.0)
            for _ in range(3):
                sender.send_message(make_message())
            assert sender.counts.causes == {FULL: 3}
            connecting = sender.connecting
            assert connecting is not None
            sender.send_message(make_message())
            assert sender.connecting is connecting
            sender.close()
    assert connecting.fileno() == -1


def test_forked_process_has_its_own_connection(place: Place) -> None:
    """What is left of a line is for the parent to send, and lines of the two are not mixed."""
    sender = place.make_sender(timeout_seconds=10.0)
    with serving(place) as server:
        sender.send_message(make_message("parent"))
        sender.rest = b"rest of a line\n"

        def send() -> int:
            sender.send_message(make_message("child"))
            return sender.counts.sent

        assert run_forked(send) == 1
        with accept(server) as first, accept(server) as second:
            assert read_lines(first, 1) == ["parent"]
            assert read_lines(second, 1) == ["child"]
            sender.close()


@pytest.mark.slow
def test_signal_handler_that_sends_breaks_no_line(tmp_path: Path) -> None:
    """It may come in the middle of a line; then its own message is dropped."""
    sender = UnixStreamSender(tmp_path / "log", timeout_seconds=DEADLINE_SECONDS)
    received: list[str] = []
    done = threading.Event()

    def read_all(server: socket.socket) -> None:
        with accept(server) as peer:
            data = b"".join(iter(lambda: peer.recv(4096), b""))
            received.extend(read_payload(line)[0] for line in data.splitlines())
        done.set()

    before = signal.signal(signal.SIGALRM, lambda *_: sender.send_message(make_message("signal")))
    with listening(tmp_path / "log") as server:
        thread = threading.Thread(target=read_all, args=(server,))
        thread.start()
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
        try:
            for _ in range(500):
                sender.send_message(make_message(LONG))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            sender.close()
        assert done.wait(DEADLINE_SECONDS)
        thread.join()
    assert len(received) == sender.counts.sent
    assert received.count("x") == 500
    assert "s" in received or sender.counts.dropped


def test_sigpipe_does_not_end_the_application(tmp_path: Path) -> None:
    """Even where it has the effect that it has by default."""
    script = (
        "import signal, sys\n"
        "from pipeline.metlog.senders import UnixStreamSender\n"
        "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
        "sender = UnixStreamSender(sys.argv[1])\n"
        "sender.send_message({'type': 'a'})\n"
        "sys.stdin.readline()\n"
        "sender.send_message({'type': 'b'})\n"
        "print(sender.counts.causes)\n"
    )
    with listening(tmp_path / "log") as server:
        command = [sys.executable, "-c", script, str(tmp_path / "log")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            with accept(server) as peer:
                assert peer.recv(65536)
            server.close()
            told, _ = process.communicate("go on\n", DEADLINE_SECONDS)
    assert (told, process.returncode) == (f"{{'{GONE}': 1}}\n", 0)


@pytest.mark.parametrize(("host", "port"), [("", 1), ("a\0b", 1), ("localhost", 0), ("localhost", 65536)])
def test_address_that_is_none(host: str, port: int) -> None:
    """It is told when the sender is made."""
    with pytest.raises(SenderError, match="A receiver has a host, and a port from 1 to 65535: not "):
        TcpSender(host, port)


def test_flush_waits_no_longer_than_it_is_told(tmp_path: Path) -> None:
    """What is held then stays so, until somebody reads it, or the receiver goes."""
    sender = UnixStreamSender(tmp_path / "log", timeout_seconds=0.0)
    with listening(tmp_path / "log") as server:
        while not sender.counts.held:
            sender.send_message(make_message(LONG))
        assert not sender.flush(0.01)
        assert sender.counts.held == 1
        sent = sender.counts.sent
        with accept(server) as peer:
            thread = threading.Thread(target=read_lines, args=(peer, sent + 1))
            thread.start()
            assert sender.flush(DEADLINE_SECONDS)
            thread.join(DEADLINE_SECONDS)
            assert (sender.counts.sent, sender.counts.held) == (sent + 1, 0)
            while not sender.counts.held:
                sender.send_message(make_message(LONG))
        assert sender.flush(DEADLINE_SECONDS)
    sender.close()
    assert (sender.counts.held, sender.counts.causes) == (0, {GONE: 1})


@pytest.mark.slow
def test_rest_of_a_line_is_sent_at_the_end_of_the_application(tmp_path: Path) -> None:
    """If the receiver goes on to read."""
    script = """
import sys
from pipeline.metlog.senders import UnixStreamSender
sender = UnixStreamSender(sys.argv[1], timeout_seconds=0)
while not sender.counts.held:
    sender.send_message({"payload": "x" * 60000})
sys.stdout.write("held\\n")
sys.stdout.flush()
"""
    command = [sys.executable, "-c", script, str(tmp_path / "log")]
    with listening(tmp_path / "log") as server, subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with accept(server) as peer:
            peer.settimeout(DEADLINE_SECONDS)
            data = b"".join(iter(lambda: peer.recv(65536), b""))
    assert data.endswith(b"\n")


def test_flush_waits_for_the_message_of_another_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is no reason to say that something is left."""
    monkeypatch.setattr("pipeline.metlog.senders.channel.LOCK_SECONDS", DEADLINE_SECONDS)
    sender = UnixStreamSender(tmp_path / "log")
    with listening(tmp_path / "log"), sender.lock:
        sender.is_sending = True
        flushed: list[bool] = []
        thread = threading.Thread(target=lambda: flushed.append(sender.flush()))
        thread.start()
        assert not sender.flush()  # a signal handler, within the message
        sender.is_sending = False
        sender.lock.release()
        thread.join(DEADLINE_SECONDS)
        sender.lock.acquire()
    assert flushed == [True]


def test_close_leaves_alone_what_another_thread_hangs_in(tmp_path: Path) -> None:
    """It could be somebody else's descriptor by the time that the thread goes on."""
    sender = UnixStreamSender(tmp_path / "log")
    with listening(tmp_path / "log"):
        sender.send_message(make_message())
        with sender.lock:
            thread = threading.Thread(target=sender.close)
            thread.start()
            thread.join(DEADLINE_SECONDS)
            assert sender.is_open
        sender.close()
        assert not sender.is_open
