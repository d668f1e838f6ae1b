"""The units that we ship, under a systemd that has booted, with the real rsyslogd as the writer."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.booted import Machine, booting
from tests.e2e.counting import Counting, log_messages, make_messages, scraping
from tests.e2e.daemons import POLL_SECONDS, ROOT, answers, fetch_metrics, substitute, wait_until

UNITS = ROOT / "systemd"
SERVICE = "syslog-pipeline.service"
FOLDER = "run/syslog-pipeline"
MESSAGES = 20_000
RESTARTS = 5

PIECE = 200
"""How many messages come at a time from a program that does not stop: some thousand a second."""

RSYSLOG_CONF = """
global(workDirectory="/var/spool/rsyslog" net.enableDNS="off")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="/run/log.sock" RateLimit.Interval="0")
include(file="/etc/rsyslog.d/*.conf")
"""

QUICK = "[Service]\nRestartSec=100ms\n"
"""Nobody waits for a test as long as for a daemon that has crashed."""

SANDBOX = {
    "write /etc": "EROFS",
    "write /usr": "EROFS",
    "write /var/log": "EROFS",
    "write the state": "ok",
    "write the folder of the pipe": "ok",
    "read what others have in /tmp": "ENOENT",
    "list /home": "EACCES",
    "list /root": "EACCES",
    "read a log": "EACCES",
    "read the settings": "ok",
    "read the kernel's addresses": "ENOENT",
    "see other processes": "ENOENT",
    "unix socket": "ok",
    "internet socket": "EAFNOSUPPORT",
    "netlink socket": "EAFNOSUPPORT",
    "executable memory": "EPERM",
    "user namespace": "EPERM",
    "user bit": "EPERM",
}
"""What comes of the trials in `probe.py` under the directives of the service."""

LIMITS = {
    "capabilities": "0000000000000000",
    "new privileges": "1",
    "open files": "8192",
    "core": "0",
    "umask": "0077",
    "user": "",
}
"""And what the kernel says of its process."""

pytestmark = pytest.mark.slow


def read_shipped(name: str) -> str:
    """Return a file that we ship for systemd."""
    return (UNITS / name).read_text()


def list_files() -> dict[str, str]:
    """Return the files of the machine, by their paths below `/etc`: ours are as we ship them."""
    units = [path for path in UNITS.iterdir() if path.suffix in (".service", ".socket")]
    return {
        **{f"systemd/system/{path.name}": path.read_text() for path in units},
        "systemd/system/syslog-pipeline.service.d/quick.conf": QUICK,
        "sysusers.d/syslog-pipeline.conf": read_shipped("sysusers.conf"),
        "tmpfiles.d/syslog-pipeline.conf": read_shipped("tmpfiles.conf"),
        # Of the examples each is made to count.
        "default/syslog-pipeline": re.sub(r"^#(?=[A-Z_]+=)", "", read_shipped("environment"), flags=re.MULTILINE),
        "syslog-pipeline/settings.toml": read_shipped("settings.toml"),
        "syslog-pipeline/programs/count.mtail": (Path(__file__).parent / "count.mtail").read_text(),
        "rsyslog.conf": RSYSLOG_CONF,
        "rsyslog.d/60-syslog-pipeline.conf": (ROOT / "rsyslog/pipe.conf").read_text(),
    }


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine on which rsyslog and our service start at boot."""
    with (
        tempfile.TemporaryDirectory(prefix="sd-") as name,
        booting(Path(name), list_files(), (SERVICE, "rsyslog.service")) as machine,
    ):
        yield machine


@pytest.fixture(scope="module")
def log_file(machine: Machine) -> Path:
    """A log that root and the group `adm` may read, as Debian has them."""
    path = machine.root / "var/log/app.log"
    path.write_text("line\n")
    path.chmod(0o640)
    os.chown(path, 0, 4)
    (machine.root / "home/user").mkdir()
    return path


@pytest.fixture
def counting(machine: Machine) -> Iterator[Counting]:
    """What reads the metrics of the service."""
    with scraping(machine.root / FOLDER) as counting:
        yield counting


def log(machine: Machine, route: str, count: int = MESSAGES) -> None:
    """Log numbered messages to the machine's rsyslogd."""
    log_messages(machine.root / "run/log.sock", route, count)


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


