"""A service manager for one service, which does what systemd does as far as the service can see.

It starts the service with what `.socket` units pass and what the service gave it to keep (sd_listen_fds(3)), listens to
what it is told (sd_notify(3)), and keeps descriptors: one of each, as many as it has places for, until it is
told to forget a name. systemd tells two descriptors apart by kcmp(2), and where it may not, as we do, by what
they lead to.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.daemons import DAEMON_PATH, DEADLINE_SECONDS, wait_until
from tests.notify_socket import Message, receive_message

LAUNCH = """
import fcntl, os, sys
numbers = [int(number) for number in sys.argv[1].split(",") if number]
high = [fcntl.fcntl(number, fcntl.F_DUPFD, 200) for number in numbers]
for number in numbers:
    os.close(number)
for place, number in enumerate(high, 3):
    os.dup2(number, place, inheritable=True)
    os.close(number)
for variable in ("LISTEN_PID", "WATCHDOG_PID"):
    os.environ[variable] = str(os.getpid())
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""Puts the descriptors where they are looked for, and says for whom they are, which only the process itself can."""


@dataclass(slots=True)
class Manager:
    """Starts and stops one service. `units` are the descriptors of its `.socket` units, by name."""

    folder: Path
    command: list[str]
    places: int = 64
    environment: Mapping[str, str] = field(default_factory=dict)
    units: list[tuple[int, str]] = field(default_factory=list)
    kept: list[tuple[int, str]] = field(default_factory=list)
    messages: list[dict[str, str]] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    socket: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.folder / "notify"))

    @property
    def log(self) -> Path:
        """What the service logs, over all its runs."""
        return self.folder / "service.log"

    @property
    def names(self) -> list[str]:
        """The names of what is kept."""
        return sorted(name for _, name in self.kept)

    def listen(self) -> None:
        """Take what the service says, until told to stop by a message that no service sends."""
        while "QUIT" not in (message := receive_message(self.socket)).fields:
            self.obey(message)
            self.messages.append(message.fields)

    def obey(self, message: Message) -> None:
        """Keep or forget descriptors, as a message says."""
        name = message.fields.get("FDNAME", "stored")
        for descriptor in message.descriptors:
            known = {identify(other) for other, _ in self.kept}
            if message.fields.get("FDSTORE") != "1" or len(known) >= self.places or identify(descriptor) in known:
                os.close(descriptor)
            else:
                self.kept.append((descriptor, name))
        if message.fields.get("FDSTOREREMOVE") == "1":
            for descriptor in [descriptor for descriptor, other in self.kept if other == name]:
                os.close(descriptor)
            self.kept = [(descriptor, other) for descriptor, other in self.kept if other != name]

    def start(self, *, ready: bool = True) -> int:
        """Start the service, wait until it is ready unless told otherwise, and return its process id."""
        passed = [*self.units, *self.kept]
        numbers = [descriptor for descriptor, _ in passed]
        environment = {
            **os.environ,
            "PATH": DAEMON_PATH,
            "NOTIFY_SOCKET": str(self.folder / "notify"),
            **(
                {"LISTEN_FDS": str(len(passed)), "LISTEN_FDNAMES": ":".join(name for _, name in passed)}
                if passed
                else {}
            ),
            **self.environment,
        }
        launch = [sys.executable, "-I", "-S", "-c", LAUNCH, ",".join(map(str, numbers)), *self.command]
        self.messages.clear()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(launch, stdout=log, stderr=log, env=environment, pass_fds=numbers)
        if ready:
            self.wait_message(lambda message: "READY" in message, "the service is ready")
        return self.process.pid

    def wait_message(self, is_wanted: Callable[[dict[str, str]], bool], what: str) -> dict[str, str]:
        """Return the first message of this run that is wanted, when it has come."""
        assert self.process is not None
        process = self.process
        wait_until(lambda: process.poll() is not None or any(map(is_wanted, self.messages)), what)
        self.hear_all()  # it may have said it at its very end
        found = [message for message in list(self.messages) if is_wanted(message)]
        assert found, f"the service ended before {what}: {self.log.read_text()}"
        return found[0]

    def stop(self) -> None:
        """Stop the service in good order."""
        self.end(signal.SIGTERM, 0)

    def kill(self) -> None:
        """End the service with no time for anything."""
        self.end(signal.SIGKILL, -signal.SIGKILL)

    def end(self, number: signal.Signals, status: int) -> None:
        """Send a signal, and wait until the service has gone and all that it said has been heard."""
        assert self.process is not None
        self.process.send_signal(number)
        assert self.process.wait(DEADLINE_SECONDS) == status, self.log.read_text()
        self.hear_all()

    def hear_all(self) -> None:
        """Wait until all that the service has said has been heard: it comes in order."""
        mark = str(len(self.messages))
        self.say(f"MARK={mark}")
        wait_until(lambda: {"MARK": mark} in self.messages, "the last message is heard")

    def say(self, text: str) -> None:
        """Send ourselves a message."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(self.folder / "notify"))
            sender.send(text.encode())


@contextmanager
def managing(manager: Manager) -> Iterator[Manager]:
    """Listen while the block runs; at its end the service is ended if it is still there."""
    listener = threading.Thread(target=manager.listen)
    listener.start()
    try:
        yield manager
    finally:
        if manager.process is not None and manager.process.poll() is None:
            manager.process.kill()
            manager.process.wait()
        manager.say("QUIT=1")
        listener.join()
        manager.socket.close()
        for descriptor, _ in (*manager.kept, *manager.units):
            os.close(descriptor)


def identify(descriptor: int) -> tuple[int, int, int]:
    """Return what tells descriptors apart."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_mode
