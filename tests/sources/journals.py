"""Journal files for tests, written by the real systemd-journal-remote from entries in the export format."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

SYSTEMD_PATH = "/usr/lib/systemd:/lib/systemd"
"""Where systemd keeps what nobody calls by hand."""

BOOT = "0123456789abcdef0123456789abcdef"

FIRST = 1_709_618_828_000_000
"""2024-03-05 06:07:08 UTC, in microseconds."""


def make_entry(number: int, **fields: str | bytes | None) -> bytes:
    """Return an entry, a second after that of the number before; a field that is None is left out."""
    told: dict[str, str | bytes | None] = {
        "__REALTIME_TIMESTAMP": str(FIRST + number * 1_000_000),
        "__MONOTONIC_TIMESTAMP": str(1_000_000 + number * 1_000_000),
        "_BOOT_ID": BOOT,
        "_HOSTNAME": "web1",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "app",
        "_PID": "42",
        "MESSAGE": f"line {number}",
        **fields,
    }
    return b"".join(write_field(name, value) for name, value in told.items() if value is not None) + b"\n"


def write_field(name: str, value: str | bytes) -> bytes:
    """Return a field in the export format: as text, or with its length where it is none."""
    data = value.encode() if isinstance(value, str) else value
    if isinstance(value, str) and value.isprintable():
        return b"%b=%b\n" % (name.encode(), data)
    return b"%b\n%b%b\n" % (name.encode(), struct.pack("<Q", len(data)), data)


def write_journal(path: Path, entries: Iterable[bytes]) -> None:
    """Write entries to a journal file, behind those that it has."""
    command = shutil.which("systemd-journal-remote", path=SYSTEMD_PATH)
    assert command is not None
    subprocess.run([command, "-o", str(path), "-"], input=b"".join(entries), check=True, capture_output=True)


def read_messages(path: Path, *flags: str) -> list[bytes]:
    """Return what the real journalctl finds in a journal file."""
    command = ["journalctl", "--file", str(path), "--output=cat", "--all", "--quiet", *flags]
    return subprocess.run(command, check=True, capture_output=True).stdout.splitlines()
