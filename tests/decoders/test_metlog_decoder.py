"""Envelopes of metlog: which texts are some, and what they say."""

from __future__ import annotations

import pytest

from pipeline.decoders import DECODERS, DecoderOptions, Value

METLOG = DECODERS["metlog"]
OPTIONS = DecoderOptions()
DEFAULTS: dict[str, Value] = {
    "type": "t",
    "timestamp": None,
    "logger": "",
    "severity": 6,
    "payload": "",
    "fields": {},
    "env_version": None,
    "metlog_pid": None,
    "metlog_hostname": None,
}


def test_type_alone_is_an_envelope() -> None:
    assert METLOG.make(OPTIONS)(b'{"type":"t"}') == (DEFAULTS,)


def test_field_of_another_name_is_left_out() -> None:
    """However many fields there are."""
    others = (
        b'"severity":6,"payload":"","fields":{},"env_version":"","metlog_pid":1,"metlog_hostname":"","timestamp":null'
    )
    decoded = METLOG.make(OPTIONS)(b'{"type":"t","uuid":"x",%b}' % others)
    assert decoded == ({**DEFAULTS, "env_version": "", "metlog_pid": 1, "metlog_hostname": ""},)


@pytest.mark.parametrize("name", [name for name in DEFAULTS if name != "type"])
def test_null_is_as_good_as_absent(name: str) -> None:
    assert METLOG.make(OPTIONS)(b'{"type":"t","%b":null}' % name.encode()) == (DEFAULTS,)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b'"t"',
        b"null",
        b'{"type":1}',
        b'{"type":null}',
        b'{"type":"t","severity":"3"}',
        b'{"type":"t","severity":8}',
        b'{"type":"t","severity":-1}',
        b'{"type":"t","severity":3.0}',
        b'{"type":"t","severity":true}',
        b'{"type":"t","payload":1}',
        b'{"type":"t","logger":[]}',
        b'{"type":"t","fields":[]}',
        b'{"type":"t","metlog_pid":"1"}',
        b'{"type":"t","metlog_pid":1e99}',
        b'{"type":"t","metlog_pid":false}',
        b'{"type":"t","metlog_hostname":1}',
        b'{"type":"t","env_version":0.8}',
        b'{"type":"t","timestamp":1325376000}',
        b'{"type":"t","timestamp":""}',
        b'{"type":"t","timestamp":"2012-01-01"}',
        b'{"type":"t","timestamp":"2011-02-29T00:00:00Z"}',
        b'{"type":"t"} {"type":"t"}',
    ],
)
def test_other_texts_are_no_envelopes(text: bytes) -> None:
    assert METLOG.make(OPTIONS)(text) is None


def test_time_is_that_of_the_stamp() -> None:
    decoded = METLOG.make(OPTIONS)(b'{"type":"t","timestamp":"2012-01-01T00:00:00.123456Z"}')
    assert decoded
    assert METLOG.read_time
    assert METLOG.read_time(decoded[0], 0, OPTIONS) == 1_325_376_000_123_456_000


def test_envelope_without_stamp_has_no_time() -> None:
    assert METLOG.read_time
    assert METLOG.read_time(DEFAULTS, 5, OPTIONS) is None
