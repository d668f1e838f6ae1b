"""What a metric knows of its program, beside what its declaration says."""

from __future__ import annotations

import pytest

from pipeline.metrics import Lifetimes, Store
from tests.language.test_codegen import NOW, compile_text

COUNTS = "counter c by k\ncounter d by k\n/(\\w+)/ {{\n  c[$1]++\n  d[$1]++\n  {}\n}}\n"


@pytest.mark.parametrize(
    ("statement", "expires"),
    [("", []), ("del c[$1] after 1h", ["c"]), ("del c[$1]", []), ("/x/ {\n    del d[$1] after 1h\n  }", ["d"])],
)
def test_metric_expires_if_its_program_says_so(statement: str, expires: list[str]) -> None:
    metrics = compile_text(COUNTS.format(statement)).metrics
    assert [metric.name for metric in metrics if metric.expires] == expires


def test_declarations_of_one_name_expire_together() -> None:
    """In the store they are one metric."""
    text = 'counter c by k\ncounter e by k as "c"\n/(\\w+)/ {\n  c[$1]++\n  e[$1]++\n  del e[$1] after 1h\n}\n'
    assert [metric.expires for metric in compile_text(text).metrics] == [True, True]


@pytest.mark.parametrize(
    ("statement", "follows"),
    [
        ("", True),
        ('/x/ {\n    strptime($1, "2006")\n  }', False),
        ("settime(5)", False),
        ("d[$1] += timestamp()", True),
    ],
)
def test_stamps_follow_the_clock_unless_the_program_sets_times(statement: str, follows: bool) -> None:
    metrics = compile_text(COUNTS.format(statement)).metrics
    assert [metric.follows_clock for metric in metrics] == [follows, follows]


def test_program_that_sets_the_time_in_a_decorator_does_so() -> None:
    text = '@dated {\n  c[""]++\n}\n'
    definition = 'counter c by k\ndef dated {\n  /(\\d+)/ {\n    strptime($1, "2006")\n    next\n  }\n}\n'
    (metric,) = compile_text(definition + text).metrics
    assert not metric.follows_clock


def test_series_that_expired_is_new_on_its_next_line() -> None:
    """Also where it was found in a row together with that of a metric that stays."""
    compiled = compile_text(COUNTS.format(""))
    store = Store(lifetimes=Lifetimes((("c", 10),)))
    metrics = store.register(compiled.metrics)
    bound = compiled.bind(metrics, lambda _error, _line: None)
    assert metrics[0].rows is metrics[1].rows is not None
    for now in (NOW, NOW + 5, NOW + 16):
        store.sweep(now)
        bound.process_ascii([b"x", b"y"] if now == NOW + 5 else [b"x"], b"", now)
    counts = [{labels[0]: series.value for labels, series in metric.data.items()} for metric in metrics]
    assert counts == [{b"x": 1}, {b"x": 3, b"y": 1}]
    assert metrics[0].data[b"x",].start == NOW + 16
