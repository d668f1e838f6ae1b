"""syslog-ng as Debian sets it up, with files of ours in its `conf.d`: it can be stopped, killed and reloaded."""

from __future__ import annotations

import grp
import os
import signal
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.shipped import substitute
from tests.e2e.daemons import DAEMON_PATH, DEADLINE_SECONDS, ROOT, SYSLOG_NG, wait_count, wait_until

DEBIAN_CONF = """
@version: 3.38
options {{
    chain_hostnames(off); flush_lines(0); use_dns(no); use_fqdn(no); dns_cache(no);
    owner("{owner}"); group("{group}"); perm(0640); stats_freq(0); bad_hostname("^gconfd$");
    {options}
}};
source s_src {{ unix-stream("{folder}/log.sock" {source}); unix-dgram("{folder}/devlog"); internal(); }};
destination d_syslog {{ file("{folder}/syslog"); }};
log {{ source(s_src); destination(d_syslog); }};
@include "{folder}/conf.d/*.conf"
"""
"""The global options, the name of the source, a file and the last line are those of Debian's syslog-ng.conf."""

DISK_BUFFERS = 'dir("/var/lib/syslog-ng")'
GROUP = 'group("syslog-pipeline")'


@dataclass(slots=True)
class SyslogNg:
    """A syslog-ng of its own folder. `snippets` are the texts of the files of its `conf.d`, by name."""

    folder: Path
    snippets: Mapping[str, str]
    options: str = ""
    source: str = ""
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        (self.folder / "conf.d").mkdir(parents=True)
        for name, text in self.snippets.items():
            (self.folder / "conf.d" / name).write_text(text)
        owner, group = os.geteuid(), grp.getgrgid(os.getegid()).gr_name
        conf = DEBIAN_CONF.format(
            folder=self.folder, owner=owner, group=group, options=self.options, source=self.source
        )
        self.conf.write_text(conf)

    @property
    def conf(self) -> Path:
        return self.folder / "syslog-ng.conf"

    @property
    def log_socket(self) -> Path:
        """A stream socket, which takes lines with a priority."""
        return self.folder / "log.sock"

    @property
    def output(self) -> Path:
        """What syslog-ng says, over all its runs."""
        return self.folder / "output"

    def make_command(self, *options: str) -> list[str]:
        """Return the command that runs it in the foreground, or does what `options` say."""
        paths = {"--cfgfile": self.conf, "--persist-file": self.folder / "persist", "--pidfile": self.folder / "pid"}
        paths["--control"] = self.folder / "control"
        command = [f"{SYSLOG_NG}/usr/sbin/syslog-ng", "--foreground", "--no-caps", *options]
        return [*command, *(str(part) for pair in paths.items() for part in pair)]

    def start(self) -> None:
        """Start it, and wait until it takes messages: it says so when all its sources are open."""
        done = "syslog-ng starting up"
        before = self.read_log().count(done)
        with self.output.open("ab") as output:
            process = subprocess.Popen(self.make_command(), stdout=output, stderr=output, env=make_environment())
        self.process = process
        wait_until(lambda: process.poll() is not None or self.read_log().count(done) > before, "syslog-ng is ready")
        assert process.poll() is None, self.output.read_text()

    def stop(self) -> None:
        """Stop it in good order."""
        self.end(signal.SIGTERM, 0)

    def kill(self) -> None:
        """End it with no time for anything."""
        self.end(signal.SIGKILL, -signal.SIGKILL)

    def reload(self) -> None:
        """Have it read its configuration anew, and wait until it has."""
        assert self.process is not None
        done = "Configuration reload finished"
        before = self.read_log().count(done)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.read_log().count(done) > before, "syslog-ng has reloaded")

    def end(self, number: signal.Signals, status: int) -> None:
        """Send a signal, and wait until it has gone with this status."""
        assert self.process is not None
        self.process.send_signal(number)
        assert self.process.wait(DEADLINE_SECONDS) == status, self.output.read_text()

    def wait_taken(self, route: str, count: int) -> None:
        """Return when it has taken so many messages of a way from those who sent them."""
        wait_count(lambda: self.read_log().count(f" e2e {route} "), count, f"syslog-ng has {count} messages")

    def wait_logged(self, text: str) -> None:
        """Return when it has logged this of itself."""
        wait_until(lambda: text in self.read_log(), f"syslog-ng logs: {text}")

    def list_children(self) -> list[int]:
        """Return the processes that it has started and that have not ended."""
        assert self.process is not None
        return list_children(self.process.pid)

    def send_datagram(self, data: bytes) -> None:
        """Send it one message, with whatever bytes."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(self.folder / "devlog"))
            sender.send(data)

    def read_log(self) -> str:
        """Return what it has written to its file of all messages."""
        path = self.folder / "syslog"
        return path.read_text(errors="replace") if path.exists() else ""


@contextmanager
def running_syslog_ng(syslog_ng: SyslogNg) -> Iterator[SyslogNg]:
    """Run it until the block ends; then it must still be there, and end well."""
    try:
        syslog_ng.start()
        yield syslog_ng
        assert syslog_ng.process is not None
        assert syslog_ng.process.poll() is None, syslog_ng.output.read_text()
        syslog_ng.stop()
    finally:
        if syslog_ng.process is not None and syslog_ng.process.poll() is None:
            syslog_ng.process.kill()
            syslog_ng.process.wait()


def list_children(process: int) -> list[int]:
    """Return the processes that one has started and that have not ended."""
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def make_environment() -> dict[str, str]:
    """Return what syslog-ng needs where it has been unpacked instead of installed."""
    libraries = [
        SYSLOG_NG / "usr/lib/syslog-ng",
        *SYSLOG_NG.glob("usr/lib/*-linux-*"),
        *SYSLOG_NG.glob("lib/*-linux-*"),
    ]
    return {
        **os.environ,
        "PATH": DAEMON_PATH,
        "SYSLOGNG_PREFIX": f"{SYSLOG_NG}/usr",
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
    }


def render(name: str, folder: Path, replacements: Mapping[str, str]) -> str:
    """Return the file of ours with the paths of a test instead of a machine's.

    Queues go to `folder`; the group of the pipe is one that this machine has.
    """
    text = (ROOT / "syslog-ng" / name).read_text(encoding="utf-8")
    always = {DISK_BUFFERS: f'dir("{folder}")', GROUP: f'group("{grp.getgrgid(os.getegid()).gr_name}")'}
    return substitute(text, {**replacements, **{old: new for old, new in always.items() if old in text}}, name)


def make_lines(route: str, numbers: Iterable[int], sender: str = "e2e") -> bytes:
    """Return numbered messages as an application sends them. A pipe of 1 MiB has room for 6,000 of them."""
    pad = "x" * 128
    return "".join(f"<22>Nov 21 01:13:00 {sender}: {pad} e2e {route} {number}\n" for number in numbers).encode()


def send(log_socket: Path, data: bytes) -> None:
    """Write to a stream socket of syslog-ng, and hang up."""
    with socket.socket(socket.AF_UNIX) as writer:
        writer.settimeout(DEADLINE_SECONDS)
        writer.connect(str(log_socket))
        writer.sendall(data)
