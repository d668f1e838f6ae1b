"""What holds of every decoder, whatever the bytes; and that what is written by the rules is read."""

from __future__ import annotations

import csv
import io
import json
import string
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decoders import DECODERS, Decoder, DecoderOptions, Value, find_field, make_reader
from pipeline.decoders.csv import MAX_REMEMBERED_COLUMNS, MAX_SHARED_NUMBERS, make_csv, number_columns, shared_numbers
from pipeline.decoders.logfmt import MAX_REMEMBERED as MAX_NAMES
from pipeline.decoders.logfmt import decode_logfmt, names, read_any, read_plain
from pipeline.decoders.metlog import decode_metlog
from pipeline.decoders.syslog import MAX_REMEMBERED, MAX_REMEMBERED_BYTES, decode_syslog, remembered_data
from pipeline.language.field_values import field_text

OPTIONS = DecoderOptions(columns=("a", "b"))
PIECES = [
    *(b"<34>", b"<34>1 ", b"2003-10-11T22:14:15.003Z ", b"Oct 11 22:14:15 ", b"host ", b"app[1]: ", b"- ", b"1 "),
    *(
        b'[x a="1"]',
        b'[x a="\\"\\]"',
        b"]",
        b"[",
        b'="',
        b'"',
        b"\\",
        b"=",
        b"a",
        b",",
        b'""',
        b"\r",
        b"\n",
        b" ",
        b"\x00",
    ),
    *(
        b"\xff",
        b"\xef\xbb\xbf",
        b'{"type":"t","a":',
        b"}",
        b"null",
        b"9" * 30,
        b"1e999",
        b"\\ud800",
        b"\xed\xa0\x80",
        b":",
    ),
]
TEXTS = st.binary() | st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)


@pytest.mark.slow
@pytest.mark.parametrize("name", DECODERS)
@given(TEXTS)
def test_any_bytes_are_decoded_or_not(name: str, text: bytes) -> None:
    """A text gives the same fields each time, and each field has a text."""
    decoder = DECODERS[name]
    decode = decoder.make(OPTIONS)
    decoded = decode(text)
    assert decode(text) == decoded
    if decoded is None:
        return
    if decoder.read_time is not None:
        assert isinstance(decoder.read_time(decoded[0], 0, OPTIONS), int | None)
    if isinstance(decoded[0], dict):
        check_fields(decoder, decoded[0])


def check_fields(decoder: Decoder, record: dict[str, Value]) -> None:
    for name, value in record.items():
        assert decoder.fields is None or name in decoder.fields
        assert find_field(record, (name,)) == value
        if value is not None:
            assert isinstance(field_text(name, value), bytes)
        if isinstance(value, bytes | str) and decoder.texts is not None:
            assert type(value) is decoder.texts
            assert isinstance(value, bytes) or value.encode() == field_text(name, value)


@pytest.mark.parametrize("name", DECODERS)
def test_one_text_leaves_nothing_for_the_next(name: str) -> None:
    """What is wrong in one text has no influence on the others."""
    decode = DECODERS[name].make(OPTIONS)
    wrong = [b'"', b'a,"b', b'"a"b', b'a="', b'{"a":', b"<34>1 - - - - - [x"]
    right = [b'"a","b"', b'a="b"', b'{"type":"t"}', b"<34>1 - - - - - - x"]
    alone = [DECODERS[name].make(OPTIONS)(text) for text in right]
    for text in wrong:
        decode(text)
        assert [decode(other) for other in right] == alone


# Writers -----------------------------------------------------------------------------------------

KEYS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters='="', min_codepoint=33), min_size=1)
VALUES = st.text(st.characters(blacklist_categories=["Cs"]))


