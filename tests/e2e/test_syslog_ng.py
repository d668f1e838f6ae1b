"""syslog-ng accepts each of our files, and writes to us over TCP too, which no file of ours is for."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.counting import Counting, run_counting
from tests.e2e.daemons import ROOT
from tests.e2e.syslog_ng import SyslogNg, make_environment, make_lines, render, running_syslog_ng, send
from tests.e2e.web import make_authority
from tests.ports import find_port

MESSAGES = 20_000

TCP = """
destination d_tcp {{ {destination} }};
log {{ source(s_src); destination(d_tcp); flags(flow-control); }};
"""

TEMPLATE = 'template("$DATE $HOST $MSGHDR$MSG\\n")'

DESTINATIONS = {
    "network": f'network("127.0.0.1" port({{port}}) transport("tcp") {TEMPLATE});',
    "syslog": 'syslog("127.0.0.1" port({port}) transport("tcp"));',
}
"""The last one counts octets (RFC 6587, 3.4.1) and writes as RFC 5424 has it."""

COMPANIONS = {"receive-tls.conf": ["pipe.conf"], "spread.conf": ["instance.conf"], "instance.conf": ["spread.conf"]}
"""The files that some need beside them. Of the instances there are four."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def port() -> int:
    return find_port()


@pytest.fixture(scope="module")
def counting(port: int) -> Iterator[Counting]:
    """Our daemon, listening on TCP. Socket paths must be short."""
    with (
        tempfile.TemporaryDirectory(prefix="sn-") as name,
        run_counting(Path(name), "--logs", f"tcp://127.0.0.1:{port}") as counting,
    ):
        yield counting


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "syslog-ng").iterdir()))
def test_file_is_accepted_silently(folder: Path, name: str) -> None:
    """As it is, but for the files that must be there, and a group that this machine has."""
    files = {}
    for needed in (name, *COMPANIONS.get(name, ())):
        text = render(needed, folder, {})
        if needed == "instance.conf":
            text = "".join(text.replace("@1", f"@{number}") for number in range(1, 5))
        files[needed] = text.replace("/etc/syslog-pipeline/tls", str(folder)).replace("/etc/syslog-ng/tls", str(folder))
    authority = make_authority(folder)
    for certificate in ("server", "client"):
        authority.sign(certificate, f"{certificate}Auth")
    command = SyslogNg(folder / "syslog-ng", files).make_command("--syntax-only")
    check = subprocess.run(command, env=make_environment(), capture_output=True, text=True, check=False)
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


@pytest.mark.parametrize("route", DESTINATIONS)
def test_messages_are_counted_exactly(counting: Counting, folder: Path, port: int, route: str) -> None:
    """Nothing is lost, doubled or out of order; the sender waits for us."""
    text = TCP.format(destination=DESTINATIONS[route].format(port=port))
    with running_syslog_ng(SyslogNg(folder / "syslog-ng", {"tcp.conf": text})) as syslog_ng:
        send(syslog_ng.log_socket, make_lines(route, range(MESSAGES)))
        counting.wait_counted(route, MESSAGES)
    counting.assert_exact(route, MESSAGES)
