"""Our daemon under a service manager: told of its life, started with its sockets, restarted without loss."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from tests.e2e.daemons import DAEMON_PATH, DEADLINE_SECONDS, answers, wait_count, wait_until
from tests.e2e.manager import Manager, managing
from tests.ports import find_port
from tests.sources.journals import make_entry, write_journal

PROGRAM = Path(__file__).parent / "count.mtail"

RUNS = 6
"""Five restarts."""

MESSAGES = {"pipe": 200_000, "stream": 200_000, "tcp": 200_000, "file": 200_000, "datagram": 3_000, "udp": 600}
"""How many come by each way. A datagram costs a step of the sender; of UDP, what comes while nobody
reads must fit into the kernel's buffer."""

PIECE_BYTES = 4093
"""What a writer of a stream writes at once: no multiple of a line, and less than the kernel keeps in one piece."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short enough for the path of a socket."""
    with tempfile.TemporaryDirectory(prefix="sd-") as name:
        yield Path(name)


@pytest.fixture
def fresh() -> Iterator[Path]:
    """A folder for one test."""
    with tempfile.TemporaryDirectory(prefix="sd-") as name:
        yield Path(name)


def make_command(folder: Path, *logs: str, flags: tuple[str, ...] = ()) -> list[str]:
    """Return the command of our daemon, which serves its metrics in `folder`."""
    command = [sys.executable, "-m", "pipeline", "run", "--progs", str(PROGRAM), "--logs", ",".join(logs)]
    return [*command, "--unix_socket", f"{folder}/http", "--partial_line_timeout", "0", *flags]


def scrape(folder: Path) -> str:
    """Return the page of metrics."""
    transport = httpx.HTTPTransport(uds=f"{folder}/http")
    with httpx.Client(transport=transport, timeout=DEADLINE_SECONDS) as client:
        return client.get("http://x/metrics").raise_for_status().text


def read_counter(folder: Path, name: str, route: str) -> int:
    """Return what the program counted for one way of messages."""
    found = re.search(rf'^{name}{{.*route="{route}".*}} (\S+)$', scrape(folder), re.MULTILINE)
    return int(float(found[1])) if found else 0


def wait_counted(folder: Path, route: str, count: int) -> None:
    """Return when at least so many messages of a way have been counted."""
    wait_count(lambda: read_counter(folder, "e2e_messages_total", route), count, f"{count} messages by {route}")


