"""The journal: real files, written by systemd-journal-remote, beside the real journalctl."""

from __future__ import annotations

import logging
import os
import select
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pipeline.batch import Batch
from pipeline.errors import SettingError
from pipeline.settings import ReadFrom
from pipeline.sources import intake
from pipeline.sources.journal import REOPEN_SECONDS, JournalSource
from pipeline.sources.journal_query import parse_query
from pipeline.sources.journal_reader import FIELD_BYTES, MAX_OTHER_BYTES, JournalReader
from pipeline.sources.surroundings import Surroundings
from tests.sources.collector import SETTINGS, Collector, running
from tests.sources.journals import make_entry, read_messages, write_journal

FROM_START = replace(SETTINGS, read_from=ReadFrom.START)

ENTRIES = 20_000

UNITS: list[dict[str, str | bytes | None]] = [
    {"_SYSTEMD_UNIT": "ssh.service", "SYSLOG_IDENTIFIER": "sshd", "PRIORITY": "6"},
    {"_SYSTEMD_UNIT": "ssh.service", "SYSLOG_IDENTIFIER": "sshd", "PRIORITY": "4"},
    {"_SYSTEMD_UNIT": "cron.service", "SYSLOG_IDENTIFIER": "CRON", "PRIORITY": "3"},
    {"_SYSTEMD_UNIT": "init.scope", "SYSLOG_IDENTIFIER": "systemd", "_PID": "1", "UNIT": "ssh.service"},
    {"_SYSTEMD_UNIT": "init.scope", "SYSLOG_IDENTIFIER": "systemd", "_PID": "1", "UNIT": "cron.service"},
    {"_SYSTEMD_UNIT": "x.service", "_SYSTEMD_SLICE": "user.slice", "PRIORITY": "0"},
    {"SYSLOG_IDENTIFIER": None, "PRIORITY": None},
]
"""Fields of entries, each different in what matches ask for."""


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a journal of a few entries; nobody writes to it."""
    path = tmp_path_factory.mktemp("journal") / "ready.journal"
    write_journal(path, [make_entry(number, **fields) for number, fields in enumerate(UNITS)])
    return path


@pytest.fixture
def path(ready: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copy(ready, tmp_path / "a.journal"))


def name_lines(*numbers: int) -> list[bytes]:
    """Return messages as `make_entry` numbers them."""
    return [b"line %d" % number for number in numbers]


def make_source(path: Path, source: JournalSource | None = None, *, query: str = "format=message") -> JournalSource:
    """Return a source that goes on where another one stopped, and begins at the start otherwise."""
    spec = f"journal://{path}?{query}"
    positions = {} if source is None else {spec: source.position}
    return JournalSource(spec, FROM_START, Surroundings(positions=positions))


async def read_all(source: JournalSource) -> list[bytes]:
    """Run a source to what is the end of its journal now, and stop it."""
    async with running(source) as collector:
        pass
    return collector.lines


async def test_entries_become_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the time of this machine; under the name that the operator wrote."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    source = make_source(path, query="identifier=sshd")
    async with running(source) as collector:
        await collector.wait_lines(2)
    assert collector.lines == [b"Mar  5 07:07:08 web1 sshd[42]: line 0", b"Mar  5 07:07:09 web1 sshd[42]: line 1"]
    assert {batch.origin for batch in collector.batches} == {os.fsencode(f"journal://{path}?identifier=sshd")}
    assert source.counts.bytes_read == sum(len(line) + 1 for line in collector.lines)


async def test_source_is_itself_its_only_part(path: Path) -> None:
    """What wakes it may be an entry that it does not want, so that it has no descriptor to be watched by."""
    source = make_source(path)
    assert (source.parts, source.descriptors, source.position) == ((source,), (), None)


async def test_time_is_when_the_entry_was_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when journald got it, unless the sender's time is none."""
    monkeypatch.setenv("TZ", "UTC")
    path = tmp_path / "a.journal"
    sent = ("1709618700000000", "soon", "36028797018963968")
    write_journal(path, [make_entry(number, _SOURCE_REALTIME_TIMESTAMP=time) for number, time in enumerate(sent)])
    lines = await read_all(make_source(path, query=""))
    assert [line[7:15] for line in lines] == [b"06:05:00", b"06:07:09", b"06:07:10"]


