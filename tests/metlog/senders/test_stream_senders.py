"""Messages to streams of text, which nobody may read; and those that are kept for tests."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from pipeline.metlog.senders import DebugCaptureSender, StdErrSender, StdOutSender, StreamSender, format_line
from pipeline.metlog.senders.sender import FAILED, FULL, NO_JSON
from tests.metlog.senders.peers import make_message, read_payload, read_waiting


@contextmanager
def piped() -> Iterator[tuple[int, TextIO]]:
    """Give a pipe: the descriptor of its end, and a stream that leads into it."""
    reader, writer = os.pipe()
    try:
        with os.fdopen(writer, "w", encoding="utf-8") as stream:
            yield reader, stream
    finally:
        os.close(reader)


def test_stream_in_memory() -> None:
    """A line for each message."""
    stream = io.StringIO()
    sender = StreamSender(stream)
    sender.send_message(make_message("ü\n"))
    sender.send_message(make_message("2"))
    assert [json.loads(line)["payload"] for line in stream.getvalue().splitlines()] == ["ü\n", "2"]
    assert sender.counts.sent == 2


def test_standard_output_and_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Each to its own, with a formatter if one is given."""
    StdOutSender().send_message(make_message("out"))
    StdErrSender(lambda message: f"<{message['payload']}>").send_message(make_message("err"))
    told = capsys.readouterr()
    assert read_payload(told.out.encode()) == "out"
    assert told.err == "<err>\n"


def test_people_on_a_terminal_get_a_field_on_each_line() -> None:
    """As metlog-py wrote everywhere; others need a line."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        StreamSender(stream).send_message(make_message())
        text = os.read(master, 65536).decode()
        StreamSender(stream, format_line).send_message(make_message())
        line = os.read(master, 65536).decode()
    os.close(master)
    assert text.startswith('{\r\n    "type": "counter",\r\n')
    assert line.startswith('{"type":"counter",')


def test_reader_that_hangs() -> None:
    """What finds no room is dropped, whole lines arrive, and when it reads again messages arrive again."""
    with piped() as (reader, stream):
        sender = StreamSender(stream)
        for number in range(500):
            sender.send_message(make_message(f"{number} {'x' * 700}"))
        lines = read_waiting(reader).splitlines(keepends=True)
        assert all(line.endswith(b"\n") for line in lines)
        assert (sender.counts.sent, sender.counts.causes) == (len(lines), {FULL: 500 - len(lines)})
        sender.send_message(make_message("again"))
        assert read_payload(read_waiting(reader)) == "again"


@pytest.mark.parametrize("size", [5_000, 20_000, 60_000])
def test_reader_that_hangs_before_long_lines(size: int) -> None:
    """A pipe that has some room has none for these; nobody waits in the middle of one."""
    with piped() as (reader, stream):
        sender = StreamSender(stream)
        for _ in range(100):
            sender.send_message(make_message("x" * size))
            sender.send_message(make_message("short"))
        data = read_waiting(reader)
    assert data.endswith(b"\n")
    assert len(data.splitlines()) == sender.counts.sent >= 1
    assert sender.counts.causes == {FULL: 200 - sender.counts.sent}


def test_reader_that_has_gone() -> None:
    """It is a failure like another, and nothing is raised."""
    reader, writer = os.pipe()
    os.close(reader)
    stream = io.TextIOWrapper(io.FileIO(writer, "w"), write_through=True)
    sender = StreamSender(stream)
    sender.send_message(make_message())
    assert sender.counts.dropped == 1
    stream.close()


def test_stream_that_is_closed() -> None:
    """The application may have closed its standard output."""
    stream = io.StringIO()
    sender = StreamSender(stream)
    stream.close()
    sender.send_message(make_message())
    assert (sender.counts.causes, sender.counts.last_failure) == (
        {FAILED: 1},
        f"{FAILED}: I/O operation on closed file",
    )


def test_stream_of_few_characters(tmp_path: Path) -> None:
    """What its encoding has not is escaped, as a locale may know ASCII only."""
    with (tmp_path / "log").open("w", encoding="ascii") as stream:
        sender = StreamSender(stream, lambda message: str(message["payload"]))
        sender.send_message(make_message("ü"))
    assert (tmp_path / "log").read_text() == "\\xfc\n"
    assert sender.counts.sent == 1


@pytest.mark.parametrize("where", ["file", "pipe"])
def test_lines_of_the_application_stay_in_order(where: str, tmp_path: Path) -> None:
    """What it printed before stands before."""
    script = (
        "from pipeline.metlog.senders import StdOutSender\n"
        "sender = StdOutSender(lambda message: message['payload'])\n"
        "for number in range(3):\n"
        "    print('printed', number)\n"
        "    sender.send_message({'payload': f'sent {number}'})\n"
    )
    command = [sys.executable, "-c", script]
    if where == "pipe":
        text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    else:
        with (tmp_path / "out").open("w") as stream:
            subprocess.run(command, stdout=stream, check=True)
        text = (tmp_path / "out").read_text()
    assert text == "".join(f"printed {number}\nsent {number}\n" for number in range(3))


def test_last_hundred_messages_are_kept() -> None:
    """As JSON, as in metlog-py, and as they came; with the attributes that a test has given."""
    sender = DebugCaptureSender(color="blue")
    for number in range(150):
        sender.send_message(make_message(str(number)))
    assert [json.loads(text)["payload"] for text in sender.msgs] == [str(number) for number in range(50, 150)]
    assert [message["payload"] for message in sender.messages] == [str(number) for number in range(50, 150)]
    assert vars(sender)["color"] == "blue"
    sender.send_message({"type": object()})
    assert (sender.counts.sent, sender.counts.causes) == (150, {NO_JSON: 1})
