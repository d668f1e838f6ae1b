"""One sender, or several processes with one each."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from pipeline.emit_settings import STDOUT, EmitSettings
from pipeline.emitting.emission import Clock, Emission, Tell
from pipeline.emitting.outcome import Outcome, merge_all
from pipeline.emitting.templates import list_contents, open_lines
from pipeline.errors import SettingError
from pipeline.metlog.senders import ByteSender, SenderError, open_sender

ENDS = (signal.SIGINT, signal.SIGTERM)
"""Signals that end it early: what was sent by then is told."""


ALARM_SECONDS = 0.1
"""So often it is looked, behind the end of the time, whether a line is waited for."""


class Emitter:
    """All that is to be sent. It raises `SettingError` when it is made if there is nobody to send to."""

    def __init__(self, settings: EmitSettings) -> None:
        self.settings = settings
        self.sender = make_sender(settings)
        if settings.lines is not None:
            open_lines(settings.lines).close()
        self.processes: list[BaseProcess] = []
        self.pipes: list[Connection] = []

    def start(self) -> None:
        """Start the processes, if there are several senders."""
        if self.settings.senders == 1:
            return
        context = multiprocessing.get_context("fork")
        begin = time.monotonic_ns()
        for share in range(self.settings.senders):
            own, its = context.Pipe(duplex=False)
            process = context.Process(target=run_share, args=(self.settings, share, begin, its), daemon=True)
            before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
            process.start()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            its.close()
            self.processes.append(process)
            self.pipes.append(own)

    def run(self, tell: Tell) -> Outcome:
        """Send everything, and return how it went."""
        if self.settings.senders == 1:
            emission = Emission(self.settings, self.sender, time.monotonic_ns(), Clock())
            contents = list_contents(self.settings, 0, os.uname().nodename, os.getpid())
            with stopping(emission):
                outcome = emission.run(contents, tell)
        else:
            with passing_on(self.processes):
                outcome = merge_all(list(self.collect(tell)))
        if self.settings.wanted is not None and not outcome.is_cut_short:
            outcome.missing = max(self.settings.wanted - outcome.taken, 0)
        return outcome

    def collect(self, tell: Tell) -> Iterator[Outcome]:
        """Yield what became of each process, as they end; one that was killed has sent nothing that is known of."""
        left = list(self.pipes)
        while left:
            for pipe in wait(left):
                assert isinstance(pipe, Connection)
                try:
                    told = pipe.recv()
                except (EOFError, OSError):
                    pipe.close()
                    left.remove(pipe)
                    continue
                if isinstance(told, Outcome):
                    yield told
                else:
                    tell(told)
        for process in self.processes:
            process.join()
        if any(process.exitcode for process in self.processes):
            yield Outcome(is_cut_short=True)


def run_share(settings: EmitSettings, share: int, begin: int, pipe: Connection) -> None:
    """Send the part of one process, and tell the first one. Signals are held back but while there is what they end."""
    emission = Emission(settings, make_sender(settings), begin, Clock())
    contents = list_contents(settings, share, os.uname().nodename, os.getpid())
    with stopping(emission):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
        with suppress(BrokenPipeError):  # nobody wants to know any more
            pipe.send(emission.run(contents, pipe.send))
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)


def make_sender(settings: EmitSettings) -> ByteSender:
    """Return what sends to the receiver; raises `SettingError`."""
    try:
        sender = open_sender(settings.to)
    except SenderError as error:
        raise SettingError(f"--to: {error}") from error
    if "://" not in settings.to and settings.to != STDOUT and not exists(Path(settings.to)):
        # A pipe whose reader has not made it yet would become a file, and be in the reader's way.
        raise SettingError(f"--to: there is nothing at {settings.to}; write file://{settings.to} for a new file.")
    sender.patience.timeout_seconds = settings.wait_seconds
    return sender


def exists(path: Path) -> bool:
    """Return whether there is a pipe, a file or a device."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


@contextmanager
def stopping(emission: Emission) -> Iterator[None]:
    """Have signals end an emission in order, and the time, too, if there is an end of it and nothing to be read."""
    before = [signal.signal(number, lambda *_: emission.stop()) for number in ENDS]
    before_alarm = signal.signal(signal.SIGALRM, lambda *_: emission.end_reading())
    if emission.end is not None:
        left = (emission.end - time.monotonic_ns()) / 1e9
        signal.setitimer(signal.ITIMER_REAL, max(left, ALARM_SECONDS), ALARM_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in zip((*ENDS, signal.SIGALRM), (*before, before_alarm), strict=True):
            signal.signal(number, handler)


@contextmanager
def passing_on(processes: list[BaseProcess]) -> Iterator[None]:
    """Hand signals to processes, which end in order, and tell what they have sent."""

    def pass_on(number: int, _: object) -> None:
        for process in processes:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, number)

    before = [signal.signal(number, pass_on) for number in ENDS]
    try:
        yield
    finally:
        for number, handler in zip(ENDS, before, strict=True):
            signal.signal(number, handler)
