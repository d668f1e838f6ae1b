"""Our files for syslog-ng that send to other machines, or take from them: the tees, and TLS."""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.counting import PROGRAM, Counting, run_counting
from tests.e2e.daemons import DEADLINE_SECONDS, wait_until
from tests.e2e.syslog_ng import SyslogNg, make_lines, render, running_syslog_ng, send
from tests.e2e.tee_receivers import Received, receiving_gelf_tcp, receiving_gelf_udp, receiving_logstash
from tests.e2e.web import Authority, Certificate, make_authority
from tests.ports import find_port

MESSAGES = 20_000
DATAGRAMS = 2_000
DATAGRAMS_AT_ONCE = 100
"""Nobody waits for a receiver of UDP: fewer than the kernel holds for one, whatever it is doing."""

PIPE = "/run/syslog-pipeline/log.fifo"

BY_HOST = r"""
counter hosts_total by host
/^\S+ +\d+ \S+ (?P<host>\S+) e2e: / {
  hosts_total[$host]++
}
"""

pytestmark = pytest.mark.slow


def make_flags(folder: Path) -> tuple[str, ...]:
    """Return the flags of a daemon of ours that keeps its values over a stop."""
    return ("--logs", f"{folder}/lines", "--state_file", f"{folder}/state")


def make_tee(folder: Path, name: str, port: int, edits: dict[str, str] | None = None) -> SyslogNg:
    """Return a syslog-ng that hands messages to us, and to somebody at a port beside."""
    number = {"logstash": 5140, "graylog": 12201}[name]
    tee = render(f"{name}.conf", folder, {f"port({number})": f"port({port})", "time-reopen(10)": "time-reopen(1)"})
    for old, new in (edits or {}).items():
        assert old in tee
        tee = tee.replace(old, new)
    files = {"syslog-pipeline.conf": render("pipe.conf", folder, {PIPE: f"{folder}/lines"}), f"{name}.conf": tee}
    return SyslogNg(folder / "syslog-ng", files)


def list_texts(received: Received, name: str) -> list[str]:
    """Return the numbered messages that came, in order."""
    return [text for document in received.documents if " e2e tee " in (text := str(document.get(name)))]


def has_texts(received: Received, count: int) -> bool:
    """Whether Graylog has so many numbered messages."""
    return len(list_texts(received, "short_message")) >= count


def make_texts(count: int) -> list[str]:
    """Return the texts of numbered messages."""
    return [line.split(": ", 1)[1] for line in make_lines("tee", range(count)).decode().splitlines()]


@pytest.mark.parametrize(
    ("name", "receiving", "field"),
    [("logstash", receiving_logstash, "message"), ("graylog", receiving_gelf_tcp, "short_message")],
    ids=["logstash", "graylog"],
)
def test_tee_holds_nobody_up_and_misses_nothing(
    folder: Path, name: str, receiving: Callable[[int], AbstractContextManager[Received]], field: str
) -> None:
    """While nobody is there all messages are counted; who comes later gets them all, by the rules of its protocol."""
    port = find_port()
    with (
        running_syslog_ng(make_tee(folder, name, port)) as syslog_ng,
        run_counting(folder, *make_flags(folder)) as counting,
    ):
        send(syslog_ng.log_socket, make_lines("tee", range(MESSAGES)))
        counting.wait_counted("tee", MESSAGES)
        counting.assert_exact("tee", MESSAGES)
        syslog_ng.send_datagram(b'<13>e2e: "\x00\xff\\\n\t\xc3\xa4\x1b[0m end of all')
        syslog_ng.send_datagram(b"<13>Nov 21 01:13:00 e2e: ")
        with receiving(port) as received:
            wait_until(lambda: any("end of all" in str(other.get(field)) for other in received.documents), "all came")
    assert received.faults == []
    assert list_texts(received, field) == make_texts(MESSAGES)


def test_graylog_over_udp(folder: Path) -> None:
    """As the file says how: a message in each datagram, while our daemon counts them too."""
    port = find_port()
    edits = {'transport("tcp")': 'transport("udp")', "$(binary 0x00)": ""}
    with (
        receiving_gelf_udp(port) as received,
        running_syslog_ng(make_tee(folder, "graylog", port, edits)) as syslog_ng,
        run_counting(folder, *make_flags(folder)) as counting,
    ):
        for start in range(0, DATAGRAMS, DATAGRAMS_AT_ONCE):
            end = start + DATAGRAMS_AT_ONCE
            send(syslog_ng.log_socket, make_lines("tee", range(start, end)))
            wait_until(partial(has_texts, received, end), f"{end} datagrams came")
        counting.wait_counted("tee", DATAGRAMS)
        counting.assert_exact("tee", DATAGRAMS)
    assert received.faults == []
    assert list_texts(received, "short_message") == make_texts(DATAGRAMS)