async def test_identifier_and_process_are_the_senders_or_what_journald_found(tmp_path: Path) -> None:
    """As rsyslog's imjournal takes them."""
    path = tmp_path / "a.journal"
    given: list[dict[str, str | bytes | None]] = [
        {"SYSLOG_PID": "7", "_COMM": "other"},
        {"SYSLOG_IDENTIFIER": None, "_COMM": "cat"},
        {"SYSLOG_IDENTIFIER": "kernel", "_PID": None},
        {"SYSLOG_IDENTIFIER": None, "_HOSTNAME": None},
    ]
    write_journal(path, [make_entry(number, **fields) for number, fields in enumerate(given)])
    lines = await read_all(make_source(path, query=""))
    assert [line[16:] for line in lines] == [
        b"web1 app[7]: line 0",
        b"web1 cat[42]: line 1",
        b"web1 kernel: line 2",
        b"- unknown[42]: line 3",
    ]


async def test_entry_without_message_is_no_line(tmp_path: Path) -> None:
    """It is passed over for good; a message that is empty, of several lines or no text is a line."""
    path = tmp_path / "a.journal"
    messages = ["a", None, "", b"x\ny\xff", None]
    write_journal(path, [make_entry(number, MESSAGE=message) for number, message in enumerate(messages)])
    source = make_source(path)
    assert await read_all(source) == [b"a", b"", b"x#012y\xff"]
    assert await read_all(make_source(path, source)) == []


@pytest.mark.parametrize("bytes_sent", [900, 300_000])
async def test_long_message_is_cut_and_counted(tmp_path: Path, bytes_sent: int) -> None:
    """Also one that the journal keeps compressed."""
    path = tmp_path / "a.journal"
    write_journal(path, [make_entry(0, MESSAGE="x" * bytes_sent), make_entry(1, MESSAGE="y" * 800)])
    spec = f"journal://{path}?format=message"
    source = JournalSource(spec, replace(FROM_START, max_line_bytes=800))
    assert await read_all(source) == [b"x" * 800, b"y" * 800]
    assert source.counts.lines_truncated == 1


def test_fields_as_long_as_they_may_be_are_cut(tmp_path: Path) -> None:
    """Before anything is made of them; of the line the beginning is what it would have been."""
    path = tmp_path / "a.journal"
    names = {"_HOSTNAME": b"h" * 5000, "SYSLOG_IDENTIFIER": b"i" * 5000, "SYSLOG_PID": b"7" * 5000}
    write_journal(path, [make_entry(0, MESSAGE=b"\1" * 2_000_000, **names)])
    reader = JournalReader.open(parse_query(f"journal://{path}"), 1000)
    reader.seek_head()
    assert reader.step()
    entry = reader.read_entry()
    assert entry is not None
    assert entry[1:4] == (b"h" * MAX_OTHER_BYTES, b"i" * MAX_OTHER_BYTES, b"7" * MAX_OTHER_BYTES)
    assert entry.message == b"\1" * (1000 + FIELD_BYTES)
    reader.close()


async def test_field_may_be_there_twice(tmp_path: Path) -> None:
    """The first counts; one that is empty is none."""
    path = tmp_path / "a.journal"
    entry = make_entry(0, SYSLOG_PID="", _PID=None)
    write_journal(path, [entry.removesuffix(b"\n") + b"_PID=1\n_PID=2\nMESSAGE=again\n\n"])
    lines = await read_all(make_source(path, query=""))
    assert [line[16:] for line in lines] == [b"web1 app[1]: line 0"]


