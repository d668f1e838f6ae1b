"""Addresses of TCP and UDP sources: what an operator may write, and what is bound then."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from pipeline.errors import SettingError
from pipeline.sources import inet_address
from pipeline.sources.inet_address import InetAddress, SocketAddress, bind_inet_socket
from tests.ports import find_port


def bind(address: InetAddress, kind: socket.SocketKind = socket.SOCK_STREAM) -> list[SocketAddress]:
    """Return what is bound, and let go of it."""
    bound = address.bind(kind)
    names = [one.socket.getsockname() for one in bound]
    inet_address.close_all(bound)
    return names


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("127.0.0.1", [("127.0.0.1",)]),
        ("[::1]", [("::1",)]),
        ("", [("::",)]),
        ("0.0.0.0", [("0.0.0.0",)]),  # noqa: S104 - the operator asked for it
    ],
)
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_address_is_bound(host: str, names: list[tuple[str]], kind: socket.SocketKind) -> None:
    """And no other; no host means all."""
    port = find_port()
    bound = bind(InetAddress(f"tcp://{host}:{port}"), kind)
    assert [name[:2] for name in bound] == [(*name, port) for name in names]


def test_name_is_each_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the resolver tells them, each once; it is asked once, also where a source is opened again."""
    port = find_port()
    answers = [("127.0.0.2", port), ("127.0.0.3", port), ("127.0.0.2", port)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", answers.pop(0)) for _ in list(answers)])
    address = InetAddress(f"tcp://log.example:{port}")
    assert bind(address) == bind(address) == [("127.0.0.2", port), ("127.0.0.3", port)]


def test_address_that_is_not_here_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a name has others; a machine without IPv6 may still call ::1 localhost. The last one left is an error."""
    port = find_port()
    answers = [("192.0.2.1", port), ("127.0.0.1", port)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", answer) for answer in answers])
    assert bind(InetAddress(f"tcp://log.example:{port}")) == [("127.0.0.1", port)]
    del answers[1]
    with pytest.raises(SettingError) as caught:
        bind(InetAddress(f"tcp://log.example:{port}"))
    assert str(caught.value) == f"tcp://log.example:{port} cannot be bound: cannot assign requested address."


def test_all_addresses_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Are those of IPv4."""
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    port = find_port()
    assert bind(InetAddress(f"tcp://:{port}")) == [("0.0.0.0", port)]  # noqa: S104 - the operator asked for it


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tcp://", "The source 'tcp://' names no host and port: write HOST:PORT, [IPV6]:PORT or :PORT."),
        ("tcp://host", "The source 'tcp://host' names no host and port: write HOST:PORT, [IPV6]:PORT or :PORT."),
        ("udp://::1:514", "The source 'udp://::1:514' names no host and port: write HOST:PORT, [IPV6]:PORT or :PORT."),
        ("tcp://h:x", "The source 'tcp://h:x' names no host and port: write HOST:PORT, [IPV6]:PORT or :PORT."),
        ("tcp://h:0", "The source 'tcp://h:0' names no port from 1 to 65535."),
        ("tcp://h:65536", "The source 'tcp://h:65536' names no port from 1 to 65535."),
    ],
)
def test_what_is_no_address_is_one_sentence(spec: str, message: str) -> None:
    """Port 0 is none: no writer could know which one the system chooses."""
    with pytest.raises(SettingError) as caught:
        InetAddress(spec)
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_address_in_use_is_one_sentence(kind: socket.SocketKind, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the source; what was bound before it is let go."""
    free, port = "127.0.0.2", find_port()
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (host, port)) for host in (free, "127.0.0.1")]
    )
    with closing(bind_inet_socket(("127.0.0.1", port), kind)), pytest.raises(SettingError) as caught:
        bind(InetAddress(f"udp://log.example:{port}"), kind)
    assert str(caught.value) == f"Somebody already listens on udp://log.example:{port}."
    bind_inet_socket((free, port), kind).close()


def test_name_that_nobody_knows_is_one_sentence() -> None:
    """Names under .invalid are never known (RFC 2606)."""
    with pytest.raises(SettingError) as caught:
        bind(InetAddress("tcp://log.invalid:514"))
    assert str(caught.value).startswith("tcp://log.invalid:514 cannot be bound: ")


@pytest.mark.parametrize(
    ("ours", "bound", "is_covered"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("127.0.0.1", "0.0.0.0", False),  # noqa: S104 - the operator asked for it
        ("0.0.0.0", "127.0.0.2", True),  # noqa: S104
        ("0.0.0.0", "::", False),  # noqa: S104
        ("", "127.0.0.1", True),
        ("", "::1", True),
        ("[::1]", "::1", True),
        ("[::1]", "::", False),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
    ],
)
def test_socket_is_known_by_its_address(ours: str, bound: str, is_covered: bool) -> None:
    """Those of the address and, where that is all addresses, of any; with the same port."""
    port = find_port()
    with closing(bind_inet_socket((bound, port), socket.SOCK_DGRAM)) as sock:
        assert InetAddress(f"udp://{ours}:{port}").covers(sock) == is_covered
        assert not InetAddress(f"udp://{ours}:{port % 65535 + 1}").covers(sock)


def test_socket_of_another_family_is_not_known() -> None:
    """It has no port."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        assert not InetAddress("udp://:514").covers(sock)
