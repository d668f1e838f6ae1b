"""Files that are read once, from start to end."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path
from threading import Thread

import pytest

from pipeline.batch import Batch
from pipeline.errors import SettingError
from pipeline.settings import SourceSettings
from pipeline.sources import ReplayFile
from pipeline.sources.intake import STDIN
from tests.sources.collector import SETTINGS, join_lines, number_lines


def test_file_is_read_from_start_to_end(tmp_path: Path) -> None:
    """The unended last line included; how far it got is known after each batch."""
    lines = number_lines(200_000)
    path = tmp_path / "log"
    path.write_bytes(join_lines(lines) + b"unended")
    file = ReplayFile(f"file://{path}", SETTINGS)
    read = []
    progress = []
    for batch in file.read_batches():
        assert batch.origin == bytes(path)
        read.extend(batch.lines)
        progress.append(file.bytes_read)
    assert read == [*lines, b"unended"]
    assert progress == sorted(progress)
    assert progress[-1] == file.measure() == path.stat().st_size


def test_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a source that is followed."""
    monkeypatch.chdir(tmp_path)
    assert ReplayFile("./folder/../log", SETTINGS).name == str(tmp_path / "log")


@pytest.mark.parametrize(
    "spec", ["unix:///run/log.sock", "unixgram:///run/log.sock", "tcp://127.0.0.1:514", "udp://127.0.0.1:514"]
)
def test_socket_is_refused(spec: str) -> None:
    """It has no end."""
    with pytest.raises(SettingError, match=f"{spec} is a socket"):
        ReplayFile(spec, SETTINGS)


def test_journal_is_refused() -> None:
    """More is logged at any time."""
    with pytest.raises(SettingError) as caught:
        ReplayFile("journal://?unit=ssh", SETTINGS)
    assert str(caught.value) == "journal://?unit=ssh has no end: only files and standard input can be replayed."


@pytest.mark.parametrize("size", [1, 1_000_000], ids=["small", "large"])
def test_compressed_file_is_refused(tmp_path: Path, size: int) -> None:
    """Its lines would match nothing, and nobody would know."""
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(random.Random(0).randbytes(size) + b"\n", 1, mtime=0))
    with pytest.raises(SettingError) as caught:
        list(ReplayFile(str(path), SETTINGS).read_batches())
    assert str(caught.value) == f"{path} is compressed by gzip: pipe it through gzip -dc to --logs -."


def test_over_long_line_is_cut_and_counted(tmp_path: Path) -> None:
    """As in a source that is followed."""
    path = tmp_path / "log"
    path.write_bytes(b"123456789\nnext\n")
    file = ReplayFile(str(path), SourceSettings(logs=(), max_line_bytes=5))
    assert list(file.read_batches()) == [Batch.of([b"12345", b"next"], bytes(path))]
    assert file.counts.lines_truncated == 1


def test_pipe_is_read_until_its_writer_leaves(tmp_path: Path) -> None:
    """Its size is not known."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    file = ReplayFile(str(path), SETTINGS)
    assert file.measure() == 0
    writer = Thread(target=path.write_bytes, args=[b"a\n"])
    writer.start()
    assert [batch.lines for batch in file.read_batches()] == [[b"a"]]
    writer.join()


def test_standard_input_is_read_to_its_end(tmp_path: Path) -> None:
    """It stays open: it is not ours."""
    path = tmp_path / "log"
    path.write_bytes(b"a\n")
    before = os.dup(STDIN)
    with path.open("rb") as log:
        os.dup2(log.fileno(), STDIN)
    try:
        file = ReplayFile("-", SETTINGS)
        assert file.measure() == 2
        assert list(file.read_batches()) == [Batch.of([b"a"], b"-")]
        assert os.fstat(STDIN).st_size == 2
    finally:
        os.dup2(before, STDIN)
        os.close(before)


@pytest.mark.parametrize(("name", "reason"), [("none", "no such file or directory"), (".", "is a directory")])
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, name: str, reason: str) -> None:
    """Whether it fails at the open or at the first read."""
    file = ReplayFile(str(tmp_path / name), SETTINGS)
    with pytest.raises(SettingError) as caught:
        list(file.read_batches())
    assert str(caught.value) == f"{os.path.normpath(tmp_path / name)} cannot be read: {reason}."


def test_file_that_is_not_there_is_found_out_before_reading(tmp_path: Path) -> None:
    """The size is asked for first."""
    with pytest.raises(SettingError) as caught:
        ReplayFile(str(tmp_path / "none"), SETTINGS).measure()
    assert str(caught.value) == f"{tmp_path / 'none'} cannot be read: no such file or directory."
