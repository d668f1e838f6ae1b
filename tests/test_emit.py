"""Emit: messages and lines for a receiver, at a rate, and a status that says whether all were sent."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import termios
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.emit_settings import EmitSettings
from pipeline.emitting.emission import Clock, Emission
from pipeline.emitting.outcome import Durations, Outcome
from pipeline.emitting.templates import Make, list_contents, read_value
from pipeline.metlog.senders import FileSender
from tests.e2e.daemons import DEADLINE_SECONDS, ROOT, fetch_metrics, run_pipeline, wait_until
from tests.e2e.pages import follow, open_shell, read_steps
from tests.metlog.senders.peers import receive_all
from tests.ports import find_port
from tests.test_cli import invoke, make_env, run, run_on_terminal

SECOND = 1_000_000_000
START = 1_772_690_828 * SECOND
"""2026-03-05 06:07:08 UTC."""

SUMMARY = re.compile(
    r"(\d+) sent in [\d.]+ s(?:, \d+ per second)?; (\d+) dropped\.\n"
    r"(?:Half of the sends took up to [\d.]+ µs, 99 of 100 up to [\d.]+ µs\.\n)?"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def emit(*flags: str) -> list[bytes]:
    """Emit to a new file, all of which must be sent; return its lines."""
    Path("out").unlink(missing_ok=True)
    result = invoke("emit", "--to", "file://out", *flags)
    found = SUMMARY.fullmatch(result.stdout)
    assert found, result.stdout + result.stderr
    lines = Path("out").read_bytes().splitlines()
    assert (result.exit_code, found.groups()) == (0, (str(len(lines)), "0"))
    return lines


def test_one_counter_without_more_ado() -> None:
    """A message with nine fields, as a client sends it."""
    (line,) = emit("--field", "name=logins", "--logger", "shop")
    message = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", message.pop("timestamp"))
    assert message == {
        "type": "counter",
        "logger": "shop",
        "severity": 6,
        "payload": "1",
        "fields": {"name": "logins", "rate": 1.0},
        "env_version": "0.8",
        "metlog_pid": os.getpid(),
        "metlog_hostname": os.uname().nodename,
    }


def test_numbers_times_and_fields_are_put_in() -> None:
    """What looks like a number or a truth is one; a value may have commas; unknown braces are left."""
    flags = ["--field", "n={n}", "--field", "half={n}.5", "--field", "ok=true", "--field", "when={time}"]
    lines = emit("--type", "oldstyle", "--count", "3", "--severity", "3", *flags, "--field", "text=a,b={x}")
    messages = [json.loads(line) for line in lines]
    assert [message["payload"] for message in messages] == ["message 1", "message 2", "message 3"]
    assert {message["severity"] for message in messages} == {3}
    fields = messages[1]["fields"]
    assert fields.pop("when") == messages[1]["timestamp"]
    assert fields == {"n": 2, "half": 2.5, "ok": True, "text": "a,b={x}"}


@pytest.mark.parametrize(
    ("kind", "payload", "fields"),
    [
        ("counter", "1", {"name": "emit", "rate": 1.0}),
        ("timer", "1", {"name": "emit", "rate": 1.0}),
        ("gauge", "1", {"name": "emit"}),
        ("sentry", "message 1", {}),
    ],
)
def test_defaults_of_each_type(kind: str, payload: str, fields: dict[str, object]) -> None:
    """They make a message that the router takes."""
    message = json.loads(emit("--type", kind)[0])
    assert (message["payload"], message["fields"]) == (payload, fields)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-12", -12),
        ("1.50", 1.5),
        ("007", "007"),
        ("1e9", "1e9"),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, "9" * 19),
        ("true", True),
        ("True", "True"),
        ("", ""),
    ],
)
def test_what_a_field_spells(text: str, value: object) -> None:
    """A number as JSON has it, and of any size that all readers keep; the rest is text."""
    assert (type(read_value(text)), read_value(text)) == (type(value), value)


def test_lines_as_they_are() -> None:
    """With any bytes, and numbers and times put in."""
    raw = b"\xff \x00 {n} {} {time"
    Path("log").write_bytes(raw + b"\nlast {n}")
    assert emit("--lines", "log") == [b"\xff \x00 1 {} {time", b"last 2"]
    assert emit("--line", "n={n} ü", "--count", "2") == ["n=1 ü".encode(), "n=2 ü".encode()]


def test_file_begins_again_if_more_is_wanted() -> None:
    """By --count or --duration; one that is empty never does."""
    Path("log").write_text("a\nb\n")
    assert emit("--lines", "log", "--count", "5") == [b"a", b"b", b"a", b"b", b"a"]
    Path("out").unlink()
    Path("log").write_text("")
    result = invoke("emit", "--to", "file://out", "--lines", "log", "--duration", "1h")
    assert result.stdout == "0 sent in 0.00 s; 0 dropped.\n"


def test_lines_of_standard_input() -> None:
    """Once, to its end."""
    done = run("emit", "--to", "-", "--lines", "-", stdin="a\nb {n}\n")
    assert (done.stdout, done.returncode) == ("a\nb 2\n", 0)
    assert SUMMARY.fullmatch(done.stderr)


def test_several_senders_share_the_work() -> None:
    """Each number is sent once."""
    lines = emit("--line", "{n}", "--count", "1001", "--senders", "3")
    assert sorted(map(int, lines)) == list(range(1, 1002))
    Path("log").write_text("".join(f"line {number}\n" for number in range(100)))
    lines = emit("--lines", "log", "--senders", "3")
    assert sorted(lines) == sorted(b"line %d" % number for number in range(100))


@dataclass
class Time:
    """A clock that is moved by those who sleep; `jumps` are how much longer some sleeps take than they should."""

    now: int = 0
    jumps: Iterator[int] = field(default_factory=lambda: iter(()))
    slept: int = 0

    def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.now += round(seconds * 1e9) + next(self.jumps, 0)

    def make_clock(self) -> Clock:
        return Clock(lambda: self.now, lambda: START + self.now, self.sleep)


def emit_by(clock: Time, settings: EmitSettings, share: int = 0) -> tuple[list[tuple[int, int]], Outcome]:
    """Return the numbers that a sender sent and when, by the clock, and how it went."""
    sender = FileSender("out")
    emission = Emission(settings, sender, 0, clock.make_clock())
    outcome = emission.run(list_contents(settings, share, "host", 1), lambda _: None)
    messages = [json.loads(line) for line in Path("out").read_bytes().splitlines()]
    Path("out").unlink()
    return [(message["fields"]["n"], read_fraction(message["timestamp"])) for message in messages], outcome


def read_fraction(stamp: str) -> int:
    """Return the microseconds of a time since the start."""
    minute, second, fraction = int(stamp[14:16]), int(stamp[17:19]), int(stamp[20:26])
    return ((minute - 7) * 60 + second - 8) * 1_000_000 + fraction


def make_settings(**changes: object) -> EmitSettings:
    values: dict[str, object] = {"to": "file://out", "field": (("n", "{n}"),), **changes}
    return EmitSettings(**values)  # type: ignore[arg-type]


def test_each_message_is_sent_when_it_is_due() -> None:
    """Not sooner, and with no error that adds up."""
    sent, outcome = emit_by(Time(), make_settings(rate=30, count=61))
    assert sent == [(number, (number - 1) * 1_000_000 // 30) for number in range(1, 62)]
    assert (outcome.taken, outcome.sent, outcome.elapsed) == (61, 61, 2 * SECOND)


def test_what_was_late_is_made_up_for() -> None:
    """A machine that is busy for 0.35 s has the messages of that time sent at once, and goes on at the rate."""
    sent, _ = emit_by(Time(jumps=iter([350_000_000])), make_settings(rate=10, count=7))
    assert sent == [(1, 0), (2, 450_000), (3, 450_000), (4, 450_000), (5, 450_000), (6, 500_000), (7, 600_000)]


def test_time_ends_it() -> None:
    """Those that are due before the end, and no others; it does not wait for the end itself."""
    sent, outcome = emit_by(Time(), make_settings(rate=10, duration_seconds=1.0))
    assert [number for number, _ in sent] == list(range(1, 11))
    assert (outcome.is_complete, outcome.elapsed) == (True, 900_000_000)


def test_senders_take_turns() -> None:
    """All together keep the rate."""
    settings = make_settings(rate=10, count=7, senders=3)
    sent = [emit_by(Time(), settings, share)[0] for share in range(3)]
    assert [[number for number, _ in each] for each in sent] == [[1, 4, 7], [2, 5], [3, 6]]
    assert sorted(time for each in sent for _, time in each) == [number * 100_000 for number in range(7)]


def test_rare_messages_are_waited_for_in_short_naps() -> None:
    """So that a signal ends it soon, whatever the rate."""
    clock = Time()
    emit_by(clock, make_settings(rate=1, count=3))
    assert clock.slept == 20


def test_stop_behind_a_line_does_not_wait_for_the_next() -> None:
    """A signal that comes before the next one is waited for would else be lost, and standard output may be gone."""
    emission = Emission(make_settings(), FileSender("out"), 0, Time().make_clock())

    def come_slowly() -> Iterator[tuple[int, Make]]:
        yield 1, lambda _number, _now: b"line"
        pytest.fail("the next line is waited for")

    def stop(_done: int) -> None:
        emission.stop()

    emission.clock = replace(emission.clock, monotonic=iter(range(0, 10**12, 10**9)).__next__)
    assert emission.run(come_slowly(), stop).sent == 1


@given(st.lists(st.integers(0, 10**12), min_size=1))
def test_quantiles_are_close(durations: list[int]) -> None:
    """Within 4 %, of any number of durations, which take little room."""
    kept = Durations()
    for duration in durations:
        kept.add(duration)
    for share in (0.01, 0.5, 0.99, 1.0):
        exact = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)]
        assert exact * 0.96 - 1 <= kept.find_quantile(share) <= exact
    assert len(kept.counts) <= 64 * 40


def test_nothing_has_no_quantile() -> None:
    assert Durations().find_quantile(0.5) == 0


@pytest.mark.parametrize("senders", [1, 2])
def test_dropped_messages_are_told_and_fail(senders: int) -> None:
    """With why, by number."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.bind("log")
        peer.setblocking(False)
        flags = ["--to", "unixgram://log", "--count", "1000", "--wait", "0s", "--senders", str(senders)]
        result = invoke("emit", *flags)
        received = len(receive_all(peer))
    dropped = 1000 - received
    assert result.exit_code == 1
    assert 0 < received < 1000
    head, _, tail = result.stdout.partition("Dropped because")
    found = SUMMARY.fullmatch(head)
    assert found
    assert found.groups() == (str(received), str(dropped))
    assert tail == f": no room ({dropped}). The last one: no room: The receiver's queue is full.\n"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, 1),
        ({"count": 5}, 5),
        ({"count": 0}, None),
        ({"duration_seconds": 2.0}, None),
        ({"duration_seconds": 2.0, "count": 5}, None),
        ({"duration_seconds": 0.25, "rate": 10}, 3),
        ({"duration_seconds": 2.0, "rate": 10, "count": 5}, 5),
        ({"lines": Path("log")}, None),
        ({"lines": Path("log"), "count": 5}, 5),
        ({"lines": Path("-"), "count": 5}, None),
    ],
)
def test_how_many_there_will_be(changes: dict[str, object], wanted: int | None) -> None:
    """If nothing is too slow; None if nobody can know."""
    assert make_settings(**changes).wanted == wanted


