"""Pipes, sockets and files that lines come from: there, of the right kind, and open to those who need them."""

from __future__ import annotations

import os
import shlex
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from pipeline.doctor.examination import Examination
from pipeline.doctor.findings import Finding, approve, fail, skip, warn
from pipeline.doctor.processes import HOLDERS, Holder, Process
from pipeline.doctor.rights import READ, WRITE, Account, Obstacle, find_obstacle
from pipeline.doctor.scrape import Reach, try_connect
from pipeline.doctor.site import DATAGRAM, STREAM, Instance

WRITERS = ("rsyslogd", "syslog-ng")


def check_sources(exam: Examination) -> Iterator[Finding]:
    """Whether each pipe, socket and file is there, and is what it should be."""
    found = False
    for instance in exam.site.instances:
        for finding in (
            *(check_pipe(exam, instance, path) for path in instance.pipes),
            *(check_socket(exam, instance, log) for log in instance.logs if log.startswith((STREAM, DATAGRAM))),
            *(check_file(exam, path) for path in instance.files),
        ):
            found = True
            yield finding
    if not found:
        yield skip("No source has a file that could be looked at.")


def check_pipe(exam: Examination, instance: Instance, path: Path) -> Finding:
    """Whether a named pipe is there, and not something else."""
    try:
        status = path.stat()
    except PermissionError:
        return skip(f"Your user may not look at {path}. Run this as root.", "sudo syslog-pipeline doctor")
    except OSError:
        if exam.failed("daemon"):
            return skip(f"There is no {path}; the daemon makes it when it starts.")
        return fail(
            f"There is no {path}, though the daemon runs.",
            "The daemon was started with other settings, or the pipe was removed.",
            exam.spell_start(instance),
        )
    if stat.S_ISFIFO(status.st_mode):
        return approve(f"{path} is a named pipe.")
    kind = "a plain file" if stat.S_ISREG(status.st_mode) else "something else"
    return fail(
        f"{path} is {kind}, not a named pipe.",
        "A syslog daemon that finds no pipe makes a plain file, which grows until the disk is full.",
        f"rm {shlex.quote(str(path))}",
        exam.spell_service("restart", " ".join((*exam.list_units(instance), name_syslog(exam)))),
    )


def name_syslog(exam: Examination) -> str:
    """Return the name of the syslog daemon's unit."""
    return exam.syslog[0].name if exam.syslog else "rsyslog"


def check_socket(exam: Examination, instance: Instance, log: str) -> Finding:
    """Whether somebody listens on a unix socket for lines."""
    scheme, path = (STREAM, log.removeprefix(STREAM)) if log.startswith(STREAM) else (DATAGRAM, log[len(DATAGRAM) :])
    if path.startswith("@"):
        return skip(f"{log} has no file that could be looked at.")
    kind = socket.SOCK_STREAM if scheme == STREAM else socket.SOCK_DGRAM
    reach, _ = try_connect(Path(path), kind, exam.seconds)
    match reach:
        case Reach.SERVED | Reach.FULL:
            return approve(f"Somebody listens on {path}.")
        case Reach.FORBIDDEN:
            return skip(f"Your user may not connect to {path}. Run this as root.", "sudo syslog-pipeline doctor")
        case Reach.FOREIGN:
            return fail(f"{path} is not a socket for {log}.", "The daemon does not start.", f"rm {shlex.quote(path)}")
        case _ if exam.failed("daemon"):
            return skip(f"Nobody listens on {path}; the daemon does when it runs.")
        case _:
            return fail(f"Nobody listens on {path}.", "The daemon runs without it.", exam.spell_start(instance))


def check_file(exam: Examination, path: Path) -> Finding:
    """Whether a log file is there, and our daemon may read it."""
    if not path.exists():
        return warn(f"There is no {path} yet.", "It is read as soon as it comes.", f"ls -l {path.parent}")
    obstacle = exam.our_account and find_obstacle(exam.our_account, path, READ)
    if obstacle:
        return fail(obstacle.sentence, "Its lines are not counted.", *obstacle.mend)
    return approve(f"{path} is there.")


def check_rights(exam: Examination) -> Iterator[Finding]:
    """Whether our user may read the pipes and the syslog daemon's user may write them; sockets alike."""
    writer = find_writer(exam)
    looked = False
    for instance in exam.site.instances:
        for path in (*instance.pipes, *instance.sockets):
            if path.exists():
                looked = True
                yield judge_rights(exam, instance, path, writer)
    if not looked:
        yield skip("There is no pipe or socket to look at.")