def describe(path: Path) -> tuple[str, int, int]:
    """Return the mode, the owner and the group of a file, by number."""
    status = path.stat()
    return stat.filemode(status.st_mode), status.st_uid, status.st_gid


def find_ids(machine: Machine, name: str) -> tuple[int, int]:
    """Return the numbers of a user and its group."""
    line = next(line for line in (machine.root / "etc/passwd").read_text().splitlines() if line.startswith(f"{name}:"))
    user, group = line.split(":")[2:4]
    return int(user), int(group)


def read_time(machine: Machine, unit: str, event: str) -> int:
    """Return when something happened to a unit, in microseconds since the start of this machine."""
    return int(machine.show(unit, f"{event}Monotonic"))


def find_process(machine: Machine, unit: str = SERVICE) -> int:
    """Return the number of the service's process, on the machine."""
    return int(machine.show(unit, "MainPID"))


def wait_active(machine: Machine, unit: str) -> None:
    """Return when a unit is active."""
    wait_until(lambda: machine.ctl("is-active", unit, status=None) == "active", f"{unit} is active")


def wait_page(path: Path, wanted: str) -> None:
    """Return when the page of metrics of an instance has a line."""
    wait_until(lambda: f"{wanted}\n" in fetch_metrics(path), f"{wanted} at {path.name}")


def write_pipe(path: Path, route: str, count: int, start: int = 0) -> None:
    """Write numbered lines into a pipe, as a syslog daemon that runs as the machine's root."""
    with path.open("wb", buffering=0) as pipe:
        pipe.write(make_messages(route, range(start, start + count)))


def add_drop_in(machine: Machine, unit: str, name: str, text: str) -> None:
    """Change a unit as `systemctl edit --runtime` does."""
    path = machine.root / f"run/systemd/system/{unit}.d/{name}.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    machine.ctl("daemon-reload")


def remove_drop_ins(machine: Machine, unit: str) -> None:
    """Change a unit back."""
    shutil.rmtree(machine.root / f"run/systemd/system/{unit}.d", ignore_errors=True)
    machine.ctl("daemon-reload")


def find_blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a language in a page of the documentation."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)


def test_a_boot_makes_all(machine: Machine) -> None:
    """The user, the folders, the pipe and the sockets are there, for whom they should be."""
    user, group = find_ids(machine, "syslog-pipeline")
    assert describe(machine.root / FOLDER) == ("drwxr-xr-x", user, group)
    assert describe(machine.root / FOLDER / "log.fifo") == ("prw-rw----", 0, group)
    assert describe(machine.root / FOLDER / "metrics.sock") == ("srw-rw----", 0, 33)
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
    assert answers(machine.root / FOLDER / "metrics.sock", socket.SOCK_STREAM)
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


def test_the_watchdog_bites(machine: Machine) -> None:
    """A daemon that hangs is ended and started anew. It has a second in this test, and a minute in the unit."""
    assert machine.show(SERVICE, "WatchdogUSec") == "1min"
    add_drop_in(machine, SERVICE, "watchdog", "[Service]\nWatchdogSec=1\n")
    try:
        machine.ctl("restart", SERVICE)
        process = find_process(machine)
        machine.run("kill", "-STOP", str(process))
        wait_until(lambda: find_process(machine) not in (0, process), "another process runs")
    finally:
        remove_drop_ins(machine, SERVICE)
        machine.ctl("restart", SERVICE)
    assert "Watchdog timeout" in machine.log_of(SERVICE)


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


def test_only_nginx_and_root_may_connect(machine: Machine) -> None:
    """The group of the HTTP socket is nginx's, and the pipe's is ours."""
    scrape = ("curl", "--silent", "--fail", "--unix-socket", "/run/syslog-pipeline/metrics.sock", "http://x/metrics")
    nginx, nobody = (("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups") for user in (33, 65534))
    assert "e2e_messages_total" in machine.run(*nginx, *scrape)
    machine.run(*nobody, *scrape, status=7)
    machine.run(*nobody, "sh", "-c", ": >/run/syslog-pipeline/log.fifo", status=2)


