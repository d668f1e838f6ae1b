"""What a call of metlog's generator costs an application, beside the standard library's logging with a SysLogHandler.

In this process; another one empties the socket. What is told is CPU time of the caller: where a full queue has both
wait for the receiver, that costs none.
"""

from __future__ import annotations

import gc
import logging
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from logging.handlers import SysLogHandler
from pathlib import Path

from pipeline.metlog.client import MetlogClient
from pipeline.metlog.envelope import Message
from pipeline.metlog.senders import UnixDatagramSender
from tests.bench.measure import BenchError
from tests.bench.plan import Bench

GROUP = "generator"
BASE = "logging, SysLogHandler"
NULL_BASE = "logging, NullHandler"

ABOUT = (
    "ns of CPU time per call, as medians: the client's calls over a unix datagram socket that another process empties, "
    "and with a sender that does nothing, beside the standard library's logging with a SysLogHandler on such a socket, "
    "and with a NullHandler. The ratio is the time of logging by that of the row, socket by socket and nothing by "
    "nothing. A timer as a context is two calls. A message of logging is a line of 40 bytes, one of ours an envelope "
    "with nine fields, of 190 bytes."
)

Call = Callable[[], object]

DRAIN = """
import socket, sys
sock = socket.socket(fileno=int(sys.argv[1]))
while sock.recv(65536):
    pass
"""
DEADLINE_SECONDS = 60.0


class NullSender:
    """Does nothing, so that what is left is the client."""

    def send_message(self, message: Message) -> None:
        pass


@contextmanager
def draining(path: Path) -> Iterator[Path]:
    """Have a process empty a unix datagram socket at `path`, until an empty datagram ends it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        descriptor = sock.fileno()
        process = subprocess.Popen([sys.executable, "-c", DRAIN, str(descriptor)], pass_fds=[descriptor])
    try:
        yield path
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", str(path))
        if process.wait(DEADLINE_SECONDS):
            raise BenchError("What empties the socket has failed.")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        path.unlink()


def make_logger(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("shop")
    handler.setFormatter(logging.Formatter("shop[42]: %(message)s"))
    logger.addHandler(handler)
    return logger


def log_to_syslog(path: Path, stack: ExitStack) -> Call:
    handler = SysLogHandler(str(path))
    stack.callback(handler.close)
    logger = make_logger(handler)
    return lambda: logger.info("%s has logged in", "somebody")


def log_to_nobody(path: Path, stack: ExitStack) -> Call:
    logger = make_logger(logging.NullHandler())
    return lambda: logger.info("%s has logged in", "somebody")


def make_client(path: Path, stack: ExitStack) -> MetlogClient:
    # As logging does, it waits for a receiver that is slower: what is dropped would cost less.
    sender = UnixDatagramSender(path, timeout_seconds=DEADLINE_SECONDS)
    stack.callback(sender.close)
    stack.callback(check_counts, sender)
    return MetlogClient(sender, "shop")


def check_counts(sender: UnixDatagramSender) -> None:
    if sender.counts.dropped:
        raise BenchError(f"{sender.counts.dropped} messages were dropped: {sender.counts.last_failure}.")


def incr(client: MetlogClient) -> Call:
    return lambda: client.incr("logins")


def info(client: MetlogClient) -> Call:
    return lambda: client.info("%s has logged in", "somebody")


def timer_send(client: MetlogClient) -> Call:
    return lambda: client.timer_send("checkout", 12)


def time_block(client: MetlogClient) -> Call:
    def call() -> None:
        with client.timer("checkout"):
            pass

    return call


CALLS: dict[str, tuple[str, Callable[[Path, ExitStack], Call]]] = {
    BASE: (BASE, log_to_syslog),
    "incr": (BASE, lambda path, stack: incr(make_client(path, stack))),
    "info": (BASE, lambda path, stack: info(make_client(path, stack))),
    "timer_send": (BASE, lambda path, stack: timer_send(make_client(path, stack))),
    "timer, as a context": (BASE, lambda path, stack: time_block(make_client(path, stack))),
    NULL_BASE: (NULL_BASE, log_to_nobody),
    "incr, null sender": (NULL_BASE, lambda path, stack: incr(MetlogClient(NullSender(), "shop"))),
    "info, null sender": (NULL_BASE, lambda path, stack: info(MetlogClient(NullSender(), "shop"))),
}
"""By the name of the row: the row it is compared with, and what makes the call."""

NAMES = tuple(CALLS)


def run(bench: Bench) -> None:
    wanted = [name for name in CALLS if bench.wants(name) or name in {BASE, NULL_BASE}]
    costs: dict[str, list[float]] = {name: [] for name in wanted}
    with draining(bench.folder / "generator") as path:
        for number in range(bench.plan.runs):
            for name in wanted:
                bench.report.progress(f"{name}: run {number + 1} of {bench.plan.runs}")
                costs[name].append(time_calls(name, path, bench.plan.calls))
    table = bench.report.open_table("Generator", ABOUT, ("call", "ns", "ratio"))
    for name in wanted:
        own, base = (statistics.median(costs[each]) for each in (name, CALLS[name][0]))
        bench.report.add_row(table, name, f"{own:.0f}", f"{base / own:.2f}×")


def time_calls(name: str, path: Path, count: int) -> float:
    """Return the ns of CPU time that a call takes."""
    with ExitStack() as stack:
        call = CALLS[name][1](path, stack)
        for _ in range(count // 10):
            call()
        gc.collect()
        begin = time.thread_time_ns()
        for _ in range(count):
            call()
        return (time.thread_time_ns() - begin) / count
