"""Each of our files for syslog-ng that hands messages to us, with syslog-ng itself: all that it took is counted."""

from __future__ import annotations

import grp
import os
import pwd
import signal
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.counting import PROGRAM, Counting, run_counting, scraping, starting
from tests.e2e.daemons import DEADLINE_SECONDS, is_at_work, wait_until
from tests.e2e.manager import Manager, managing
from tests.e2e.syslog_ng import SyslogNg, list_children, make_lines, render, running_syslog_ng, send

MESSAGES = 20_000

FITTING = 5_000
"""As many as a pipe has room for."""

WAYS = {
    "pipe": ("/run/syslog-pipeline/log.fifo", ""),
    "stream": ("/run/syslog-pipeline/log.stream.sock", "unix://"),
    "datagram": ("/run/syslog-pipeline/log.sock", "unixgram://"),
    "filter": ("/run/syslog-pipeline/log.fifo", ""),
}
"""Where each file writes to, and what stands before that in `--logs`."""

RELIABLE = {"reliable(no)": "reliable(yes)"}

SETTINGS = """
progs = "{program}"
logs = ["{folder}/lines"]
unix_socket = "{folder}/metrics.sock"
state_file = "{folder}/state"
"""

pytestmark = pytest.mark.slow


def make_syslog_ng(folder: Path, way: str, edits: dict[str, str] | None = None) -> SyslogNg:
    """Return a syslog-ng that has one of our files, which writes into `folder`."""
    text = render(f"{way}.conf", folder, {WAYS[way][0]: f"{folder}/lines", **(edits or {})})
    return SyslogNg(folder / "syslog-ng", {"syslog-pipeline.conf": text})


def make_flags(folder: Path, way: str) -> tuple[str, ...]:
    """Return the flags of a daemon of ours that keeps its values over a stop."""
    return ("--logs", f"{WAYS[way][1]}{folder}/lines", "--state_file", f"{folder}/state")


@contextmanager
def sending(syslog_ng: SyslogNg, way: str) -> Iterator[None]:
    """Send all messages while the block runs."""
    sender = threading.Thread(target=send, args=(syslog_ng.log_socket, make_lines(way, range(MESSAGES))))
    sender.start()
    try:
        yield
    finally:
        sender.join()


def assert_rest_is_counted(counting: Counting, way: str) -> None:
    """All messages arrive; nothing is lost, doubled or out of order."""
    counting.wait_counted(way, MESSAGES)
    counting.assert_exact(way, MESSAGES)


def assert_one_is_lost_at_most(syslog_ng: SyslogNg, counting: Counting, way: str) -> None:
    """All others arrive; nothing is doubled or out of order."""
    counting.wait_counted(way, MESSAGES - 1)
    send(syslog_ng.log_socket, make_lines("last", [0]))
    counting.wait_counted("last", 1)
    lost = MESSAGES - counting.read_counter("messages", way)
    assert lost in (0, 1)
    assert counting.read_counter("disorder", way) <= lost


def test_messages_are_counted_exactly_over_a_stop(folder: Path) -> None:
    """Our daemon is away in the middle and nobody keeps anything for it: syslog-ng takes all, and writes it later."""
    with running_syslog_ng(make_syslog_ng(folder, "pipe")) as syslog_ng, sending(syslog_ng, "pipe"):
        stop_in_the_middle(folder, syslog_ng, "pipe")
        with run_counting(folder, *make_flags(folder, "pipe")) as counting:
            assert_rest_is_counted(counting, "pipe")


@pytest.mark.parametrize("way", ["stream", "datagram"])
def test_stop_costs_a_socket_that_nobody_holds_one_message_at_most(folder: Path, way: str) -> None:
    """The one in syslog-ng's hand: it has begun to write it, and does not begin again."""
    with running_syslog_ng(make_syslog_ng(folder, way)) as syslog_ng, sending(syslog_ng, way):
        stop_in_the_middle(folder, syslog_ng, way)
        with run_counting(folder, *make_flags(folder, way)) as counting:
            assert_one_is_lost_at_most(syslog_ng, counting, way)


def stop_in_the_middle(folder: Path, syslog_ng: SyslogNg, way: str) -> None:
    """Run our daemon until it has counted something, and return when syslog-ng has taken all that is sent."""
    with run_counting(folder, *make_flags(folder, way)) as counting:
        counting.wait_counted(way, 1)
    syslog_ng.wait_taken(way, MESSAGES)


@pytest.mark.parametrize("way", ["pipe", "stream", "datagram"])
def test_messages_are_counted_exactly_over_a_restart_by_systemd(folder: Path, way: str) -> None:
    """It keeps pipe, socket and connections, so that not even the message in syslog-ng's hand is lost."""
    command = [sys.executable, "-m", "pipeline", "run", "--progs", str(PROGRAM), *make_flags(folder, way)]
    manager = Manager(folder, [*command, "--unix_socket", f"{folder}/metrics.sock", "--store_descriptors"])
    with managing(manager), scraping(folder) as counting:
        manager.start()
        with running_syslog_ng(make_syslog_ng(folder, way)) as syslog_ng, sending(syslog_ng, way):
            counting.wait_counted(way, 1)
            manager.stop()
            syslog_ng.wait_taken(way, MESSAGES)
            manager.start()
            assert_rest_is_counted(counting, way)
        manager.stop()