def test_what_is_logged_from_the_opening_on_wakes_us(path: Path) -> None:
    """Also before anybody waits for it."""
    reader = JournalReader.open(parse_query(f"journal://{path}"), 800)
    while reader.step():
        pass
    write_journal(path, [make_entry(100)])
    poll = select.poll()
    poll.register(reader.fileno(), select.POLLIN)
    assert poll.poll(0)
    reader.close()


@pytest.mark.parametrize(
    ("query", "flags"),
    [
        ("", []),
        ("unit=ssh.service", ["--unit=ssh.service"]),
        ("unit=ssh&unit=cron.service", ["--unit=ssh", "--unit=cron.service"]),
        ("unit=user.slice", ["--unit=user.slice"]),
        ("identifier=sshd", ["--identifier=sshd"]),
        ("priority=warning", ["--priority=warning"]),
        ("priority=err..warning", ["--priority=err..warning"]),
        ("unit=ssh&identifier=sshd&priority=4", ["--unit=ssh", "--identifier=sshd", "--priority=4"]),
        ("priority=3&unit=ssh&unit=cron", ["--priority=3", "--unit=ssh", "--unit=cron"]),
        ("UNIT=ssh.service&_PID=1", ["UNIT=ssh.service", "_PID=1"]),
        (
            "_SYSTEMD_UNIT=x.service&_SYSTEMD_UNIT=cron.service",
            ["_SYSTEMD_UNIT=x.service", "_SYSTEMD_UNIT=cron.service"],
        ),
        ("identifier=nobody", ["--identifier=nobody"]),
    ],
)
async def test_matches_find_what_journalctl_finds(path: Path, query: str, flags: list[str]) -> None:
    """Of each unit, identifier and priority, and of any field."""
    assert await read_all(make_source(path, query=f"format=message&{query}")) == read_messages(path, *flags)


async def test_reading_begins_at_the_end(path: Path) -> None:
    """What was logged before may have been counted; what is logged from then on is delivered, live."""
    source = JournalSource(f"journal://{path}?format=message", SETTINGS)
    async with running(source) as collector:
        await wait_all_tasks_blocked()
        await trio.to_thread.run_sync(write_journal, path, [make_entry(number) for number in (100, 101)])
        await collector.wait_lines(2)
    assert collector.lines == name_lines(100, 101)


async def test_entries_logged_meanwhile_are_read_after_a_restart(path: Path) -> None:
    """Each once, also by a source that had read nothing yet."""
    spec = f"journal://{path}?format=message"
    source = JournalSource(spec, SETTINGS)
    assert await read_all(source) == []
    for number in (100, 101):
        write_journal(path, [make_entry(number)])
        source = JournalSource(spec, SETTINGS, Surroundings(positions={spec: source.position}))
        assert await read_all(source) == name_lines(number)


async def test_matches_may_change_between_two_runs(path: Path) -> None:
    """The position is a place in the journal, whether its entry matches now or not."""
    first = make_source(path, query="format=message&priority=3")
    await read_all(first)
    write_journal(path, [make_entry(100, SYSLOG_IDENTIFIER="sshd")])
    spec = f"journal://{path}?format=message&identifier=sshd"
    second = JournalSource(spec, SETTINGS, Surroundings(positions={spec: first.position}))
    assert await read_all(second) == name_lines(100)


async def test_reading_goes_on_behind_an_entry_that_is_gone(path: Path, tmp_path: Path) -> None:
    """With the nearest one after it: journald deletes old files."""
    spec = f"journal://{tmp_path}/logs?format=message"
    (tmp_path / "logs").mkdir()
    old = path.rename(tmp_path / "logs" / "old.journal")
    source = JournalSource(spec, FROM_START)
    assert len(await read_all(source)) == len(UNITS)
    old.unlink()
    write_journal(tmp_path / "logs" / "new.journal", [make_entry(number) for number in (100, 101)])
    source = JournalSource(spec, SETTINGS, Surroundings(positions={spec: source.position}))
    assert await read_all(source) == name_lines(100, 101)


