"""What an item of `--logs` means."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources.fifo import FifoSource
from pipeline.sources.file import FileSource
from pipeline.sources.kinds import parse_source, parse_sources
from pipeline.sources.stdin import StdinSource
from pipeline.sources.unix_datagram import UnixDatagramSource
from pipeline.sources.unix_stream import UnixStreamSource
from tests.sources.collector import SETTINGS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one thing of each kind, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    (tmp_path / "log").touch()
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
        ("log", FileSource, "{folder}/log"),
        ("file://{folder}/log", FileSource, "{folder}/log"),
        ("none/../folder/./../log", FileSource, "{folder}/log"),
        ("new?#%", FifoSource, "{folder}/new?#%"),
        ("unix://{folder}/new", UnixStreamSource, "unix://{folder}/new"),
        ("unix://new", UnixStreamSource, "unix://{folder}/new"),
        ("unixgram://{folder}/new", UnixDatagramSource, "unixgram://{folder}/new"),
    ],
)
def test_spec_chooses_the_source(folder: Path, spec: str, kind: type, name: str) -> None:
    """By its scheme, or by what is at the path; where nothing is there will be a named pipe."""
    source = parse_source(spec.format(folder=folder), SETTINGS)
    assert type(source) is kind
    assert source.name == name.format(folder=folder)
    assert source.counts.origin == os.fsencode(source.name)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "The source '' names no path."),
        ("unix://", "The source 'unix://' names no path."),
        ("folder", "{folder}/folder is a directory, not a named pipe or a file."),
        ("socket", "{folder}/socket is a socket: write unix://{folder}/socket or unixgram://{folder}/socket."),
        ("/dev/null", "/dev/null is a device, not a named pipe or a file."),
        ("none/pipe", "{folder}/none/pipe cannot be read: there is no directory {folder}/none."),
        ("log/pipe", "{folder}/log/pipe cannot be read: not a directory."),
    ],
)
def test_what_can_be_no_source_is_one_sentence(folder: Path, spec: str, message: str) -> None:
    """The operator is told before anything is opened."""
    with pytest.raises(SettingError) as caught:
        parse_source(spec, SETTINGS)
    assert str(caught.value) == message.format(folder=folder)


def test_source_that_is_named_twice_is_read_once(folder: Path) -> None:
    """Whichever way its path is written."""
    settings = SourceSettings(logs=("log", "-", "pipe", "folder/../log", "/dev/stdin"))
    names = [source.name for source in parse_sources(settings)]
    assert names == [str(folder / "log"), "-", str(folder / "pipe")]
