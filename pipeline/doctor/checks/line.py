"""The test line: put into our pipes and sockets directly, and sent through the syslog daemon."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.checks.settings import TEST_PROGRAM
from pipeline.doctor.examination import Examination, ask_samples
from pipeline.doctor.findings import Finding, approve, fail, skip
from pipeline.doctor.scrape import LINES, PROGRAM_LINES, TEST_LINES, UNMATCHED_LINES
from pipeline.doctor.site import DATAGRAM, STREAM, Instance
from pipeline.doctor.syslog_daemons import find_condition
from pipeline.errors import describe_os_error

TAG = "syslog-pipeline-doctor"
PRIORITY = 14
"""user.info: what an ordinary program logs with, and what no daemon filters out by itself."""

JOURNAL_FOLDER = Path("/run/systemd/journal")
"""Where journald listens; there /dev/log is a link to it."""

POLL_SECONDS = 0.05

BUSY_SECONDS = 0.1
"""A pipe through which no line comes meanwhile is taken for idle."""


def make_line(token: str) -> str:
    """Return a test line without its time and host."""
    return f"{TAG}: test line {token}"


def check_entries(exam: Examination) -> Iterator[Finding]:
    """Whether a line that is put into each pipe or socket is counted: our half of the way."""
    if not exam.site.settings.send:
        yield skip("No test line is wanted (--no-send).")
        return
    looked = False
    for instance in exam.site.instances:
        for log in instance.logs:
            if log in map(str, instance.pipes) or log.startswith((STREAM, DATAGRAM)):
                looked = True
                yield try_entry(exam, instance, log)
    if not looked:
        yield approve("No source is a pipe or a socket on this machine, so nothing was put into any.")


def try_entry(exam: Examination, instance: Instance, log: str) -> Finding:
    """Return whether a line that is put into one source is counted.

    None is put into a pipe in which lines come anyway: it might come between two pieces of another's line.
    """
    exam.show(f"Waiting for a test line put into {log}")
    if is_busy(exam, instance, log):
        return approve(f"Lines come through {log} and are counted, so that no test line was put into it.")
    token = secrets.token_hex(8)
    stamp = time.strftime("%b %e %T")
    before = count(exam, instance, LINES)
    try:
        put_line(log, f"{stamp} localhost {make_line(token)}\n".encode(), exam.seconds)
    except PermissionError:
        return skip(f"Your user may not write to {log}. Run this as root.", "sudo syslog-pipeline doctor")
    except BlockingIOError:
        return fail(f"{log} is full.", "The daemon does not read it fast enough, or not at all.", *restart(exam))
    except OSError as error:
        return fail(f"No line can be put into {log}: {describe_os_error(error)}.", "", *restart(exam))
    counts = has_test_program(exam, instance)
    if wait_counted(exam, [instance], token, {instance: before}, by_token=counts) is not None:
        return approve(f"A line put into {log} is counted.")
    return fail(
        f"A line put into {log} was not counted within {exam.seconds:g} s.",
        "The daemon answers, but it is slow, or reads something else.",
        exam.spell_start(instance),
    )


def is_busy(exam: Examination, instance: Instance, log: str) -> bool:
    """Return whether lines come through a pipe without us."""
    if log not in map(str, instance.pipes):
        return False
    before = count(exam, instance, LINES, logfile=log)
    time.sleep(BUSY_SECONDS)
    return count(exam, instance, LINES, logfile=log) > before


def restart(exam: Examination) -> tuple[str, ...]:
    """Return the commands that restart our daemons."""
    return tuple(exam.spell_start(instance) for instance in exam.site.instances)


def put_line(log: str, line: bytes, seconds: float) -> None:
    """Put a line into a pipe or socket of ours; raises `OSError`, of a full pipe `BlockingIOError`."""
    for scheme, kind in ((STREAM, socket.SOCK_STREAM), (DATAGRAM, socket.SOCK_DGRAM)):
        if log.startswith(scheme):
            address = log.removeprefix(scheme)
            send_line("\0" + address[1:] if address.startswith("@") else address, kind, line, seconds)
            return
    put_into_pipe(log, line, seconds)


def put_into_pipe(path: str, line: bytes, seconds: float) -> None:
    """Put a line into a named pipe as a whole, as soon as there is room; what has taken its place is not opened."""
    found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISFIFO(os.fstat(found).st_mode):
            raise OSError(errno.EINVAL, "it is not a named pipe")
        pipe = os.open(f"/proc/self/fd/{found}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(found)
    end = time.monotonic() + seconds
    try:
        while True:
            try:
                os.write(pipe, line)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
                time.sleep(POLL_SECONDS)
            else:
                return
    finally:
        os.close(pipe)


def send_line(address: str, kind: socket.SocketKind, line: bytes, seconds: float) -> None:
    """Send a line to a unix socket."""
    with socket.socket(socket.AF_UNIX, kind) as client:
        client.settimeout(seconds)
        client.connect(address)
        client.sendall(line)


def log_line(path: Path, line: bytes, seconds: float) -> None:
    """Log a line as an application does; a log socket takes datagrams or a stream."""
    try:
        send_line(str(path), socket.SOCK_DGRAM, line, seconds)
    except OSError:
        send_line(str(path), socket.SOCK_STREAM, line + b"\n", seconds)


def count(exam: Examination, instance: Instance, name: str, **labels: str) -> float:
    """Return the sum of the samples of one metric of one of our daemons that have these labels."""
    return sum(sample.value for sample in ask_samples(exam, instance, name) if labels.items() <= sample.labels.items())


def count_matched(exam: Examination, instance: Instance) -> float:
    """Return on how many lines a program of one of our daemons has done something."""
    samples = ask_samples(exam, instance, PROGRAM_LINES, UNMATCHED_LINES)
    return sum(sample.value if sample.name == PROGRAM_LINES else -sample.value for sample in samples)


def has_test_program(exam: Examination, instance: Instance) -> bool:
    """Return whether a daemon of ours has loaded the program that counts test lines."""
    return any(sample.labels.get("prog") == TEST_PROGRAM for sample in ask_samples(exam, instance, PROGRAM_LINES))


def wait_counted(
    exam: Examination, instances: list[Instance], token: str, before: dict[Instance, float], *, by_token: bool
) -> Instance | None:
    """Return which daemon has counted a test line, or without our program, some line; None if none does in time."""
    end = time.monotonic() + exam.seconds
    while True:
        for instance in instances:
            if by_token and count(exam, instance, TEST_LINES, token=token):
                return instance
            if not by_token and count(exam, instance, LINES) > before[instance]:
                return instance
        if time.monotonic() > end:
            return None
        time.sleep(POLL_SECONDS)


def check_line(exam: Examination) -> Iterator[Finding]:
    """Whether a line that an application logs arrives, and if not, where it was lost."""
    if not exam.site.settings.send:
        yield skip("No test line is wanted (--no-send).")
        return
    assert exam.syslog is not None
    log_socket = exam.site.log_socket
    exam.show(f"Waiting for a test line sent to {log_socket}")
    token = secrets.token_hex(8)
    instances = list(exam.pages)
    by_token = any(has_test_program(exam, instance) for instance in instances)
    before = {instance: count(exam, instance, LINES) for instance in instances}
    matched = {instance: count_matched(exam, instance) for instance in instances}
    started = time.monotonic()
    try:
        log_line(log_socket, f"<{PRIORITY}>{time.strftime('%b %e %T')} {make_line(token)}".encode(), exam.seconds)
    except OSError as error:
        yield fail(
            f"No line can be sent to {log_socket}: {describe_os_error(error)}.",
            "The syslog daemon takes nothing, perhaps because its queue is full.",
            exam.spell_service("restart", exam.syslog[0].name),
        )
        return
    arrived = wait_counted(exam, instances, token, before, by_token=by_token)
    took = time.monotonic() - started
    if arrived is not None:
        where = f" by {arrived.unit.removesuffix('.service')}" if arrived.number else ""
        yield approve(f"A test line sent to {log_socket} was counted{where} after {took:.1f} s.")
        return
    moved = any(count(exam, instance, LINES) > before[instance] for instance in instances)
    known = any(count_matched(exam, instance) > matched[instance] for instance in instances)
    yield tell_lost(exam, moved=moved, known=known)


def tell_lost(exam: Examination, *, moved: bool, known: bool) -> Finding:
    """Return where a test line was lost. `moved` says that lines have come meanwhile, which may be others, and `known`
    that programs knew some of them."""
    assert exam.syslog is not None
    daemon, config = exam.syslog
    lost = f"A test line sent to {exam.site.log_socket} was not counted within {exam.seconds:g} s"
    file = exam.snippets[0] if exam.snippets else config
    for path in exam.rules:
        place = find_condition(daemon, path, exam.syslog_texts[path], exempt=TAG, words=exam.rule_words)
        if place:
            return fail(
                f"{lost}: it seems that a condition keeps it back, at {place}.",
                f"Only what it lets through comes to us. Let {TAG} through too, if others are missing as well.",
                f"editor {place.rpartition(':')[0]}",
                exam.spell_service("restart", daemon.name),
            )
    if moved and not known:
        return fail(
            f"{lost}, though lines have come: the program {TEST_PROGRAM} did not know it.",
            f"The lines have another form than programs expect. The template in {file} should be "
            f"{daemon.good_template}.",
            f"editor {file}",
            exam.spell_service("restart", daemon.name),
        )
    others = "others have come" if moved else "no other line has come either"
    journal = ""
    if exam.site.log_socket.resolve().parent == JOURNAL_FOLDER:
        journal = (
            f" What is sent to {exam.site.log_socket} goes to journald first: it hands it on if ForwardToSyslog=yes is "
            f"in /etc/systemd/journald.conf, or if {daemon.name} reads the journal."
        )
    return fail(
        f"{lost}, and {others}: {daemon.name} has not handed it over.",
        "Another rule may have stopped it, its rate may be limited, or its queue may be full or waiting for a retry."
        + journal,
        f"journalctl --unit {daemon.name} --lines 20",
        exam.spell_service("restart", daemon.name),
    )
