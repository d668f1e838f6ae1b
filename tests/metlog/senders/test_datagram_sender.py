"""Messages over a unix datagram socket: whoever receives them may be slow, hang, go and come back."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from pipeline.metlog.senders import SenderError, UnixDatagramSender
from pipeline.metlog.senders.sender import BUSY, FULL, GONE, LARGE, NO_JSON, start_all_anew
from tests.metlog.senders.peers import (
    DEADLINE_SECONDS,
    bound_datagrams,
    make_message,
    read_payload,
    receive_all,
    run_forked,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_message_arrives_as_one_datagram(path: Path) -> None:
    """With all nine fields."""
    sender = UnixDatagramSender(path)
    message = make_message("größer 😀\n")
    with bound_datagrams(path) as peer:
        sender.send_message(message)
        (data,) = receive_all(peer)
    sender.close()
    assert json.loads(data) == message
    assert (sender.counts.sent, sender.counts.dropped) == (1, 0)


def test_abstract_name() -> None:
    """It is written behind an @."""
    name = f"@metlog-{os.getpid()}"
    sender = UnixDatagramSender(name)
    with bound_datagrams(name) as peer:
        sender.send_message(make_message())
        assert len(receive_all(peer)) == 1
    sender.close()


@pytest.mark.parametrize("path", ["", "@", "a\0b", "x" * 108], ids=["nothing", "@", "NUL", "too long"])
def test_path_that_no_socket_has(path: str) -> None:
    """It is told when the sender is made, not at each message."""
    with pytest.raises(SenderError, match="A unix socket has a path of 1 to 107 bytes, not "):
        UnixDatagramSender(path)


def test_receiver_that_is_not_there_yet(path: Path) -> None:
    """Messages are dropped and counted until it comes; then they arrive."""
    sender = UnixDatagramSender(path)
    sender.send_message(make_message())
    assert sender.counts.causes == {GONE: 1}
    assert sender.counts.last_failure == "nobody listens: No such file or directory"
    with bound_datagrams(path) as peer:
        sender.send_message(make_message("2"))
        assert [read_payload(data) for data in receive_all(peer)] == ["2"]
    sender.close()
    assert (sender.counts.sent, sender.counts.dropped) == (1, 1)


def test_receiver_that_goes_and_comes_back(path: Path) -> None:
    """The first message behind its return arrives; none is sent to the one that has gone."""
    sender = UnixDatagramSender(path)
    for number in ("1", "2", "3"):
        with bound_datagrams(path) as peer:
            sender.send_message(make_message(number))
            assert [read_payload(data) for data in receive_all(peer)] == [number]
        sender.send_message(make_message("lost"))
    sender.close()
    assert (sender.counts.sent, sender.counts.causes) == (3, {GONE: 3})


@pytest.mark.parametrize("timeout_seconds", [0.0, 0.01])
def test_receiver_that_hangs(path: Path, timeout_seconds: float) -> None:
    """What finds no room is dropped, nothing blocks, and when it reads again messages arrive again."""
    sender = UnixDatagramSender(path, timeout_seconds=timeout_seconds)
    with bound_datagrams(path) as peer:
        for number in range(1000):
            sender.send_message(make_message(str(number)))
        received = [read_payload(data) for data in receive_all(peer)]
        assert received == [str(number) for number in range(len(received))]
        assert (sender.counts.sent, sender.counts.causes) == (len(received), {FULL: 1000 - len(received)})
        sender.send_message(make_message("again"))
        assert [read_payload(data) for data in receive_all(peer)] == ["again"]
    sender.close()


def test_receiver_that_hangs_is_waited_for_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a wait in vain there is none for a second: a thousand messages would cost ten."""
    monkeypatch.setattr("pipeline.metlog.senders.patience.PAUSE_SECONDS", DEADLINE_SECONDS)  # busy machines take longer
    sender = UnixDatagramSender(path)
    with bound_datagrams(path):
        while not sender.counts.dropped:
            sender.send_message(make_message())
        resume = sender.patience.resume
        assert sender.patience.find_deadline() < resume
        sender.send_message(make_message())
    assert sender.patience.resume == resume
    assert sender.counts.dropped == 2
    sender.close()


def test_burst_loses_nothing_while_the_receiver_reads(path: Path) -> None:
    """Its queue holds some ten datagrams; the sender waits a moment for room."""
    count = 5000
    received: list[bytes] = []

    def receive(peer: socket.socket) -> None:
        peer.settimeout(DEADLINE_SECONDS)
        while len(received) < count:
            received.append(peer.recv(65536))

    # On a machine that is busy, the receiver may have to wait for its turn longer than a message does.
    sender = UnixDatagramSender(path, timeout_seconds=DEADLINE_SECONDS)
    with bound_datagrams(path) as peer:
        thread = threading.Thread(target=receive, args=(peer,))
        thread.start()
        for number in range(count):
            sender.send_message(make_message(str(number)))
        thread.join(DEADLINE_SECONDS)
    sender.close()
    assert [read_payload(data) for data in received] == [str(number) for number in range(count)]
    assert (sender.counts.sent, sender.counts.dropped) == (count, 0)