def test_rate_that_is_not_reached_is_told() -> None:
    """No machine sends a thousand million messages per second."""
    Path("out").touch()  # a machine that is busy for 10 ms sends none
    result = invoke("emit", "--to", "file://out", "--rate", "1000000000", "--duration", "10ms")
    sent = Path("out").read_bytes().count(b"\n")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == f"{10_000_000 - sent} fewer than the rate makes in that time."


def test_messages_that_are_too_large_are_told() -> None:
    """They are sent with a part of their payload, which is no failure."""
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    result = invoke("emit", "--to", "pipe", "--payload", "x" * 5000)
    assert len(os.read(reader, 10_000)) == 4096
    os.close(reader)
    assert result.exit_code == 0
    assert result.stdout.endswith("1 were too large, and sent with a part of their payload.\n")


@pytest.mark.slow
@pytest.mark.parametrize("senders", ["1", "2"])
@pytest.mark.parametrize(("flags", "status"), [(["--count", "0"], 0), (["--count", "10000000"], 1)])
def test_signal_ends_it_in_order(flags: list[str], status: int, senders: str) -> None:
    """What was sent by then is told. It is no failure if there was no end to be reached."""
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "file://out", "--rate", "1000", *flags]
    with subprocess.Popen(
        [*command, "--senders", senders], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=make_env(), text=True
    ) as process:
        wait_until(lambda: Path("out").exists() and Path("out").stat().st_size > 10_000, "messages are sent")
        wait_until(lambda: is_obeying(process, senders), "all senders are at work")
        process.send_signal(signal.SIGINT)
        told, wrong = process.communicate(timeout=DEADLINE_SECONDS)
    assert (wrong, process.returncode) == ("", status)
    found = SUMMARY.fullmatch(told)
    assert found
    assert found.groups() == (str(Path("out").read_bytes().count(b"\n")), "0")


