"""How files are known again."""

from __future__ import annotations

import json

import pytest

from pipeline.sources.files.identity import (
    MIN_COPY_BYTES,
    Fingerprint,
    Mark,
    has_position,
    is_name_of_copy,
    read_marks,
)

HEAD = bytes(range(100))
MARK = Mark("/log/app.log", (1, 2), Fingerprint.of(HEAD), 50)


@pytest.mark.parametrize(
    ("head", "size", "fits"),
    [
        (HEAD, 100, True),
        (HEAD + b"more", 104, True),
        (HEAD, 49, False),
        (HEAD[:99], 99, False),
        (b"x" + HEAD[1:], 100, False),
    ],
)
def test_mark_fits_the_same_beginning(head: bytes, size: int, *, fits: bool) -> None:
    """The file may have grown, but not below what was read."""
    assert MARK.fits(head, size) is fits


def test_mark_comes_back_from_json() -> None:
    """A path that is not UTF-8, too."""
    mark = Mark("/log/\udcff", (2**63, 7), Fingerprint.of(b""), 0)
    position = json.loads(json.dumps({"files": [MARK.spell(), mark.spell()]}))
    assert has_position(position)
    assert read_marks(position) == [MARK, mark]


@pytest.mark.parametrize(
    "position",
    [
        None,
        3,
        [],
        {},
        {"files": 3},
    ],
)
def test_position_that_is_none_of_ours_is_none(position: object) -> None:
    """Whatever another version has written there."""
    assert not has_position(position)
    assert read_marks(position) == []


@pytest.mark.parametrize(
    "change",
    [
        {"offset": -1},
        {"offset": "1"},
        {"path": 3},
        {"fingerprint": [1]},
        {"fingerprint": [-1, "x"]},
        {"inode": None},
    ],
)
def test_mark_that_cannot_be_read_is_left_out(change: dict[str, object]) -> None:
    """The others are used."""
    assert read_marks({"files": [{**MARK.spell(), **change}, 5, MARK.spell()]}) == [MARK]


@pytest.mark.parametrize(
    ("name", "is_copy"),
    [
        ("app.log.1", True),
        ("app.log-20261121", True),
        ("app-20261121.log", True),
        ("app.1.log", True),
        ("app.log", False),
        ("app.lo", False),
        ("web.log.1", False),
    ],
)
def test_name_of_a_copy(name: str, *, is_copy: bool) -> None:
    """As logrotate makes them, with and without `dateext` and `extension`."""
    assert is_name_of_copy(f"/old/{name}", "/log/app.log") is is_copy


@pytest.mark.parametrize("known", [HEAD, None])
def test_copy_is_known_by_its_beginning(known: bytes | None) -> None:
    """From the bytes of this run, or the hash of the last one."""
    mark = Mark(MARK.path, MARK.identity, MARK.fingerprint, 50, known)
    assert mark.is_copied_by("/log/app.log.1", HEAD + b"more")
    assert not mark.is_copied_by("/log/app.log.1", b"x" + HEAD)
    assert not mark.is_copied_by("/log/web.log", HEAD)


def test_little_in_common_makes_no_copy() -> None:
    """Two files may begin with the same word."""
    head = HEAD[: MIN_COPY_BYTES - 1]
    assert not Mark("/app.log", (1, 2), Fingerprint.of(head), 0, head).is_copied_by("/app.log.1", head)
    assert not Mark("/app.log", (1, 2), Fingerprint.of(head), 0).is_copied_by("/app.log.1", head)


def test_copy_that_was_made_when_more_had_been_written_is_known() -> None:
    """Or when less had been."""
    mark = Mark("/app.log", (1, 2), Fingerprint.of(HEAD), 0, HEAD)
    assert mark.is_copied_by("/app.log.1", HEAD + b"more")
    assert mark.is_copied_by("/app.log.1", HEAD[:MIN_COPY_BYTES])
