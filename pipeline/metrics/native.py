"""Buckets whose bounds are powers: the native histograms of Prometheus, the exponential ones of OTLP.

With schema `s` a bucket of index `i` holds values v with base^(i-1) < v <= base^i, where base is 2^(2^-s), as in
Prometheus; the bounds of negative values are the same, mirrored. OTLP numbers the same bucket i - 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NativeBuckets:
    """What a histogram series holds by powers: a count for each index that has one, and that of values around zero."""

    schema: int
    zero_threshold: float
    """Values of this size and less are in none of the other buckets."""
    zero_count: int
    positive: Mapping[int, int]
    negative: Mapping[int, int]
