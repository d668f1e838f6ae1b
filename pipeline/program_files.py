"""The files that hold programs: which they are, and their texts."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from pipeline.errors import SettingError, describe_os_error

SUFFIX = ".mtail"

# The largest program that mtail ships has 6 KB. A device or a log by mistake must not fill the memory.
MAX_PROGRAM_BYTES = 1024 * 1024


def find_programs(path: Path) -> list[Path]:
    """Return the programs at `path`: a file, or a folder, whose folders are not entered.

    Raises `SettingError` when the path cannot be read or is a file that is no program.
    """
    try:
        if not path.is_dir():
            path.stat()
            if not is_program_name(path.name):
                raise SettingError(f"{path} is not a program: its name does not end in {SUFFIX}.")
            return [path]
        entries = [entry for entry in path.iterdir() if is_program_name(entry.name) and not entry.is_dir()]
    except OSError as error:
        raise SettingError(f"The programs in {path} cannot be read: {describe_os_error(error)}.") from error
    return sorted(entries, key=os.fsencode)


def is_program_name(name: str) -> bool:
    """Return whether a file of this name is a program."""
    return name.endswith(SUFFIX) and not name.startswith(".")


def read_program(path: Path) -> bytes:
    """Return the text of a program; OSError when there is none, or what is there is no file or too large.

    A pipe or a device would keep the reader waiting, so it is opened without waiting and then looked at.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        text = file.read(MAX_PROGRAM_BYTES + 1)
    if len(text) > MAX_PROGRAM_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {MAX_PROGRAM_BYTES:,} bytes")
    return text
