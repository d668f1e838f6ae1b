"""rsyslogd hands messages to us by each way that we ship; nothing is missing after a stop of either side."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.shipped import render_shipped
from tests.e2e.counting import PROGRAM
from tests.e2e.daemons import ROOT, fetch_metrics, wait_until
from tests.e2e.rsyslog import Held, crash_configured, hold_pipeline, render_pipe, run_configured

FIRST = 5_000
MESSAGES = 45_000
"""40,000 of them come while we are stopped: more than the pipe holds, so that rsyslogd has to wait."""

BATCH = 32
CHECKPOINT = 1000
"""As pipe.conf has them, in messages."""

NOBODY = 65534
GROUP = 4711

PROGRAMS = ROOT / "pipeline" / "programs"
HEADER = re.compile(rb"[A-Z][a-z]{2} [ \d]\d [\d:]{8} [^ ]+ [^ ]+:")
TAG = re.compile(rb"[A-Z][a-z]{2} [ \d]\d [\d:]{8} ([^ ]+) ([^ :\[]+)(?:\[(\d+)\])?: ")
STRANGERS = (b"postgres", b"sshdx", b"fail2ban")
"""Applications that filter.conf does not name, or not quite."""

OWN = ("lines_total", "log_", "prog_", "line_", "syslog_pipeline_")
"""How the names of our own metrics begin."""

WHOLE_LINES = r"""
counter whole_lines_total by route
/^Nov 21 01:13:00 (?P<route>\w+) e2e\[42\]: e2e \w+ \d+$/ {
  whole_lines_total[$route]++
}
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def fresh() -> Iterator[Path]:
    """Of a daemon of ours that is for one test."""
    with tempfile.TemporaryDirectory(prefix="rs-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def held() -> Iterator[Held]:
    """Our daemon behind its pipe, with a program that counts messages, and one that counts lines from end to end."""
    with tempfile.TemporaryDirectory(prefix="rs-") as name:
        programs = Path(name) / "programs"
        programs.mkdir()
        (programs / "count.mtail").write_text(PROGRAM.read_text())
        (programs / "whole.mtail").write_text(WHOLE_LINES)
        with hold_pipeline(Path(name), programs=programs) as held:
            yield held


def stop_in_the_middle(held: Held, folder: Path, snippet: str, route: str) -> None:
    """Have our daemon be away while most messages come, and back for the rest."""
    with run_configured(folder, snippet) as rsyslog:
        rsyslog.send_numbers(route, range(FIRST))
        held.counting.wait_counted(route, FIRST)
        held.manager.stop()
        rsyslog.send_numbers(route, range(FIRST, MESSAGES))
        wait_until(
            lambda: is_spooled(folder, b"e2e %s %d" % (route.encode(), MESSAGES - 2 * CHECKPOINT)),
            "messages wait on disk",
        )
        wait_until(lambda: is_full(held.fifo), "the pipe is full")
        held.manager.start()
        held.counting.wait_counted(route, MESSAGES)


def test_pipe_misses_nothing_while_we_are_stopped(held: Held, folder: Path) -> None:
    """Nothing is lost, doubled, or out of order."""
    stop_in_the_middle(held, folder, render_pipe(held.fifo), "pipe")
    held.counting.assert_exact("pipe", MESSAGES)


def test_ompipe_misses_little_while_we_are_stopped(held: Held, folder: Path) -> None:
    """Of each time that the pipe is full one message is late; here it is so at least once."""
    snippet = render_pipe(held.fifo, "rsyslog/ompipe.conf")
    stop_in_the_middle(held, folder, snippet, "ompipe")
    assert held.counting.read_counter("messages", "ompipe") == MESSAGES
    assert held.counting.read_counter("numbers", "ompipe") == MESSAGES * (MESSAGES - 1) // 2
    assert held.counting.read_counter("disorder", "ompipe") > 0


def test_socket_misses_nothing_while_we_are_stopped(fresh: Path, folder: Path) -> None:
    """Nothing is lost, doubled, or out of order, as the socket is held."""
    snippet = render_shipped("rsyslog/socket.conf", {"/run/syslog-pipeline/log.sock": f"{fresh}/log.sock"})
    with hold_pipeline(fresh, source="unixgram://log.sock") as held:
        with run_configured(folder, snippet) as rsyslog:
            rsyslog.send_numbers("socket", range(500))
            held.counting.wait_counted("socket", 500)
            held.manager.stop()
            rsyslog.send_numbers("socket", range(500, FIRST))
            wait_until(lambda: is_spooled(folder, b"e2e socket %d" % (FIRST - 2 * CHECKPOINT)), "messages wait on disk")
            held.manager.start()
            held.counting.wait_counted("socket", FIRST)
        held.counting.assert_exact("socket", FIRST)


def test_logrotate_costs_nothing(held: Held, folder: Path) -> None:
    """It has rsyslogd reopen all that it writes to, the pipe too, while messages come and while it is full."""
    with run_configured(folder, render_pipe(held.fifo)) as rsyslog:
        for start in range(0, FIRST, CHECKPOINT):
            rsyslog.send_numbers("rotate", range(start, start + CHECKPOINT))
            rsyslog.process.send_signal(signal.SIGHUP)
            held.counting.wait_counted("rotate", start + CHECKPOINT)
        held.manager.stop()
        rsyslog.send_numbers("rotate", range(FIRST, MESSAGES))
        wait_until(lambda: is_full(held.fifo), "the pipe is full")
        rsyslog.process.send_signal(signal.SIGHUP)
        held.manager.start()
        held.counting.wait_counted("rotate", MESSAGES)
    held.counting.assert_exact("rotate", MESSAGES)


def test_rsyslogd_ends_while_the_pipe_is_full(held: Held, folder: Path) -> None:
    """Its next run hands over what waits on disk. It gives up at most the batch in hand, and cuts no line."""
    snippet = render_pipe(held.fifo, more={'timeoutActionCompletion="5000"': 'timeoutActionCompletion="500"'})
    with run_configured(folder, snippet) as rsyslog:
        rsyslog.send_numbers("end", range(FIRST))
        held.counting.wait_counted("end", FIRST)
        held.manager.stop()
        rsyslog.send_numbers("end", range(FIRST, MESSAGES))
        rsyslog.send_numbers("behind", range(2 * CHECKPOINT))
        # Those behind them may still be in the memory of rsyslogd, which has no time for all of it at its end.
        wait_until(lambda: is_spooled(folder, b"e2e end %d" % (MESSAGES - 1)), "all messages wait on disk")
        wait_until(lambda: is_full(held.fifo), "the pipe is full")
    with run_configured(folder, snippet) as rsyslog:
        rsyslog.send_numbers("last", range(1))
        held.manager.start()
        held.counting.wait_counted("last", 1)
    count = held.counting.read_counter("messages", "end")
    assert count in range(MESSAGES - BATCH, MESSAGES + 1)
    assert held.counting.read("whole_lines_total", "route", "end") == count
    assert held.counting.read_counter("disorder", "end") <= 1


def test_crash_of_rsyslogd_loses_little(held: Held, folder: Path) -> None:
    """Lost is at most what came since the last checkpoint, or was not in the queue yet; as much may come twice."""
    snippet = render_pipe(held.fifo)
    with crash_configured(folder, snippet) as rsyslog:
        rsyslog.send_numbers("crash", range(FIRST))
        held.counting.wait_counted("crash", FIRST)
        held.manager.stop()
        rsyslog.send_numbers("crash", range(FIRST, MESSAGES))
        wait_until(lambda: is_spooled(folder, b"e2e crash %d" % (MESSAGES - CHECKPOINT)), "messages wait on disk")
    with run_configured(folder, snippet) as rsyslog:
        rsyslog.send_numbers("after", range(1))
        held.manager.start()
        held.counting.wait_counted("after", 1)
    assert abs(held.counting.read_counter("messages", "crash") - MESSAGES) <= 2 * CHECKPOINT
    assert held.counting.read("whole_lines_total", "route", "crash") == held.counting.read_counter("messages", "crash")


def test_rsyslogd_without_root_writes_to_the_pipe(fresh: Path, folder: Path) -> None:
    """It is in the group of the pipe, and nothing else lets it in."""
    with hold_pipeline(fresh) as held:
        os.chown(held.fifo, 0, GROUP)
        held.fifo.chmod(0o660)
        fresh.chmod(0o711)
        os.chown(folder, NOBODY, NOBODY)
        prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", f"--groups={GROUP}")
        with run_configured(folder, render_pipe(held.fifo), prefix=prefix) as rsyslog:
            assert Path(f"/proc/{rsyslog.process.pid}").stat().st_uid == NOBODY
            rsyslog.send_numbers("group", range(FIRST))
            held.counting.wait_counted("group", FIRST)
        held.counting.assert_exact("group", FIRST)


def test_filter_lets_pass_what_has_a_program(fresh: Path, folder: Path) -> None:
    """Every program counts as it does on the whole log, the doctor's too, and no other line comes."""
    snippet = render_pipe(fresh / "log.fifo", "rsyslog/filter.conf")
    samples = read_samples()
    expected = replay(folder, samples, "syslog_")
    with hold_pipeline(fresh, programs=PROGRAMS) as held:
        with run_configured(folder, snippet) as rsyslog:
            rsyslog.send(*(b"<38>Feb 21 13:20:00 alpha %s: of no use\n" % name for name in STRANGERS))
            rsyslog.send(*(b"<38>%s\n" % line for line in samples))
            wait_until(lambda: select_counts(scrape(held), "syslog_") == expected, "all samples are counted")
        programs = set(re.findall(r'^syslog_lines_total{.*program="([^"]*)"', scrape(held), re.MULTILINE))
        assert programs.isdisjoint(name.decode() for name in STRANGERS)
        assert "syslog-pipeline-doctor" in programs


@pytest.mark.parametrize("template", ["RSYSLOG_TraditionalFileFormat", "RSYSLOG_FileFormat", "SyslogPipeline"])
def test_programs_count_the_same_with_each_template(folder: Path, template: str) -> None:
    """The programs that we ship know the time in each form, with the priority and without."""
    samples = read_samples()
    snippet = render_pipe(folder / "plain", more={"RSYSLOG_TraditionalFileFormat": template})
    with run_configured(folder, render_shipped("rsyslog/template.conf", {}), snippet) as rsyslog:
        rsyslog.send(*(b"<38>%s\n" % line for line in samples))
        wait_until(lambda: count_lines(folder / "plain") >= len(samples), "all samples are written")
    written = (folder / "plain").read_bytes().splitlines()
    assert len(written) == len(samples)
    assert replay(folder, written, "syslog_") == replay(folder, samples, "syslog_")


def test_messages_of_rfc_5424_count_the_same_with_our_template(folder: Path) -> None:
    """The programs find the tag of a sender that splits it into name and process."""
    samples = [line for line in read_samples() if TAG.match(line)]
    snippet = render_pipe(folder / "plain", more={"RSYSLOG_TraditionalFileFormat": "SyslogPipeline"})
    with run_configured(folder, render_shipped("rsyslog/template.conf", {}), snippet) as rsyslog:
        rsyslog.send(*(TAG.sub(write_rfc_5424, line) + b"\n" for line in samples))
        wait_until(lambda: count_lines(folder / "plain") >= len(samples), "all samples are written")
    written = (folder / "plain").read_bytes().splitlines()
    assert len(written) == len(samples)
    assert replay(folder, written, "syslog_") == replay(folder, samples, "syslog_")


def test_template_keeps_time_host_and_tag(folder: Path) -> None:
    """A time with a zone stays as it was sent, a long tag whole, and a message is one line whatever it holds."""
    tag = b"a-tag-of-more-than-thirty-two-characters[4711]:"
    snippet = render_pipe(folder / "plain", more={"RSYSLOG_TraditionalFileFormat": "SyslogPipeline"})
    raw = 'global(parser.escapeControlCharactersOnReceive="off")'
    with run_configured(folder, raw, render_shipped("rsyslog/template.conf", {}), snippet) as rsyslog:
        message = b"<38>2026-11-21T13:20:00.123456+05:30 web1 %s one\ntwo" % tag
        rsyslog.send(b"%d %s" % (len(message), message))
        wait_until(lambda: count_lines(folder / "plain") == 1, "the message is written")
    written = (folder / "plain").read_bytes()
    assert written == b"<38>2026-11-21T13:20:00.123456+05:30 web1 %s one#010two\n" % tag


def write_rfc_5424(header: re.Match[bytes]) -> bytes:
    """Return the header of RFC 5424 for one in the traditional form."""
    host, name, process = header.groups()
    return b"<38>1 2026-02-21T13:20:00Z %s %s %s - - " % (host, name, process or b"-")


def read_samples() -> list[bytes]:
    """Return the lines in the traditional format that come with the programs."""
    lines = [line for path in sorted(PROGRAMS.glob("*.log")) for line in path.read_bytes().splitlines()]
    return [line for line in lines if HEADER.match(line)]


def replay(folder: Path, lines: list[bytes], without: str) -> dict[str, str]:
    """Return what the programs count of lines."""
    (folder / "replayed").write_bytes(b"".join(line + b"\n" for line in lines))
    command = [sys.executable, "-m", "pipeline", "replay", "--progs", str(PROGRAMS), str(folder / "replayed")]
    return select_counts(subprocess.run(command, check=True, capture_output=True, text=True).stdout, without)


def select_counts(page: str, without: str) -> dict[str, str]:
    """Return the series of programs on a page, but for those of metrics that begin with `without`."""
    series = re.findall(r'^(\w+{.*prog="\w+\.mtail".*}) (\S+)$', page, re.MULTILINE)
    return {name: value for name, value in series if not name.startswith((without, *OWN))}


def scrape(held: Held) -> str:
    return fetch_metrics(held.folder / "metrics.sock")


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def is_spooled(folder: Path, text: bytes) -> bool:
    """Whether a message is in a file of rsyslogd's queue."""
    return any(text in path.read_bytes() for path in folder.glob("syslog-pipeline.0*"))


def is_full(fifo: Path) -> bool:
    """Whether a pipe takes no more."""
    descriptor = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    try:
        return not select.select([], [descriptor], [], 0)[1]
    finally:
        os.close(descriptor)
