"""Envelopes of metlog: what holds of each field. Texts that are some, or none, are in `cases/metlog.cases`."""

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


def test_what_is_sure_is_a_text_in_any_record() -> None:
    """To read it cannot fail, even where it is a default."""
    assert {name for name, value in DEFAULTS.items() if isinstance(value, str)} == METLOG.sure


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


def test_envelope_without_stamp_has_no_time() -> None:
    assert METLOG.read_time
    assert METLOG.read_time(DEFAULTS, 5, OPTIONS) is None
