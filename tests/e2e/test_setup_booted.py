"""`syslog-pipeline setup` on a machine that systemd has booted: exactly the commands that it prints are run."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.booted import DEBIAN_UNITS, Machine, booting
from tests.e2e.booted_syslog_ng import FILES as FILES_OF_SYSLOG_NG
from tests.e2e.booted_syslog_ng import LOG_SOCKET as LOG_SOCKET_OF_SYSLOG_NG
from tests.e2e.booted_syslog_ng import install_syslog_ng
from tests.e2e.daemons import wait_count, wait_until

MESSAGES = 5_000

RSYSLOG_CONF = """
global(workDirectory="/var/spool/rsyslog" net.enableDNS="off")
module(load="imuxsock")
input(type="imuxsock" Socket="/run/rsyslog.sock" CreatePath="off" RateLimit.Interval="0" UseSpecialParser="off"
      ParseHostname="on")
action(type="omfile" file="/var/log/all")
include(file="/etc/rsyslog.d/*.conf")
"""
"""Messages bring the name of their host: by it they are spread."""

LOG_ON = """
import os, socket, time
number = 0
while not os.path.exists("/tmp/stop"):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.connect("{socket}")
            for number in range(number + 1, number + 21):
                sender.send(b"<22>Nov 21 01:13:00 host e2e: e2e {route} %d" % number)
        except OSError:
            pass  # rsyslog is being started anew
    time.sleep(0.005)
