"""The state file: what is written comes back, and what is damaged is set aside."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.errors import SettingError
from pipeline.metrics import Datum, Kind, Metric, ValueType
from pipeline.new_file import NewFile
from pipeline.state_file import (
    HEAD_BYTES,
    VERSION,
    State,
    capture_state,
    hold_state,
    read_state,
    write_lines,
)

NOW = 1_700_000_000_000_000_000
POSITIONS = {"/var/log/ä*.log": [{"path": "/var/log/\udce4.log", "offset": 12}]}

NOT_OURS = "it is not a state file of syslog-pipeline"
CHANGED = "it was changed after it was written"
TORN = "its end is missing"
NO_JSON = "it has a line that is no JSON"


def make_metric() -> Metric:
    metric = Metric("c", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail", label_names=("k",))
    metric.data[b"x",] = Datum((b"x",), 5, NOW)
    return metric


def make_file() -> bytes:
    return b"".join(write_lines(capture_state([make_metric()], POSITIONS)))


def write_state(path: Path) -> None:
    new = NewFile(path)
    new.create()
    new.write(make_file())
    new.put_in_place()


def seal(*lines: bytes) -> bytes:
    """Return a file of these lines whose last line is right."""
    text = b"".join(line + b"\n" for line in lines)
    return text + json.dumps({"lines": len(lines), "sha256": hashlib.sha256(text).hexdigest()}).encode() + b"\n"


def test_state_comes_back(tmp_path: Path) -> None:
    """Values and positions; only its owner may read the file."""
    path = tmp_path / "state"
    write_state(path)
    state = read_state(path)
    (metric,) = state.metrics
    assert metric.continues(make_metric())
    assert [(series.labels, series.value, series.time) for series in metric.data.values()] == [((b"x",), 5, NOW)]
    assert (state.positions, state.series_count) == (POSITIONS, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]


def test_state_of_nothing_comes_back(tmp_path: Path) -> None:
    """A daemon may have counted nothing yet."""
    path = tmp_path / "state"
    path.write_bytes(b"".join(write_lines(capture_state([], {}))))
    assert read_state(path) == State()


def test_missing_file_is_a_first_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing to say about it, and nothing is left."""
    assert read_state(tmp_path / "state") == State()
    assert caplog.messages == []
    assert list(tmp_path.iterdir()) == []


