"""Metrics with all that a stranger's log line can put into them, and what Prometheus must read of them."""

from __future__ import annotations

import math

from pipeline.metrics import Datum, HistogramDatum, Kind, Metric, Store, ValueType

NOW = 1_700_000_000 * 10**9
PROGRAM = "all.mtail"

VALUES: dict[bytes, float] = {
    b"plain": 1,
    b"": 2,
    b"two words": 3,
    b'"quoted"\\back': 4,
    b"x 1\nmade_up 99\n# TYPE made_up counter": 5,
    b"tab\tand\r\nend": 6,
    b"nul\0esc\x1b[31m": 7,
    b"caf\xc3\xa9 \xe2\x80\xa8\xf0\x9f\x90\xb1": 8,
    b'"} 99\nmade_up{a="': 10,
    b"%s %d {0} $x": 11,
    b"x" * 5000: 12,
    b"most": 2**63 - 1,
    b"least": -(2**63),
}
"""Ints by the label of their series."""

REALS = {"huge": 1e300, "nan": math.nan, "most": math.inf, "least": -math.inf, "zero": -0.0, "small": 5e-324}
"""Floats by the label of their series."""

Sample = tuple[str, tuple[tuple[str, str], ...]]


def make_awkward_store() -> Store:
    """Return a store with these, of each kind."""
    words = make_metric("words_total", Kind.COUNTER, ValueType.INT, "word", help_text='Words, "all" of\nthem \\o/')
    for word, value in VALUES.items():
        words.data[(word,)] = Datum((word,), value, NOW)
    words.data[(b"\xff\xfe",)] = Datum((b"\xff\xfe",), 9, NOW)
    reals = make_metric("level_bytes", Kind.GAUGE, ValueType.FLOAT, "name")
    for name, real in REALS.items():
        key = (name.encode(),)
        reals.data[key] = Datum(key, real, NOW)
    timer = make_metric("took_seconds", Kind.TIMER, ValueType.FLOAT)
    timer.data[()] = Datum((), 0.25, NOW)
    said = make_metric("said", Kind.TEXT, ValueType.STRING)
    said.data[()] = Datum((), b"made_up 1", NOW)
    secret = make_metric("secret_total", Kind.COUNTER, ValueType.INT, hidden=True)
    secret.data[()] = Datum((), 1, NOW)
    sizes = Metric(
        "sizes",
        kind=Kind.HISTOGRAM,
        value_type=ValueType.BUCKETS,
        program=PROGRAM,
        label_names=("kind",),
        buckets=(0.0, 1.0, 2.5),
    )
    histogram = HistogramDatum((b"a",), 3, NOW)
    histogram.counts, histogram.total, histogram.count = [1, 2, 3], math.inf, 6
    sizes.data[(b"a",)] = histogram
    store = Store()
    store.register([words, reals, timer, said, secret, sizes])
    return store


def make_metric(
    name: str, kind: Kind, type_: ValueType, *labels: str, help_text: str = "", hidden: bool = False
) -> Metric:
    """Return a metric without series."""
    return Metric(
        name,
        kind=kind,
        value_type=type_,
        program=PROGRAM,
        label_names=labels,
        help_text=help_text,
        hidden=hidden,
    )


def list_expected() -> dict[Sample, float]:
    """Return the samples that a reader of the Prometheus text must find, by name and labels without empty ones."""
    expected = {
        spell_sample("words_total", prog=PROGRAM, word=word.decode()): float(value) for word, value in VALUES.items()
    }
    expected[spell_sample("words_total", prog=PROGRAM, word="\ufffd\ufffd")] = 9.0
    for name, real in REALS.items():
        expected[spell_sample("level_bytes", prog=PROGRAM, name=name)] = real
    expected[spell_sample("took_seconds", prog=PROGRAM)] = 0.25
    for bound, count in (("1", 1.0), ("2.5", 3.0), ("+Inf", 6.0)):
        expected[spell_sample("sizes_bucket", prog=PROGRAM, kind="a", le=bound)] = count
    expected[spell_sample("sizes_sum", prog=PROGRAM, kind="a")] = math.inf
    expected[spell_sample("sizes_count", prog=PROGRAM, kind="a")] = 6.0
    return expected


def spell_sample(sample: str, **labels: str) -> Sample:
    """Return the name of a sample and its labels in order. To Prometheus an empty label is none."""
    return sample, tuple(sorted((name, value) for name, value in labels.items() if value))


def show(samples: dict[Sample, float]) -> dict[Sample, str]:
    """Return values so that NaN equals NaN. The writers of Prometheus' own programs know no -0: it is 0."""
    return {sample: repr(value + 0.0) for sample, value in samples.items()}
