"""What `decode` makes of records, beside what the real mtail makes of them by patterns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.records import LOGS, PATTERNS, find_program
from tests.differential.mtail import follow_language, run_mtail
from tests.differential.ours import replay
from tests.differential.outcome import MetricOutcome, Outcome, list_differences
from tests.generators.shapes import write_log

LINES = 3000


def forget_types(outcome: Outcome) -> Outcome:
    """Return the outcome without the places of declarations, and with Floats for all numbers.

    A metric that is made of a field holds Floats, where the pattern of mtail's program shows that it is whole.
    """
    return Outcome({name: tuple(map(forget_type, family)) for name, family in outcome.metrics.items()})


def forget_type(metric: MetricOutcome) -> MetricOutcome:
    series = {
        labels: replace(one, value=float(one.value) if isinstance(one.value, int) else one.value)
        for labels, one in metric.series.items()
    }
    return replace(metric, source="", value_type=0, series=series)


@pytest.mark.slow
@pytest.mark.parametrize("name", LOGS)
def test_decoding_counts_what_patterns_count_in_mtail(name: str, tmp_path: Path) -> None:
    """All metrics, labels, values and times; the benchmark compares these programs."""
    log = write_log(LOGS[name][0], tmp_path, LINES)
    theirs, _ = run_mtail(find_program(name + PATTERNS), [log])
    ours = replay(find_program(name), [log])
    assert all(metric.series for family in theirs.metrics.values() for metric in family)
    assert list_differences(forget_types(ours), forget_types(follow_language(theirs))) == []