def quote_logfmt(value: str) -> str:
    """Write a value as go-logfmt does: in quotes if it has to be, escaped as in JSON."""
    if value and min(value) > " " and not set(value) & set('="\\'):
        return value
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.slow
@given(st.dictionaries(KEYS, VALUES, min_size=1))
def test_logfmt_that_is_written_is_read(pairs: dict[str, str]) -> None:
    text = " ".join(f"{key}={quote_logfmt(value)}" for key, value in pairs.items())
    assert decode_logfmt(text.encode()) == ({key: value.encode() for key, value in pairs.items()},)


LOGFMT_PIECES = [
    b"a=",
    b'"',
    b"b",
    b"=",
    b" ",
    b"a=1 ",
    b'c="x y"',
    b"\t",
    b"\x1f",
    b"\xc2\xa0",
    b"\xff",
    b"key=value",
    b"\\",
]


@given(TEXTS | st.lists(st.sampled_from(LOGFMT_PIECES), max_size=12).map(b"".join))
def test_plain_logfmt_is_read_as_any_other(text: bytes) -> None:
    """What is read fast is what the slow way makes of it."""
    if b"\\" in text or b"=" not in text:
        return
    found = read_plain(text)
    assert found is None or found == read_any(text)


@given(st.binary())
def test_logfmt_value_that_is_escaped_byte_by_byte_is_read(value: bytes) -> None:
    text = b'a="' + b"".join(b"\\x%02x" % byte for byte in value) + b'"'
    decoded = decode_logfmt(text)
    assert decoded
    assert field_text("$a", find_field(decoded[0], ("a",))) == value


@pytest.mark.slow
@given(st.lists(VALUES, min_size=1), st.sampled_from([",", ";", "\t", "|", "·"]), st.booleans())
def test_csv_that_is_written_is_read(values: list[str], delimiter: str, quotes_all: bool) -> None:
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL if quotes_all else csv.QUOTE_MINIMAL).writerow(
        values
    )
    text = written.getvalue().removesuffix("\n").encode()
    decoded = make_csv(DecoderOptions(delimiter=delimiter))(text)
    assert decoded
    assert [field_text("$1", find_field(decoded[0], (str(number + 1),))) for number in range(len(values))] == [
        value.encode() for value in values
    ]


TOKENS = st.text(string.ascii_letters + string.digits + "._/-", min_size=1).filter(lambda token: token != "-")
SD_NAMES = st.text([*map(chr, range(33, 127))], min_size=1).map(lambda name: "".join(set(name) - set('= ]"')) or "x")
DATA = st.dictionaries(SD_NAMES, st.dictionaries(SD_NAMES, VALUES, max_size=3), min_size=1, max_size=3)


