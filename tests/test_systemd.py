"""What systemd is told and tells, over a socket of the test's own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

import pytest

from pipeline import systemd
from pipeline.errors import SettingError
from tests.notify_socket import NotifySocket, listening

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "FDSTORE")


@pytest.fixture(autouse=True)
def no_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has started us."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def notified(monkeypatch: pytest.MonkeyPatch) -> Iterator[NotifySocket]:
    """A service manager that listens."""
    with listening() as notify:
        monkeypatch.setenv("NOTIFY_SOCKET", notify.address)
        yield notify


def test_each_state_is_told_in_its_words(notified: NotifySocket) -> None:
    """sd_notify(3) has them."""
    systemd.notify_ready()
    systemd.notify_stopping()
    systemd.notify_status("12 lines/s")
    systemd.feed_watchdog()
    assert notified.receive() == [{"READY": "1"}, {"STOPPING": "1"}, {"STATUS": "12 lines/s"}, {"WATCHDOG": "1"}]


def test_reload_is_told_with_the_time_of_the_system(notified: NotifySocket) -> None:
    """systemd compares it with its own CLOCK_MONOTONIC, in microseconds."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    systemd.notify_reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    [message] = notified.receive()
    assert message["RELOADING"] == "1"
    assert before <= int(message["MONOTONIC_USEC"]) <= after


def test_abstract_address_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd in a container may give one."""
    notify = NotifySocket(f"@syslog-pipeline-{os.getpid()}")
    with notify.socket:
        monkeypatch.setenv("NOTIFY_SOCKET", notify.address)
        systemd.notify_ready()
        assert notify.receive() == [{"READY": "1"}]


def test_manager_that_has_gone_is_no_failure(notified: NotifySocket, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be starting itself anew. Nor is an address of a kind that we do not know."""
    notified.socket.close()
    systemd.notify_ready()
    monkeypatch.setenv("NOTIFY_SOCKET", "vsock:2:1")
    systemd.notify_ready()


def test_nobody_is_told_without_systemd() -> None:
    """A message would go nowhere."""
    assert not systemd.is_listening()
    systemd.notify_ready()


def test_status_names_what_is_not_utf8_as_well_as_it_can(notified: NotifySocket) -> None:
    """systemd takes UTF-8 only, and the path of a source that fails may be something else."""
    systemd.notify_status("failing: /run/caf\udce9")
    assert notified.receive() == [{"STATUS": "failing: /run/caf?"}]


def test_status_stays_one_line_of_bounded_length(notified: NotifySocket) -> None:
    """A line feed would begin another assignment."""
    systemd.notify_status("a\nREADY=1 " + "x" * 1000)
    [message] = notified.receive()
    assert list(message) == ["STATUS"]
    assert message["STATUS"].startswith("a READY=1 xx")
    assert len(message["STATUS"]) == systemd.MAX_STATUS_CHARACTERS
    assert message["STATUS"].endswith("x…")


@pytest.mark.parametrize(
    ("microseconds", "process", "seconds"),
    [
        ("30000000", None, 30.0),
        pytest.param("30000000", str(os.getpid()), 30.0, id="ours"),
        ("30000000", "1", None),
        ("30000000", "x", None),
        ("0", None, None),
        ("soon", None, None),
        ("9" * 5000, None, None),
        (None, None, None),
    ],
)
def test_watchdog_is_fed_if_it_is_ours(
    notified: NotifySocket,
    monkeypatch: pytest.MonkeyPatch,
    microseconds: str | None,
    process: str | None,
    seconds: float | None,
) -> None:
    """One that was set for another process, or that is no number, is not."""
    for variable, value in (("WATCHDOG_USEC", microseconds), ("WATCHDOG_PID", process)):
        if value is not None:
            monkeypatch.setenv(variable, value)
    assert systemd.read_watchdog_seconds() == seconds


def test_watchdog_without_a_listener_is_not_fed(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nobody to feed."""
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    assert systemd.read_watchdog_seconds() is None


@pytest.mark.parametrize(
    ("asked", "told", "stores"),
    [(None, None, False), (None, "0", False), (None, "8", True), (True, None, True), (False, "8", False)],
)
def test_descriptors_are_stored_if_asked_or_told(
    notified: NotifySocket, monkeypatch: pytest.MonkeyPatch, *, asked: bool | None, told: str | None, stores: bool
) -> None:
    """Since version 254 systemd tells in `$FDSTORE` how many it keeps; what the operator says wins."""
    if told is not None:
        monkeypatch.setenv("FDSTORE", told)
    descriptors = systemd.receive_descriptors(stores=asked)
    assert descriptors.stores is stores
    assert descriptors.places == (8 if told == "8" else None)


def test_nothing_is_stored_without_a_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    """Started by hand, with the flag of the unit."""
    monkeypatch.setenv("FDSTORE", "8")
    assert not systemd.receive_descriptors(stores=True).stores


def test_descriptors_of_another_process_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child has inherited the variables."""
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", "1")
    assert systemd.receive_descriptors(stores=None).inherited == []


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("x", "What systemd passes cannot be taken: LISTEN_FDS is 'x', and not a number."),
        ("-1", "What systemd passes cannot be taken: LISTEN_FDS is '-1', and not a number."),
        ("900", "What systemd passes cannot be taken: bad file descriptor."),
    ],
)
def test_wrong_number_of_descriptors_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, number: str, message: str
) -> None:
    """None of that comes from systemd."""
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", number)
    with pytest.raises(SettingError) as caught:
        systemd.receive_descriptors(stores=None)
    assert str(caught.value) == message


def test_descriptors_are_passed_with_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """They begin at 3, whatever that is in the process of this test."""
    opened = os.open(os.devnull, os.O_RDONLY)  # number 3, if that was free
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_FDNAMES", "lines")
    assert systemd.list_passed() == [(3, "lines")]
    os.close(opened)


def test_no_descriptor_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """sd_listen_fds(3) fails on 0."""
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "0")
    assert systemd.receive_descriptors(stores=None).inherited == []


def test_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it what is passed is not seen."""
    monkeypatch.setitem(sys.modules, "systemd", None)
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    with pytest.raises(SettingError) as caught:
        systemd.receive_descriptors(stores=None)
    assert str(caught.value) == "systemd passes sockets, but the Python package systemd-python is missing."


def test_manager_that_takes_nothing_holds_nothing_up(notified: NotifySocket) -> None:
    """The kernel lets a few messages wait; those that tell nothing new are then dropped."""
    for _ in range(2000):
        systemd.feed_watchdog()
        systemd.notify_status("busy")
    assert 2 <= len(notified.receive()) < 2000


def test_manager_that_keeps_nothing_is_waited_for_once(notified: NotifySocket) -> None:
    """Of the connections left at the end each would hold it up; once one is taken there is patience again."""
    messenger = systemd.Messenger(patience_seconds=0.001)
    while messenger.is_heard:
        messenger.tell("FDSTORE=1", ())
    messenger.patience_seconds = 3600.0
    messenger.tell("FDSTORE=1", ())
    assert not messenger.is_heard
    assert notified.receive()
    messenger.tell("FDSTORE=1", ())
    assert messenger.is_heard
