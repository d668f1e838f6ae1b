"""An application written for metlog-py's API runs, with its import lines changed and nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEGACY = Path(__file__).parent / "legacy"
IMPORT = re.compile(r"^(from|import) metlog\b", re.MULTILINE)


def change_imports(text: str) -> str:
    """Return the text of an application with our package in the place of the old one."""
    return IMPORT.sub(r"\1 pipeline.metlog", text)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], list[dict[str, object]]]:
    """What the application has printed, and the datagrams that came from it."""
    folder = tmp_path_factory.mktemp("bookshop")
    shutil.copy(LEGACY / "bookshop.ini", folder)
    program = folder / "bookshop.py"
    program.write_text(change_imports((LEGACY / "bookshop.txt").read_text("utf-8")), "utf-8")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "BOOKSHOP_PORT": str(receiver.getsockname()[1])}
        result = subprocess.run(
            [sys.executable, str(program), str(folder)],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return result, read_datagrams(receiver)


def read_datagrams(receiver: socket.socket) -> list[dict[str, object]]:
    """Return what waits in a socket: over the loopback all is there when it was sent."""
    messages = []
    while True:
        try:
            messages.append(json.loads(receiver.recv(65536)))
        except BlockingIOError:
            return messages


EXPECTED: dict[str, object] = {
    "before configuration": ["Dune x1", "shouted", False, True, True],
    "configuration of a file": [
        True,
        "bookshop",
        5,
        ["idle", "sleepy"],
        ["127.0.0.1", "127.0.0.1"],
        "metlog.senders.udp.UdpSender",
        {"default": "bookshop", "disabled_decorators": "loud", "region": "eu"},
    ],
    "sent over the network": [2, "idle", "Emma x2", "shouted", 1, "Dune"],
    "envelope": [
        {"type": "audit", "logger": "till", "severity": 6, "payload": "", "fields": {}},
        {"type": "audit", "logger": "other", "severity": 1, "payload": "payload", "fields": {"a": 1}},
        {"type": "audit", "logger": "named", "severity": 0, "payload": "p", "fields": {"n": {"m": [1]}}},
        {"type": "raw", "logger": "l", "severity": 1, "payload": "", "fields": {}},
    ],
    "counters": [
        {"type": "counter", "logger": "till", "severity": 6, "payload": "1", "fields": {"name": "plain", "rate": 1.0}},
        {
            "type": "counter",
            "logger": "other",
            "severity": 3,
            "payload": "5",
            "fields": {"way": "card", "name": "full", "rate": 1.0},
        },
    ],
    "timers": [
        True,
        3,
        "untimed",
        None,
        "passed",
        3,
        "refused",
        ["timer", {"a": 1, "name": "block", "rate": 1.0}],
        ["timer", {"name": "function", "rate": 1.0}],
        ["timer", {"name": "failing", "rate": 1.0}],
        *[["timer", {"name": "shared", "rate": 1.0}]] * 3,
        ["timer", {"b": 2, "name": "elsewhere", "rate": 0.25}],
    ],
    "old style": [
        ["oldstyle", 7, "plain 100%", "plain 100%"],
        ["oldstyle", 6, "a and 2", "a and 2"],
        ["oldstyle", 4, "mapped", "mapped"],
        ["oldstyle", 3, "error", "error"],
        ["oldstyle", 2, "critical", "critical"],
        ["oldstyle", 1, "caught", "ValueError: bad title"],
        ["oldstyle", 3, "again so", "ValueError: bad title"],
        ["oldstyle", 1, "without", "without"],
    ],
    "filters": ["oldstyle", "timer"],
    "setup": [False, True, None, ["new", 2]],
    "plugins": [1, "tests", True, "in use", "USD", "CHF"],
    "holder": [True, True, "second", True, None, True, "refused"],
    "decorators": [
        1,
        2,
        [["incrcount", ["n"], "{}"], ["timeit", [], "{}"]],
        ["counter", "timer"],
        "__main__.named",
        "order",
        "Order a book.",
    ],
    "logging": [
        [7, "level 10"],
        [6, "level 20"],
        [4, "level 30"],
        [3, "level 40"],
        [2, "level 50"],
        [30, "as text"],
        [20, "as text"],
        [20, '{"type"'],
    ],
    "senders": ["counter", "counter!", "counter:1\n|", "shorten"],
    "a sender that fails": "still running",
    "text configuration": ["fromtext", "NOT_SET_ANYWHERE"],
}

Run = tuple["subprocess.CompletedProcess[str]", list[dict[str, object]]]


def test_only_import_lines_are_changed() -> None:
    """All of them are at the top, and name metlog-py's own modules."""
    text = (LEGACY / "bookshop.txt").read_text("utf-8")
    changed = [
        line for line, new in zip(text.splitlines(), change_imports(text).splitlines(), strict=True) if line != new
    ]
    assert len(changed) == 13
    assert all(line.startswith("from metlog.") for line in changed)
    assert "pipeline" not in text


def test_application_runs_to_its_end(run: Run) -> None:
    """It says nothing but that its broken sender has lost something, at once and at its end."""
    result, _ = run
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines() == [
        "metlog: 1 message was lost by the client 'broken', last by Broken: 'OSError: broken'",
        "metlog: 2 messages were lost by the client 'broken', last by Broken: 'OSError: broken'",
    ]


@pytest.mark.parametrize("topic", EXPECTED)
def test_part_of_the_application_finds_what_it_expects(run: Run, topic: str) -> None:
    """Each of its calls does what it did."""
    *_, findings = run[0].stdout.splitlines()
    assert json.loads(findings)[topic] == EXPECTED[topic]


def test_no_part_is_left_out(run: Run) -> None:
    """What the application finds is all looked at, and beside it only its sender to standard output has written."""
    *lines, findings = run[0].stdout.splitlines()
    assert json.loads(findings).keys() == EXPECTED.keys()
    assert [json.loads(line)["fields"]["name"] for line in lines] == ["d"]


def test_messages_came_over_the_network(run: Run) -> None:
    """To both hosts, and through the filters of the file."""
    messages = run[1]
    assert messages[::2] == messages[1::2]
    seen = [(message["type"], message["severity"], message["payload"], message["fields"]) for message in messages[::2]]
    timers = [fields for kind, _, _, fields in seen if kind == "timer"]
    assert [row for row in seen if row[0] != "timer"] == [
        ("audit", 5, "opened", {"door": 1, "region": "eu"}),
        ("counter", 5, "3", {"name": "shop.visitors", "rate": 1.0, "region": "eu"}),
        ("cart", 5, "2", {"items": ["Dune", "Emma"], "currency": "EUR", "region": "eu"}),
        ("counter", 5, "1", {"name": "shop.__main__.order", "rate": 1.0, "region": "eu"}),
        ("counter", 5, "2", {"name": "shop.shelf.put", "rate": 1.0, "region": "eu"}),
    ]
    assert timers == [
        {"name": "bookshop.order", "rate": 1.0, "region": "eu"},
        {"name": "__main__.look", "rate": 1.0, "region": "eu"},
        {"name": "elsewhere", "rate": 0.5, "region": "eu"},
    ]
