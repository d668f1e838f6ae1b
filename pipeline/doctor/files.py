"""Files of other programs, read without waiting."""

from __future__ import annotations

from pathlib import Path


def read_text(path: Path) -> str:
    """Return the text of a file; nothing if it cannot be read, or is none: a pipe would keep us waiting."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""


def is_fifo(path: Path) -> bool:
    """Return whether a named pipe is there, as far as our user may see."""
    try:
        return path.is_fifo()
    except OSError:
        return False