@dataclass(frozen=True, slots=True)
class Central:
    """A central host that takes messages over TLS, and what it needs."""

    folder: Path
    port: int
    authority: Authority
    client: Certificate
    syslog_ng: SyslogNg

    def make_sender(self, name: str, target: str, authority: Path, client: Certificate) -> SyslogNg:
        """Return a syslog-ng of another machine that sends to this one."""
        edits = {
            'syslog("loghost.example.net" port(6514)': f'syslog("{target}" port({self.port})',
            "/etc/syslog-ng/tls/ca.crt": str(authority),
            "/etc/syslog-ng/tls/client.crt": str(client.file),
            "/etc/syslog-ng/tls/client.key": str(client.key),
            "time-reopen(10)": "time-reopen(1)",
        }
        folder = self.folder / name
        return SyslogNg(folder, {"central-host.conf": render("send-tls.conf", folder, edits)})

    def send(self, context: ssl.SSLContext, text: str) -> None:
        """Send a message as rsyslog does, and wait for the end of the connection, which may be a refusal."""
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), DEADLINE_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            connection.sendall(f"{len(text)} {text}".encode())
            connection.unwrap()


@pytest.fixture(scope="module")
def central() -> Iterator[Central]:
    """syslog-ng with our files for a central host."""
    with tempfile.TemporaryDirectory(prefix="sn-") as name:
        folder, port = Path(name), find_port()
        authority = make_authority(folder / "pki")
        server = authority.sign("server", "serverAuth", "subjectAltName=DNS:localhost")
        edits = {
            'ip-protocol(6) ip("::") port(6514)': f'ip("127.0.0.1") port({port})',
            "/etc/syslog-pipeline/tls/server.key": str(server.key),
            "/etc/syslog-pipeline/tls/server.crt": str(server.file),
            "/etc/syslog-pipeline/tls/ca.crt": str(authority.root.file),
        }
        files = {
            "receive.conf": render("receive-tls.conf", folder, edits),
            "syslog-pipeline.conf": render("pipe.conf", folder, {PIPE: f"{folder}/lines"}),
        }
        with running_syslog_ng(SyslogNg(folder / "central", files)) as syslog_ng:
            yield Central(folder, port, authority, authority.sign("client", "clientAuth"), syslog_ng)


@pytest.fixture
def counting(central: Central) -> Iterator[Counting]:
    """Our daemon on the central host."""
    program = central.folder / "count.mtail"
    program.write_text(PROGRAM.read_text() + BY_HOST)
    with run_counting(central.folder, "--logs", f"{central.folder}/lines", program=program) as counting:
        yield counting


def make_context(central: Central, client: Certificate | None) -> ssl.SSLContext:
    """Return what a client needs, which shows its certificate if it has one."""
    context = ssl.create_default_context(cafile=str(central.authority.root.file))
    if client is not None:
        context.load_cert_chain(client.file, client.key)
    return context


def test_messages_over_tls_are_counted_exactly_over_a_stop(central: Central) -> None:
    """Those of another machine's syslog-ng, while our daemon on the central host is away in the middle."""
    flags = ("--logs", f"{central.folder}/lines", "--state_file", f"{central.folder}/state")
    sender = central.make_sender("sender", "localhost", central.authority.root.file, central.client)
    with running_syslog_ng(sender):
        with run_counting(central.folder, *flags) as counting:
            send(sender.log_socket, make_lines("tls", range(MESSAGES // 2)))
            counting.wait_counted("tls", 1)
        send(sender.log_socket, make_lines("tls", range(MESSAGES // 2, MESSAGES)))
        sender.wait_taken("tls", MESSAGES)
        with run_counting(central.folder, *flags) as counting:
            counting.wait_counted("tls", MESSAGES)
            counting.assert_exact("tls", MESSAGES)


def test_only_certificates_of_our_authority_may_send(central: Central, counting: Counting) -> None:
    """None, one of another authority, and one that has expired are refused. Lines bear the name of their host."""
    stranger = make_authority(central.folder / "stranger", "ca").sign("client", "clientAuth")
    expired = central.authority.sign("expired", "clientAuth", days=-1)
    refused = {
        "peer did not return a certificate": None,
        "unable to get local issuer certificate": stranger,
        "certificate has expired": expired,
    }
    for complaint, client in refused.items():
        central.send(make_context(central, client), "<22>2026-11-21T01:13:00+00:00 web1 e2e: e2e refused 0")
        central.syslog_ng.wait_logged(complaint)
    central.send(make_context(central, central.client), "<22>2026-11-21T01:13:00+00:00 web1 e2e: e2e accepted 0")
    counting.wait_counted("accepted", 1)
    counting.assert_exact("accepted", 1)
    assert counting.read_counter("messages", "refused") == 0
    assert counting.read("hosts_total", "host", "web1") == 1


@pytest.mark.parametrize("wrong", ["name", "authority"])
def test_only_the_central_host_gets_messages(central: Central, counting: Counting, wrong: str) -> None:
    """A host that cannot show a certificate of our authority, for its very name, is sent nothing."""
    target = "127.0.0.1" if wrong == "name" else "localhost"
    authority = central.authority if wrong == "name" else make_authority(central.folder / "other")
    complaint = "subject does not match" if wrong == "name" else "certificate verify failed"
    sender = central.make_sender(f"wrong-{wrong}", target, authority.root.file, central.client)
    with running_syslog_ng(sender):
        send(sender.log_socket, make_lines(f"wrong_{wrong}", range(10)))
        sender.wait_logged(complaint)
        central.send(make_context(central, central.client), f"<22>2026-11-21T01:13:00Z web1 e2e: e2e after_{wrong} 0")
        counting.wait_counted(f"after_{wrong}", 1)
    assert counting.read_counter("messages", f"wrong_{wrong}") == 0