def write_data(data: dict[str, dict[str, str]]) -> str:
    def escape(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")

    def write(name: str, inner: dict[str, str]) -> str:
        return "[" + name + "".join(f' {key}="{escape(value)}"' for key, value in inner.items()) + "]"

    return "".join(write(name, inner) for name, inner in data.items())


@pytest.mark.slow
@given(st.integers(0, 191), TOKENS, TOKENS, TOKENS, TOKENS, DATA, VALUES)
def test_rfc5424_that_is_written_is_read(
    priority: int, host: str, app: str, pid: str, message_id: str, data: dict[str, dict[str, str]], message: str
) -> None:
    text = f"<{priority}>1 2003-10-11T22:14:15.003Z {host} {app} {pid} {message_id} {write_data(data)} \ufeff{message}"
    decoded = decode_syslog(text.encode())
    assert decoded
    record = decoded[0]
    assert isinstance(record, dict)
    assert (record["facility"], record["severity"]) == divmod(priority, 8)
    names = ("hostname", "app", "procid", "msgid", "message")
    assert [field_text(name, record[name]).decode() for name in names] == [host, app, pid, message_id, message]
    assert json.loads(field_text("$sd", record["sd"])) == data


@pytest.mark.slow
@given(st.integers(0, 191), TOKENS, TOKENS, st.integers(0, 2**22), VALUES)
def test_rfc3164_that_is_written_is_read(priority: int, host: str, app: str, pid: int, message: str) -> None:
    text = f"<{priority}>Oct 11 22:14:15 {host} {app}[{pid}]: {message}"
    decoded = decode_syslog(text.encode())
    assert decoded
    record = decoded[0]
    assert isinstance(record, dict)
    assert (record["facility"], record["severity"]) == divmod(priority, 8)
    names = ("hostname", "app", "procid", "message")
    assert [field_text(name, record[name]).decode() for name in names] == [host, app, str(pid), message]


ENVELOPES = st.fixed_dictionaries(
    {"type": VALUES},
    optional={
        "timestamp": st.sampled_from(["2012-01-01T00:00:00.123456Z", "2012-01-01T01:00:00+01:00"]),
        "logger": VALUES,
        "severity": st.integers(0, 7),
        "payload": VALUES,
        "fields": st.dictionaries(VALUES, VALUES | st.integers(-(2**63), 2**63) | st.booleans() | st.none()),
        "env_version": VALUES,
        "metlog_pid": st.integers(0, 2**22),
        "metlog_hostname": VALUES,
    },
)


@pytest.mark.slow
@given(ENVELOPES)
def test_envelope_that_is_written_is_read(envelope: dict[str, Value]) -> None:
    defaults = {"logger": "", "severity": 6, "payload": "", "fields": {}}
    absent = dict.fromkeys(("timestamp", "env_version", "metlog_pid", "metlog_hostname"))
    assert decode_metlog(json.dumps(envelope).encode()) == ({**defaults, **absent, **envelope},)


# Memory ------------------------------------------------------------------------------------------


def test_remembered_structured_data_have_a_limit() -> None:
    for number in range(3 * MAX_REMEMBERED):
        decode_syslog(b'<34>1 - - - - - [x n="%d"]' % number)
        assert len(remembered_data) <= MAX_REMEMBERED
    decode_syslog(b'<34>1 - - - - - [x n="%b"]' % (b"a" * MAX_REMEMBERED_BYTES))
    assert max(map(len, remembered_data)) <= MAX_REMEMBERED_BYTES


def test_remembered_names_have_a_limit() -> None:
    for number in range(3 * MAX_NAMES):
        decode_logfmt(b"key%d=1" % number)
        assert len(names) <= MAX_NAMES
    decode_logfmt(b"%b=1" % (b"k" * 65))
    assert max(map(len, names)) <= 64


@pytest.mark.slow
def test_columns_are_numbered_however_many_there_are() -> None:
    decode = make_csv(OPTIONS)
    for count in (1, MAX_REMEMBERED_COLUMNS + 1, MAX_SHARED_NUMBERS + 1, MAX_REMEMBERED_COLUMNS, 2):
        decoded = decode(b",".join([b"x"] * count))
        assert decoded == (dict.fromkeys((*number_columns(count), *OPTIONS.columns[:count]), b"x"),)
        assert number_columns(count) == [str(number) for number in range(1, count + 1)]
    assert len(shared_numbers) == MAX_SHARED_NUMBERS


@pytest.mark.slow
def test_record_takes_no_more_memory_than_is_said() -> None:
    """The limit on the lines whose records are kept counts on it."""
    shapes = [b"," * 65535, b"ab," * 21845, b"[" + b"{}," * 21844 + b"0]", b"[" + b"0," * 32767 + b"0]"]
    shapes += [b"a " * 32766 + b"a=1", b"<34>1 - - - - - " + b"".join(b"[%d]" % number for number in range(9000))]
    readers = [make_reader(decoder, OPTIONS) for decoder in DECODERS.values()]
    for shape in shapes:
        sizes = []
        for read in readers:
            read(shape)  # so that what is shared is there
            tracemalloc.start()
            kept = read(shape)
            sizes.append(tracemalloc.get_traced_memory()[0])
            tracemalloc.stop()
            del kept
        assert max(sizes) < 50 * len(shape)
