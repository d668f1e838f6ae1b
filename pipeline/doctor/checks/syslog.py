"""The syslog daemon: its configuration, whether it runs, our part in it, and room for its queue."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.examination import Examination
from pipeline.doctor.findings import Finding, approve, fail, skip, warn
from pipeline.doctor.processes import read_start
from pipeline.doctor.scrape import Reach, try_connect
from pipeline.doctor.syslog_daemons import SyslogDaemon

SPOOLS = (
    re.compile(r'workDirectory\s*=\s*"([^"]+)"', re.IGNORECASE),
    re.compile(r"^\s*\$WorkDirectory\s+(\S+)", re.MULTILINE),
    re.compile(r'\bdir\s*\(\s*"([^"]+)"\s*\)'),
)
"""What names the folder that queues are written to, in rsyslog's two forms and in syslog-ng's."""

MIN_FREE_BYTES = 64 * 1024 * 1024
"""A queue that cannot be written is a queue that loses."""

START_SECONDS = 2.0
"""When a process started is known no better."""

REFERENCE = re.compile(r"\s*\[v\d.*$")
"""What rsyslog puts behind a complaint: its version and an address."""

PERMISSION = re.compile(r"permission denied|operation not permitted", re.IGNORECASE)


def check_config(exam: Examination) -> Iterator[Finding]:
    """Whether the syslog daemon finds its configuration valid."""
    if exam.syslog is None:
        yield fail(
            "There is no syslog daemon: neither rsyslog nor syslog-ng is configured here.",
            "Nothing brings lines to the daemon.",
            "apt-get install rsyslog",
        )
        return
    daemon, config = exam.syslog
    if not config.exists():
        yield fail(f"There is no {config}.", f"{daemon.name} does not start.", f"ls -l {config.parent}")
        return
    exam.show(f"{daemon.command} checks its configuration")
    outcome = daemon.check(config)
    if outcome is None:
        yield skip(f"{daemon.command} could not be asked about {config}.")
    elif outcome.status == 0:
        yield approve(f"{daemon.name} finds {config} right.")
    elif PERMISSION.search(outcome.output):
        yield skip(f"Your user may not read all of {config}. Run this as root.", "sudo syslog-pipeline doctor")
    else:
        yield fail(
            f"{daemon.name} finds a mistake: {find_complaint(daemon, outcome.output)}",
            "It does not start with it, or without the part that is wrong.",
            daemon.spell_check(config),
        )


def find_complaint(daemon: SyslogDaemon, output: str) -> str:
    """Return the first complaint in what a check said."""
    found = daemon.complaint.search(output)
    return REFERENCE.sub("", found[1]) if found else next(iter(output.strip().splitlines()), "it does not say which.")


def check_running(exam: Examination) -> Iterator[Finding]:
    """Whether the syslog daemon runs, and somebody takes what is sent to the log socket."""
    assert exam.syslog is not None
    daemon, config = exam.syslog
    log_socket = exam.site.log_socket
    start = exam.spell_service("start", daemon.name)
    running = exam.syslog_processes
    if not running:
        if exam.failed("syslog_config"):
            yield skip(f"{daemon.name} does not run with {config}, which its configuration explains.")
        else:
            yield fail(
                f"{daemon.name} does not run with {config}.", "What applications log goes nowhere, or waits.", start
            )
        return
    if running[0].is_stopped:
        yield fail(f"{running[0].label} has been stopped by a signal.", "", f"kill -CONT {running[0].pid}")
        return
    match try_log_socket(log_socket, exam.seconds):
        case Reach.SERVED | Reach.FULL:
            yield approve(f"{running[0].label} runs, and somebody listens on {log_socket}.")
        case Reach.FORBIDDEN:
            yield skip(f"Your user may not write to {log_socket}.", "sudo syslog-pipeline doctor")
        case Reach.MISSING:
            yield fail(
                f"{running[0].label} runs, but there is no {log_socket}.",
                "Applications log there.",
                exam.spell_service("restart", daemon.name),
            )
        case _:
            yield fail(
                f"{running[0].label} runs, but nobody listens on {log_socket}.",
                "Applications log there.",
                exam.spell_service("restart", daemon.name),
            )


def try_log_socket(path: Path, seconds: float) -> Reach:
    """Return how far a connection to the log socket comes, which takes datagrams or a stream."""
    reach, _ = try_connect(path, socket.SOCK_DGRAM, seconds)
    return try_connect(path, socket.SOCK_STREAM, seconds)[0] if reach is Reach.FOREIGN else reach


def check_snippet(exam: Examination) -> Iterator[Finding]:
    """Whether the syslog daemon's configuration names one of our sources."""
    assert exam.syslog is not None
    daemon, config = exam.syslog
    if not any(exam.list_words()):
        yield skip("No source is one that a syslog daemon writes to.")
    elif not config.exists():
        yield skip(f"There is no {config}.")
    elif not any(exam.syslog_texts.values()):
        yield skip(f"Your user may not read {config}. Run this as root.", "sudo syslog-pipeline doctor")
    elif not exam.snippets:
        yield fail(
            f"Nothing in {config}, or what it includes, writes to {name_target(exam)}.",
            f"{daemon.name} does not know of us.",
            f"syslog-pipeline setup --install --syslog_daemon {daemon.name}",
            exam.spell_service("restart", daemon.name),
        )
    else:
        yield approve(f"{exam.snippets[0]} has {daemon.name} write to {name_target(exam)}.")
        yield from check_age(exam, daemon)


def name_target(exam: Examination) -> str:
    """Return what a rule for us writes to."""
    instance = exam.site.instances[0]
    local = [str(path) for path in (*instance.pipes, *instance.sockets)]
    remote = [log for log in instance.logs if log.startswith(("tcp://", "udp://"))]
    texts = [exam.syslog_texts[snippet] for snippet in exam.snippets]
    named = [path for path in local if any(path in text for text in texts)]
    return next(iter((*named, *local, *remote)), "our daemon, which it starts")


def check_age(exam: Examination, daemon: SyslogDaemon) -> Iterator[Finding]:
    """Warn if our part is newer than the daemon's process, which then has not read it."""
    if daemon.reads_anew or not exam.syslog_processes:
        return
    try:
        started = read_start(exam.syslog_processes[0].pid)
        changed, snippet = max((path.stat().st_mtime, path) for path in exam.snippets)
    except OSError:
        return
    if changed > started + START_SECONDS:
        yield warn(
            f"{snippet} was changed after {daemon.name} had started.",
            "It reads its configuration only when it starts.",
            exam.spell_service("restart", daemon.name),
        )


def check_queue(exam: Examination) -> Iterator[Finding]:
    """Whether there is room for the queue on disk."""
    assert exam.syslog is not None
    spools = {Path(match) for text in exam.syslog_texts.values() for spool in SPOOLS for match in spool.findall(text)}
    folders = sorted(folder for folder in spools or {exam.syslog[0].spool} if folder.is_dir())
    if not folders:
        yield skip("No folder for a queue on disk is set.")
    for folder in folders:
        free = shutil.disk_usage(folder).free
        if free < MIN_FREE_BYTES:
            yield fail(
                f"The disk of {folder} has {free // 1024**2} MiB left.",
                "The queue of the syslog daemon is kept there while our daemon is away.",
                f"df -h {folder}",
            )
        else:
            yield approve(f"The disk of {folder}, where the queue is kept, has {free / 1024**3:.1f} GiB left.")
