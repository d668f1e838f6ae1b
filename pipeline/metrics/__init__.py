"""What programs count: metrics, their data, and the store that holds them."""

from __future__ import annotations

from pipeline.metrics.datum import Datum, HistogramDatum, wrap_int64
from pipeline.metrics.numbers import format_go_float

__all__ = ["Datum", "HistogramDatum", "format_go_float", "wrap_int64"]
