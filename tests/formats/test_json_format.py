"""What a JSON reader finds in our pages. Their form is in the golden files."""

from __future__ import annotations

import json as standard_json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import json
from pipeline.metrics import Datum, Kind, Metric, Snapshot, Store, ValueType


def make_text(program: str, *values: bytes) -> Metric:
    """Return a text metric that has each of `values` as a label and as its value."""
    metric = Metric("t", kind=Kind.TEXT, value_type=ValueType.STRING, program=program, label_names=("k",))
    for value in values:
        series = metric.data.get((value,)) or metric.new((value,), 5)
        assert isinstance(series, Datum)
        series.value = value
    return metric


def snapshot_of(*metrics: Metric) -> Snapshot:
    store = Store()
    for metric in metrics:
        store.register([metric])
    return store.snapshot()


def read(page: bytes) -> Any:  # noqa: ANN401 — a JSON document can be anything
    return standard_json.loads(page)


def test_empty_store_is_an_empty_array() -> None:
    """And an empty object in one-shot output."""
    assert json.render(Snapshot(())) == b"[]"
    assert json.render_one_shot(Snapshot(())) == b"{}"


@given(st.lists(st.text(), unique=True))
def test_any_text_survives(texts: list[str]) -> None:
    """As a label and as a value; every character that JSON, HTML or JavaScript takes for its own too."""
    (metric,) = read(json.render(snapshot_of(make_text("a.mtail", *(text.encode() for text in texts)))))
    series = metric.get("LabelValues", [])
    assert [one["Labels"] for one in series] == [[text] for text in texts]
    assert [one["Value"]["Value"] for one in series] == texts


@given(st.binary())
def test_any_bytes_make_a_valid_document(data: bytes) -> None:
    """Without a character that could end a script."""
    page = json.render(snapshot_of(make_text("a.mtail", data)))
    read(page)
    assert not set("<>&\u2028\u2029") & set(page.decode())


@pytest.mark.parametrize(
    ("data", "quoted"),
    [
        (b'"\\', b'"\\"\\\\"'),
        (b"\n\r\t", b'"\\n\\r\\t"'),
        (b"\x00\x08\x0c\x1f\x7f", b'"\\u0000\\u0008\\u000c\\u001f\x7f"'),
        (b"<>&", b'"\\u003c\\u003e\\u0026"'),
        ("\u2028\u2029ü😀".encode(), '"\\u2028\\u2029ü😀"'.encode()),
        (b"\xff\xe2\x82", b'"\\ufffd\\ufffd\\ufffd"'),
        ("\ufffd".encode(), '"\ufffd"'.encode()),
    ],
)
def test_strings_have_gos_escapes(data: bytes, quoted: bytes) -> None:
    """Compared with what mtail writes; invalid bytes, which it cannot read from a file, as Go's encoder has them."""
    assert b'"Value": ' + quoted in json.render(snapshot_of(make_text("a.mtail", data)))


def test_metrics_of_one_name_share_a_member() -> None:
    """In one-shot output, in order of registration; names in order."""
    counter = Metric("a", kind=Kind.COUNTER, value_type=ValueType.INT, program="a.mtail")
    document = read(json.render_one_shot(snapshot_of(make_text("b.mtail"), make_text("a.mtail"), counter)))
    assert list(document) == ["a", "t"]
    assert [metric["Program"] for metric in document["t"]] == ["b.mtail", "a.mtail"]


def test_help_text_and_unit_stand_behind_what_mtail_writes() -> None:
    """A metric that has neither looks as it does there: no member, and no empty one."""
    plain, described = make_text("a", b"x"), make_text("a", b"x")
    described.help_text, described.unit = 'What "it" says <>', "bytes"
    page = json.render(snapshot_of(plain)).decode()
    assert json.render(snapshot_of(described)).decode() == page.replace(
        '"\n  }\n]', '",\n    "Help": "What \\"it\\" says \\u003c\\u003e",\n    "Unit": "bytes"\n  }\n]'
    )
    assert not {"Help", "Unit"} & read(page.encode())[0].keys()


def test_file_name_with_invalid_bytes_can_be_written() -> None:
    """Python holds such a byte as a lone surrogate."""
    (metric,) = read(json.render(snapshot_of(make_text("w\udcff.mtail"))))
    assert metric["Program"] == "w\ufffd.mtail"
