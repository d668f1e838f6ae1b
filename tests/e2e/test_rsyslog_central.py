"""A central log host takes messages with RELP and over TLS, of those that it knows, and hands them to us."""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.shipped import render_shipped
from tests.e2e.daemons import DEADLINE_SECONDS, is_open, wait_until
from tests.e2e.rsyslog import Held, Rsyslog, hold_pipeline, render_pipe, run_configured
from tests.e2e.syslog_ng import SyslogNg, make_lines, render, running_syslog_ng, send
from tests.e2e.web import Certificate, make_authority
from tests.ports import find_port

LOG_HOST = "loghost.example.net"
FIRST = 2_000
MESSAGES = 20_000

PORTS = {"relp": 2514, "tls": 6514}

OPEN = b"relp_version=0\nrelp_software=test\ncommands=syslog"
HELLO = {
    "relp": b"1 open %d %s\n" % (len(OPEN), OPEN),
    "tls": b"46 <22>Nov 21 01:13:00 hello e2e[42]: e2e hello 0",
}
"""What a client says first."""

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Site:
    """The central host, and the certificates of all who have one."""

    held: Held
    central: Rsyslog
    ports: dict[str, int]
    certificates: dict[str, Certificate]

    def render_sender(self, kind: str, certificate: str = "client", **more: str) -> str:
        """Return the file of a host that sends, which looks every second whether the central host is back."""
        own = self.certificates[certificate]
        replacements = {
            'target="loghost.example.net"': 'target="127.0.0.1"',
            f'port="{PORTS[kind]}"': f'port="{self.ports[kind]}"',
            "/etc/rsyslog.d/tls/ca.crt": str(self.certificates["ca"].file),
            "/etc/rsyslog.d/tls/client.crt": str(own.file),
            "/etc/rsyslog.d/tls/client.key": str(own.key),
            'resumeInterval="10"': 'resumeInterval="1"',
        }
        return render_shipped(f"rsyslog/send-{kind}.conf", replacements | more)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Our daemon, and rsyslogd with the files for both ways."""
    with ExitStack() as stack:
        pki, ours, central = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix))) for prefix in ("pki-", "rc-", "rc-")
        )
        certificates = make_certificates(pki)
        ports = {kind: find_port() for kind in PORTS}
        held = stack.enter_context(hold_pipeline(ours))
        receivers = [render_receiver(kind, ports[kind], certificates) for kind in PORTS]
        rsyslog = stack.enter_context(run_configured(central, render_pipe(held.fifo), *receivers))
        wait_until(lambda: all(map(is_open, ports.values())), "the central host listens")
        yield Site(held, rsyslog, ports, certificates)


def make_certificates(folder: Path) -> dict[str, Certificate]:
    """Make those of the central host, of a client, and of those that are refused."""
    known, other = (make_authority(folder / name) for name in ("known", "other"))
    signed = {
        "server": (known, LOG_HOST, "serverAuth"),
        "client": (known, "web1.example.net", "clientAuth"),
        "misnamed": (known, "web1.example.com", "clientAuth"),
        "foreign": (other, "web1.example.net", "clientAuth"),
    }
    expired = known.sign("web2.example.net", "clientAuth", "subjectAltName=DNS:web2.example.net", days=-1)
    return {"ca": known.root, "expired": expired} | {
        name: authority.sign(host, usage, f"subjectAltName=DNS:{host},DNS:localhost")
        for name, (authority, host, usage) in signed.items()
    }


def render_receiver(kind: str, port: int, certificates: dict[str, Certificate]) -> str:
    """Return the file of the central host for one way."""
    own = certificates["server"]
    return render_shipped(
        f"rsyslog/receive-{kind}.conf",
        {
            f'port="{PORTS[kind]}"': f'port="{port}" address="127.0.0.1"',
            "/etc/syslog-pipeline/tls/ca.crt": str(certificates["ca"].file),
            "/etc/syslog-pipeline/tls/server.crt": str(own.file),
            "/etc/syslog-pipeline/tls/server.key": str(own.key),
        },
    )


@pytest.mark.parametrize("kind", PORTS)
def test_messages_of_other_hosts_are_counted_exactly(site: Site, folder: Path, kind: str) -> None:
    """Nothing is lost, doubled or out of order, although we are stopped in the middle."""
    with run_configured(folder, site.render_sender(kind)) as sender:
        sender.send_numbers(kind, range(FIRST))
        site.held.counting.wait_counted(kind, FIRST)
        site.held.manager.stop()
        sender.send_numbers(kind, range(FIRST, MESSAGES))
        site.held.manager.start()
        site.held.counting.wait_counted(kind, MESSAGES)
    site.held.counting.assert_exact(kind, MESSAGES)


def test_messages_of_syslog_ng_are_counted_exactly(site: Site, folder: Path) -> None:
    """It sends in the form of RFC 5424, with the file that we ship for it."""
    own, authority = site.certificates["client"], site.certificates["ca"]
    edits = {
        'syslog("loghost.example.net" port(6514)': f'syslog("localhost" port({site.ports["tls"]})',
        "/etc/syslog-ng/tls/ca.crt": str(authority.file),
        "/etc/syslog-ng/tls/client.crt": str(own.file),
        "/etc/syslog-ng/tls/client.key": str(own.key),
    }
    files = {"central-host.conf": render("send-tls.conf", folder, edits)}
    with running_syslog_ng(SyslogNg(folder / "syslog-ng", files)) as sender:
        send(sender.log_socket, make_lines("ng", range(MESSAGES)))
        site.held.counting.wait_counted("ng", MESSAGES)
    site.held.counting.assert_exact("ng", MESSAGES)


@pytest.mark.parametrize("kind", PORTS)
@pytest.mark.parametrize("certificate", ["none", "foreign", "misnamed", "expired"])
def test_client_that_is_not_known_is_refused(site: Site, kind: str, certificate: str) -> None:
    """Without a certificate, with one of another authority, for a name that is not allowed, or out of date."""
    assert say_hello(site, kind, certificate) == b""
    assert site.held.counting.read_counter("messages", "hello") == 0


def test_client_that_is_known_is_answered(site: Site) -> None:
    """So it is the certificate for which the others are refused."""
    assert say_hello(site, "relp", "client").startswith(b"1 rsp ")


@pytest.mark.parametrize("kind", PORTS)
def test_central_host_with_another_name_gets_nothing(site: Site, folder: Path, kind: str) -> None:
    """A sender asks who it sends to, and keeps what it has for the right one."""
    route = f"misled_{kind}"
    snippet = site.render_sender(kind).replace(f'"{LOG_HOST}"', '"loghost.example.org"')
    with run_configured(folder, snippet) as sender:
        sender.send_numbers(route, range(1))
        wait_until(lambda: "loghost.example.net" in sender.log, "the sender says whom it found")
    assert site.held.counting.read_counter("messages", route) == 0
    with run_configured(folder, site.render_sender(kind)):
        site.held.counting.wait_counted(route, 1)


@pytest.mark.parametrize("kind", PORTS)
def test_version_of_tls_that_is_too_old_is_refused(site: Site, kind: str) -> None:
    """Although the client is known."""
    with pytest.deprecated_call():
        assert say_hello(site, kind, "client", ssl.TLSVersion.TLSv1_1) == b""
    assert say_hello(site, "relp", "client", ssl.TLSVersion.TLSv1_2) != b""
    assert site.held.counting.read_counter("messages", "hello") == 0


def say_hello(site: Site, kind: str, certificate: str, version: ssl.TLSVersion | None = None) -> bytes:
    """Return what the central host answers to a client with that certificate; nothing if it refuses him."""
    context = ssl.create_default_context(cafile=site.certificates["ca"].file)
    if version is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    if certificate != "none":
        own = site.certificates[certificate]
        context.load_cert_chain(own.file, own.key)
    with socket.create_connection(("127.0.0.1", site.ports[kind]), DEADLINE_SECONDS) as connection:
        try:
            with context.wrap_socket(connection, server_hostname=LOG_HOST) as client:
                client.sendall(HELLO[kind])
                return client.recv(1024)
        except (ssl.SSLError, ConnectionError):
            return b""