FORKED = """
import os, runpy, signal, sys
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGINT))
runpy.run_module("pipeline", run_name="__main__")
"""
"""Has each process interrupted as soon as it is there."""


@pytest.mark.slow
def test_signal_before_a_sender_obeys_it_is_not_lost() -> None:
    """Whoever presses Ctrl-C at once sees how it went, and nothing of how it is done."""
    flags = ["--to", "file://out", "--rate", "1", "--count", "1000", "--senders", "3"]
    command = [sys.executable, "-c", FORKED, "emit", *flags]
    ended = subprocess.run(
        command, capture_output=True, check=False, env=make_env(), text=True, timeout=DEADLINE_SECONDS
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith("0 sent in ")


@pytest.mark.slow
def test_signal_ends_waiting_for_a_line() -> None:
    """Which may never come; what came before is sent and told."""
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "file://out", "--lines", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=make_env()) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"line\n")
        process.stdin.flush()
        wait_until(lambda: Path("out").exists() and Path("out").read_bytes() == b"line\n", "the line is sent")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 0
        assert SUMMARY.fullmatch(process.stdout.read().decode())


@pytest.mark.slow
def test_time_ends_waiting_for_a_line() -> None:
    """As it ends everything else."""
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "file://out", "--lines", "-", "--duration", "10ms"]
    result = subprocess.run(command, stdin=reader, capture_output=True, env=make_env(), timeout=DEADLINE_SECONDS)
    os.close(reader)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"0 sent in ")


