"""Messages as lines of a file, which others rotate, and whose disk may be full."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.metlog.envelope import Message
from pipeline.metlog.senders import FileSender, SenderError, format_pretty
from pipeline.metlog.senders.sender import FULL, GONE, NO_SPACE
from tests.metlog.senders.peers import make_message, read_payload


def read_payloads(path: Path) -> list[str]:
    return [read_payload(line) for line in path.read_bytes().splitlines()]


def test_messages_are_appended(tmp_path: Path) -> None:
    """Behind what is there, at once; the file is not for everybody to read."""
    path = tmp_path / "log"
    path.write_text(json.dumps(make_message("0")) + "\n")
    sender = FileSender(path)
    sender.send_message(make_message("1\n"))
    assert read_payloads(path) == ["0", "1\n"]
    sender.close()
    sender.send_message(make_message("2"))
    sender.close()
    assert read_payloads(path) == ["0", "1\n", "2"]
    other = FileSender(tmp_path / "new")
    other.send_message(make_message())
    other.close()
    assert (tmp_path / "new").stat().st_mode & 0o027 == 0


def test_rotated_file_is_opened_anew(tmp_path: Path) -> None:
    """With the very next message, whether there is a new file yet or not."""
    path = tmp_path / "log"
    sender = FileSender(path)
    sender.send_message(make_message("1"))
    path.rename(tmp_path / "log.1")
    sender.send_message(make_message("2"))
    path.rename(tmp_path / "log.2")
    path.touch()
    sender.send_message(make_message("3"))
    path.unlink()
    sender.send_message(make_message("4"))
    sender.close()
    assert [read_payloads(tmp_path / name) for name in ("log.1", "log.2", "log")] == [["1"], ["2"], ["4"]]
    assert (sender.counts.sent, sender.counts.dropped) == (4, 0)


def test_truncated_file_is_appended_to(tmp_path: Path) -> None:
    """As logrotate's copytruncate leaves it: no hole is left in front."""
    path = tmp_path / "log"
    sender = FileSender(path)
    sender.send_message(make_message("1"))
    os.truncate(path, 0)
    sender.send_message(make_message("2"))
    sender.close()
    assert read_payloads(path) == ["2"]


def test_folder_that_is_missing(tmp_path: Path) -> None:
    """Messages are dropped until it is there."""
    path = tmp_path / "new" / "log"
    sender = FileSender(path)
    sender.send_message(make_message("lost"))
    assert sender.counts.causes == {GONE: 1}
    path.parent.mkdir()
    sender.send_message(make_message("2"))
    sender.close()
    assert read_payloads(path) == ["2"]


def test_application_that_goes_to_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file stays where it was meant."""
    monkeypatch.chdir(tmp_path)
    sender = FileSender("log")
    monkeypatch.chdir("/")
    sender.send_message(make_message())
    sender.close()
    assert read_payloads(tmp_path / "log") == ["1"]


def test_full_disk() -> None:
    """It is counted, with what the system says."""
    sender = FileSender("/dev/full")
    sender.send_message(make_message())
    assert (sender.counts.sent, sender.counts.causes) == (0, {NO_SPACE: 1})
    assert sender.counts.last_failure == "no space on the disk: No space left on device"


def test_line_that_was_written_in_part(tmp_path: Path) -> None:
    """The disk was full in the middle of it. The next line begins on a line of its own."""
    script = (
        "import resource, sys\n"
        "from pipeline.metlog.senders import FileSender\n"
        "sender = FileSender(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))\n"
        "for number in range(2):\n"
        "    sender.send_message({'type': str(number), 'payload': 'x' * 50})\n"
        "sender.send_message({'type': 'none of it', 'payload': ''})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "sender.send_message({'type': '2', 'payload': ''})\n"
        "print(sender.counts.sent, sender.counts.causes)\n"
    )
    path = tmp_path / "log"
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    first, torn, *rest = path.read_text().splitlines()
    assert json.loads(first)["type"] == "0"
    assert torn.startswith('{"type":"1"')
    assert len(first) + 1 + len(torn) == 100
    assert [json.loads(line)["type"] for line in rest] == ["2"]
    assert done.stdout == f"2 {{'{NO_SPACE}': 2}}\n"


def test_pipe_instead_of_a_file(tmp_path: Path) -> None:
    """It is written to when somebody reads it, and never waited for."""
    path = tmp_path / "log"
    os.mkfifo(path)
    sender = FileSender(path)
    sender.send_message(make_message())
    assert sender.counts.causes == {GONE: 1}
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    while FULL not in sender.counts.causes:
        sender.send_message(make_message("x" * 1000))
    os.close(reader)
    sender.close()
    assert sender.counts.sent > 10


def spell_short(message: Message) -> str:
    """A formatter of an application."""
    return f"{message['type']}: {message['payload']}\ud800"


@pytest.mark.parametrize("formatter", [spell_short, f"{__name__}.spell_short"], ids=["function", "name"])
def test_formatter(formatter: object, tmp_path: Path) -> None:
    """It may be given by its dotted name, as in a file of configuration. What UTF-8 has not is escaped."""
    sender = FileSender(tmp_path / "log", formatter)  # type: ignore[arg-type]
    sender.send_message(make_message())
    sender.close()
    assert (tmp_path / "log").read_text() == "counter: 1\\ud800\n"


def test_pretty_lines(tmp_path: Path) -> None:
    """As metlog-py wrote them."""
    sender = FileSender(tmp_path / "log", format_pretty)
    sender.send_message(make_message())
    sender.close()
    assert (tmp_path / "log").read_text().startswith('{\n    "type": "counter",\n    "timestamp": ')


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("json.nothing", "There is no formatter 'json.nothing': module 'json' has no attribute 'nothing'."),
        ("no_such_module.f", "There is no formatter 'no_such_module.f': No module named 'no_such_module'."),
        ("dumps", "There is no formatter 'dumps': module 'pipeline.metlog' has no attribute 'dumps'."),
        ("json.__name__", "'json.__name__' cannot be called, so it is no formatter."),
    ],
)
def test_formatter_that_is_none(name: str, text: str) -> None:
    """It is told when the sender is made."""
    with pytest.raises(SenderError) as caught:
        FileSender("log", name)
    assert str(caught.value) == text