def test_payload_that_is_too_large_is_cut(path: Path) -> None:
    """As much of it as fits arrives, and how much is missing."""
    sender = UnixDatagramSender(path, max_bytes=1000)
    with bound_datagrams(path) as peer:
        sender.send_message(make_message("ü\n" * 100_000, type="oldstyle"))
        (data,) = receive_all(peer)
    sender.close()
    message = json.loads(data)
    assert 990 < len(data) <= 1000
    assert len(message["payload"]) + message["fields"]["payload_cut"] == 200_000
    assert message["fields"]["name"] == "logins"
    assert (sender.counts.sent, sender.counts.shortened) == (1, 1)


def test_fields_that_are_too_large(path: Path) -> None:
    """No payload is short enough then: the message is dropped."""
    sender = UnixDatagramSender(path, max_bytes=1000)
    with bound_datagrams(path) as peer:
        sender.send_message(make_message(fields={"text": "x" * 1000}))
        sender.send_message({"type": "of others", "text": "x" * 1000})
        assert receive_all(peer) == []
    sender.close()
    assert sender.counts.causes == {LARGE: 2}


def test_datagram_that_the_kernel_does_not_take(path: Path) -> None:
    """However large a message may be, the socket has its own limit. The next one is sent as ever."""
    sender = UnixDatagramSender(path, max_bytes=10**9)
    with bound_datagrams(path) as peer:
        sender.send_message(make_message("x" * 10**7))
        sender.send_message(make_message("small"))
        assert [read_payload(data) for data in receive_all(peer)] == ["small"]
    sender.close()
    assert (sender.counts.sent, sender.counts.causes) == (1, {LARGE: 1})


def test_what_is_no_json_is_dropped(path: Path) -> None:
    """The client lets nothing like that through; whoever calls the sender himself is not hurt either."""
    sender = UnixDatagramSender(path)
    with bound_datagrams(path) as peer:
        sender.send_message({"type": object()})
        sender.send_message(make_message("\ud800"))
        sender.send_message({"type": "few fields"})
        assert [json.loads(data) for data in receive_all(peer)] == [{"type": "few fields"}]
    sender.close()
    assert (sender.counts.sent, sender.counts.causes) == (1, {NO_JSON: 2})


def test_threads_share_a_sender(path: Path) -> None:
    """Every message is accounted for, and none is mixed with another."""
    sender = UnixDatagramSender(path)

    def send(name: str) -> None:
        for number in range(500):
            sender.send_message(make_message(f"{name}{number}"))

    with bound_datagrams(path) as peer:
        threads = [threading.Thread(target=send, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        received: list[bytes] = []
        while any(thread.is_alive() for thread in threads):
            received += receive_all(peer)
        received += receive_all(peer)
    sender.close()
    assert sender.counts.sent + sender.counts.dropped == 2000
    assert sender.counts.sent == len(received) == len({read_payload(data) for data in received})


def test_thread_that_hangs_holds_up_no_other(path: Path) -> None:
    """What cannot wait for it is dropped."""
    sender = UnixDatagramSender(path)
    with bound_datagrams(path), sender.lock:
        thread = threading.Thread(target=sender.send_message, args=(make_message(),))
        thread.start()
        thread.join(DEADLINE_SECONDS)
    assert sender.counts.causes == {BUSY: 1}


def test_forked_process_goes_on_by_itself(path: Path) -> None:
    """Its counts begin anew, and a lock that another thread held at the fork does not hold it."""
    sender = UnixDatagramSender(path)

    def send() -> int:
        sender.send_message(make_message("child"))
        return sender.counts.sent * 10 + sender.counts.dropped

    with bound_datagrams(path) as peer:
        sender.send_message(make_message("parent"))
        with held_by_another_thread(sender):
            assert run_forked(send) == 10
        sender.send_message(make_message("parent"))
        assert [read_payload(data) for data in receive_all(peer)] == ["parent", "child", "parent"]
    sender.close()
    assert sender.counts.sent == 2


def test_sender_that_was_never_made_holds_up_no_other(path: Path) -> None:
    """An application that has caught what was wrong with one still has a part of it when it forks."""
    sender, kept = UnixDatagramSender(path), []
    for _ in range(10):
        with pytest.raises(SenderError) as caught:
            UnixDatagramSender("")
        kept.append(caught)
    with bound_datagrams(path):
        sender.send_message(make_message())
    start_all_anew()
    assert sender.socket is None


@contextmanager
def held_by_another_thread(sender: UnixDatagramSender) -> Iterator[None]:
    """Have a thread hold the lock of a sender until the block ends."""
    is_held, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with sender.lock:
            is_held.set()
            may_go.wait(DEADLINE_SECONDS)

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(DEADLINE_SECONDS)
    yield
    may_go.set()
    thread.join(DEADLINE_SECONDS)


async def test_tasks_of_trio_may_send(path: Path) -> None:
    """Sending is no wait for others; here the receiver is a task of the same thread."""
    sender = UnixDatagramSender(path)
    received: list[bytes] = []
    with bound_datagrams(path) as peer:
        async with trio.open_nursery() as nursery:

            async def send(name: str) -> None:
                for number in range(20):
                    sender.send_message(make_message(f"{name}{number}"))
                    await trio.lowlevel.checkpoint()

            nursery.start_soon(send, "a")
            nursery.start_soon(send, "b")
            with trio.fail_after(DEADLINE_SECONDS):
                while len(received) < 40:
                    await trio.lowlevel.wait_readable(peer)
                    received += receive_all(peer)
    sender.close()
    assert sender.counts.dropped == 0
