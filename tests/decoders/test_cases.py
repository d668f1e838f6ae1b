r"""Data cases: each `tests/decoders/cases/<decoder>.cases` holds texts, and what the decoder makes of them.

A line begins with a sign, and what follows it, behind a space, is:

    #   the rule that is shown
    ?   as JSON, what differs from the options of a decoder; `now` is the time of reading
    <   a text, as it is in the file
    \   a text in which `\xHH`, `\n`, `\r`, `\t` and `\\` stand for bytes
    =   the fields as JSON, without those that are absent; or `no`, if the text is not of the kind
    @   the time, as RFC 3339 has it, or `none`; only of decoders that read one

`pytest tests/decoders/test_cases.py --update-expected` rewrites what is expected.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.decoders import DECODERS, Decoder, DecoderOptions, Value

CASES = Path(__file__).parent / "cases"
NOW = "2026-06-15T12:00:00Z"
SECOND = 1_000_000_000
ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|(.))")
LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\"}


@dataclass(slots=True)
class Case:
    """One text. `place` is the number of its line, `expected` what stands behind it."""

    place: int
    text: bytes
    options: dict[str, Value]
    expected: list[str] = field(default_factory=list)


def read_text(sign: str, shown: str) -> bytes:
    return shown.encode() if sign == "<" else ESCAPE.sub(read_escape, shown.encode())


def read_escape(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)]) if match[1] else LETTERS[match[2]]


def read_cases(path: Path) -> list[Case]:
    cases: list[Case] = []
    options: dict[str, Value] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        sign, shown = line[:1], line[2:]
        if sign == "#":
            options = {}
        elif sign == "?":
            options = json.loads(shown)
        elif sign in ("<", "\\"):
            cases.append(Case(number, read_text(sign, shown), options))
        elif sign in ("=", "@"):
            cases[-1].expected.append(line)
        else:
            assert not sign, f"{path.name}:{number} begins with {sign}"
    return cases


ALL_CASES = [
    pytest.param(path, case, id=f"{path.stem}-{case.place}")
    for path in sorted(CASES.glob("*.cases"))
    for case in read_cases(path)
]


def decode(decoder: Decoder, case: Case) -> list[str]:
    """Return what is expected, if this is right."""
    given = dict(case.options)
    now = read_instant(str(given.pop("now", NOW)))
    zone = ZoneInfo(str(given.pop("zone", "UTC")))
    columns = given.pop("columns", [])
    assert isinstance(columns, list)
    options = DecoderOptions(zone=zone, columns=tuple(map(str, columns)), **given)  # type: ignore[arg-type]
    decoded = decoder.make(options)(case.text)
    if decoded is None:
        return ["= no"]
    lines = [f"= {write_value(decoded[0])}"]
    if decoder.read_time is not None:
        instant = decoder.read_time(decoded[0], now, options)
        lines.append(f"@ {'none' if instant is None else write_instant(instant)}")
    return lines


def write_value(value: Value) -> str:
    text = json.dumps(make_plain(value), ensure_ascii=False)
    return re.sub("[\ud800-\udfff\x7f-\x9f\ufeff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def make_plain(value: Value) -> object:
    """Return `value` with texts alone, and without what is absent."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, dict):
        return {name: make_plain(inner) for name, inner in value.items() if inner is not None}
    return [make_plain(inner) for inner in value] if isinstance(value, list) else value


def read_instant(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


def write_instant(instant: int) -> str:
    seconds, rest = divmod(instant, SECOND)
    if not 0 <= seconds < 2**37:
        return f"{instant} ns"
    shown = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
    return shown + (f".{rest:09}".rstrip("0") if rest else "") + "Z"


@pytest.mark.parametrize(("path", "case"), ALL_CASES)
def test_case(path: Path, case: Case, update_expected: bool) -> None:
    """The fields and the time are those of the case."""
    found = decode(DECODERS[path.stem], case)
    if update_expected:
        rewrite(path)
    else:
        assert found == case.expected


def rewrite(path: Path) -> None:
    """Write what is found behind each text of a file."""
    found = {case.place: decode(DECODERS[path.stem], case) for case in read_cases(path)}
    lines: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line[:1] not in ("=", "@"):
            lines += [line, *found.get(number, ())]
    path.write_text("\n".join(lines), encoding="utf-8")


def test_every_decoder_has_cases() -> None:
    assert sorted(path.stem for path in CASES.glob("*.cases")) == sorted(DECODERS)