def find_writer(exam: Examination) -> Account:
    """Return the user that the syslog daemon runs as: root, if it does not run and nothing is known."""
    running = exam.syslog_processes
    return running[0].account if running else Account(0, frozenset((0,)))


def judge_rights(exam: Examination, instance: Instance, path: Path, writer: Account) -> Finding:
    """Return whether one pipe or socket lets through who needs it."""
    if path.is_fifo() and exam.our_account:
        obstacle = find_obstacle(exam.our_account, path, READ | WRITE)
        if obstacle:
            return tell_obstacle(obstacle, "It is how our daemon gets its lines.", exam.spell_start(instance))
    obstacle = find_obstacle(writer, path, WRITE)
    if obstacle:
        keep = exam.spell_group(instance, "" if path in instance.pipes else "-log", "source_group")
        why = f"The syslog daemon cannot hand over its lines. {keep}"
        return tell_obstacle(obstacle, why, exam.spell_service("restart", name_syslog(exam)))
    ours = exam.our_account.name if exam.our_account else "our daemon"
    return approve(f"{writer.name} may write to {path}, and {ours} may read it.")


def tell_obstacle(obstacle: Obstacle, why: str, restart: str) -> Finding:
    """Say who may not do what; a group is joined only by a new start."""
    return fail(obstacle.sentence, why, *obstacle.mend, restart)


def check_reader(exam: Examination) -> Iterator[Finding]:
    """Whether our daemon reads each pipe, and nobody else does."""
    looked = False
    for instance in exam.site.instances:
        for path in instance.pipes:
            if not path.is_fifo():
                continue
            looked = True
            yield judge_readers(exam, instance, path)
    if not looked:
        yield skip("There is no pipe to look at.")


def judge_readers(exam: Examination, instance: Instance, path: Path) -> Finding:
    """Return whether our daemon, and nobody else, reads one pipe."""
    found = exam.find_holders(path)
    readers = [holder.process for holder in found.holders if holder.reads]
    ours = [process for process in readers if process.is_ours]
    for holder in found.holders:
        if is_thief(holder):
            return fail(
                f"{holder.process.label} reads {path} too: {holder.process.command} of {holder.process.account.name}.",
                "Each of two readers gets parts of the lines, so that lines are lost.",
                f"kill {holder.process.pid}",
            )
    if ours:
        others = "nobody else that can be seen does" if found.unseen else "nobody else does"
        return approve(f"{ours[0].label} reads {path}, and {others}.")
    own = exam.find_own(instance)
    if found.unseen and (own is None or own.pid in found.unseen):
        return tell_hidden(f"Who reads {path}")
    return fail(
        f"Nobody reads {path}.",
        "The daemon that answers was started with other settings.",
        exam.spell_start(instance),
    )


def tell_hidden(what: str) -> Finding:
    """Say that what other users' processes have open is hidden, from an ordinary user at least."""
    return skip(f"{what} cannot be seen.", *(["sudo syslog-pipeline doctor"] if os.geteuid() else []))


def is_thief(holder: Holder) -> bool:
    """Return whether somebody takes lines from a pipe who should not. Who only holds it writes as well."""
    process = holder.process
    return holder.reads and not holder.writes and not process.is_ours and process.name not in (*WRITERS, *HOLDERS)


def check_writer(exam: Examination) -> Iterator[Finding]:
    """Whether a syslog daemon has each pipe open; once a line has come through, it must."""
    pipes = [path for instance in exam.site.instances for path in instance.pipes if path.is_fifo()]
    if not pipes:
        yield skip("There is no pipe to look at.")
        return
    found = {path: exam.find_holders(path) for path in pipes}
    writers = {path: [holder.process for holder in found[path].holders if is_writer(holder)] for path in pipes}
    is_shared = len(exam.site.instances) > 1 and any(writers.values())
    for path in pipes:
        if is_shared and not writers[path]:
            yield approve(f"Nobody has {path} open for writing: the lines of each host go to one of the pipes.")
        else:
            yield judge_writers(path, writers[path], is_blind=bool(found[path].unseen))


def is_writer(holder: Holder) -> bool:
    """Return whether somebody writes to a pipe, rather than holding or reading it."""
    return holder.writes and not holder.process.is_ours and holder.process.name not in HOLDERS


def judge_writers(path: Path, writers: list[Process], *, is_blind: bool) -> Finding:
    """Return whether somebody writes to one pipe."""
    if writers:
        return approve(f"{writers[0].label} has {path} open for writing.")
    if is_blind:
        return tell_hidden(f"Who writes to {path}")
    return warn(
        f"Nobody has {path} open for writing at the moment.",
        "A syslog daemon opens it with the first line that it has for it.",
    )
