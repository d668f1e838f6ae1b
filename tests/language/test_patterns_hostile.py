"""Whatever is in a line, the time that a pattern takes grows with its length and no faster.

Steps of a backtracking search are counted; then the searches that programs really make are timed on
lines of 64 KiB. A time is only compared with another one of the same search, with a wide margin: four
times the line may take up to ten times as long, where quadratic growth would take sixteen times.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from pipeline.language import SourceFile, compile_program
from pipeline.language.patterns import Engine, Search, SearchPlan, parse_pattern, plan_search
from pipeline.language.patterns.tree import Node
from tests.language.backtracking import compile_program as compile_steps
from tests.language.backtracking import count_steps
from tests.language.hostile_lines import write_lines, write_pumps
from tests.language.test_patterns_linearity import PIECES, grows_linearly, list_steps

PROGRAMS = [
    *sorted(Path("/usr/share/doc/mtail/examples").glob("*.mtail")),
    *sorted(Path(__file__).parents[2].glob("pipeline/programs/*.mtail")),
]
LINE_BYTES = 64 * 1024
MAX_RATIO = 10
TOO_QUICK_SECONDS = 0.001
"""A search that takes less for 64 KiB needs no comparison: quadratic ones take seconds."""
MAX_STEPS = 1_000_000


def list_plans(path: Path) -> Iterator[SearchPlan]:
    """Yield the plans of a program's patterns, with the groups that it reads."""
    compiled = compile_program(SourceFile(path.name, path.read_text(encoding="utf-8")))
    for plan in compiled.generated.plans.values():
        if plan.engine in (Engine.RE, Engine.RE2) and not plan.never:
            yield plan


def make_random_plans(seed: int, count: int) -> Iterator[SearchPlan]:
    """Yield plans of random patterns that `re` runs."""
    random = Random(seed)
    while count:
        text = random.choice(("", "^")) + "".join(random.choices(PIECES, k=random.randint(2, 7)))
        regex = parse_pattern(text + random.choice(("", "", "$")))
        wanted = frozenset(range(1, len(regex.names) + 1))
        plan = plan_search(regex, wanted, in_line=True)
        if plan.engine is Engine.RE:
            count -= 1
            yield plan


def count_growth(root: Node, pump: tuple[str, str, str], *, at_start: bool) -> list[int]:
    """Return the steps for lines that are twice as long each time."""
    beginning, piece, end = pump
    lines = [beginning + piece * (length // len(piece) + 1) + end for length in (40, 80, 160)]
    program = compile_steps(root)
    return [count_steps(program, line, range(1 if at_start else len(line) + 1), MAX_STEPS) for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_steps_grow_with_the_line_for_patterns_of_programs(path: Path) -> None:
    """Of those that `re` searches for."""
    for plan in list_plans(path):
        if plan.engine is Engine.RE or plan.reads_with_re:
            for root, at_start in list_steps(plan):
                for pump in write_pumps(root):
                    assert grows_linearly(count_growth(root, pump, at_start=at_start)), (root, pump)


def measure(search: Search, line: bytes) -> float:
    """Return the least of some times that a search takes, in seconds of processor time."""
    times = []
    for _ in range(3):
        begin = time.process_time()
        search(line)
        times.append(time.process_time() - begin)
    return min(times)


def find_slow_line(plan: SearchPlan, length: int = LINE_BYTES) -> bytes | None:
    """Return a line for which the search takes more than linear time, None if there is none."""
    search = plan.compile_ascii()
    short_lines = write_lines(plan.root, length // 4)
    for short, long in zip(short_lines, write_lines(plan.root, length), strict=True):
        if measure(search, long) < TOO_QUICK_SECONDS:
            continue
        # A busy machine may disturb one comparison, not three.
        if all(measure(search, long) > MAX_RATIO * measure(search, short) for _ in range(3)):
            return long[:100]
    return None


@pytest.mark.slow
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_longest_lines_take_linear_time_for_patterns_of_programs(path: Path) -> None:
    """With whichever engine."""
    for plan in list_plans(path):
        assert find_slow_line(plan) is None, plan


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_longest_lines_take_linear_time_for_random_patterns(seed: int) -> None:
    """That `re` is given after a proof."""
    for plan in make_random_plans(seed, 30):
        assert find_slow_line(plan) is None, plan


@pytest.mark.slow
def test_quadratic_search_is_found() -> None:
    """The margin is not so wide that nothing fails."""
    regex = parse_pattern(r"(\w+)x(\d)")
    plan = plan_search(regex, frozenset({0}))
    assert plan.engine is Engine.RE2
    slow = SearchPlan(engine=Engine.RE, reason="", root=plan.root, group_index=plan.group_index)
    assert find_slow_line(slow, 8 * 1024) is not None