LINES = make_file().splitlines()
HEAD = LINES[0]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"\n", NOT_OURS),
        (b"Nov 21 01:13:00 host app: a log\n" * 1000, NOT_OURS),
        (b"{" * (HEAD_BYTES + 1), NOT_OURS),
        (b"[" * HEAD_BYTES + b"\n", NOT_OURS),
        (b"[1]\n", NOT_OURS),
        (b'{"format":"syslog-pipeline state"}\n', NOT_OURS),
        (b'{"format":"other","version":1}\n', NOT_OURS),
        (
            b'{"format":"syslog-pipeline state","version":%d}\n' % (VERSION + 1),
            f"it is of version {VERSION + 1}, and this program knows {VERSION}",
        ),
        (HEAD, TORN),
        (b"\n".join(LINES[:-1]), TORN),
        (b"\n".join(LINES), CHANGED),
        (b"\n".join([*LINES, b"x"]), CHANGED),
        (b"\n".join([*LINES, b""]) * 2, CHANGED),
        (b"\n".join([*LINES[:-2], LINES[-1], b""]), CHANGED),
        (seal(HEAD, b"7"), "it has a line that is no record"),
        (seal(HEAD, b'{"metric":'), NO_JSON),
        (seal(HEAD, b"[" * 100_000), NO_JSON),
        (seal(HEAD, b'{"metric":"c"}'), "it has a record that cannot be read"),
        (seal(HEAD, b'{"positions":[]}'), "it has a record that cannot be read"),
    ],
)
def test_damaged_file_is_set_aside(content: bytes, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One sentence says why; nothing of it is taken up, and nothing is thrown away."""
    path = tmp_path / "state"
    path.write_bytes(content)
    (tmp_path / "state.damaged").write_bytes(b"an earlier one")
    assert read_state(path) == State()
    assert caplog.messages == [
        f"The state file {path} cannot be used: {why}. It is kept as state.damaged; the metrics start anew."
    ]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert (tmp_path / "state.damaged").read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.damaged"]


@given(st.data())
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_found(tmp_path: Path, data: st.DataObject) -> None:
    """A bit that is not what it was, or an end that is missing, wherever it is."""
    path, content = tmp_path / "state", bytearray(make_file())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert read_state(path) == State()
    assert not path.exists()


def test_file_that_the_disk_does_not_give_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The memory of a process answers as a broken disk does: EIO."""
    path = tmp_path / "state"
    path.symlink_to("/proc/self/mem")
    assert read_state(path) == State()
    assert caplog.messages == [
        f"The state file {path} cannot be used: input/output error."
        " It is kept as state.damaged; the metrics start anew."
    ]


def test_file_that_cannot_be_set_aside_stops_the_start(tmp_path: Path) -> None:
    """It would be written over otherwise."""
    path = tmp_path / "state"
    path.write_bytes(b"")
    (tmp_path / "state.damaged").mkdir()
    with pytest.raises(SettingError) as caught:
        read_state(path)
    assert str(caught.value) == (
        f"The state file {path} cannot be used: it is empty, nor be renamed to state.damaged: is a directory."
    )


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be a user to whom permissions apply."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_file_that_we_may_not_read_stops_the_start(tmp_path: Path) -> None:
    """The values in it are whole, and would be written over."""
    path = tmp_path / "state"
    write_state(path)
    path.chmod(0)
    # Everybody may write there; the folders above are pytest's.
    folder = os.open(tmp_path, os.O_RDONLY)
    tmp_path.chmod(0o777)
    before = os.open(".", os.O_RDONLY)
    os.fchdir(folder)
    try:
        with as_nobody(), pytest.raises(SettingError) as caught:
            read_state(Path("state"))
    finally:
        os.fchdir(before)
        os.close(before)
        os.close(folder)
    assert str(caught.value) == "The state file state cannot be read: permission denied."


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_stops_the_start(make: Callable[[Path], None], tmp_path: Path) -> None:
    """A pipe does not keep it waiting."""
    path = tmp_path / "state"
    make(path)
    with pytest.raises(SettingError) as caught:
        read_state(path)
    assert str(caught.value) == f"The state file {path} is not a regular file."


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("none/state", "no such file or directory"),
        ("file/state", "not a directory"),
        ("/proc/state", "no such file or directory"),
    ],
)
def test_folder_that_takes_no_file_stops_the_start(path: str, why: str, tmp_path: Path) -> None:
    """Rather than the end, when it is too late."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingError) as caught:
        read_state(tmp_path / path)
    assert str(caught.value) == f"The state file {tmp_path / path} cannot be written: {why}."


def test_file_in_the_making_replaces_what_a_crash_left(tmp_path: Path) -> None:
    """Whatever it is, and whoever may read it; a link is not followed."""
    path = tmp_path / "state"
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "state.new").symlink_to(tmp_path / "other")
    write_state(path)
    assert read_state(path).series_count == 1
    assert (tmp_path / "other").read_bytes() == b"other"


def test_discarded_file_leaves_nothing(tmp_path: Path) -> None:
    """Also when there is none, or it is gone already."""
    new = NewFile(tmp_path / "state")
    new.discard()
    new.create()
    new.write(b"x")
    new.discard()
    new.discard()
    assert list(tmp_path.iterdir()) == []


def test_state_is_kept_by_one(tmp_path: Path) -> None:
    """Of two, each would go on with the values of the other; who has ended leaves no lock behind."""
    path = tmp_path / "state"
    with hold_state(path):
        with pytest.raises(SettingError) as caught, hold_state(path):
            pass
        assert str(caught.value) == f"Somebody already keeps the state file {path}."
        assert (tmp_path / "state.lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_lock_that_a_crash_has_left_is_taken(tmp_path: Path) -> None:
    """Nobody holds it any more."""
    (tmp_path / "state.lock").touch()
    with hold_state(tmp_path / "state"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_lock_where_nobody_may_write_is_one_sentence(tmp_path: Path) -> None:
    """As of the file itself."""
    path = tmp_path / "none" / "state"
    with pytest.raises(SettingError) as caught, hold_state(path):
        pass
    assert str(caught.value) == f"The state file {path} cannot be written: no such file or directory."


def test_lock_that_its_holder_has_removed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was opened before that and locked afterwards: another one is made."""
    lock = tmp_path / "state.lock"
    flock = fcntl.flock
    removals = iter([lock.unlink])

    def remove_and_lock(descriptor: int, operation: int) -> None:
        for remove in removals:
            remove()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", remove_and_lock)
    with hold_state(tmp_path / "state"):
        assert lock.exists()
