"""What programs count: metrics, their data, and the store that holds them."""

from __future__ import annotations

from pipeline.metrics.buckets import divide_bounds
from pipeline.metrics.datum import INT64_LIMIT, Datum, HistogramDatum, HistogramValue, wrap_int64
from pipeline.metrics.exemplars import MAX_CHARACTERS as MAX_EXEMPLAR_CHARACTERS
from pipeline.metrics.exemplars import Exemplar, SeriesExemplars
from pipeline.metrics.lifetimes import Lifetimes
from pipeline.metrics.metric import DEFAULT_MAX_LABEL_VALUE_BYTES, DEFAULT_MAX_SERIES, Kind, Metric, ValueType
from pipeline.metrics.native import NativeBuckets, NativeCounts, merge_buckets
from pipeline.metrics.numbers import format_go_float
from pipeline.metrics.rows import Rows, share_rows
from pipeline.metrics.saved import MetricCapture, Record, SavedMetrics, capture_metric, write_records
from pipeline.metrics.snapshot import MetricSnapshot, SeriesSnapshot, SeriesView, Snapshot
from pipeline.metrics.store import ROUTER, Store, add_kinds

__all__ = [
    "DEFAULT_MAX_LABEL_VALUE_BYTES",
    "DEFAULT_MAX_SERIES",
    "INT64_LIMIT",
    "MAX_EXEMPLAR_CHARACTERS",
    "ROUTER",
    "Datum",
    "Exemplar",
    "HistogramDatum",
    "HistogramValue",
    "Kind",
    "Lifetimes",
    "Metric",
    "MetricCapture",
    "MetricSnapshot",
    "NativeBuckets",
    "NativeCounts",
    "Record",
    "Rows",
    "SavedMetrics",
    "SeriesExemplars",
    "SeriesSnapshot",
    "SeriesView",
    "Snapshot",
    "Store",
    "ValueType",
    "add_kinds",
    "capture_metric",
    "divide_bounds",
    "format_go_float",
    "merge_buckets",
    "share_rows",
    "wrap_int64",
    "write_records",
]