def connect(kind: socket.SocketKind, path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.connect(str(path))
    return sock


def number_lines(route: str, count: int) -> list[bytes]:
    """Return numbered lines, as messages of one way."""
    return [b"e2e %s %d\n" % (route.encode(), number) for number in range(count)]


def cut_stream(lines: list[bytes]) -> list[list[bytes]]:
    """Return all bytes in as many shares as there are runs, each of pieces. No share ends where a line ends."""
    data = b"".join(lines)
    ends = [len(data) * share // RUNS for share in range(RUNS + 1)]
    inner = [end - (data[end - 1 : end] == b"\n") for end in ends[1:-1]]
    bounds = [0, *inner, len(data)]
    return [
        [data[start : min(start + PIECE_BYTES, end)] for start in range(begin, end, PIECE_BYTES)]
        for begin, end in pairwise(bounds)
    ]


def deal_datagrams(lines: list[bytes]) -> list[list[bytes]]:
    """Return the lines in as many shares as there are runs."""
    size = -(-len(lines) // RUNS)
    return [lines[start : start + size] for start in range(0, len(lines), size)]


class Writer(threading.Thread):
    """Writes a share each time it is told to go on, blocks when nobody reads, and never opens or connects again."""

    def __init__(self, write: Callable[[bytes], int | None], shares: list[list[bytes]]) -> None:
        super().__init__(daemon=True)
        self.write = write
        self.shares = shares
        self.turns = threading.Semaphore(0)
        self.error: OSError | None = None

    def run(self) -> None:
        try:
            for share in self.shares:
                self.turns.acquire()
                for piece in share:
                    self.write(piece)
        except OSError as error:
            self.error = error


@pytest.fixture(scope="module")
def course(folder: Path) -> Iterator[Path]:
    """Run the daemon six times, while six writers write on as if nothing had happened.

    At every stop each stream has a line begun. Of the shares, half are written while nobody runs.
    """
    ports = find_port(), find_port()
    logs = (
        f"{folder}/pipe",
        f"unix://{folder}/stream",
        f"tcp://127.0.0.1:{ports[0]}",
        f"unixgram://{folder}/datagram",
        f"udp://127.0.0.1:{ports[1]}",
        f"file://{folder}/file",
    )
    flags = ("--state_file", f"{folder}/state", "--state_interval", "0", "--read_positions")
    manager = Manager(folder, make_command(folder, *logs, flags=flags), environment={"FDSTORE": "64"})
    with ExitStack() as stack:
        stack.enter_context(managing(manager))
        manager.start()
        pipe = stack.enter_context((folder / "pipe").open("wb", buffering=0))
        file = stack.enter_context((folder / "file").open("ab", buffering=0))
        stream = stack.enter_context(connect(socket.SOCK_STREAM, folder / "stream"))
        tcp = stack.enter_context(socket.create_connection(("127.0.0.1", ports[0])))
        datagram = stack.enter_context(connect(socket.SOCK_DGRAM, folder / "datagram"))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.connect(("127.0.0.1", ports[1]))
        streams = {"pipe": pipe.write, "stream": stream.sendall, "tcp": tcp.sendall, "file": file.write}
        datagrams = {"datagram": datagram.send, "udp": udp.send}
        lines = {route: number_lines(route, count) for route, count in MESSAGES.items()}
        writers = [Writer(write, cut_stream(lines[route])) for route, write in streams.items()]
        writers += [Writer(write, deal_datagrams(lines[route])) for route, write in datagrams.items()]
        for writer in writers:
            writer.start()
        for run in range(RUNS):
            if run % 2:
                manager.stop()
            for writer in writers:
                writer.turns.release()
            if run:
                if not run % 2:
                    manager.stop()
                manager.start()
            for route, count in MESSAGES.items():
                wait_counted(folder, route, count * run // RUNS + 1)
        for writer in writers:
            writer.join(DEADLINE_SECONDS)
            assert writer.error is None
        for route, count in MESSAGES.items():
            wait_counted(folder, route, count)
        yield folder


@pytest.mark.parametrize("route", MESSAGES)
def test_restarts_lose_nothing(course: Path, route: str) -> None:
    """After five restarts each message is counted once, whole and in order."""
    count = MESSAGES[route]
    counted = [read_counter(course, name, route) for name in ("e2e_messages_total", "e2e_numbers_total")]
    assert counted == [count, count * (count - 1) // 2]
    assert read_counter(course, "e2e_disorder_total", route) == 0


def test_restarts_deliver_no_line_in_pieces(course: Path) -> None:
    """Each line that was begun at a stop has been ended by the next run."""
    partial = re.findall(r"^syslog_pipeline_lines_partial_total{.*} (\S+)$", scrape(course), re.MULTILINE)
    assert len(partial) == len(MESSAGES)
    assert set(partial) == {"0"}


def test_kill_loses_nothing_that_lies_in_pipes_and_sockets(fresh: Path) -> None:
    """systemd keeps them. The process that is killed has been stopped before, so that it has read none of it."""
    address = ("127.0.0.1", find_port())
    logs = (f"{fresh}/pipe", *(f"{kind}://127.0.0.1:{address[1]}" for kind in ("tcp", "udp")))
    logs += (f"unix://{fresh}/stream", f"unixgram://{fresh}/datagram")
    manager = Manager(fresh, make_command(fresh, *logs, flags=("--store_descriptors",)))
    with managing(manager):
        process = manager.start()
        os.kill(process, signal.SIGSTOP)
        (fresh / "pipe").write_bytes(b"".join(number_lines("pipe", 1000)))
        with connect(socket.SOCK_DGRAM, fresh / "datagram") as sender:
            for line in number_lines("datagram", 5):
                sender.send(line)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for line in number_lines("udp", 5):
                sender.sendto(line, address)
        with connect(socket.SOCK_STREAM, fresh / "stream") as writer:
            writer.sendall(b"".join(number_lines("stream", 1000)))
        with socket.create_connection(address) as writer:
            writer.sendall(b"".join(number_lines("tcp", 1000)))
        manager.kill()
        assert [re.sub(r"-\d+-\d+$", "", name) for name in manager.names] == ["kept-pipe", *["kept-socket"] * 5]
        manager.start()
        for route, count in (("pipe", 1000), ("datagram", 5), ("udp", 5), ("stream", 1000), ("tcp", 1000)):
            wait_counted(fresh, route, count)
            assert read_counter(fresh, "e2e_messages_total", route) == count
            assert read_counter(fresh, "e2e_disorder_total", route) == 0
        manager.stop()


def test_journal_goes_on_by_its_position(fresh: Path) -> None:
    """systemd keeps nothing of it, nor has to."""
    journal = fresh / "log.journal"
    flags = ("--read_positions", "--state_file", f"{fresh}/state")
    command = make_command(fresh, f"journal://{journal}", flags=flags)
    manager = Manager(fresh, command, environment={"FDSTORE": "8"})
    write_journal(journal, [make_entry(0)])
    with managing(manager):
        for run in range(RUNS):
            manager.start()
            wait_counted(fresh, "journal", run)
            manager.stop()
            assert [re.sub(r"-\d+-\d+$", "", name) for name in manager.names] == ["kept-socket"]
            write_journal(journal, [make_entry(run + 1, MESSAGE=f"e2e journal {run}")])
        manager.start()
        wait_counted(fresh, "journal", RUNS)
        assert read_counter(fresh, "e2e_messages_total", "journal") == RUNS
        assert read_counter(fresh, "e2e_disorder_total", "journal") == 0
        manager.stop()


def test_connection_that_ends_meanwhile_is_let_go(fresh: Path) -> None:
    """Its last lines are counted by the next run, and then nobody keeps it."""
    manager = Manager(fresh, make_command(fresh, f"unix://{fresh}/stream"), environment={"FDSTORE": "8"})
    with managing(manager):
        manager.start()
        with connect(socket.SOCK_STREAM, fresh / "stream") as writer:
            writer.sendall(b"".join(number_lines("stream", 3)))
            wait_counted(fresh, "stream", 3)
            manager.stop()
            assert "kept-connection" in manager.names
            writer.sendall(b"e2e stream 3\ne2e stream 4")
        manager.start()
        wait_counted(fresh, "stream", 2)
        wait_until(lambda: "kept-connection" not in manager.names, "the connection is let go")
        manager.stop()


def test_nothing_is_kept_unless_systemd_says_so(fresh: Path) -> None:
    """Without `FileDescriptorStoreMax=` in the unit."""
    manager = Manager(fresh, make_command(fresh, f"{fresh}/pipe"))
    with managing(manager):
        manager.start()
        manager.stop()
        assert manager.kept == []


def test_what_a_setting_no_longer_names_is_forgotten(fresh: Path) -> None:
    """The next run says so, and the one after it is not given it any more."""
    environment = {"FDSTORE": "8"}
    manager = Manager(fresh, make_command(fresh, f"{fresh}/a", f"{fresh}/b"), environment=environment)
    with managing(manager):
        manager.start()
        manager.stop()
        assert len(manager.kept) == 3
        manager.command = make_command(fresh, f"{fresh}/b")
        manager.start()
        manager.hear_all()
        assert len(manager.kept) == 2
        assert f"({fresh}/a) belongs to nothing that is set. It is closed." in manager.log.read_text()
        manager.stop()


def test_start_that_fails_leaves_everything_to_the_next(fresh: Path) -> None:
    """A mistake in a setting costs no line that a connection holds."""
    manager = Manager(fresh, make_command(fresh, f"unix://{fresh}/stream"), environment={"FDSTORE": "8"})
    with managing(manager):
        manager.start()
        with connect(socket.SOCK_STREAM, fresh / "stream") as writer:
            writer.sendall(b"e2e stream 0\ne2e st")
            wait_counted(fresh, "stream", 1)
            manager.stop()
            good = manager.command
            manager.command = [*good, "--unix_socket", f"{fresh}/none/http"]
            manager.start(ready=False)
            assert manager.process is not None
            assert manager.process.wait(DEADLINE_SECONDS) == 2
            manager.hear_all()
            manager.command = good
            writer.sendall(b"ream 1\n")
            manager.start()
            wait_counted(fresh, "stream", 1)
            assert read_counter(fresh, "e2e_numbers_total", "stream") == 1
        manager.stop()


def test_life_is_told(fresh: Path) -> None:
    """READY when everything is bound, RELOADING with the time and READY again, STATUS, WATCHDOG, STOPPING."""
    logs = (f"{fresh}/pipe", f"unix://{fresh}/stream", f"unixgram://{fresh}/datagram")
    manager = Manager(fresh, make_command(fresh, *logs), environment={"WATCHDOG_USEC": "1000000"})
    with managing(manager):
        process = manager.start()
        assert answers(fresh / "stream", socket.SOCK_STREAM)
        assert answers(fresh / "datagram", socket.SOCK_DGRAM)
        assert answers(fresh / "http", socket.SOCK_STREAM)
        manager.wait_message(lambda message: "STATUS" in message, "the status is told")
        manager.wait_message(lambda message: "WATCHDOG" in message, "the watchdog is fed")
        before = time.monotonic_ns() // 1000
        os.kill(process, signal.SIGHUP)
        reloading = manager.wait_message(lambda message: "RELOADING" in message, "a reload begins")
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        wait_until(lambda: sum("READY" in message for message in manager.messages) == 2, "the reload has ended")
        manager.stop()
    told = [name for message in manager.messages for name in message if name in ("READY", "RELOADING", "STOPPING")]
    assert told == ["READY", "RELOADING", "READY", "STOPPING"]
    [status] = [message["STATUS"] for message in manager.messages if "STATUS" in message][:1]
    assert status == "0 lines/s, 0 lines, 1 of 1 programs running"


def test_report_is_logged_when_it_is_asked_for(fresh: Path) -> None:
    """On SIGUSR1, in one piece, with what has been counted."""
    manager = Manager(fresh, make_command(fresh, f"{fresh}/pipe"))
    with managing(manager):
        process = manager.start()
        (fresh / "pipe").write_bytes(b"".join(number_lines("pipe", 1000)))
        wait_counted(fresh, "pipe", 1000)
        os.kill(process, signal.SIGUSR1)
        wait_until(lambda: "INFO Report after" in manager.log.read_text(), "the report is logged")
        manager.stop()
    report = manager.log.read_text().partition("INFO Report after")[2]
    assert re.search(rf"^ +1,000 +[\d,]+ +12,890 +0 +0 +0  {fresh}/pipe$", report, re.MULTILINE)
    assert re.search(r"^ +1,000 +0 +(on|off) +\d+\.\d  count\.mtail$", report, re.MULTILINE)


@contextmanager
def fill(path: Path) -> Iterator[None]:
    """Write into a pipe as fast as it is read, until the block ends."""
    code = "import sys\npipe = open(sys.argv[1], 'wb', buffering=0)\nwhile True: pipe.write(b'e2e pipe 1\\n' * 1000)"
    with subprocess.Popen([sys.executable, "-c", code, str(path)]) as process:
        try:
            yield
        finally:
            process.kill()


def test_stop_does_not_wait_for_a_writer(fresh: Path) -> None:
    """One that never pauses, and a program that takes long for each line: what is left is said, and stays if kept."""
    slow = fresh / "slow.mtail"
    slow.write_text("counter c by n\n" + "/(?P<a>.*.*.*.*e2e.*)(?P<b>\\d+)$/ {\n  c[$a]++\n}\n" * 5)
    command = make_command(fresh, f"{fresh}/pipe", flags=("--store_descriptors", "--shutdown_timeout", "2s"))
    command[command.index("--progs") + 1] = str(slow)
    manager = Manager(fresh, command)
    with managing(manager):
        manager.start()
        with fill(fresh / "pipe"):
            wait_until(lambda: read_bytes(fresh) > 0, "lines are read")
            manager.stop()
            assert len(manager.kept) >= 2
    found = re.findall(r"WARNING (\d+) bytes are left unread in (.*), because", manager.log.read_text())
    assert [name for _, name in found] == [f"{fresh}/pipe"]
    assert int(found[0][0]) > 0


def read_bytes(folder: Path) -> int:
    """Return how many bytes have been read from all sources."""
    numbers = re.findall(r"^syslog_pipeline_log_bytes_total{.*} (\S+)$", scrape(folder), re.MULTILINE)
    return sum(int(float(number)) for number in numbers)


def test_signals_at_the_start_wait_for_the_daemon(fresh: Path) -> None:
    """Those that come as soon as our code runs, long before the daemon is ready, are obeyed when it is."""
    settings = fresh / "settings.toml"
    os.mkfifo(settings)  # the daemon waits for its settings until somebody has opened and closed it
    manager = Manager(fresh, make_command(fresh, f"{fresh}/pipe", flags=("--config", str(settings))))
    with managing(manager):
        process = manager.start(ready=False)
        wait_until(lambda: are_held(process), "signals are held")
        assert not (fresh / "pipe").exists()
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM):
            os.kill(process, number)
        wait_until(lambda: is_handed_over(settings), "the daemon reads its settings")
        assert manager.process is not None
        assert manager.process.wait(DEADLINE_SECONDS) == 0, manager.log.read_text()
    assert "INFO SIGTERM received." in manager.log.read_text()


def is_handed_over(pipe: Path) -> bool:
    """Whether somebody reads a pipe, who then has found it empty."""
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def are_held(process: int) -> bool:
    """Whether a process holds back the signals that are meant for the daemon."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
    return all(blocked >> number - 1 & 1 for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM))


def test_sockets_by_activation_are_found_by_their_names(fresh: Path) -> None:
    """systemd's own tool listens, and starts us when somebody comes; lines that came first are counted."""
    activate = ["systemd-socket-activate", "-l", f"{fresh}/lines", "-l", f"{fresh}/http", "--fdname=lines:http"]
    command = [sys.executable, "-m", "pipeline", "run", "--progs", str(PROGRAM), "--logs", "fd://lines"]
    with activating(fresh, [*activate, *command], ready=f"{fresh}/http"):
        with connect(socket.SOCK_STREAM, fresh / "lines") as writer:
            writer.sendall(b"".join(number_lines("stream", 1000)))
        wait_counted(fresh, "stream", 1000)
    assert f"INFO unix://{fresh}/lines is read." in (fresh / "log").read_text()
    assert f"INFO Ready. The metrics are served on {fresh}/http." in (fresh / "log").read_text()


def test_datagram_socket_by_activation_is_found_by_its_path(fresh: Path) -> None:
    """As that of /run/systemd/journal/syslog is, which the journal writes to."""
    activate = ["systemd-socket-activate", "-d", "-l", f"{fresh}/lines"]
    with activating(fresh, [*activate, *make_command(fresh, f"unixgram://{fresh}/lines")], ready=f"{fresh}/lines"):
        with connect(socket.SOCK_DGRAM, fresh / "lines") as writer:
            for line in number_lines("datagram", 100):
                writer.send(line)
        wait_until(lambda: answers(fresh / "http", socket.SOCK_STREAM), "it serves")
        wait_counted(fresh, "datagram", 100)


@contextmanager
def activating(folder: Path, command: list[str], *, ready: str) -> Iterator[None]:
    """Run systemd's tool, which becomes our daemon, until the block ends; it listens once `ready` is there."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PATH": DAEMON_PATH})
    try:
        wait_until(lambda: process.poll() is not None or Path(ready).exists(), "systemd listens")
        yield
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0, (folder / "log").read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_pipe_of_a_unit_is_kept_by_systemd_alone(fresh: Path) -> None:
    """`ListenFIFO=` opens it for reading and writing; over a restart it holds what nobody has read."""
    os.mkfifo(fresh / "pipe")
    pipe = os.open(fresh / "pipe", os.O_RDWR | os.O_NONBLOCK)
    manager = Manager(fresh, make_command(fresh, "fd://lines"), units=[(pipe, "lines")], environment={"FDSTORE": "8"})
    with managing(manager):
        manager.start()
        (fresh / "pipe").write_bytes(b"e2e pipe 0\ne2e")
        wait_counted(fresh, "pipe", 1)
        manager.stop()
        assert [re.sub(r"-\d+-\d+$", "", name) for name in manager.names] == ["kept-rests", "kept-socket"]
        (fresh / "pipe").write_bytes(b" pipe 1\n")
        manager.start()
        wait_counted(fresh, "pipe", 1)
        assert read_counter(fresh, "e2e_numbers_total", "pipe") == 1
        manager.stop()
