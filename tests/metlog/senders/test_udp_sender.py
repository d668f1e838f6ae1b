"""Messages over UDP, to one host or several."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.metlog.senders import SenderError, UdpSender
from pipeline.metlog.senders.sender import GONE
from tests.metlog.senders.peers import DEADLINE_SECONDS, make_message, read_payload, run_forked
from tests.ports import find_port


@contextmanager
def bound(host: str = "127.0.0.1", port: int = 0) -> Iterator[tuple[socket.socket, int]]:
    """Give a UDP socket and its port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, port))
        sock.settimeout(DEADLINE_SECONDS)
        yield sock, sock.getsockname()[1]


def test_each_host_gets_each_message() -> None:
    """Each at its own port; of IPv4 and IPv6."""
    with bound() as (first, first_port), bound("::1") as (second, second_port):
        sender = UdpSender(["127.0.0.1", "::1"], [first_port, second_port])
        sender.send_message(make_message())
        assert [read_payload(sock.recv(65536)) for sock in (first, second)] == ["1", "1"]
        sender.close()
    assert (sender.counts.sent, sender.counts.dropped) == (1, 0)


def test_last_port_is_that_of_further_hosts() -> None:
    """As in metlog-py, where ports may be texts too."""
    sender = UdpSender(["127.0.0.1", "127.0.0.2", "127.0.0.3"], ["5565", 5566])
    assert [(host.host, host.port) for host in sender.hosts] == [
        ("127.0.0.1", 5565),
        ("127.0.0.2", 5566),
        ("127.0.0.3", 5566),
    ]


def test_nobody_listens() -> None:
    """UDP does not tell: such messages count as sent, and whoever comes gets the next ones."""
    port = find_port()
    sender = UdpSender("127.0.0.1", port)
    for _ in range(5):
        sender.send_message(make_message("lost"))
    with bound(port=port) as (sock, _):
        sender.send_message(make_message("2"))
        assert read_payload(sock.recv(65536)) == "2"
    sender.close()
    assert (sender.counts.sent, sender.counts.dropped) == (6, 0)


def test_host_whose_name_is_unknown() -> None:
    """Messages to it are dropped; the name is looked up again later, by another thread."""
    with bound() as (sock, port):
        sender = UdpSender(["no-such-host.invalid", "127.0.0.1"], port)
        sender.send_message(make_message())
        assert read_payload(sock.recv(65536)) == "1"
        assert sender.counts.causes == {GONE: 1}
        assert sender.counts.last_failure == f"{GONE}: The name no-such-host.invalid is unknown"
        unknown = sender.hosts[0]
        # As if it had become known by then.
        unknown.host, unknown.next_try = "127.0.0.1", 0.0
        while sender.counts.sent == 0:
            sender.send_message(make_message("2"))
            sock.recv(65536)
        sender.close()


def test_payload_that_is_too_large_is_cut() -> None:
    """To what UDP has room for."""
    with bound() as (sock, port):
        sender = UdpSender("127.0.0.1", port)
        sender.send_message(make_message("x" * 100_000))
        assert len(sock.recv(65536)) == 65_507
        sender.close()
    assert (sender.counts.sent, sender.counts.shortened) == (1, 1)


def test_forked_process_has_its_own_sockets() -> None:
    """Both send, and each counts for itself."""
    with bound() as (sock, port):
        sender = UdpSender("127.0.0.1", port)
        sender.send_message(make_message("parent"))

        def send() -> int:
            assert not sender.sockets
            sender.send_message(make_message("child"))
            return sender.counts.sent

        assert run_forked(send) == 1
        assert [read_payload(sock.recv(65536)) for _ in range(2)] == ["parent", "child"]
        sender.close()


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [
        ([], 1, "UDP needs at least one host and one port, and no more ports than hosts."),
        (["a"], [], "UDP needs at least one host and one port, and no more ports than hosts."),
        (["a"], [1, 2], "UDP needs at least one host and one port, and no more ports than hosts."),
        ("a", "http", "A port is a number, not 'http'."),
        ("a", 0, "A receiver has a host, and a port from 1 to 65535: not 'a' and 0."),
    ],
    ids=["no host", "no port", "more ports", "no number", "no port number"],
)
def test_wrong_addresses(host: str | list[str], port: int | str | list[int | str], text: str) -> None:
    """They are told when the sender is made."""
    with pytest.raises(SenderError) as caught:
        UdpSender(host, port)
    assert str(caught.value) == text