def test_sockets_are_started_anew(machine: Machine, counting: Counting) -> None:
    """A pipe that is there is taken up again, and the service comes with its sockets."""
    before = describe(machine.root / FOLDER / "log.fifo")
    machine.ctl("restart", "syslog-pipeline.socket", "syslog-pipeline-http.socket")
    assert describe(machine.root / FOLDER / "log.fifo") == before
    machine.ctl("stop", "syslog-pipeline.socket", "syslog-pipeline-http.socket")
    assert machine.ctl("is-active", SERVICE, status=3) == "inactive"
    machine.ctl("start", SERVICE)
    assert machine.ctl("is-active", "syslog-pipeline.socket", "syslog-pipeline-http.socket") == "active\nactive"
    log(machine, "anew")
    counting.wait_counted("anew", MESSAGES)
    counting.assert_exact("anew", MESSAGES)


def test_instances_have_their_own(machine: Machine) -> None:
    """Two instances beside each other: each has its pipe, its socket and its state, which stays over a restart."""
    units = [f"syslog-pipeline@{number}.service" for number in (1, 2)]
    machine.ctl("enable", "--now", "--quiet", *units)
    assert machine.ctl("is-enabled", "syslog-pipeline@1.socket", "syslog-pipeline-http@2.socket") == "enabled\nenabled"
    try:
        for number, count in ((1, 300), (2, 500)):
            write_pipe(machine.root / FOLDER / f"log@{number}.fifo", "instance", count)
        machine.ctl("restart", *units)
        for number, count in ((1, 300), (2, 500)):
            wanted = f'e2e_messages_total{{prog="count.mtail",route="instance"}} {count}'
            wait_page(machine.root / FOLDER / f"metrics@{number}.sock", wanted)
            assert (machine.root / f"var/lib/syslog-pipeline/state@{number}").is_file()
    finally:
        machine.ctl("disable", "--now", "--quiet", *units)
        machine.ctl("stop", "syslog-pipeline@*.socket", "syslog-pipeline-http@*.socket")
    assert machine.ctl("is-enabled", "syslog-pipeline@1.socket", status=1) == "disabled"


def test_log_sockets_are_passed(machine: Machine, counting: Counting) -> None:
    """With the drop-in and the setting that the file shows, systemd makes and holds the sockets for lines."""
    shown = re.findall(r"^#     (.*)\n", read_shipped("syslog-pipeline-log.socket"), re.MULTILINE)
    drop_in, _, settings = "\n".join(shown).partition("# /etc/syslog-pipeline/settings.toml\n")
    path = machine.root / "etc/syslog-pipeline/settings.toml"
    before = path.read_text()
    path.write_text(substitute(before, {'logs = ["/run/syslog-pipeline/log.fifo"]': settings}))
    add_drop_in(machine, SERVICE, "log", drop_in)
    try:
        machine.ctl("restart", SERVICE)
        with socket.socket(socket.AF_UNIX) as stream, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram:
            writers = {"stream": (stream, "log.stream.sock"), "datagram": (datagram, "log.sock")}
            for writer, name in writers.values():
                writer.connect(str(machine.root / FOLDER / name))
            machine.ctl("restart", SERVICE)
            for route, (writer, _) in writers.items():
                for number in range(0, 2000, 100):
                    writer.sendall(make_messages(route, range(number, number + 100)))
        for route in writers:
            counting.wait_counted(route, 2000)
            counting.assert_exact(route, 2000)
        assert describe(machine.root / FOLDER / "log.sock") == describe(machine.root / FOLDER / "log.stream.sock")
        assert stat.filemode((machine.root / FOLDER / "log.sock").stat().st_mode) == "srw-rw----"
    finally:
        path.write_text(before)
        remove_drop_ins(machine, SERVICE)
        machine.ctl("stop", "syslog-pipeline-log.socket")
        machine.ctl("restart", SERVICE)