"""

PIECE = 20
"""How many of these messages come at a time."""

LOG_SOCKET = "/run/rsyslog.sock"
INSTANCES = "/instances/1/metrics /instances/2/metrics"

NGINX_CONF = """
user www-data;
pid /run/nginx.pid;
events { worker_connections 64; }
http { include /etc/nginx/conf.d/*.conf; }
"""

TMPFILES = "".join(f"d /var/{name} 0755 root root -\n" for name in ("lib/nginx", "log/nginx"))

CURL = "curl --silent --fail --cacert /etc/syslog-pipeline/tls/server.crt --user prometheus:secret"
DOCTOR = "syslog-pipeline doctor"
PASSWORD = "openssl passwd -6"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine with rsyslog, syslog-ng and nginx, on which nobody has heard of us but for the command."""
    files = {
        "systemd/journald.conf": "[Journal]\nForwardToSyslog=yes\n",
        "rsyslog.conf": RSYSLOG_CONF,
        "rsyslog.d/.keep": "",
        **FILES_OF_SYSLOG_NG,
        "nginx/nginx.conf": NGINX_CONF,
        "nginx/conf.d/.keep": "",
        "tmpfiles.d/nginx.conf": TMPFILES,
        "systemd/system/nginx.service": (DEBIAN_UNITS / "nginx.service").read_text(),
        "syslog-pipeline/programs/count.mtail": (Path(__file__).parent / "count.mtail").read_text(),
        "ssl/openssl.cnf": Path("/etc/ssl/openssl.cnf").read_text(),
        "hosts": "127.0.0.1 booted localhost\n",
    }
    with (
        tempfile.TemporaryDirectory(prefix="su-") as name,
        booting(Path(name), files, ("rsyslog.service", "nginx.service")) as machine,
    ):
        install_syslog_ng(machine)
        yield machine


def run_setup(machine: Machine, *flags: str, ask_doctor: bool = False) -> list[str]:
    """Run setup on the machine, and then every command that it prints; the doctor's, which is the last, if asked."""
    told = machine.run("syslog-pipeline", "setup", *flags)
    steps = re.findall(r"^    ([^#\s].*)$", told.partition("Now run, as root, in this order:\n")[2], re.MULTILINE)
    for step in steps:
        if ask_doctor or step != DOCTOR:
            machine.run("sh", "-c", step.replace(PASSWORD, f"{PASSWORD} secret"))
    return steps


def log_messages(machine: Machine, route: str, log_socket: str) -> None:
    """Have a program of each of 16 hosts write its share of numbered messages to a syslog daemon."""
    text = "".join(f"<22>Nov 21 01:13:00 host{number % 16} e2e: e2e {route} {number}\n" for number in range(MESSAGES))
    path = machine.root / "tmp/messages"
    path.write_text(text)
    script = (
        f"import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect('{log_socket}');"
        "[s.send(line) for line in open('/tmp/messages', 'rb')]"
    )
    machine.run("/opt/python/bin/python3", "-c", script)


def read_counter(machine: Machine, route: str, page: str) -> list[int]:
    """Return what each page counted of a way, as nginx serves it."""
    found = []
    for path in page.split():
        text = machine.run("sh", "-c", f"{CURL} https://booted:9443{path}", status=None)
        match = re.search(rf'^e2e_messages_total{{.*route="{route}".*}} (\d+)$', text, re.MULTILINE)
        found.append(int(match[1]) if match else 0)
    return found


def assert_counted(machine: Machine, route: str, page: str, log_socket: str = LOG_SOCKET) -> list[int]:
    """Wait until all messages of a way are counted; none is twice. Return how many are on each page."""
    log_messages(machine, route, log_socket)
    wait_count(lambda: sum(read_counter(machine, route, page)), MESSAGES, f"the messages by {route}")
    counts = read_counter(machine, route, page)
    assert sum(counts) == MESSAGES
    return counts


@contextmanager
def logging_on(machine: Machine, route: str) -> Iterator[None]:
    """Have a program log to rsyslog while the block runs, some thousand messages a second."""
    stop = machine.root / "tmp/stop"
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(machine.run, "/opt/python/bin/python3", "-c", LOG_ON.format(route=route, socket=LOG_SOCKET))
        try:
            wait_until(lambda: count_logged(machine, route), "the program logs")
            yield
        finally:
            stop.touch()
        done.result()
    stop.unlink()


def count_logged(machine: Machine, route: str) -> int:
    """Return how many messages of a way rsyslog has written to its own log."""
    return (machine.root / "var/log/all").read_text().count(f" e2e {route} ")


def assert_as_in_log(machine: Machine, route: str) -> None:
    """What rsyslog took, and wrote to its own log too, is counted once. A message of another way comes after it."""
    assert_counted(machine, f"after{route}", "/metrics")
    taken = count_logged(machine, route)
    assert taken > PIECE
    assert read_counter(machine, route, "/metrics") == [taken]


def assert_ended_by_rsyslog(machine: Machine) -> None:
    """The daemon that rsyslog had started ended because rsyslog had no more for it, and systemd did not signal it."""
    told = (machine.root / "var/log/syslog-pipeline.log").read_text()
    assert "All sources are closed" in told
    assert "SIGTERM received" not in told


def let_nginx_run_as(machine: Machine, group: str) -> None:
    """Change nginx's group, and let setup take it up."""
    path = machine.root / "etc/nginx/nginx.conf"
    path.write_text(NGINX_CONF.replace("user www-data;", f"user www-data {group};"))
    run_setup(machine, "--install")
    assert machine.run("stat", "--format=%G", "/run/syslog-pipeline/metrics.sock") == group


def uninstall(machine: Machine) -> None:
    """Take everything away; what the operator made for nginx he removes himself."""
    run_setup(machine, "--uninstall")
    for name in ("tls/server.crt", "tls/server.key", "passwords"):
        (machine.root / "etc/syslog-pipeline" / name).unlink()
    (machine.root / "etc/syslog-pipeline/tls").rmdir()


def list_changes(machine: Machine) -> str:
    """Return all files of ours on the machine, and units that are enabled or failed."""
    return machine.run(
        "sh",
        "-c",
        "find /etc /run/syslog-pipeline /var/lib/syslog-pipeline -path '*syslog-pipeline*' 2>/dev/null; "
        "systemctl list-units --all --plain --no-legend 'syslog-pipeline*'",
        status=None,
    )


def test_rsyslog_is_set_up_and_left_again_by_the_printed_commands(machine: Machine) -> None:
    """A pipe, a socket, omprog, two instances, nothing: each time with what setup prints, and nothing else.

    While the way changes, nothing of what rsyslog has taken is lost, and nothing counted twice.
    """
    before = list_changes(machine)
    steps = run_setup(machine, "--install", "--syslog_daemon", "rsyslog", "--programs", "sshd", ask_doctor=True)
    assert steps[-1] == DOCTOR
    units = machine.run("sh", "-c", "systemd-analyze verify --man=no /etc/systemd/system/syslog-pipeline*.s* 2>&1")
    assert units == ""
    assert assert_counted(machine, "pipe", "/metrics") == [MESSAGES]
    with logging_on(machine, "meanwhile"):
        run_setup(machine, "--install", "--way", "socket")
    assert_as_in_log(machine, "meanwhile")
    with logging_on(machine, "omprog"):
        run_setup(machine, "--install", "--way", "omprog", ask_doctor=True)
    assert_as_in_log(machine, "omprog")
    with logging_on(machine, "back"):
        run_setup(machine, "--install", "--way", "pipe")
    assert_as_in_log(machine, "back")
    assert_ended_by_rsyslog(machine)
    let_nginx_run_as(machine, "adm")
    let_nginx_run_as(machine, "www-data")
    assert assert_counted(machine, "again", "/metrics") == [MESSAGES]
    run_setup(machine, "--install", "--way", "pipe", "--instances", "2")
    assert all(assert_counted(machine, "spread", INSTANCES))
    uninstall(machine)
    assert list_changes(machine) == before
    assert machine.ctl("is-system-running") == "running"


def test_syslog_ng_is_set_up_and_left_again_by_the_printed_commands(machine: Machine) -> None:
    """A pipe, its `program()`, two instances, nothing."""
    before = list_changes(machine)
    run_setup(machine, "--install", "--syslog_daemon", "syslog-ng")
    assert assert_counted(machine, "pipe", "/metrics", LOG_SOCKET_OF_SYSLOG_NG) == [MESSAGES]
    run_setup(machine, "--install", "--way", "program")
    assert assert_counted(machine, "program", "/metrics", LOG_SOCKET_OF_SYSLOG_NG) == [MESSAGES]
    run_setup(machine, "--install", "--way", "pipe", "--instances", "2")
    assert all(assert_counted(machine, "spread", INSTANCES, LOG_SOCKET_OF_SYSLOG_NG))
    uninstall(machine)
    assert list_changes(machine) == before
    assert machine.ctl("is-system-running") == "running"
