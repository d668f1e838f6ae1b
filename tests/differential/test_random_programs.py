"""Random programs over random lines, run by us and by the real mtail: the metrics must be the same."""

from __future__ import annotations

import pytest
from hypothesis import given, note, settings

from tests.differential.comparison import RANDOM_PROGRAM_SETTINGS, RandomCase, compare_case, random_cases
from tests.differential.pieces import Chooser
from tests.differential.statements import ProgramWriter, write_lines

PROGRAMS = 300
LINES = 20


def make_case(chooser: Chooser) -> RandomCase:
    writer = ProgramWriter(chooser)
    program = writer.write()
    return RandomCase(program, tuple(write_lines(chooser, writer.patterns, LINES)))


@pytest.mark.slow
@settings(RANDOM_PROGRAM_SETTINGS, max_examples=PROGRAMS)
@given(case=random_cases(make_case))
def test_random_program_gives_the_metrics_mtail_gives(case: RandomCase) -> None:
    """Whatever the program and its lines: same verdict of the compiler, same series, values, times, failures."""
    differences = compare_case(case)
    note("\n".join(differences))
    assert not differences
