"""The kinds of sources, and which of them an item of `--logs` names."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from pipeline.errors import SettingError, describe_os_error
from pipeline.settings import SourceSettings
from pipeline.sources.confirm import ConfirmingSource
from pipeline.sources.fifo import FifoSource
from pipeline.sources.files import PathPattern, PathSource, has_wildcard
from pipeline.sources.inet_address import InetAddress
from pipeline.sources.inherited import SCHEME, resolve_names
from pipeline.sources.intake import STDIN_NAMES, Source
from pipeline.sources.journal import JournalSource
from pipeline.sources.records import check_rules
from pipeline.sources.stdin import StdinSource
from pipeline.sources.stream import StreamSource
from pipeline.sources.surroundings import Surroundings
from pipeline.sources.tcp import TcpSource
from pipeline.sources.udp import UdpSource
from pipeline.sources.unix_address import UnixAddress
from pipeline.sources.unix_datagram import UnixDatagramSource
from pipeline.sources.unix_stream import UnixStreamSource

Parse: TypeAlias = Callable[[str, SourceSettings, Surroundings], Source]
"""Returns the source of what an operator wrote, from its scheme on; raises `SettingError`."""


def parse_unix_stream(spec: str, settings: SourceSettings, surroundings: Surroundings) -> Source:
    return UnixStreamSource(parse_unix_address(spec), settings, surroundings)


def parse_unix_datagram(spec: str, settings: SourceSettings, surroundings: Surroundings) -> Source:
    return UnixDatagramSource(parse_unix_address(spec), settings, surroundings)


def parse_tcp(spec: str, settings: SourceSettings, surroundings: Surroundings) -> Source:
    return TcpSource(InetAddress(spec), settings, surroundings)


def parse_udp(spec: str, settings: SourceSettings, surroundings: Surroundings) -> Source:
    return UdpSource(InetAddress(spec), settings, surroundings)


FILE_SCHEME = "file://"
"""Says of a path that a file is meant, also where nothing is yet."""

UNKNOWN_SCHEME = re.compile(r"[a-z]+://", re.IGNORECASE)
"""Of what is no address of ours, it is a slip rather than the path of a folder whose name ends in a colon."""

SOURCES: dict[str, Parse] = {
    "tcp://": parse_tcp,
    "udp://": parse_udp,
    "journal://": JournalSource,
    "unix://": parse_unix_stream,
    "unixgram://": parse_unix_datagram,
}
"""What a source named by an address is. A source without one is standard input, a pipe or a file."""


def parse_items(settings: SourceSettings, surroundings: Surroundings) -> dict[str, Source]:
    """Return the source of each item of `--logs`, as it is written there; items that name the same share it."""
    if settings.confirm and not any(spec in STDIN_NAMES for spec in settings.logs):
        raise SettingError("--confirm is about standard input, and that is not among --logs: add -.")
    check_rules(settings.records)
    items: dict[str, Source] = {}
    sources: dict[str, Source] = {}
    for spec in resolve_names(settings.logs, surroundings.descriptors):
        source = parse_source(spec, settings, surroundings)
        items[spec] = sources.setdefault("-" if source.name in STDIN_NAMES else source.name, source)
        surroundings.ledger.claim(source.name, source)
    return items


def count_listeners(sources: Iterable[Source]) -> int:
    """Return how many of the sources accept connections."""
    return sum(isinstance(source, StreamSource) for source in sources)


def find_reader(items: Mapping[str, Source], path: str) -> str | None:
    """Return the item whose source reads the file at an absolute path, or would if it came; None if there is none."""
    return next((item for item, source in items.items() if may_read(source, os.path.normpath(path))), None)


def may_read(source: Source, path: str) -> bool:
    """Return whether a source reads what is at `path`, now or later."""
    return source.roster.pattern.matches(path) if isinstance(source, PathSource) else source.name == path


def parse_source(spec: str, settings: SourceSettings, surroundings: Surroundings) -> Source:
    """Return the source that one item of `--logs` names; raises `SettingError` when it can be none."""
    if spec in STDIN_NAMES:
        return (ConfirmingSource if settings.confirm else StdinSource)(spec, settings, surroundings)
    for scheme, parse in SOURCES.items():
        if spec.startswith(scheme):
            return parse(spec, settings, surroundings)
    if UNKNOWN_SCHEME.match(spec) and not spec.startswith(FILE_SCHEME) and not os.path.lexists(spec):
        known = ", ".join((*SOURCES, SCHEME, FILE_SCHEME))
        raise SettingError(
            f"The source {spec!r} is of no known kind: there are {known}, paths, and - for standard input."
        )
    path = parse_path(spec.removeprefix(FILE_SCHEME), spec)
    return choose_by_kind(path, may_come=spec.startswith(FILE_SCHEME))(path, settings, surroundings)


def parse_unix_address(spec: str) -> UnixAddress:
    """Return the address behind the scheme of `spec`."""
    _, _, text = spec.partition("://")
    return UnixAddress(text if text.startswith("@") and text != "@" else str(parse_path(text, spec)))


def parse_path(text: str, spec: str) -> Path:
    """Return the absolute path, cleaned of `.` and `..` by its text alone, as mtail names sources."""
    if not text:
        raise SettingError(f"The source {spec!r} names no path.")
    return Path(os.path.normpath(Path.cwd() / text))


def choose_by_kind(path: Path, *, may_come: bool) -> Callable[[Path, SourceSettings, Surroundings], Source]:
    """Return what reads the thing at `path`.

    Where nothing is, that will be a named pipe, but a file if it `may_come`. A link that leads nowhere is
    one that is switched from file to file.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if may_come or path.is_symlink() or has_wildcard(str(path)):
            return make_path_source
        if not path.parent.is_dir():
            raise SettingError(f"{path} cannot be read: there is no directory {path.parent}.") from None
        return FifoSource
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {describe_os_error(error)}.") from error
    if stat.S_ISFIFO(mode):
        return FifoSource
    if stat.S_ISREG(mode):
        return make_path_source
    if stat.S_ISDIR(mode):
        raise SettingError(f"{path} is a directory, not a named pipe or a file.")
    if stat.S_ISSOCK(mode):
        raise SettingError(f"{path} is a socket: write unix://{path} or unixgram://{path}.")
    raise SettingError(f"{path} is a device, not a named pipe or a file.")


def make_path_source(path: Path, settings: SourceSettings, surroundings: Surroundings) -> Source:
    """Return what reads the file at `path`, or all that `path` matches if nothing has that very name."""
    text = str(path)
    is_name = os.path.lexists(path) or not has_wildcard(text)
    pattern = PathPattern.of_path(text) if is_name else PathPattern.parse(text)
    return PathSource(pattern, settings, surroundings)
