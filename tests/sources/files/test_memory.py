"""What is remembered of files: what is counted, until nobody asks for it any more, and positions, for the next run."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from pipeline.batch import Batch
from pipeline.sources.files import PathSource
from pipeline.sources.files.parts import FORGET_SECONDS, MAX_GONE, Parts
from pipeline.sources.files.roster import DELETED_SECONDS
from pipeline.sources.intake import READ_BYTES
from pipeline.sources.surroundings import Surroundings
from tests.sources.collector import SETTINGS, running
from tests.sources.files.scenes import (
    FROM_START,
    SLOW,
    append,
    as_reader,
    count_of,
    follow,
    look_again,
    make_source,
    open_folder,
    path,
    read_briefly,
)

__all__ = ["path"]


async def test_lag_is_what_is_not_read_yet(path: Path, autojump_clock: MockClock) -> None:
    """Of the old file and the new one together, while the old one is read to its end."""
    lags: list[int] = []
    source = follow(path, FROM_START)
    path.write_bytes((b"x" * 99 + b"\n") * 5000)
    source.prepare()
    counts = count_of(source)
    assert counts.lag_bytes == 500_000
    async with trio.open_nursery() as nursery:
        path.rename(path.with_suffix(".1"))
        path.write_bytes(b"line\n")
        await nursery.start(source.run, lambda _batch: lags.append(counts.lag_bytes))
        await look_again()
        nursery.cancel_scope.cancel()
    assert lags == [500_005, 500_005 - READ_BYTES, 5]
    assert counts.lag_bytes == 0


@pytest.mark.slow
async def test_what_is_counted_of_a_file_goes_long_after_it(path: Path, autojump_clock: MockClock) -> None:
    """Dates in names do not add up; the path that the operator named stays."""
    known: list[str] = []
    surroundings = Surroundings(
        add_counts=lambda counts: known.append(os.fsdecode(counts.origin)),
        remove_counts=lambda counts: known.remove(os.fsdecode(counts.origin)),
    )
    dated = path.with_name("dated.log")
    dated.write_bytes(b"")
    async with (
        running(make_source(path.parent, "dated*", SLOW, surroundings=surroundings)) as collector,
        running(make_source(path.parent, "app.log", SLOW, surroundings=surroundings)),
    ):
        dated.unlink()
        path.unlink()
        await trio.sleep(FORGET_SECONDS - 30)
        assert known == [str(dated), str(path)]
        dated.write_bytes(b"")
        await look_again()
        dated.unlink()
        await trio.sleep(FORGET_SECONDS)
        assert known == [str(dated), str(path)]
        await trio.sleep(60)
        assert known == [str(path)]
        dated.write_bytes(b"back\n")
        await look_again()
        assert known == [str(path), str(dated)]
    assert collector.lines == [b"back"]


def test_files_that_are_gone_do_not_add_up() -> None:
    """However many come and go within the hour: those that have been gone longest are forgotten."""
    removed: list[bytes] = []
    surroundings = Surroundings(remove_counts=lambda counts: removed.append(counts.origin))
    parts = Parts(surroundings, 1.0, "/kept")
    for number in range(MAX_GONE + 1):
        parts.count(f"/{number}")
    parts.forget_others({"/0"}, 1.0)
    assert removed == []
    parts.forget_others(set(), 2.0)
    assert removed == [b"/1"]
    parts.forget_others(set(), FORGET_SECONDS + 1.0)
    assert [*parts.by_path] == ["/kept", "/0"]


async def test_path_that_is_named_is_counted_whatever_comes_there(path: Path, autojump_clock: MockClock) -> None:
    """A compressed file is let go of, and the series of the path stay."""
    source = follow(path)
    async with running(source) as collector:
        path.unlink()
        await trio.sleep(2 * DELETED_SECONDS)
        path.write_bytes(gzip.compress(b"x\n"))
        await look_again()
        assert [part.name for part in source.parts] == [str(path)]
    assert collector.lines == []


async def test_position_is_kept_only_if_asked(path: Path) -> None:
    """And is nothing otherwise."""
    source = follow(path)
    source.prepare()
    assert source.position is None
    source.close()


async def test_position_of_a_file_that_is_gone_is_told_of(
    path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """What was written behind it can be read nowhere."""
    settings = replace(SETTINGS, read_positions=True)
    source = make_source(path.parent, "app.log", settings)
    async with running(source):
        append(path, b"one\n")
    surroundings = Surroundings(positions={str(path): source.position})
    path.unlink()
    path.write_bytes(b"two\n")
    assert await read_briefly(make_source(path.parent, "app.log", settings, surroundings=surroundings)) == [b"two"]
    assert caplog.messages == [
        f"{path}: the file that was read up to byte 8 is gone. What was written to it after that is not read."
    ]


async def test_position_in_a_folder_that_is_gone_is_told_of(
    path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """The file is waited for."""
    settings = replace(SETTINGS, read_positions=True)
    folder = path.parent / "folder"
    folder.mkdir()
    (folder / "app.log").write_bytes(b"old\n")
    source = follow(folder / "app.log", settings)
    await read_briefly(source)
    (folder / "app.log").unlink()
    folder.rmdir()
    surroundings = Surroundings(positions={source.name: source.position})
    again = PathSource(source.roster.pattern, settings, surroundings)
    assert await read_briefly(again) == []
    assert len(caplog.messages) == 1


async def test_file_that_was_renamed_while_away_keeps_its_new_name(path: Path, autojump_clock: MockClock) -> None:
    """Unless another took the old one, as in a rotation."""
    settings = replace(SETTINGS, read_positions=True)
    source = make_source(path.parent, "*.log", settings)
    await read_briefly(source)
    path.rename(path.with_name("web.log"))
    append(path.with_name("web.log"), b"new\n")
    surroundings = Surroundings(positions={source.name: source.position})
    again = make_source(path.parent, "*.log", settings, surroundings=surroundings)
    async with running(again) as collector:
        await look_again()
    assert collector.batches == [Batch.of([b"new"], bytes(path.with_name("web.log")))]


async def test_file_that_a_whole_run_could_not_open_is_read_from_where_it_ended(autojump_clock: MockClock) -> None:
    """A restart that gives us the right to read it is no reason to count what was there long before."""
    settings = replace(SETTINGS, read_positions=True)
    with open_folder() as folder:
        path = folder / "app.log"
        path.write_bytes(b"old\n")
        path.chmod(0)
        before = make_source(folder, "*.log", settings)
        with as_reader():
            assert await read_briefly(before) == []
        path.chmod(0o644)
        append(path, b"new\n")
        surroundings = Surroundings(positions={before.name: json.loads(json.dumps(before.position))})
        after = make_source(folder, "*.log", settings, surroundings=surroundings)
        with as_reader():
            assert await read_briefly(after) == [b"new"]


@pytest.mark.parametrize("own", [None, {"files": []}])
async def test_file_goes_on_when_another_item_matches_it_now(
    path: Path, own: object, autojump_clock: MockClock
) -> None:
    """As when the operator makes a pattern of a path, or puts the items in another order."""
    settings = replace(SETTINGS, read_positions=True)
    before = follow(path, settings)
    await read_briefly(before)
    append(path, b"new\n")
    positions = {before.name: before.position, f"{path.parent}/*.log": own}
    after = make_source(path.parent, "*.log", settings, surroundings=Surroundings(positions=positions))
    assert await read_briefly(after) == [b"new"]


async def test_what_two_items_remember_of_a_file_is_one(path: Path, autojump_clock: MockClock) -> None:
    """It would else double at each restart, until nothing else is remembered."""
    path.write_bytes(b"this line is long enough for a copy of the file to be known by it\n")
    settings = replace(SETTINGS, read_positions=True)
    positions: dict[str, object] = {}
    for _ in range(3):
        surroundings = Surroundings(positions=positions)
        both = [make_source(path.parent, name, settings, surroundings=surroundings) for name in ("*.log", "app*")]
        async with running(both[0]), running(both[1]):
            await look_again()
            path.write_bytes(b"")
            await look_again()
        positions = {source.name: source.position for source in both}
    assert len(surroundings.ledger.past) == 1
