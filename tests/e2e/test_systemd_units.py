"""The units that we ship, under a systemd that has booted: a boot, stops, restarts, crashes and reloads."""

from __future__ import annotations

import fcntl
import itertools
import re
import shutil
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.booted import Machine
from tests.e2e.counting import Counting
from tests.e2e.daemons import POLL_SECONDS, answers, wait_until
from tests.e2e.installed import (
    FOLDER,
    HTTP,
    MESSAGES,
    PIPE,
    SERVICE,
    add_drop_in,
    describe,
    find_ids,
    find_process,
    log,
    read_shipped,
    remove_drop_ins,
    wait_active,
)

RESTARTS = 5

PIECE = 200
"""How many messages come at a time from a program that does not stop: some thousand a second."""

pytestmark = pytest.mark.slow


def log_until(log_socket: Path, route: str, is_enough: threading.Event) -> int:
    """Log numbered messages, some at a time, until it is enough; return how many."""
    numbers = itertools.count()
    with subprocess.Popen(["logger", "--socket", str(log_socket), "--tag", "e2e"], stdin=subprocess.PIPE) as logger:
        assert logger.stdin is not None
        while not is_enough.wait(POLL_SECONDS):
            lines = (f"e2e {route} {number}\n" for number in itertools.islice(numbers, PIECE))
            logger.stdin.write("".join(lines).encode())
            logger.stdin.flush()
    assert logger.returncode == 0
    return next(numbers)


def read_time(machine: Machine, unit: str, event: str) -> int:
    """Return when something happened to a unit, in microseconds since the start of this machine."""
    return int(machine.show(unit, f"{event}Monotonic"))


def test_a_boot_makes_all(machine: Machine) -> None:
    """The user, the folders, the pipe and the sockets are there, for whom they should be."""
    user, group = find_ids(machine, "syslog-pipeline")
    assert describe(machine.root / FOLDER) == ("drwxr-xr-x", user, group)
    assert describe(machine.root / PIPE) == ("prw-rw----", 0, group)
    assert describe(machine.root / HTTP) == ("srw-rw----", 0, 33)
    assert describe(machine.root / "var/lib/syslog-pipeline") == ("drwx------", user, group)
    assert describe(machine.root / "var/lib/syslog-pipeline/state") == ("-rw-------", user, group)
    for unit in (SERVICE, "syslog-pipeline.socket", "syslog-pipeline-http.socket"):
        assert machine.ctl("is-enabled", unit) == "enabled"
        assert machine.ctl("is-active", unit) == "active"


def test_a_boot_is_in_order(machine: Machine) -> None:
    """The pipe is there before rsyslogd, which would make a file in its place; and our daemon, which ends after it."""
    rsyslog = read_time(machine, "rsyslog.service", "ExecMainStartTimestamp")
    assert read_time(machine, "syslog-pipeline.socket", "ActiveEnterTimestamp") < rsyslog
    assert read_time(machine, SERVICE, "ActiveEnterTimestamp") < rsyslog
    assert "cycle" not in machine.run("journalctl", "--no-pager", "--output=cat", "_PID=1")


def test_lines_are_counted_over_restarts(machine: Machine, counting: Counting) -> None:
    """rsyslogd opens the pipe once, and writes on while our daemon is started anew five times."""
    writer = find_process(machine, "rsyslog.service")
    is_enough = threading.Event()
    with ThreadPoolExecutor() as pool:
        sent = pool.submit(log_until, machine.root / "run/log.sock", "restarts", is_enough)
        try:
            for _ in range(RESTARTS):
                machine.ctl("restart", SERVICE)
        finally:
            is_enough.set()
    counting.wait_counted("restarts", sent.result())
    counting.assert_exact("restarts", sent.result())
    assert find_process(machine, "rsyslog.service") == writer