def test_the_network_is_open_with_the_drop_in(machine: Machine, counting: Counting) -> None:
    """Without it the daemon listens where nobody can reach it; with it, lines come by TCP."""
    logs = "[Service]\nEnvironment=SYSLOG_PIPELINE_LOGS=/run/syslog-pipeline/log.fifo,tcp://127.0.0.1:5514\n"
    send = ("bash", "-c", "printf 'e2e tcp 0\\ne2e tcp 1\\n' >/dev/tcp/127.0.0.1/5514")
    try:
        add_drop_in(machine, SERVICE, "logs", logs)
        machine.ctl("restart", SERVICE, status=1)
        assert "tcp://127.0.0.1:5514 cannot be bound: address family not supported" in machine.log_of(SERVICE)
        add_drop_in(machine, SERVICE, "network", read_shipped("network.conf"))
        machine.ctl("restart", SERVICE)
        machine.run(*send)
        counting.wait_counted("tcp", 2)
        counting.assert_exact("tcp", 2)
    finally:
        remove_drop_ins(machine, SERVICE)
        machine.ctl("restart", SERVICE)


def test_logs_and_the_journal_are_read_with_groups(machine: Machine, counting: Counting, log_file: Path) -> None:
    """With the drop-in that the documentation shows, the daemon reads what is there for its groups."""
    drop_in = next(block for block in find_blocks("systemd.md", "ini") if "SupplementaryGroups=" in block)
    logs = "Environment=SYSLOG_PIPELINE_LOGS=/var/log/app.log,journal://?identifier=e2e\n"
    try:
        add_drop_in(machine, SERVICE, "groups", f"{drop_in}{logs}")
        machine.ctl("restart", SERVICE)
        with log_file.open("ab") as file:
            file.write(make_messages("file", range(1000)))
        machine.run("sh", "-c", "seq 0 99 | sed 's/^/e2e journal /' | systemd-cat --identifier=e2e")
        for route, count in (("file", 1000), ("journal", 100)):
            counting.wait_counted(route, count)
            counting.assert_exact(route, count)
    finally:
        remove_drop_ins(machine, SERVICE)
        machine.ctl("restart", SERVICE)


def test_the_folder_is_made_for_the_daemon(machine: Machine, counting: Counting) -> None:
    """Where no boot has made it, the first socket has it made, with the right owner: nothing in it changes hands."""
    machine.ctl(
        "stop", SERVICE, "syslog-pipeline.socket", "syslog-pipeline-http.socket", "rsyslog.service", "syslog.socket"
    )
    shutil.rmtree(machine.root / FOLDER)
    machine.ctl("start", SERVICE, "rsyslog.service")
    user, group = find_ids(machine, "syslog-pipeline")
    assert describe(machine.root / FOLDER) == ("drwxr-xr-x", user, group)
    assert describe(machine.root / FOLDER / "log.fifo") == ("prw-rw----", 0, group)
    assert describe(machine.root / FOLDER / "metrics.sock") == ("srw-rw----", 0, 33)
    log(machine, "folder")
    counting.wait_counted("folder", MESSAGES)
    counting.assert_exact("folder", MESSAGES)


def probe(machine: Machine, unit: str) -> dict[str, str]:
    """Run what tries its limits in the place of the daemon, with the directives of `unit`; return what came of it."""
    command = (machine.root / "usr/bin/syslog-pipeline").read_text().splitlines()[-1].split()[1]
    unit = re.sub(r"^ExecStart=.*$", f"ExecStart={command} /opt/checkout/tests/e2e/probe.py", unit, flags=re.MULTILINE)
    (machine.root / "run/systemd/system/probe.service").write_text(unit)
    machine.ctl("daemon-reload")
    machine.ctl("start", "probe.service")
    printed = next(line for line in reversed(machine.log_of("probe.service").splitlines()) if line.startswith("{"))
    results: dict[str, str] = json.loads(printed)
    return results


def test_the_sandbox_holds(machine: Machine, log_file: Path) -> None:
    """What the daemon does not need it cannot do. Without the directives it could, as the first run shows."""
    assert log_file.is_file()
    (machine.root / "tmp/others").write_text("")
    free = probe(machine, "[Service]\nType=oneshot\nStateDirectory=syslog-pipeline\nExecStart=\n")
    assert {name for name, result in free.items() if result != "ok"} == set(LIMITS)
    sandboxed = re.sub(r"^(Requires|Before|Sockets|Also)=.*\n", "", read_shipped(SERVICE), flags=re.MULTILINE)
    sandboxed = substitute(sandboxed, {"Type=notify": "Type=oneshot", "Restart=always": "Restart=no"})
    assert probe(machine, sandboxed) == {**SANDBOX, **LIMITS, "user": str(find_ids(machine, "syslog-pipeline")[0])}
