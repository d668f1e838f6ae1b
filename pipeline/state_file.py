"""The state file: what a run of the daemon has counted, and how far it has read, for the next run.

The values of all metrics and the positions of all sources are captured at one moment, between two batches:
what the file says was read is what the values have in them. So after a restart from it, also one after
a crash, what files and the journal give is counted once.

The file is lines of JSON: a head with the version of the format, the positions, records of series
(`metrics/saved.py`), and a last line with the number of the lines before it and their SHA-256. A file that
is not whole, not ours or of a later version is set aside, and the start goes on without it.

It is written beside its place, brought to the disk and then renamed (`NewFile`), so that at any time either
the old one or the new one is there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import SettingError, StateError, describe_os_error
from pipeline.metrics import Metric, MetricCapture, Record, SavedMetrics, capture_metric, write_records
from pipeline.new_file import NewFile

logger = logging.getLogger(__name__)

FORMAT = "syslog-pipeline state"
VERSION = 1

HEAD_BYTES = 4096
"""More than the first line has. What has a longer one is none of ours, and may have no line feed at all."""


@dataclass(frozen=True, slots=True)
class State:
    """What an earlier run has left."""

    metrics: tuple[Metric, ...] = ()
    series_count: int = 0
    positions: Mapping[str, object] = field(default_factory=dict)
    """By the name of a source, what its `position` was."""


@dataclass(frozen=True, slots=True)
class Capture:
    """All that is to be saved, at one moment."""

    metrics: tuple[MetricCapture, ...]
    positions: bytes
    """Spelled out already, because sources go on."""


def capture_state(metrics: Iterable[Metric], positions: Mapping[str, object]) -> Capture:
    """Return what the metrics and positions are now."""
    return Capture(tuple(map(capture_metric, metrics)), write_line({"positions": positions}))


# The form of the file


def write_line(record: Record) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def write_lines(capture: Capture) -> Iterator[bytes]:
    """Yield the lines of the file."""
    digest = hashlib.sha256()
    count = 0
    for line in write_content(capture):
        digest.update(line)
        count += 1
        yield line
    yield write_line({"lines": count, "sha256": digest.hexdigest()})


def write_content(capture: Capture) -> Iterator[bytes]:
    """Yield all lines but the last."""
    yield write_line({"format": FORMAT, "version": VERSION})
    yield capture.positions
    for metric in capture.metrics:
        yield from map(write_line, write_records(metric))


def read_lines(file: BinaryIO) -> State:
    """Return what the lines of a file say; raises `StateError`."""
    head = file.readline(HEAD_BYTES)
    check_head(head)
    digest, count = hashlib.sha256(head), 1
    saved = SavedMetrics()
    positions: dict[str, object] = {}
    for line in file:
        record = read_line(line)
        if "sha256" in record:
            if record != {"lines": count, "sha256": digest.hexdigest()} or not line.endswith(b"\n") or file.read(1):
                raise StateError("it was changed after it was written")
            return State(tuple(saved.metrics), saved.series_count, positions)
        digest.update(line)
        count += 1
        if isinstance(record.get("positions"), dict):
            positions = record["positions"]
        else:
            saved.read_record(record)
    raise StateError("its end is missing")


def read_line(line: bytes) -> Record:
    """Return the object that a line spells; raises `StateError`."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise StateError("it has a line that is no JSON") from error
    if not isinstance(record, dict):
        raise StateError("it has a line that is no record")
    return record


def check_head(line: bytes) -> None:
    """Raise `StateError` unless this is the first line of a file that we can read."""
    if not line:
        raise StateError("it is empty")
    try:
        head = read_line(line)
    except StateError:
        head = {}
    version = head.get("version")
    if head.get("format") != FORMAT or not isinstance(version, int):
        raise StateError("it is not a state file of syslog-pipeline")
    if version > VERSION:
        raise StateError(f"it is of version {version}, and this program knows {VERSION}")


# The file on the disk


def read_state(path: Path) -> State:
    """Return what an earlier run has left at `path`: nothing if there is nothing, or nothing that can be used.

    What cannot be used is set aside. Raises `SettingError` when nobody could ever write there.
    """
    check_writable(path)
    try:
        with open_state(path) as file:
            return read_lines(file)
    except FileNotFoundError:
        return State()
    except StateError as error:
        set_aside(path, str(error))
    except OSError as error:
        set_aside(path, describe_os_error(error))
    return State()


@contextmanager
def hold_state(path: Path) -> Iterator[None]:
    """Be the only one to keep the state at `path`; raises `SettingError` where somebody else does.

    The lock is on a file beside it (flock(2)), as the state's own is replaced by each write. It is removed while it
    is held. One that a crash has left behind is locked by nobody, and taken.
    """
    lock = path.with_name(path.name + ".lock")
    try:
        descriptor = lock_file(lock)
    except BlockingIOError as error:
        raise SettingError(f"Somebody already keeps the state file {path}.") from error
    except OSError as error:
        raise SettingError(f"The state file {path} cannot be written: {describe_os_error(error)}.") from error
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def lock_file(path: Path) -> int:
    """Lock the file at `path`, which is made if it is missing, and return its descriptor; raises `OSError`."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(descriptor, path):
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder has removed it between the two calls


def is_at(descriptor: int, path: Path) -> bool:
    """Return whether what is open is what is at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def open_state(path: Path) -> BinaryIO:
    """Open a regular file for reading; `SettingError` for anything else, and where we may not."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        raise SettingError(f"The state file {path} cannot be read: {describe_os_error(error)}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SettingError(f"The state file {path} is not a regular file.")
    return os.fdopen(descriptor, "rb")


def check_writable(path: Path) -> None:
    """Raise `SettingError` unless a state can be put at `path`."""
    new = NewFile(path)
    try:
        new.create()
    except OSError as error:
        raise SettingError(f"The state file {path} cannot be written: {describe_os_error(error)}.") from error
    new.discard()


def set_aside(path: Path, why: str) -> None:
    """Give a file that cannot be used another name, and say so."""
    aside = path.with_name(path.name + ".damaged")
    try:
        path.replace(aside)
    except OSError as error:
        raise SettingError(
            f"The state file {path} cannot be used: {why}, nor be renamed to {aside.name}: {describe_os_error(error)}."
        ) from error
    logger.warning(
        "The state file %s cannot be used: %s. It is kept as %s; the metrics start anew.", path, why, aside.name
    )
