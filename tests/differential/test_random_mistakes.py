"""Random programs with a mistake in them: refused by both, or by none and then with the same metrics."""

from __future__ import annotations

import pytest
from hypothesis import given, note, settings

from tests.differential.comparison import RANDOM_PROGRAM_SETTINGS, RandomCase, compare_case, random_cases
from tests.differential.mutations import mutate
from tests.differential.pieces import Chooser
from tests.differential.statements import ProgramWriter, write_lines

PROGRAMS = 200
LINES = 6


def make_case(chooser: Chooser) -> RandomCase:
    writer = ProgramWriter(chooser)
    program = mutate(chooser, writer.write())
    return RandomCase(program, tuple(write_lines(chooser, writer.patterns, LINES)))


@pytest.mark.slow
@settings(RANDOM_PROGRAM_SETTINGS, max_examples=PROGRAMS)
@given(case=random_cases(make_case))
def test_program_with_a_mistake_is_judged_as_in_mtail(case: RandomCase) -> None:
    """Both sides refuse what neither can understand."""
    differences = compare_case(case)
    note("\n".join(differences))
    assert not differences