@pytest.mark.parametrize("position", ["no cursor", 42])
async def test_position_that_is_none_is_not_used(
    path: Path, position: object, caplog: pytest.LogCaptureFixture
) -> None:
    """A state file may be anything."""
    spec = f"journal://{path}?format=message"
    source = JournalSource(spec, SETTINGS, Surroundings(positions={spec: position}))
    assert await read_all(source) == []
    write_journal(path, [make_entry(100)])
    source = JournalSource(spec, SETTINGS, Surroundings(positions={spec: source.position}))
    assert await read_all(source) == name_lines(100)
    told = f"{spec}: the position 'no cursor' that was kept is none. It is read as if none had been kept."
    assert [record.getMessage() for record in caplog.records] == ([told] if position == "no cursor" else [])


async def test_files_of_a_folder_are_one_journal(path: Path, tmp_path: Path) -> None:
    """Those that come later, too: journald rotates."""
    async with running(JournalSource(f"journal://{tmp_path}?format=message&priority=6..6", FROM_START)) as collector:
        await collector.wait_lines(3)
        await trio.to_thread.run_sync(
            write_journal, tmp_path / "b.journal", [make_entry(number) for number in (100, 101)]
        )
        await collector.wait_lines(5)
        path.rename(tmp_path / "a@0.journal")
        await trio.to_thread.run_sync(write_journal, tmp_path / "c.journal", [make_entry(200)])
        await collector.wait_lines(6)
    assert collector.lines == name_lines(0, 3, 4, 100, 101, 200)


@pytest.mark.slow
async def test_journal_may_begin_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It does not matter who starts first: files are looked for until there are some, and read from their start."""
    source = JournalSource(f"journal://?root={tmp_path}&format=message", SETTINGS)
    async with running(source) as collector:
        await wait_all_tasks_blocked()
        (folder := tmp_path / "var/log/journal" / ("0" * 32)).mkdir(parents=True)
        await trio.to_thread.run_sync(write_journal, folder / "system.journal", [make_entry(1)])
        await collector.wait_lines(1)
        await trio.to_thread.run_sync(write_journal, folder / "system.journal", [make_entry(2)])
        await collector.wait_lines(2)
    assert collector.lines == name_lines(1, 2)
    assert [record.getMessage() for record in caplog.records] == [
        f"{source.name}: there is no journal file that can be read. It is looked for every {REOPEN_SECONDS:g} s. "
        "Users other than root must be in the group systemd-journal."
    ]


async def test_stop_delivers_what_was_logged_before(path: Path) -> None:
    """The journal is read to its end, as long as there is time."""
    for may_drain, lines in ((lambda: True, name_lines(*range(len(UNITS)))), (lambda: False, [])):
        collector = Collector()
        source = JournalSource(f"journal://{path}?format=message", FROM_START, Surroundings(may_drain=may_drain))
        source.prepare()
        with trio.CancelScope() as scope:
            scope.cancel()
            await source.run(collector)
        # The first slice is read before the cancellation can be seen; it may hold all there is.
        assert collector.lines[: len(lines)] == lines
        assert source.reader is None


async def test_stop_finds_files_that_have_just_come(path: Path) -> None:
    """Journald may rotate at the last moment."""
    async with running(JournalSource(f"journal://{path.parent}?format=message", SETTINGS)) as collector:
        await wait_all_tasks_blocked()
        write_journal(path.parent / "b.journal", [make_entry(100)])
    assert collector.lines == name_lines(100)


async def test_drain_has_a_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal of gigabytes cannot hold up the stop."""
    monkeypatch.setattr(intake, "MAX_DRAIN_BYTES", 0)
    monkeypatch.setattr("pipeline.sources.journal.MAX_DRAIN_BYTES", 0)
    source = make_source(path)
    source.prepare()
    collector = Collector()
    source.drain(intake.Intake(source.counts, collector, 100))
    source.close()
    assert collector.lines == []


