"""Random programs over random lines, run by us and by the real mtail: the metrics must be the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, note, settings

from tests.differential.comparison import RANDOM_PROGRAM_SETTINGS, RandomCase, compare_case, random_cases
from tests.differential.pieces import Chooser
from tests.differential.statements import ProgramWriter, write_lines
from tests.test_programs import Case

KEPT = sorted((Path(__file__).parents[1] / "programs").rglob("diff-*.case"))
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


@pytest.mark.slow
@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_kept_case_agrees_with_mtail(path: Path) -> None:
    """What once differed is a data case now; its expected metrics are mtail's."""
    case = Case.read(path)
    lines = case.log.decode().splitlines()
    assert compare_case(RandomCase(case.sections["program"], tuple(lines))) == []