@pytest.mark.slow
@pytest.mark.parametrize("senders", ["1", "2"])
def test_signal_ends_waiting_for_room(senders: str) -> None:
    """Which a receiver that hangs never makes; lines of a file that were not sent are a failure."""
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    Path("log").write_text("x" * 99 + "\n")
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "pipe", "--wait", "1h", "--lines", "log"]
    command += ["--count", "100000", "--senders", senders]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=make_env()) as process:
        assert process.stdout is not None
        wait_until(lambda: measure_waiting(reader) > 60_000, "the pipe is full")
        wait_until(lambda: is_obeying(process, senders), "all senders are at work")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 1
        assert b" sent in " in process.stdout.read()
    os.close(reader)


def is_obeying(process: subprocess.Popen[Any], senders: str) -> bool:
    """Return whether all its processes have been started, and know what to do at a signal."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    wanted = 0 if senders == "1" else int(senders)
    return len(children) == wanted and all(catches_sigterm(pid) for pid in (str(process.pid), *children))


def catches_sigterm(pid: str) -> bool:
    """Return whether a process has a handler for it (proc_pid_status(5))."""
    found = re.search(r"^SigCgt:\s(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return bool(int(found[1], 16) >> (signal.SIGTERM - 1) & 1)


def measure_waiting(descriptor: int) -> int:
    """Return how many bytes wait in a pipe."""
    waiting = array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, waiting)
    return waiting[0]


@pytest.mark.slow
def test_file_that_was_not_sent_to_its_end_is_a_failure() -> None:
    """It has an end, although no number of lines was asked for."""
    Path("log").write_text("line\n" * 10_000)
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "file://out", "--lines", "log", "--rate", "100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=make_env()) as process:
        wait_until(lambda: Path("out").exists() and Path("out").stat().st_size > 100, "lines are sent")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 1


def test_text_that_is_no_utf8_is_sent_all_the_same() -> None:
    """As the generator sends it."""
    (line,) = emit("--payload", "caf\udce9", "--logger", "\udcff", "--field", "a=\udcff", "--field", "name=x")
    message = json.loads(line)
    assert (message["payload"], message["logger"], message["fields"]["a"]) == ("caf\ufffd", "\ufffd", "\ufffd")


@pytest.mark.slow
@pytest.mark.parametrize("senders", ["1", "2"])
def test_reader_of_standard_output_that_leaves_ends_it(senders: str) -> None:
    """As in `| head -1`, although it was to have no end."""
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "-", "--count", "0", "--senders", senders]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=make_env()) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b'{"type":"counter",')
        process.stdout.close()
        assert process.wait(DEADLINE_SECONDS) == 1
        assert process.stderr is not None
        assert process.stderr.read().endswith(b"nobody listens: Broken pipe.\n")


@pytest.mark.slow
def test_sender_that_is_killed_is_a_failure() -> None:
    """The others are told of."""
    command = [sys.executable, "-m", "pipeline", "emit", "--to", "file://out", "--rate", "2000", "--count", "0"]
    with subprocess.Popen(
        [*command, "--senders", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=make_env(), text=True
    ) as process:
        wait_until(lambda: Path("out").exists() and Path("out").stat().st_size > 10_000, "messages are sent")
        wait_until(lambda: is_obeying(process, "2"), "both senders are at work")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        os.kill(int(children[1]), signal.SIGINT)
        told, wrong = process.communicate(timeout=DEADLINE_SECONDS)
    assert (wrong, process.returncode) == ("", 1)
    assert SUMMARY.fullmatch(told)


@pytest.mark.slow
def test_terminal_gets_a_bar() -> None:
    """And the summary."""
    shown = run_on_terminal("emit", "--to", "file://out", "--count", "20000")
    assert "━" in shown
    assert "20000 sent in " in shown


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "No receiver is given. Name one with --to."),
        (["--to", "x", "--rate", "-1"], "--rate must be at least 0, not -1."),
        (["--to", "x", "--count", "-1"], "--count must be at least 0, not -1."),
        (["--to", "x", "--senders", "0"], "--senders must be from 1 to 64, not 0."),
        (["--to", "x", "--senders", "65"], "--senders must be from 1 to 64, not 65."),
        (["--to", "x", "--severity", "8"], "--severity must be from 0 (emergency) to 7 (debug), not 8."),
        (
            ["--to", "x", "--line", "a", "--lines", "b"],
            "--line and --lines exclude each other: there is one line, or those of a file.",
        ),
        (["--to", "x", "--line", "a\nb"], "--line must be one line."),
        (
            ["--to", "x", "--lines", "-", "--senders", "2"],
            "Standard input can be read by one sender only, not by --senders.",
        ),
        (["--to", "journal://", "--line", "a"], "The journal takes entries, not lines: leave out --line and --lines."),
        (["--to", "x"], "--to: there is nothing at x; write file://x for a new file."),
        (["--to", "."], "--to: . is a directory, not a named pipe or a file."),
        (["--to", "udp://x"], "--to: 'x' names no host and port: write HOST:PORT or [IPV6]:PORT."),
        (["--to", "file://out", "--lines", "none"], "none cannot be read: no such file or directory."),
        (
            ["--to", "file://out", "--lines", "none", "--senders", "2"],
            "none cannot be read: no such file or directory.",
        ),
    ],
)
def test_wrong_use_is_one_sentence(flags: list[str], sentence: str) -> None:
    """With status 2, and nothing else is said."""
    result = invoke("emit", *flags)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {sentence}\n")


def test_field_without_a_name() -> None:
    result = invoke("emit", "--to", "file://out", "--field", "=1")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        2,
        "Error: Invalid value for '--field': '=1' is not a field: write NAME=VALUE.",
    )


def test_flags_may_stand_in_a_file() -> None:
    """As those of other commands; fields as an array."""
    Path("emit.toml").write_text('to = "file://out"\ncount = 2\nfield = ["name=logins", "shop=a,b"]\n')
    result = invoke("emit", "--config", "emit.toml")
    assert result.exit_code == 0
    assert [json.loads(line)["fields"]["shop"] for line in Path("out").read_bytes().splitlines()] == ["a,b"] * 2


PROGRAM = """
counter seen_total by way
/^emit (?P<way>\\w+) \\d+$/ {
  seen_total[$way]++
}
"""
# What the kernel keeps of UDP for a reader that is busy: 200 datagrams always fit.
COUNTS = {"pipe": 3000, "unix": 3000, "unixgram": 3000, "tcp": 3000, "udp": 200, "file": 3000}


@pytest.mark.slow
def test_each_kind_of_source_gets_each_line(folder: Path) -> None:
    """Into the real daemon."""
    Path("count.mtail").write_text(PROGRAM)
    os.mkfifo("pipe")
    Path("file").touch()
    tcp, udp = find_port(), find_port()
    addresses = {
        "pipe": "pipe",
        "unix": "unix://stream",
        "unixgram": "unixgram://datagram",
        "tcp": f"tcp://127.0.0.1:{tcp}",
        "udp": f"udp://127.0.0.1:{udp}",
        "file": "file",
    }
    page = ""

    def is_counted() -> bool:
        nonlocal page
        page = fetch_metrics(folder / "metrics.sock")
        return all(
            re.search(rf'^seen_total{{.*way="{way}"}} {count}$', page, re.MULTILINE) for way, count in COUNTS.items()
        )

    with run_pipeline(folder, "--progs", "count.mtail", "--logs", ",".join(addresses.values())):
        for way, address in addresses.items():
            count = str(COUNTS[way])
            flags = ["--line", f"emit {way} {{n}}", "--count", count, "--wait", "30s", "--senders", "2"]
            result = invoke("emit", "--to", address, *flags)
            assert (result.exit_code, result.stdout.partition(" ")[0]) == (0, count), result.stdout
        wait_until(is_counted, "all lines are counted")


@pytest.mark.slow
def test_page_leads_to_metrics(folder: Path) -> None:
    """Each command that docs/metlog.md shows prints what stands below it."""
    steps = read_steps(ROOT / "docs" / "metlog.md", "Trying it")
    with open_shell(folder, {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}) as shell:
        follow(steps, shell, slowly=True)