@pytest.mark.parametrize(("edits", "end"), [({}, "stop"), (RELIABLE, "kill")])
def test_what_waits_in_syslog_ng_outlives_it(folder: Path, edits: dict[str, str], end: str) -> None:
    """Its buffer is there at its next start: after a stop as we ship it, after a crash if it is reliable."""
    with ended_in_the_middle(folder, "stream", edits, end) as (_, counting):
        assert_rest_is_counted(counting, "stream")


@pytest.mark.parametrize(("edits", "end"), [({}, "stop"), (RELIABLE, "kill")])
def test_end_costs_a_full_pipe_one_message_at_most(folder: Path, edits: dict[str, str], end: str) -> None:
    """The one in syslog-ng's hand."""
    with ended_in_the_middle(folder, "pipe", edits, end) as (syslog_ng, counting):
        assert_one_is_lost_at_most(syslog_ng, counting, "pipe")


@contextmanager
def ended_in_the_middle(folder: Path, way: str, edits: dict[str, str], end: str) -> Iterator[tuple[SyslogNg, Counting]]:
    """Give a syslog-ng that was ended and started again while our daemon stood still, which goes on now."""
    syslog_ng = make_syslog_ng(folder, way, edits)
    with starting(folder, *make_flags(folder, way)) as daemon, scraping(folder) as counting:
        daemon.send_signal(signal.SIGSTOP)
        with running_syslog_ng(syslog_ng):
            # When the one behind them is in the file of all messages, they are in the buffer too.
            send(syslog_ng.log_socket, make_lines(way, range(MESSAGES)) + make_lines("behind", [0]))
            syslog_ng.wait_taken("behind", 1)
            if end == "kill":
                syslog_ng.kill()
            else:
                syslog_ng.stop()
            syslog_ng.start()
            daemon.send_signal(signal.SIGCONT)
            yield syslog_ng, counting


def test_sender_waits_when_the_disk_buffer_is_full(folder: Path) -> None:
    """Flow control: nothing is dropped, also if as much is on the disk as may be."""
    count = 3 * MESSAGES
    syslog_ng = make_syslog_ng(folder, "pipe", {"disk-buf-size(1073741824)": "disk-buf-size(1048576)"})
    with starting(folder, *make_flags(folder, "pipe")) as daemon, scraping(folder) as counting:
        daemon.send_signal(signal.SIGSTOP)
        with running_syslog_ng(syslog_ng), socket.socket(socket.AF_UNIX) as writer:
            writer.connect(str(syslog_ng.log_socket))
            writer.settimeout(1)
            unsent = send_until_waiting(writer, make_lines("pipe", range(count)))
            assert unsent
            daemon.send_signal(signal.SIGCONT)
            writer.settimeout(DEADLINE_SECONDS)
            writer.sendall(unsent)
            counting.wait_counted("pipe", count)
            counting.assert_exact("pipe", count)


def send_until_waiting(writer: socket.socket, data: bytes) -> bytes:
    """Send until nothing has gone out for as long as the socket has patience; return what is left."""
    while data:
        try:
            data = data[writer.send(data[:65536]) :]
        except TimeoutError:
            break
    return data


def test_pipe_stays_open_to_us(folder: Path) -> None:
    """syslog-ng makes it where it is missing, and does not give it the rights of Debian's log files."""
    with running_syslog_ng(make_syslog_ng(folder, "pipe")):
        wait_until((folder / "lines").exists, "the pipe is made")
        wait_until(lambda: stat.S_IMODE((folder / "lines").stat().st_mode) == 0o660, "it has its rights")
        status = (folder / "lines").stat()
        assert stat.filemode(status.st_mode) == "prw-rw----"
        assert status.st_gid == os.getegid()


def test_message_is_one_line(folder: Path) -> None:
    """A stranger cannot have a line of his own counted by a line feed in his message, or behind a NUL."""
    forged = "<22>Nov 21 01:13:00 e2e: x\0\nNov 21 01:13:00 host e2e: e2e forged 1\ny"
    with (
        running_syslog_ng(make_syslog_ng(folder, "pipe")) as syslog_ng,
        run_counting(folder, *make_flags(folder, "pipe")) as counting,
    ):
        syslog_ng.send_datagram(forged.encode())
        syslog_ng.send_datagram(make_lines("pipe", [0]).rstrip())
        counting.wait_counted("pipe", 1)
        assert counting.read_counter("messages", "forged") == 0