def test_a_stop_keeps_pipe_and_sockets(machine: Machine, counting: Counting) -> None:
    """What comes while the service is stopped waits, and does not start it."""
    names = ("log.fifo", "metrics.sock")
    before = [(machine.root / FOLDER / name).stat().st_ino for name in names]
    machine.ctl("stop", SERVICE)
    log(machine, "stopped")
    assert answers(machine.root / HTTP, socket.SOCK_STREAM)
    for way in ("", "-http"):
        wait_active(machine, f"syslog-pipeline-hold@syslog-pipeline{way}.service")
    assert machine.ctl("is-active", SERVICE, status=3) == "inactive"
    machine.ctl("start", SERVICE)
    counting.wait_counted("stopped", MESSAGES)
    counting.assert_exact("stopped", MESSAGES)
    assert [(machine.root / FOLDER / name).stat().st_ino for name in names] == before


def test_both_stop_in_order(machine: Machine, counting: Counting) -> None:
    """When the machine goes down and both stop, rsyslogd ends first: our daemon reads its last lines."""
    both = f"{SERVICE} rsyslog.service syslog.socket"
    down = machine.root / "run/systemd/system/down.target"
    down.write_text(f"[Unit]\nConflicts={both}\nAfter={both}\n")
    log(machine, "both")
    machine.ctl("start", "down.target")
    assert machine.ctl("is-active", SERVICE, "rsyslog.service", status=3) == "inactive\ninactive"
    ended = read_time(machine, "rsyslog.service", "InactiveEnterTimestamp")
    assert ended < read_time(machine, SERVICE, "ActiveExitTimestamp")
    machine.ctl("start", SERVICE, "rsyslog.service")
    counting.wait_counted("both", MESSAGES)
    counting.assert_exact("both", MESSAGES)


def test_a_crash_is_mended(machine: Machine, counting: Counting) -> None:
    """After `kill -9` the daemon is back, with the values of its last write, and rsyslogd's next lines arrive."""
    log(machine, "crash", 1000)
    counting.wait_counted("crash", 1000)
    machine.ctl("restart", SERVICE)
    process, restarts = find_process(machine), int(machine.show(SERVICE, "NRestarts"))
    machine.run("kill", "-9", str(process))
    wait_until(lambda: int(machine.show(SERVICE, "NRestarts")) == restarts + 1, "systemd has seen it")
    log(machine, "crash", 1000)
    wait_active(machine, SERVICE)
    counting.wait_counted("crash", 2000)
    assert counting.read_counter("messages", "crash") == 2000
    assert find_process(machine) != process


def test_a_mistake_is_waited_out(machine: Machine, counting: Counting) -> None:
    """As long as the settings are wrong the daemon is tried again and again, and lines wait."""
    path = machine.root / "etc/syslog-pipeline/settings.toml"
    before = path.read_text()
    path.write_text(f"{before}\nmistake = 1\n")
    machine.ctl("restart", SERVICE, status=1)
    log(machine, "mistake")
    restarts = int(machine.show(SERVICE, "NRestarts"))
    wait_until(lambda: int(machine.show(SERVICE, "NRestarts")) >= restarts + 2, "it is tried again")
    path.write_text(before)
    wait_active(machine, SERVICE)
    counting.wait_counted("mistake", MESSAGES)
    counting.assert_exact("mistake", MESSAGES)


def test_the_watchdog_bites(machine: Machine) -> None:
    """A daemon that hangs is ended and started anew. It has 3 seconds in this test, and a minute in the unit."""
    assert machine.show(SERVICE, "WatchdogUSec") == "1min"
    add_drop_in(machine, SERVICE, "watchdog", "[Service]\nWatchdogSec=3\n")
    try:
        machine.ctl("restart", SERVICE)
        process = find_process(machine)
        machine.run("kill", "-STOP", str(process))
        wait_until(lambda: find_process(machine) not in (0, process), "another process runs")
    finally:
        remove_drop_ins(machine, SERVICE)
        machine.ctl("restart", SERVICE)
    wait_until(lambda: "Watchdog timeout" in machine.log_of(SERVICE), "the reason is in the journal")


def test_a_reload_takes_up_programs(machine: Machine, counting: Counting) -> None:
    """`systemctl reload` loads what is new, and what ran goes on."""
    process = find_process(machine)
    path = machine.root / "etc/syslog-pipeline/programs/more.mtail"
    path.write_text("counter more_total\n/e2e more /  {\n  more_total++\n}\n")
    try:
        machine.ctl("reload", SERVICE)
        wait_until(lambda: "Program more.mtail is loaded" in machine.log_of(SERVICE), "it is loaded")
        log(machine, "more", 100)
        counting.wait_counted("more", 100)
        assert counting.read("more_total", "prog", "more.mtail") == 100
    finally:
        path.unlink()
        machine.ctl("reload", SERVICE)
    assert find_process(machine) == process