@pytest.mark.slow
async def test_every_entry_is_counted_once_over_restarts(tmp_path: Path) -> None:
    """In slices, between which others work; a run that is stopped anywhere leaves off where the next one goes on."""
    path = tmp_path / "a.journal"
    write_journal(path, [make_entry(number, PRIORITY=str(number % 8)) for number in range(ENTRIES)])
    lines: list[bytes] = []
    source: JournalSource | None = None
    batches = turns = 0
    while len(lines) < ENTRIES:
        source = make_source(path, source)
        source.surroundings.may_drain = lambda: False
        source.prepare()
        with trio.CancelScope() as scope:

            def stop_sometimes(batch: Batch, cancel: Callable[[], None] = scope.cancel) -> None:
                nonlocal batches
                lines.extend(batch.lines)
                batches += 1
                if batches % 7 == 0 or len(lines) == ENTRIES:
                    cancel()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(source.run, stop_sometimes)
                while True:
                    await trio.lowlevel.checkpoint()
                    turns += 1
    assert lines == name_lines(*range(ENTRIES))
    assert min(turns, batches) > 7
    assert await read_all(make_source(path, query="format=message&priority=0")) == name_lines(*range(0, ENTRIES, 8))


def test_journal_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """A path is to be there at the start."""
    with pytest.raises(SettingError) as caught:
        make_source(tmp_path / "none").prepare()
    assert str(caught.value) == (
        f"journal://{tmp_path}/none?format=message cannot be opened: no such file or directory."
    )


def test_file_that_is_no_journal_is_one_sentence(tmp_path: Path) -> None:
    """It is told apart by what is in it."""
    (path := tmp_path / "a.journal").write_text("line\n" * 100)
    with pytest.raises(SettingError) as caught:
        make_source(path).prepare()
    assert str(caught.value) == f"journal://{path}?format=message cannot be opened: bad message."


def test_missing_package_is_one_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads no journal does without systemd-python."""
    monkeypatch.delitem(sys.modules, "pipeline.sources.journal_reader", raising=False)
    monkeypatch.setitem(sys.modules, "systemd", None)
    with pytest.raises(SettingError) as caught:
        make_source(path).prepare()
    assert str(caught.value) == (
        f"journal://{path}?format=message needs the Python package systemd-python, which is missing."
    )


async def test_entry_that_cannot_be_read_is_left_out(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The others are read; it is counted, and the first one is logged."""
    caplog.set_level(logging.ERROR)
    damage(path, b"MESSAGE=line 1")
    damage(path, b"MESSAGE=line 3")
    source = make_source(path)
    assert await read_all(source) == name_lines(0, 2, 4, 5, 6)
    assert source.counts.errors == 2
    assert len(caplog.records) == 1


def damage(path: Path, field: bytes) -> None:
    """Make a field of a journal file unreadable: its flags say that it is compressed in all ways at once."""
    data = bytearray(path.read_bytes())
    assert data.count(field) == 1
    # systemd's journal-def.h: type, flags, 6 bytes, 8 bytes of size; the field begins at 64, in compact files at 72.
    (start,) = (
        start
        for header in (64, 72)
        if data[start := data.find(field) - header] == 1
        and int.from_bytes(data[start + 8 : start + 16], "little") == header + len(field)
    )
    data[start + 1] = 0b111
    path.write_bytes(data)


def test_journal_of_this_machine_can_be_opened() -> None:
    """Whether there is one or not; it is closed once, whoever closes it twice."""
    source = JournalSource("journal://", SETTINGS)
    source.prepare()
    assert isinstance(source.position, str)
    source.close()
    source.close()
