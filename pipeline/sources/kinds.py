"""The kinds of sources, and which of them an item of `--logs` names."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import SettingError, describe_os_error
from pipeline.settings import SourceSettings
from pipeline.sources.fifo import FifoSource
from pipeline.sources.file import FileSource
from pipeline.sources.intake import STDIN_NAMES, Source
from pipeline.sources.stdin import StdinSource
from pipeline.sources.unix_datagram import UnixDatagramSource
from pipeline.sources.unix_stream import UnixStreamSource

SOURCES: dict[str, Callable[[Path, SourceSettings], Source]] = {
    "unix://": UnixStreamSource,
    "unixgram://": UnixDatagramSource,
}
"""What a source named by an address is. A source without one is standard input, a pipe or a file."""


def parse_sources(settings: SourceSettings) -> list[Source]:
    """Return the sources that `--logs` names; one that is named twice is read once."""
    sources: dict[str, Source] = {}
    for spec in settings.logs:
        source = parse_source(spec, settings)
        sources.setdefault("-" if source.name in STDIN_NAMES else source.name, source)
    return list(sources.values())


def parse_source(spec: str, settings: SourceSettings) -> Source:
    """Return the source that one item of `--logs` names; raises `SettingError` when it can be none."""
    if spec in STDIN_NAMES:
        return StdinSource(spec, settings)
    for scheme, make_source in SOURCES.items():
        if spec.startswith(scheme):
            return make_source(parse_path(spec.removeprefix(scheme), spec), settings)
    path = parse_path(spec.removeprefix("file://"), spec)
    return choose_by_kind(path)(path, settings)


def parse_path(text: str, spec: str) -> Path:
    """Return the absolute path, cleaned of `.` and `..` by its text alone, as mtail names sources."""
    if not text:
        raise SettingError(f"The source {spec!r} names no path.")
    return Path(os.path.normpath(Path.cwd() / text))


def choose_by_kind(path: Path) -> Callable[[Path, SourceSettings], Source]:
    """Return what reads the thing at `path`; where nothing is, that will be a named pipe."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise SettingError(f"{path} cannot be read: there is no directory {path.parent}.") from None
        return FifoSource
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {describe_os_error(error)}.") from error
    if stat.S_ISFIFO(mode):
        return FifoSource
    if stat.S_ISREG(mode):
        return FileSource
    if stat.S_ISDIR(mode):
        raise SettingError(f"{path} is a directory, not a named pipe or a file.")
    if stat.S_ISSOCK(mode):
        raise SettingError(f"{path} is a socket: write unix://{path} or unixgram://{path}.")
    raise SettingError(f"{path} is a device, not a named pipe or a file.")