def test_only_applications_that_have_programs_are_handed_over(folder: Path) -> None:
    """And the line by which `syslog-pipeline doctor` tests the way. Our daemon is away in the middle."""
    handed = ["sshd[42]", "sshd-session[43]", "sudo", "CRON[44]", "postfix/smtpd[7]", "syslog-pipeline-doctor"]
    others = ["dovecot", "mysudo", "sudoers", "fail2ban", "e2e"]
    routes = {sender: f"by{number}" for number, sender in enumerate([*others, *handed])}
    with running_syslog_ng(make_syslog_ng(folder, "filter")) as syslog_ng:
        with run_counting(folder, *make_flags(folder, "filter")) as counting:
            send_all(syslog_ng, routes, range(10))
            counting.wait_counted(routes[handed[-1]], 10)
        send_all(syslog_ng, routes, range(10, 1000))
        syslog_ng.wait_taken(routes[handed[-1]], 1000)
        with run_counting(folder, *make_flags(folder, "filter")) as counting:
            counting.wait_counted(routes[handed[-1]], 1000)
            for sender in handed:
                counting.assert_exact(routes[sender], 1000)
            assert [counting.read_counter("messages", routes[sender]) for sender in others] == [0] * len(others)


def send_all(syslog_ng: SyslogNg, routes: dict[str, str], numbers: range) -> None:
    """Send the messages of several applications, in their order."""
    send(syslog_ng.log_socket, b"".join(make_lines(route, numbers, sender) for sender, route in routes.items()))


@contextmanager
def running_program(folder: Path) -> Iterator[SyslogNg]:
    """Run a syslog-ng that starts our daemon, as the user of this test, until both have ended."""
    settings = folder / "settings.toml"
    settings.write_text(SETTINGS.format(program=PROGRAM, folder=folder))
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    edits = {
        "/usr/bin/syslog-pipeline": f"{sys.executable} -m pipeline",
        "/etc/syslog-pipeline/settings.toml": str(settings),
        "--reuid syslog-pipeline --regid syslog-pipeline": f"--reuid {user} --regid {group}",
        # Only root may set its groups.
        **({} if os.geteuid() == 0 else {"--init-groups": "--keep-groups"}),
    }
    files = {"syslog-pipeline.conf": render("program.conf", folder, edits)}
    with running_syslog_ng(SyslogNg(folder / "syslog-ng", files)) as syslog_ng:
        yield syslog_ng
        daemon = find_daemon(folder, syslog_ng)
    wait_until(lambda: not is_alive(daemon), "our daemon has ended")


def find_daemon(folder: Path, syslog_ng: SyslogNg) -> int:
    """Return the process of our daemon, below the shell that syslog-ng has started, when it is ready."""
    wait_until(lambda: is_at_work(folder / "metrics.sock"), "our daemon is ready")
    (shell,) = syslog_ng.list_children()
    (daemon,) = list_children(shell)
    return daemon


def end_daemon(daemon: int, number: signal.Signals) -> None:
    """Send our daemon a signal, on which it ends."""
    os.kill(daemon, number)
    wait_until(lambda: not is_alive(daemon), "our daemon has ended")


def test_daemon_that_syslog_ng_starts_counts_exactly(folder: Path) -> None:
    """While it stands still; over a reload, which leaves it alone; over its own end, and over that of syslog-ng."""
    with running_program(folder) as syslog_ng, scraping(folder) as counting:
        first = find_daemon(folder, syslog_ng)
        os.kill(first, signal.SIGSTOP)
        send(syslog_ng.log_socket, make_lines("program", range(MESSAGES)))
        syslog_ng.wait_taken("program", MESSAGES)
        os.kill(first, signal.SIGCONT)
        assert_rest_is_counted(counting, "program")
        syslog_ng.reload()
        assert find_daemon(folder, syslog_ng) == first

        end_daemon(first, signal.SIGTERM)
        second = find_daemon(folder, syslog_ng)
        os.kill(second, signal.SIGSTOP)
        send(syslog_ng.log_socket, make_lines("program", range(MESSAGES, MESSAGES + FITTING)))
        syslog_ng.wait_taken("program", MESSAGES + FITTING)
        syslog_ng.stop()
        end_daemon(second, signal.SIGCONT)
        syslog_ng.start()
        find_daemon(folder, syslog_ng)
        counting.assert_exact("program", MESSAGES + FITTING)


def test_crash_of_the_daemon_that_syslog_ng_starts_costs_nothing_unread(folder: Path) -> None:
    """The shell that has started it keeps its standard input for the next one."""
    with running_program(folder) as syslog_ng, scraping(folder) as counting:
        daemon = find_daemon(folder, syslog_ng)
        os.kill(daemon, signal.SIGSTOP)
        send(syslog_ng.log_socket, make_lines("program", range(MESSAGES)))
        syslog_ng.wait_taken("program", MESSAGES)
        end_daemon(daemon, signal.SIGKILL)
        find_daemon(folder, syslog_ng)
        assert_rest_is_counted(counting, "program")


def is_alive(process: int) -> bool:
    """Whether there is a process of this number that has not ended, with all its threads."""
    try:
        threads = list(Path(f"/proc/{process}/task").iterdir())
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z" or len(threads) > 1
