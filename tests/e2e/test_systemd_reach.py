"""The units that we ship, under a systemd that has booted: who reaches the daemon, and what it reaches."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
from pathlib import Path

import pytest

from pipeline.metlog.client import MetlogClient
from pipeline.metlog.senders import UnixDatagramSender
from pipeline.shipped import substitute
from tests.e2e.booted import Machine
from tests.e2e.counting import Counting, make_messages
from tests.e2e.daemons import ROOT, fetch_metrics, wait_until
from tests.e2e.installed import (
    FOLDER,
    SERVICE,
    add_drop_in,
    describe,
    find_ids,
    read_shipped,
    remove_drop_ins,
)

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
    "users that are known": "2",
}
"""And what the kernel says of its process."""

ENDPOINTS = """
[metlog.endpoint.messages]
kind = "file"
path = "/var/lib/syslog-pipeline/messages.json"
spool = "/var/lib/syslog-pipeline/messages"

[[metlog.route]]
type = "counter"
to = "store"

[[metlog.route]]
to = "messages"
"""
"""Where the daemon may write."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def log_file(machine: Machine) -> Path:
    """A log that root and the group `adm` may read, as Debian has them."""
    path = machine.root / "var/log/app.log"
    path.write_text("line\n")
    path.chmod(0o640)
    os.chown(path, 0, 4)
    (machine.root / "home/user").mkdir()
    return path


def wait_page(path: Path, wanted: str) -> None:
    """Return when the page of metrics of an instance has a line."""
    wait_until(lambda: f"{wanted}\n" in fetch_metrics(path), f"{wanted} at {path.name}")


def write_pipe(path: Path, route: str, count: int, start: int = 0) -> None:
    """Write numbered lines into a pipe, as a syslog daemon that runs as the machine's root."""
    with path.open("wb", buffering=0) as pipe:
        pipe.write(make_messages(route, range(start, start + count)))


def find_blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a language in a page of the documentation."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)


def probe(machine: Machine, unit: str) -> dict[str, str]:
    """Run what tries its limits in the place of the daemon, with the directives of `unit`; return what came of it."""
    command = (machine.root / "usr/bin/syslog-pipeline").read_text().splitlines()[-1].split()[1]
    unit = re.sub(r"^ExecStart=.*$", f"ExecStart={command} /opt/checkout/tests/e2e/probe.py", unit, flags=re.MULTILINE)
    (machine.root / "run/systemd/system/probe.service").write_text(unit)
    machine.ctl("daemon-reload")
    before = len(list_printed(machine))
    machine.ctl("start", "probe.service")
    wait_until(lambda: len(list_printed(machine)) > before, "the journal has the results")
    results: dict[str, str] = json.loads(list_printed(machine)[-1])
    return results


def list_printed(machine: Machine) -> list[str]:
    """Return what the runs of that have printed, as far as the journal has it, which may be later."""
    return [line for line in machine.log_of("probe.service").splitlines() if line.startswith("{")]


def test_only_groups_and_root_may_connect(machine: Machine) -> None:
    """Whose group the HTTP socket has reads it, and who is in our group, as a syslog daemon may be, writes."""
    scrape = ("curl", "--silent", "--fail", "--unix-socket", "/run/syslog-pipeline/metrics.sock", "http://x/metrics")
    nginx, nobody = (("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups") for user in (33, 65534))
    assert "syslog_pipeline_lines_total" in machine.run(*nginx, *scrape)
    machine.run(*nobody, *scrape, status=7)
    machine.run(*nobody, "sh", "-c", ": >/run/syslog-pipeline/log.fifo", status=2)
    _, group = find_ids(machine, "syslog-pipeline")
    machine.run(*nobody[:-1], f"--groups={group}", "sh", "-c", ": >/run/syslog-pipeline/log.fifo")


def test_instances_have_their_own(machine: Machine) -> None:
    """Two instances beside each other: each has its pipe, its socket and its state, which stays over a restart."""
    units = [f"syslog-pipeline@{number}.service" for number in (1, 2)]
    machine.ctl("enable", "--now", "--quiet", *units)
    assert machine.ctl("is-enabled", "syslog-pipeline@1.socket", "syslog-pipeline-http@2.socket") == "enabled\nenabled"
    assert machine.show("syslog-pipeline@1.service", "Slice") == r"system-syslog\x2dpipeline.slice"
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
    path.write_text(substitute(before, {'logs = ["/run/syslog-pipeline/log.fifo"]': settings}, path.name))
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


