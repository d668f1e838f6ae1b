"""What an item of `--logs` means."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources.fifo import FifoSource
from pipeline.sources.files import PathSource
from pipeline.sources.journal import JournalSource
from pipeline.sources.kinds import parse_items, parse_source
from pipeline.sources.stdin import StdinSource
from pipeline.sources.surroundings import Surroundings
from pipeline.sources.tcp import TcpSource
from pipeline.sources.udp import UdpSource
from pipeline.sources.unix_datagram import UnixDatagramSource
from pipeline.sources.unix_stream import UnixStreamSource
from tests.sources.collector import SETTINGS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one thing of each kind, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    (tmp_path / "log").touch()
    (tmp_path / "link").symlink_to("nothing")
    (tmp_path / "log[1]").touch()
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    return tmp_path


@pytest.mark.parametrize(
    ("spec", "kind", "name"),
    [
        ("-", StdinSource, "-"),
        ("/dev/stdin", StdinSource, "/dev/stdin"),
        ("pipe", FifoSource, "{folder}/pipe"),
        ("log", PathSource, "{folder}/log"),
        ("file://{folder}/log", PathSource, "{folder}/log"),
        ("file://none/new", PathSource, "{folder}/none/new"),
        ("none/../folder/./../log", PathSource, "{folder}/log"),
        ("new#%", FifoSource, "{folder}/new#%"),
        ("link", PathSource, "{folder}/link"),
        ("unix://{folder}/new", UnixStreamSource, "unix://{folder}/new"),
        ("unix://new", UnixStreamSource, "unix://{folder}/new"),
        ("unixgram://{folder}/new", UnixDatagramSource, "unixgram://{folder}/new"),
        ("journal://?unit=ssh", JournalSource, "journal://?unit=ssh"),
        ("unix://@new", UnixStreamSource, "unix://@new"),
        ("unixgram://@a/../b", UnixDatagramSource, "unixgram://@a/../b"),
        ("tcp://localhost:5514", TcpSource, "tcp://localhost:5514"),
        ("tcp://[::1]:5514", TcpSource, "tcp://[::1]:5514"),
        ("udp://:5514", UdpSource, "udp://:5514"),
    ],
)
def test_spec_chooses_the_source(folder: Path, spec: str, kind: type, name: str) -> None:
    """By its scheme, or by what is at the path; where nothing is there will be a named pipe."""
    source = parse_source(spec.format(folder=folder), SETTINGS, Surroundings())
    assert type(source) is kind
    assert source.name == name.format(folder=folder)
    assert source.parts[0].counts.origin == os.fsencode(source.name)


@pytest.mark.parametrize(("spec", "is_path"), [("*.log", False), ("log[1]", True), ("[n]one/?", False)])
def test_name_with_wildcards_is_a_pattern_unless_it_exists(folder: Path, spec: str, *, is_path: bool) -> None:
    """What is there under that very name is meant."""
    source = parse_source(spec, SETTINGS, Surroundings())
    assert isinstance(source, PathSource)
    assert source.name == f"{folder}/{spec}"
    assert source.roster.pattern.is_path is is_path


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "The source '' names no path."),
        ("unix://", "The source 'unix://' names no path."),
        ("log[", "The source '{folder}/log[' is no pattern: '[' in it is not complete."),
        ("folder", "{folder}/folder is a directory, not a named pipe or a file."),
        ("socket", "{folder}/socket is a socket: write unix://{folder}/socket or unixgram://{folder}/socket."),
        ("/dev/null", "/dev/null is a device, not a named pipe or a file."),
        (
            "unxi:///run/a.sock",
            "The source 'unxi:///run/a.sock' is of no known kind: there are tcp://, udp://, journal://, unix://, "
            "unixgram://, fd://, file://, paths, and - for standard input.",
        ),
        ("none/pipe", "{folder}/none/pipe cannot be read: there is no directory {folder}/none."),
        ("log/pipe", "{folder}/log/pipe cannot be read: not a directory."),
    ],
)
def test_what_can_be_no_source_is_one_sentence(folder: Path, spec: str, message: str) -> None:
    """The operator is told before anything is opened."""
    with pytest.raises(SettingError) as caught:
        parse_source(spec, SETTINGS, Surroundings())
    assert str(caught.value) == message.format(folder=folder)


def test_source_that_is_named_twice_is_read_once(folder: Path) -> None:
    """Whichever way its path is written."""
    settings = SourceSettings(logs=("log", "-", "pipe", "folder/../log", "/dev/stdin"))
    names = [source.name for source in dict.fromkeys(parse_items(settings, Surroundings()).values())]
    assert names == [str(folder / "log"), "-", str(folder / "pipe")]