def test_the_journal_has_the_log(machine: Machine) -> None:
    """Its entries can be searched for by our fields."""
    options = ("--no-pager", "--output=cat", "--unit", SERVICE)
    assert "Program count.mtail is loaded." in machine.run(
        "journalctl", *options, "SYSLOG_PIPELINE_PROGRAM=count.mtail"
    )


def test_variables_are_passed(machine: Machine) -> None:
    """The service has the variables that the file shows, and takes those that are flags."""
    environment = (machine.root / f"proc/{find_process(machine)}/environ").read_bytes().split(b"\0")
    shown = re.findall(r"^#([A-Z_]+=.*)$", read_shipped("environment"), re.MULTILINE)
    assert len(shown) == 4
    assert {variable.encode() for variable in shown} <= set(environment)


def test_a_pipe_is_large_before_anyone_reads(machine: Machine) -> None:
    """systemd widens the pipe that it makes, as much as a daemon may."""
    unit = "syslog-pipeline@wide.socket"
    machine.ctl("start", unit)
    try:
        with (machine.root / FOLDER / "log@wide.fifo").open("wb") as pipe:
            assert fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) == 1 << 20
    finally:
        machine.ctl("stop", unit)


def test_sockets_are_started_anew(machine: Machine, counting: Counting) -> None:
    """A pipe that is there is taken up again, and the service comes with its sockets."""
    before, number = describe(machine.root / PIPE), (machine.root / PIPE).stat().st_ino
    machine.ctl("restart", "syslog-pipeline.socket", "syslog-pipeline-http.socket")
    assert describe(machine.root / PIPE) == before
    machine.ctl("stop", "syslog-pipeline.socket", "syslog-pipeline-http.socket")
    assert machine.ctl("is-active", SERVICE, status=3) == "inactive"
    machine.ctl("start", SERVICE)
    assert machine.ctl("is-active", "syslog-pipeline.socket", "syslog-pipeline-http.socket") == "active\nactive"
    assert (machine.root / PIPE).stat().st_ino == number
    log(machine, "anew")
    counting.wait_counted("anew", MESSAGES)
    counting.assert_exact("anew", MESSAGES)


def test_a_plain_file_is_not_taken_for_the_pipe(machine: Machine, counting: Counting) -> None:
    """What a syslog daemon has made in the pipe's place keeps the service from starting, and the journal says why."""
    machine.ctl("stop", "syslog-pipeline.socket", "rsyslog.service", "syslog.socket")
    (machine.root / PIPE).unlink()
    (machine.root / PIPE).touch()
    machine.ctl("start", SERVICE, status=1)
    said = "Failed to open FIFO /run/syslog-pipeline/log.fifo: File exists"
    wait_until(lambda: said in machine.log_of("syslog-pipeline.socket"), "the reason is in the journal")
    (machine.root / PIPE).unlink()
    machine.ctl("start", SERVICE, "rsyslog.service")
    log(machine, "plain", 100)
    counting.wait_counted("plain", 100)
    counting.assert_exact("plain", 100)


def test_the_folder_is_made_for_the_daemon(machine: Machine, counting: Counting) -> None:
    """Where no boot has made it, the first socket has it made, with the right owner: nothing in it changes hands."""
    machine.ctl(
        "stop", SERVICE, "syslog-pipeline.socket", "syslog-pipeline-http.socket", "rsyslog.service", "syslog.socket"
    )
    shutil.rmtree(machine.root / FOLDER)
    machine.ctl("start", SERVICE, "rsyslog.service")
    user, group = find_ids(machine, "syslog-pipeline")
    assert describe(machine.root / FOLDER) == ("drwxr-xr-x", user, group)
    assert describe(machine.root / PIPE) == ("prw-rw----", 0, group)
    assert describe(machine.root / HTTP) == ("srw-rw----", 0, 33)
    log(machine, "folder")
    counting.wait_counted("folder", MESSAGES)
    counting.assert_exact("folder", MESSAGES)