def test_socket_for_messages_is_passed(machine: Machine) -> None:
    """With what the file shows, applications of any user send to a socket that systemd holds over a restart."""
    shown = re.findall(r"^#     (.*)\n", read_shipped("syslog-pipeline-metlog.socket"), re.MULTILINE)
    drop_in, _, table = "\n".join(shown).partition("# /etc/syslog-pipeline/settings.toml, at its end\n")
    path = machine.root / "etc/syslog-pipeline/settings.toml"
    before = path.read_text()
    path.write_text(f"{before}\n{table}\n{ENDPOINTS}")
    add_drop_in(machine, SERVICE, "metlog", drop_in)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    emit = ("syslog-pipeline", "emit", "--to", "unixgram:///run/syslog-pipeline/metlog.sock", "--count", "500")
    sender = UnixDatagramSender(machine.root / FOLDER / "metlog.sock", timeout_seconds=60)
    client = MetlogClient(sender, logger="e2e")
    try:
        machine.ctl("restart", SERVICE)
        for number in range(100):
            client.incr("sold")
            client.info("number %d", number)
        machine.ctl("restart", SERVICE)
        machine.run(*nobody, *emit, "--rate", "0", "--type", "counter", "--field", "name=sold", "--logger", "e2e")
        wait_page(machine.root / FOLDER / "metrics.sock", 'sold_total{logger="e2e",prog="metlog"} 600')
        messages = machine.root / "var/lib/syslog-pipeline/messages.json"
        wait_until(lambda: messages.exists() and messages.read_text().count("\n") >= 100, "all messages are written")
        lines = messages.read_text().splitlines()
        assert [json.loads(line)["payload"] for line in lines] == [f"number {number}" for number in range(100)]
        assert stat.filemode((machine.root / FOLDER / "metlog.sock").stat().st_mode) == "srw-rw-rw-"
    finally:
        sender.close()
        path.write_text(before)
        remove_drop_ins(machine, SERVICE)
        machine.ctl("stop", "syslog-pipeline-metlog.socket")
        machine.ctl("restart", SERVICE)


def test_the_network_is_open_with_the_drop_in(machine: Machine, counting: Counting) -> None:
    """Without it the daemon listens where nobody can reach it; with it, lines come by TCP."""
    logs = "[Service]\nEnvironment=SYSLOG_PIPELINE_LOGS=/run/syslog-pipeline/log.fifo,tcp://127.0.0.1:5514\n"
    send = ("bash", "-c", "printf 'e2e tcp 0\\ne2e tcp 1\\n' >/dev/tcp/127.0.0.1/5514")
    try:
        add_drop_in(machine, SERVICE, "logs", logs)
        machine.ctl("restart", SERVICE, status=1)
        told = "tcp://127.0.0.1:5514 cannot be bound: address family not supported"
        wait_until(lambda: told in machine.log_of(SERVICE), "the reason is in the journal")
        add_drop_in(machine, SERVICE, "network", read_shipped("network.conf"))
        machine.ctl("restart", SERVICE)
        machine.run(*send)
        counting.wait_counted("tcp", 2)
        counting.assert_exact("tcp", 2)
    finally:
        remove_drop_ins(machine, SERVICE)
        machine.ctl("restart", SERVICE)


def test_file_for_the_node_exporter_is_written_with_the_drop_in(machine: Machine, counting: Counting) -> None:
    """That of the documentation; the exporter, which is another user, may read it."""
    drop_in = next(block for block in find_blocks("pushing.md", "ini") if "ReadWritePaths=" in block)
    folder = machine.root / "var/lib/prometheus/node-exporter"
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, 0, find_ids(machine, "syslog-pipeline")[1])
    folder.chmod(0o775)
    settings = "[Service]\nEnvironment=SYSLOG_PIPELINE_METRIC_PUSH_INTERVAL=100ms SYSLOG_PIPELINE_TEXTFILE_PATH="
    try:
        add_drop_in(machine, SERVICE, "push", f"{settings}/var/lib/prometheus/node-exporter/a.prom\n")
        machine.ctl("restart", SERVICE)
        told = "Push to textfile at /var/lib/prometheus/node-exporter/a.prom failed: read-only file system."
        wait_until(lambda: told in machine.log_of(SERVICE), "the folder is closed")
        add_drop_in(machine, SERVICE, "textfile", drop_in)
        machine.ctl("restart", SERVICE)
        wait_until((folder / "a.prom").exists, "the file is there")
        assert stat.filemode((folder / "a.prom").stat().st_mode) == "-rw-r--r--"
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


def test_the_sandbox_holds(machine: Machine, log_file: Path) -> None:
    """What the daemon does not need it cannot do. Without the directives it could, as the first run shows."""
    assert log_file.is_file()
    (machine.root / "tmp/others").write_text("")
    free = probe(machine, "[Service]\nType=oneshot\nStateDirectory=syslog-pipeline\nExecStart=\n")
    assert {name for name, result in free.items() if result != "ok"} == set(LIMITS)
    sandboxed = re.sub(r"^(Requires|Before|Sockets|Also)=.*\n", "", read_shipped(SERVICE), flags=re.MULTILINE)
    sandboxed = substitute(sandboxed, {"Type=notify": "Type=oneshot", "Restart=always": "Restart=no"}, SERVICE)
    assert probe(machine, sandboxed) == {**SANDBOX, **LIMITS, "user": str(find_ids(machine, "syslog-pipeline")[0])}
