"""Emit: messages and lines for each kind of receiver, what it prints, and a status that says whether all were sent."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from pathlib import Path

import pytest

from pipeline.emitting.templates import read_value
from tests.e2e.daemons import ROOT, fetch_metrics, run_pipeline, wait_until
from tests.e2e.pages import follow, open_shell, read_steps
from tests.emitted import SUMMARY, folder
from tests.metlog.senders.peers import receive_all
from tests.ports import find_port
from tests.test_cli import invoke, run, run_on_terminal

__all__ = ["folder"]


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


def test_text_that_is_no_utf8_is_sent_all_the_same() -> None:
    """As the generator sends it."""
    (line,) = emit("--payload", "caf\udce9", "--logger", "\udcff", "--field", "a=\udcff", "--field", "name=x")
    message = json.loads(line)
    assert (message["payload"], message["logger"], message["fields"]["a"]) == ("caf\ufffd", "\ufffd", "\ufffd")


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
